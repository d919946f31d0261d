use crate::model::string;
use crate::{CommandResult, Error, ExecResult, Output, Result, RunResult};
use serde_json::Value;

/// Puts server-sent events (the HTML standard's text/event-stream) together from pieces.
#[derive(Default)]
pub(crate) struct EventParser {
    rest: Vec<u8>,
    name: String,
    data: String,
}

impl EventParser {
    /// Calls back with the events that this piece completes.
    pub fn feed(&mut self, piece: &[u8], mut each: impl FnMut(&str, Value)) -> Result<()> {
        self.rest.extend_from_slice(piece);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(|character| character == '\n' || character == '\r');
            if line.is_empty() {
                if !self.data.is_empty() {
                    let value = serde_json::from_str(&self.data).map_err(|error| Error::Transport(format!("An event cannot be read: {}", error)))?;
                    if self.name == "error" {
                        return Err(Error::event(&value));
                    }
                    each(&self.name, value);
                }
                self.name.clear();
                self.data.clear();
            } else if let Some(value) = line.strip_prefix("event:") {
                self.name = value.strip_prefix(' ').unwrap_or(value).to_owned();
            } else if let Some(value) = line.strip_prefix("data:") {
                self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
            }
        }
        Ok(())
    }
}

/// Collects what a run or a process prints.
pub(crate) struct Collector<F> {
    parser: EventParser,
    stdout: String,
    stderr: String,
    end: Option<Value>,
    each: F,
}

impl<F: FnMut(&Output)> Collector<F> {
    pub fn new(each: F) -> Self {
        Collector { parser: EventParser::default(), stdout: String::new(), stderr: String::new(), end: None, each }
    }

    pub fn feed(&mut self, piece: &[u8]) -> Result<()> {
        let (stdout, stderr, end, each) = (&mut self.stdout, &mut self.stderr, &mut self.end, &mut self.each);
        self.parser.feed(piece, |name, value| match name {
            "stdout" => {
                let text = string(&value, "text");
                stdout.push_str(&text);
                each(&Output::Stdout(text));
            }
            "stderr" => {
                let text = string(&value, "text");
                stderr.push_str(&text);
                each(&Output::Stderr(text));
            }
            "end" | "exit" => *end = Some(value),
            _ => {}
        })
    }

    fn finish(&mut self) -> Result<Value> {
        self.end.take().ok_or_else(|| Error::Transport("The stream ended before the program did.".into()))
    }

    pub fn run(mut self) -> Result<RunResult> {
        let end = self.finish()?;
        Ok(RunResult { stdout: self.stdout, stderr: self.stderr, ..RunResult::of(&end) })
    }

    pub fn exec(mut self) -> Result<ExecResult> {
        let end = self.finish()?;
        Ok(ExecResult { stdout: self.stdout, stderr: self.stderr, ..ExecResult::of(&end) })
    }

    pub fn command(mut self, pid: u32) -> Result<CommandResult> {
        let end = self.finish()?;
        let exit_code = end["exit_code"].as_i64().unwrap_or_default() as i32;
        Ok(CommandResult { pid, stdout: self.stdout, stderr: self.stderr, exit_code, timed_out: false })
    }
}
