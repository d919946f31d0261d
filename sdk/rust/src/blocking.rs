use crate::events::{Collector, EventParser};
use crate::model::*;
use crate::options::{encode, id_of};
use crate::surface::{client_surface, list, sandbox_surface};
use crate::{ClientOptions, Command, CommandOptions, Error, ExecOptions, Result, RunOptions, SandboxOptions};
use serde_json::{json, Value};
use std::io::{Read, Write};
use std::time::Duration;

const RETRIES: u32 = 2;

/// A server, for programs that block. Cheap to clone; can be used from several threads.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    authorization: Option<String>,
}

impl Client {
    /// The server that the environment names.
    pub fn new() -> Self {
        Client::with(&ClientOptions::default())
    }

    /// A server.
    pub fn with(options: &ClientOptions) -> Self {
        // Code may run for long: no limit for reading.
        let agent = ureq::AgentBuilder::new().timeout_connect(Duration::from_secs(30)).build();
        Client { agent, base: options.base(), authorization: options.authorization() }
    }

    client_surface!([] []);

    fn send(&self, method: &str, path: &str, kind: &str, accept: &str, body: Option<&mut dyn FnMut(ureq::Request) -> SendResult>) -> Result<ureq::Response> {
        let mut request = self.agent.request(method, &format!("{}{}", self.base, path)).set("Accept", accept).set("User-Agent", "ramet-rust/0.1.0");
        if let Some(authorization) = &self.authorization {
            request = request.set("Authorization", authorization);
        }
        let answer = match body {
            Some(send) => send(request.set("Content-Type", kind)),
            None if method == "POST" => request.send_bytes(&[]).map_err(Box::new),
            None => request.call().map_err(Box::new),
        };
        answer.map_err(|error| match *error {
            ureq::Error::Status(status, response) => {
                let header = |name: &str| response.header(name).map(str::to_owned);
                let (id, pause) = (header("X-Request-Id"), header("Retry-After"));
                let mut content = Vec::new();
                let _ = response.into_reader().take(1 << 20).read_to_end(&mut content);
                Error::api(status, id.as_deref(), pause.as_deref(), &content)
            }
            ureq::Error::Transport(error) => Error::Transport(format!("The server cannot be reached, or the connection broke: {}. Is `ramet serve` running, and RAMET_URL right?", error)),
        })
    }

    fn request(&self, method: &str, path: &str, kind: &str, accept: &str, body: Option<&[u8]>) -> Result<ureq::Response> {
        let mut attempt = 0;
        loop {
            let answer = match body {
                Some(bytes) => self.send(method, path, kind, accept, Some(&mut |request| request.send_bytes(bytes).map_err(Box::new))),
                None => self.send(method, path, kind, accept, None),
            };
            match answer {
                Err(error) if attempt < RETRIES && error.pause().is_some() => std::thread::sleep(error.pause().unwrap_or_default()),
                other => return other,
            }
            attempt += 1;
        }
    }

    /// A request whose answer is JSON, or nothing. For what this crate has no method for.
    pub fn json(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let body = body.map(|body| body.to_string());
        let mut content = Vec::new();
        self.request(method, path, "application/json", "application/json", body.as_deref().map(str::as_bytes))?.into_reader().read_to_end(&mut content).map_err(broken)?;
        if content.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&content).map_err(|error| Error::Transport(format!("The answer is no JSON: {}", error)))
    }

    fn bytes(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        self.request(method, path, "application/octet-stream", "*/*", body.as_deref())?.into_reader().read_to_end(&mut content).map_err(broken)?;
        Ok(content)
    }

    fn events(&self, method: &str, path: &str, body: Option<Value>, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let body = body.map(|body| body.to_string());
        let mut reader = self.request(method, path, "application/json", "text/event-stream", body.as_deref().map(str::as_bytes))?.into_reader();
        let mut buffer = [0; 16384];
        loop {
            match reader.read(&mut buffer).map_err(broken)? {
                0 => return Ok(()),
                count => each(&buffer[..count])?,
            }
        }
    }
}

type SendResult = std::result::Result<ureq::Response, Box<ureq::Error>>;

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::Transport(format!("The connection to the server failed: {}", error))
}

/// A virtual machine with a warm interpreter, processes and files. Dropping it ends it, unless it is detached or was only connected to.
pub struct Sandbox {
    client: Client,
    id: String,
    owned: bool,
}

impl Sandbox {
    /// A sandbox of the server that the environment names.
    pub fn new() -> Result<Self> {
        Client::new().create(&SandboxOptions::default())
    }

    fn of(client: Client, id: String, owned: bool) -> Self {
        Sandbox { client, id, owned }
    }

    sandbox_surface!([] []);

    /// Writes a file from a reader, which is never held as a whole.
    pub fn write_file_from(&self, path: &str, mut content: impl Read) -> Result<()> {
        self.client.send("PUT", &self.file("/content", path, ""), "application/octet-stream", "*/*", Some(&mut |request| request.send(&mut content).map_err(Box::new))).map(drop)
    }

    /// Copies a file's content into a writer. Gives the number of bytes.
    pub fn read_file_to(&self, path: &str, target: &mut impl Write) -> Result<u64> {
        let response = self.client.request("GET", &self.file("/content", path, ""), "", "*/*", None)?;
        std::io::copy(&mut response.into_reader(), target).map_err(broken)
    }

    /// It shall live on when this object goes, until its time is over. Gives its id.
    pub fn detach(mut self) -> String {
        self.owned = false;
        self.id.clone()
    }

    /// Ends it. An error with status 404 says that it is over already.
    pub fn delete(mut self) -> Result<()> {
        self.owned = false;
        self.call("DELETE", "", None).map(drop)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.owned {
            // Otherwise its time will be over.
            let _ = self.call("DELETE", "", None);
        }
    }
}
