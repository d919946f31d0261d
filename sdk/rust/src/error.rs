use std::fmt;
use std::time::Duration;

/// What can go wrong.
#[derive(Debug)]
pub enum Error {
    /// The server refused a request (RFC 9457 problem details).
    Api(ApiError),
    /// The server cannot be reached, or the connection broke before the answer was complete.
    Transport(String),
    /// `check()` of a result: the code or command did not end well.
    Code(String),
}

/// A refusal.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem in a few words.
    pub title: String,
    /// What is wrong and what to do.
    pub detail: String,
    /// Names the request in the server's log.
    pub request_id: Option<String>,
    /// After which to try again (429 and 503).
    pub retry_after: Option<Duration>,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The HTTP status, if the server has answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Api(error) => Some(error.status),
            _ => None,
        }
    }

    /// Whether there is no such sandbox, process, file or snapshot; or it is over.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    pub(crate) fn api(status: u16, request_id: Option<&str>, retry_after: Option<&str>, body: &[u8]) -> Error {
        let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        Error::problem(status, request_id, retry_after, &problem, body)
    }

    /// The error that an event tells of: the answer had begun when it happened, such as that the sandbox was paused.
    pub(crate) fn event(problem: &serde_json::Value) -> Error {
        Error::problem(problem["status"].as_u64().unwrap_or(500) as u16, None, None, problem, &[])
    }

    fn problem(status: u16, request_id: Option<&str>, retry_after: Option<&str>, problem: &serde_json::Value, body: &[u8]) -> Error {
        let text = |name: &str| problem[name].as_str().map(str::to_owned);
        // Without a problem document something between here and the server has answered.
        let plain = || String::from_utf8_lossy(&body[..body.len().min(500)]).trim().to_owned();
        Error::Api(ApiError {
            status,
            title: text("title").unwrap_or_else(|| format!("HTTP {}", status)),
            detail: text("detail").or_else(|| text("error")).unwrap_or_else(plain),
            request_id: text("request_id").or_else(|| request_id.map(str::to_owned)),
            retry_after: retry_after.and_then(|value| value.parse().ok()).map(Duration::from_secs),
        })
    }

    /// How long to wait before the same is asked again; None: not at all. 429 and 503 with Retry-After: nothing was done.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match self {
            Error::Api(error) if error.status == 429 || error.status == 503 => error.retry_after.map(|pause| pause.min(Duration::from_secs(10))),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Api(error) => {
                write!(f, "{} {}: {}", error.status, error.title, error.detail)?;
                error.request_id.as_ref().map_or(Ok(()), |id| write!(f, " (request {})", id))
            }
            Error::Transport(text) | Error::Code(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}
