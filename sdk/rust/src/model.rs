use crate::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

pub(crate) fn string(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn maybe(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().map(str::to_owned)
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    value.as_object().into_iter().flatten().filter_map(|(name, one)| Some((name.clone(), one.as_str()?.to_owned()))).collect()
}

fn printed(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(text.strip_suffix('\n').unwrap_or(text))
}

macro_rules! result_methods {
    ($type:ty, $what:literal) => {
        impl $type {
            /// Whether it ended well.
            pub fn ok(&self) -> bool {
                self.exit_code == 0
            }

            /// The result itself, if it is ok.
            pub fn check(self) -> Result<Self> {
                if self.ok() {
                    return Ok(self);
                }
                let why = if self.timed_out { "its time was over" } else { self.stderr.trim() };
                Err(Error::Code(format!(concat!("The ", $what, " failed with exit code {}: {}"), self.exit_code, why)))
            }
        }

        /// What was printed, without the last line end.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                printed(f, &self.stdout)
            }
        }
    };
}

/// What code in a fork of its own came to.
#[derive(Debug, Clone)]
pub struct ExecResult {
    pub id: String,
    pub stdout: String,
    pub stderr: String,
    /// The program's own; 128 + signal; 124: time is over; 153: printed too much; 137: memory.
    pub exit_code: i32,
    pub timed_out: bool,
    /// Why it did not end by itself.
    pub error: Option<String>,
    pub fork_time_ms: f64,
    pub exec_time_ms: f64,
    pub total_time_ms: f64,
}

impl ExecResult {
    pub(crate) fn of(value: &Value) -> Self {
        ExecResult {
            id: string(value, "id"),
            stdout: string(value, "stdout"),
            stderr: string(value, "stderr"),
            exit_code: value["exit_code"].as_i64().unwrap_or_default() as i32,
            timed_out: value["timed_out"].as_bool().unwrap_or_default(),
            error: maybe(value, "error"),
            fork_time_ms: value["fork_time_ms"].as_f64().unwrap_or_default(),
            exec_time_ms: value["exec_time_ms"].as_f64().unwrap_or_default(),
            total_time_ms: value["total_time_ms"].as_f64().unwrap_or_default(),
        }
    }
}

result_methods!(ExecResult, "code");

/// What code in a sandbox's interpreter came to.
#[derive(Debug, Clone)]
pub struct RunResult {
    pub stdout: String,
    pub stderr: String,
    /// 0; 1 after an exception; 124: time was over; 137: it was killed.
    pub exit_code: i32,
    pub timed_out: bool,
    /// How the last expression is written; None: there was none.
    pub value: Option<String>,
    /// How the last expression and open figures look: objects of media type to content; images are in base64.
    pub results: Vec<Value>,
    /// Class and text of the exception that nothing caught.
    pub exception: Option<(String, String)>,
    pub duration_ms: f64,
}

impl RunResult {
    pub(crate) fn of(value: &Value) -> Self {
        let exception = &value["exception"];
        RunResult {
            stdout: string(value, "stdout"),
            stderr: string(value, "stderr"),
            exit_code: value["exit_code"].as_i64().unwrap_or_default() as i32,
            timed_out: value["timed_out"].as_bool().unwrap_or_default(),
            value: maybe(value, "value"),
            results: value["results"].as_array().cloned().unwrap_or_default(),
            exception: exception.is_object().then(|| (string(exception, "type"), string(exception, "text"))),
            duration_ms: value["duration_ms"].as_f64().unwrap_or_default(),
        }
    }
}

result_methods!(RunResult, "code");

/// What a command came to.
#[derive(Debug, Clone)]
pub struct CommandResult {
    pub pid: u32,
    pub stdout: String,
    pub stderr: String,
    /// Its own, or 128 + signal.
    pub exit_code: i32,
    pub timed_out: bool,
}

result_methods!(CommandResult, "command");

/// A piece of output; all that a terminal shows is stdout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Stdout(String),
    Stderr(String),
}

/// What is known of a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxInfo {
    pub id: String,
    pub template: String,
    /// `running` or `paused`.
    pub state: String,
    /// RFC 3339.
    pub created: String,
    pub expires: String,
    pub memory_mb: f64,
    pub memory_used_mb: f64,
    pub metadata: BTreeMap<String, String>,
    /// The sandbox that it was forked from.
    pub parent: Option<String>,
}

impl SandboxInfo {
    pub(crate) fn of(value: &Value) -> Self {
        SandboxInfo {
            id: string(value, "id"),
            template: string(value, "template"),
            state: string(value, "state"),
            created: string(value, "created"),
            expires: string(value, "expires"),
            memory_mb: value["memory_mb"].as_f64().unwrap_or_default(),
            memory_used_mb: value["memory_used_mb"].as_f64().unwrap_or_default(),
            metadata: strings(&value["metadata"]),
            parent: maybe(value, "parent"),
        }
    }
}

/// A process that was started through the interface.
#[derive(Debug, Clone)]
pub struct ProcessInfo {
    pub pid: u32,
    pub command: Vec<String>,
    pub tty: bool,
    pub running: bool,
    pub exit_code: Option<i32>,
}

impl ProcessInfo {
    pub(crate) fn of(value: &Value) -> Self {
        ProcessInfo {
            pid: value["pid"].as_u64().unwrap_or_default() as u32,
            command: value["command"].as_array().into_iter().flatten().filter_map(|word| Some(word.as_str()?.to_owned())).collect(),
            tty: value["tty"].as_bool().unwrap_or_default(),
            running: value["running"].as_bool().unwrap_or_default(),
            exit_code: value["exit_code"].as_i64().map(|code| code as i32),
        }
    }
}

/// A file of a sandbox.
#[derive(Debug, Clone)]
pub struct FileInfo {
    pub path: String,
    pub name: String,
    /// `file`, `directory`, `symlink`, `fifo`, `socket`, `device` or `unknown`.
    pub kind: String,
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// RFC 3339.
    pub modified: String,
    /// Where a symbolic link leads.
    pub target: Option<String>,
}

impl FileInfo {
    pub(crate) fn of(value: &Value) -> Self {
        FileInfo {
            path: string(value, "path"),
            name: string(value, "name"),
            kind: string(value, "type"),
            size: value["size"].as_u64().unwrap_or_default(),
            mode: u32::from_str_radix(value["mode"].as_str().unwrap_or_default(), 8).unwrap_or_default(),
            modified: string(value, "modified"),
            target: maybe(value, "target"),
        }
    }
}

/// A saved sandbox, or a moment of one.
#[derive(Debug, Clone)]
pub struct Saved {
    pub id: String,
    pub name: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// On disk (snapshots) or in memory (checkpoints).
    pub bytes: u64,
}

impl Saved {
    pub(crate) fn of(value: &Value) -> Self {
        Saved {
            id: string(value, "id"),
            name: maybe(value, "name"),
            created: string(value, "created"),
            bytes: value["size_bytes"].as_u64().or_else(|| value["memory_bytes"].as_u64()).unwrap_or_default(),
        }
    }
}

/// What sandboxes are forked from: the server's, or made of a sandbox.
#[derive(Debug, Clone)]
pub struct Template {
    pub name: String,
    /// The language of the server's templates.
    pub language: Option<String>,
    /// The template below it, of the key's own.
    pub from: Option<String>,
    /// The id of the sandbox that it was made of.
    pub sandbox: Option<String>,
}

impl Template {
    pub(crate) fn of(value: &Value) -> Self {
        Template { name: string(value, "name"), language: maybe(value, "language"), from: maybe(value, "from"), sandbox: maybe(value, "sandbox") }
    }
}
