//! The same for tokio programs. Dropping the future of a call ends its connection, and the server then ends the code.
//! http:// only: put TLS in a proxy of your own, or use the blocking client.

use crate::events::{Collector, EventParser};
use crate::model::*;
use crate::options::{encode, id_of};
use crate::surface::{client_surface, list, sandbox_surface};
use crate::{ClientOptions, Command, CommandOptions, Error, ExecOptions, Result, RunOptions, SandboxOptions};
use hyper::body::HttpBody;
use hyper::{header, Body, Request, Response};
use serde_json::{json, Value};
use std::time::Duration;

const RETRIES: u32 = 2;

/// A server. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: hyper::Client<hyper::client::HttpConnector>,
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
        Client { http: hyper::Client::new(), base: options.base(), authorization: options.authorization() }
    }

    client_surface!([async] [.await]);

    async fn send(&self, method: &str, path: &str, kind: &str, accept: &str, body: Option<Vec<u8>>) -> Result<Response<Body>> {
        let mut request = Request::builder().method(method).uri(format!("{}{}", self.base, path)).header(header::ACCEPT, accept).header(header::USER_AGENT, "ramet-rust/0.1.0");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).map_err(|error| Error::Transport(format!("{} is not the address of a server: {}", self.base, error)))?;
        let response = self.http.request(request).await.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, id, pause) = (response.status().as_u16(), header("x-request-id"), header("retry-after"));
        let content = hyper::body::to_bytes(response.into_body()).await.unwrap_or_default();
        Err(Error::api(status, id.as_deref(), pause.as_deref(), &content))
    }

    async fn request(&self, method: &str, path: &str, kind: &str, accept: &str, body: Option<Vec<u8>>) -> Result<Response<Body>> {
        let mut attempt = 0;
        loop {
            match self.send(method, path, kind, accept, body.clone()).await {
                Err(error) if attempt < RETRIES && error.pause().is_some() => tokio::time::sleep(error.pause().unwrap_or_default()).await,
                other => return other,
            }
            attempt += 1;
        }
    }

    /// A request whose answer is JSON, or nothing. For what this crate has no method for.
    pub async fn json(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let response = self.request(method, path, "application/json", "application/json", body.map(|body| body.to_string().into_bytes())).await?;
        let content = hyper::body::to_bytes(response.into_body()).await.map_err(broken)?;
        if content.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&content).map_err(|error| Error::Transport(format!("The answer is no JSON: {}", error)))
    }

    async fn bytes(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let response = self.request(method, path, "application/octet-stream", "*/*", body).await?;
        Ok(hyper::body::to_bytes(response.into_body()).await.map_err(broken)?.to_vec())
    }

    async fn events(&self, method: &str, path: &str, body: Option<Value>, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let response = self.request(method, path, "application/json", "text/event-stream", body.map(|body| body.to_string().into_bytes())).await?;
        let mut body = response.into_body();
        while let Some(piece) = body.data().await {
            each(&piece.map_err(broken)?)?;
        }
        Ok(())
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

fn broken(error: hyper::Error) -> Error {
    Error::Transport(format!("The server cannot be reached, or the connection broke: {}. Is `ramet serve` running, and RAMET_URL right?", error))
}

/// A virtual machine with a warm interpreter, processes and files. It ends by `delete`, or when its time (300 s) is over: dropping cannot wait.
pub struct Sandbox {
    client: Client,
    id: String,
}

impl Sandbox {
    /// A sandbox of the server that the environment names.
    pub async fn new() -> Result<Self> {
        Client::new().create(&SandboxOptions::default()).await
    }

    fn of(client: Client, id: String, _owned: bool) -> Self {
        Sandbox { client, id }
    }

    sandbox_surface!([async] [.await]);

    /// Ends it. An error with status 404 says that it is over already.
    pub async fn delete(self) -> Result<()> {
        self.call("DELETE", "", None).await.map(drop)
    }
}
