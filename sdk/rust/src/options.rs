use crate::model::string;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where the server is.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// `http://HOST:PORT` or `https://HOST`; else the environment's RAMET_URL, else `http://127.0.0.1:8080`.
    pub url: Option<String>,
    /// A key of `ramet key create`; else the environment's RAMET_API_KEY. A server in development needs none.
    pub api_key: Option<String>,
}

impl ClientOptions {
    pub(crate) fn base(&self) -> String {
        let url = self.url.clone().or_else(|| environment("RAMET_URL")).unwrap_or_else(|| "http://127.0.0.1:8080".into());
        url.trim_end_matches('/').to_owned()
    }

    pub(crate) fn authorization(&self) -> Option<String> {
        self.api_key.clone().or_else(|| environment("RAMET_API_KEY")).map(|key| format!("Bearer {}", key))
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How code is run in a fork of its own. What is None is the server's default.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    pub language: Option<String>,
    pub template: Option<String>,
    /// Wall time; when it is over the result has `timed_out`.
    pub timeout: Option<Duration>,
    pub stdin: Option<String>,
    pub args: Option<Vec<String>>,
    pub env: BTreeMap<String, String>,
    /// Files to write before, by path: text.
    pub files: BTreeMap<String, String>,
    /// Limit for programs and the files that they write, MiB.
    pub memory_mb: Option<u32>,
}

/// What a sandbox is made of. What is None is the server's default.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    pub template: Option<String>,
    pub language: Option<String>,
    /// Id of a saved sandbox, to go on from there.
    pub snapshot: Option<String>,
    pub image: Option<String>,
    pub memory_mb: Option<u32>,
    /// When it ends by itself, from now; else after 300 seconds.
    pub timeout: Option<Duration>,
    pub metadata: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
    pub cwd: Option<String>,
    /// `none` or `loopback`.
    pub network: Option<String>,
    pub auto_pause: Option<Duration>,
    pub checkpoint_every_run: Option<bool>,
}

/// How code is run in a sandbox.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Wall time; then the code is interrupted.
    pub timeout: Option<Duration>,
    /// Variables to set, for good.
    pub env: BTreeMap<String, String>,
    /// Directory to change to, for good.
    pub cwd: Option<String>,
}

/// How a program is started.
#[derive(Debug, Clone, Default)]
pub struct CommandOptions {
    pub env: BTreeMap<String, String>,
    pub cwd: Option<String>,
    /// USER or USER:GROUP.
    pub user: Option<String>,
    pub stdin: Option<String>,
    /// Its input stays open for more.
    pub keep_stdin: bool,
    /// Rows and columns of its terminal.
    pub tty: Option<(u16, u16)>,
}

/// A line for /bin/sh, or a program and its arguments.
#[derive(Debug, Clone)]
pub enum Command {
    Shell(String),
    Program(Vec<String>),
}

impl From<&str> for Command {
    fn from(line: &str) -> Self {
        Command::Shell(line.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for Command {
    fn from(words: [&str; N]) -> Self {
        Command::Program(words.iter().map(|word| (*word).to_owned()).collect())
    }
}

impl From<Vec<String>> for Command {
    fn from(words: Vec<String>) -> Self {
        Command::Program(words)
    }
}

fn given(members: Value) -> Value {
    let object = members.as_object().cloned().unwrap_or_default();
    let empty = |value: &Value| value.is_null() || value.as_object().map_or(false, Map::is_empty);
    Value::Object(object.into_iter().filter(|(_, value)| !empty(value)).collect())
}

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}

impl ExecOptions {
    pub(crate) fn body(&self, code: &str) -> Value {
        given(json!({
            "code": code, "language": self.language, "template": self.template, "timeout_seconds": seconds(self.timeout), "stdin": self.stdin, "args": self.args,
            "env": self.env, "files": self.files, "memory_mb": self.memory_mb,
        }))
    }
}

impl SandboxOptions {
    pub(crate) fn body(&self) -> Value {
        given(json!({
            "template": self.template, "language": self.language, "snapshot": self.snapshot, "image": self.image, "memory_mb": self.memory_mb,
            "timeout_seconds": seconds(self.timeout), "metadata": self.metadata, "env": self.env, "cwd": self.cwd, "network": self.network,
            "auto_pause_seconds": seconds(self.auto_pause), "checkpoint_every_run": self.checkpoint_every_run,
        }))
    }
}

impl RunOptions {
    pub(crate) fn body(&self, code: &str) -> Value {
        given(json!({"code": code, "timeout_seconds": seconds(self.timeout), "env": self.env, "cwd": self.cwd}))
    }
}

impl CommandOptions {
    pub(crate) fn body(&self, command: Command) -> Value {
        let mut body = given(json!({
            "env": self.env, "cwd": self.cwd, "user": self.user, "stdin": self.stdin, "keep_stdin": self.keep_stdin.then(|| true),
            "tty": self.tty.map(|(rows, columns)| json!({"rows": rows, "columns": columns})),
        }));
        match command {
            Command::Shell(line) => body["shell"] = json!(line),
            Command::Program(words) => body["command"] = json!(words),
        }
        body
    }
}

/// Percent-encoding (RFC 3986) of a part of a path or query.
pub(crate) fn encode(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            result.push(byte as char);
        } else {
            result.push_str(&format!("%{:02X}", byte));
        }
    }
    result
}

pub(crate) fn id_of(value: &Value) -> String {
    string(value, "id")
}
