//! The methods that both clients have: written once, with and without `async`.

macro_rules! client_surface {
    ([$($a:tt)*] [$($w:tt)*]) => {
        /// Runs code in a fork of its own, of which nothing is left.
        pub $($a)* fn exec(&self, code: &str) -> Result<ExecResult> {
            self.exec_with(code, &ExecOptions::default())$($w)*
        }

        /// The same with options.
        pub $($a)* fn exec_with(&self, code: &str, options: &ExecOptions) -> Result<ExecResult> {
            Ok(ExecResult::of(&self.json("POST", "/v1/exec", Some(options.body(code)))$($w)*?))
        }

        /// The same; `each` is called with what is printed, as it is printed.
        pub $($a)* fn exec_streaming(&self, code: &str, options: &ExecOptions, each: impl FnMut(&Output)) -> Result<ExecResult> {
            let mut collector = Collector::new(each);
            self.events("POST", "/v1/exec", Some(options.body(code)), |piece| collector.feed(piece))$($w)*?;
            collector.exec()
        }

        /// What sandboxes can be forked from: the server's templates, then the key's own.
        pub $($a)* fn templates(&self) -> Result<Vec<Template>> {
            Ok(list(&self.json("GET", "/v1/templates", None)$($w)*?["templates"], Template::of))
        }

        /// Removes one of the key's own. Sandboxes that were forked from it live on.
        pub $($a)* fn delete_template(&self, name: &str) -> Result<()> {
            self.json("DELETE", &format!("/v1/templates/{}", encode(name)), None)$($w)*.map(drop)
        }

        /// Runs several pieces of code, each in a fork of its own. Results are in the same order.
        pub $($a)* fn exec_batch(&self, codes: &[&str], options: &ExecOptions) -> Result<Vec<ExecResult>> {
            let executions: Vec<Value> = codes.iter().map(|code| options.body(code)).collect();
            let answer = self.json("POST", "/v1/exec/batch", Some(json!({"executions": executions})))$($w)*?;
            Ok(list(&answer["results"], ExecResult::of))
        }

        /// Status, version and templates of the server. Needs no key.
        pub $($a)* fn health(&self) -> Result<Value> {
            self.json("GET", "/v1/health", None)$($w)*
        }

        /// Live sandboxes of the key, the oldest first (up to 1000).
        pub $($a)* fn sandboxes(&self) -> Result<Vec<SandboxInfo>> {
            Ok(list(&self.json("GET", "/v1/sandboxes?limit=1000", None)$($w)*?["sandboxes"], SandboxInfo::of))
        }

        /// Saved sandboxes.
        pub $($a)* fn snapshots(&self) -> Result<Vec<Saved>> {
            Ok(list(&self.json("GET", "/v1/snapshots", None)$($w)*?["snapshots"], Saved::of))
        }

        /// Forgets a saved sandbox. Sandboxes that were made of it live on.
        pub $($a)* fn delete_snapshot(&self, id: &str) -> Result<()> {
            self.json("DELETE", &format!("/v1/snapshots/{}", encode(id)), None)$($w)*.map(drop)
        }

        /// Makes a sandbox.
        pub $($a)* fn create(&self, options: &SandboxOptions) -> Result<Sandbox> {
            let answer = self.json("POST", "/v1/sandboxes", Some(options.body()))$($w)*?;
            Ok(Sandbox::of(self.clone(), id_of(&answer), true))
        }

        /// A sandbox that there is already. It lives on when the object goes.
        pub $($a)* fn connect(&self, id: &str) -> Result<Sandbox> {
            let answer = self.json("GET", &format!("/v1/sandboxes/{}", encode(id)), None)$($w)*?;
            Ok(Sandbox::of(self.clone(), id_of(&answer), false))
        }
    };
}

macro_rules! sandbox_surface {
    ([$($a:tt)*] [$($w:tt)*]) => {
        /// Names it at the server.
        pub fn id(&self) -> &str {
            &self.id
        }

        fn path(&self, rest: &str) -> String {
            format!("/v1/sandboxes/{}{}", encode(&self.id), rest)
        }

        fn file(&self, what: &str, path: &str, more: &str) -> String {
            self.path(&format!("/files{}?path={}{}", what, encode(path), more))
        }

        $($a)* fn call(&self, method: &str, rest: &str, body: Option<Value>) -> Result<Value> {
            self.client.json(method, &self.path(rest), body)$($w)*
        }

        /// Runs code in the warm interpreter. Names stay defined from run to run; one run at a time.
        pub $($a)* fn run(&self, code: &str) -> Result<RunResult> {
            self.run_with(code, &RunOptions::default())$($w)*
        }

        /// The same with options.
        pub $($a)* fn run_with(&self, code: &str, options: &RunOptions) -> Result<RunResult> {
            Ok(RunResult::of(&self.call("POST", "/run", Some(options.body(code)))$($w)*?))
        }

        /// The same; `each` is called with what is printed, as it is printed.
        pub $($a)* fn run_streaming(&self, code: &str, options: &RunOptions, each: impl FnMut(&Output)) -> Result<RunResult> {
            let mut collector = Collector::new(each);
            self.client.events("POST", &self.path("/run"), Some(options.body(code)), |piece| collector.feed(piece))$($w)*?;
            collector.run()
        }

        /// State, memory, and when it ends.
        pub $($a)* fn info(&self) -> Result<SandboxInfo> {
            Ok(SandboxInfo::of(&self.call("GET", "", None)$($w)*?))
        }

        /// It is to end after this time from now.
        pub $($a)* fn extend(&self, timeout: Duration) -> Result<SandboxInfo> {
            Ok(SandboxInfo::of(&self.call("PATCH", "", Some(json!({"timeout_seconds": timeout.as_secs_f64()})))$($w)*?))
        }

        /// Stops it; its memory is kept. Until it is resumed nothing else can be asked of it (409).
        pub $($a)* fn pause(&self) -> Result<SandboxInfo> {
            Ok(SandboxInfo::of(&self.call("POST", "/pause", None)$($w)*?))
        }

        /// Lets it go on.
        pub $($a)* fn resume(&self) -> Result<SandboxInfo> {
            Ok(SandboxInfo::of(&self.call("POST", "/resume", None)$($w)*?))
        }

        /// So many copies of it as it is now, with its variables, files and processes. It goes on itself.
        pub $($a)* fn fork(&self, count: u32) -> Result<Vec<Sandbox>> {
            let answer = self.call("POST", "/fork", Some(json!({"count": count})))$($w)*?;
            Ok(list(&answer["sandboxes"], |one| Sandbox::of(self.client.clone(), id_of(one), true)))
        }

        /// Saves it as it is now, for `SandboxOptions::snapshot`, also after the server was restarted.
        pub $($a)* fn snapshot(&self, name: Option<&str>) -> Result<Saved> {
            Ok(Saved::of(&self.call("POST", "/snapshots", Some(name.map_or(json!({}), |name| json!({"name": name}))))$($w)*?))
        }

        /// Makes a template of it as it is now, which has all that it has imported and defined. Nothing may run in it; it goes on.
        pub $($a)* fn save_template(&self, name: &str) -> Result<Template> {
            Ok(Template::of(&self.client.json("POST", "/v1/templates", Some(json!({"name": name, "sandbox": self.id})))$($w)*?))
        }

        /// Notes this moment, for `rewind` and `diff`.
        pub $($a)* fn checkpoint(&self, name: Option<&str>) -> Result<Saved> {
            Ok(Saved::of(&self.call("POST", "/checkpoints", Some(name.map_or(json!({}), |name| json!({"name": name}))))$($w)*?))
        }

        /// The moments that were noted.
        pub $($a)* fn checkpoints(&self) -> Result<Vec<Saved>> {
            Ok(list(&self.call("GET", "/checkpoints", None)$($w)*?["checkpoints"], Saved::of))
        }

        /// Forgets a moment.
        pub $($a)* fn delete_checkpoint(&self, id: &str) -> Result<()> {
            self.call("DELETE", &format!("/checkpoints/{}", encode(id)), None)$($w)*.map(drop)
        }

        /// Takes everything, memory and files, back to that moment.
        pub $($a)* fn rewind(&self, checkpoint: &str) -> Result<()> {
            self.call("POST", "/rewind", Some(json!({"checkpoint": checkpoint})))$($w)*.map(drop)
        }

        /// What has changed from one checkpoint to another (None: to now).
        pub $($a)* fn diff(&self, from: Option<&str>, to: Option<&str>, content: bool) -> Result<Value> {
            let mut query: Vec<String> = Vec::new();
            query.extend(from.map(|id| format!("from={}", encode(id))));
            query.extend(to.map(|id| format!("to={}", encode(id))));
            query.extend(content.then(|| "content=true".to_owned()));
            self.call("GET", &format!("/diff?{}", query.join("&")), None)$($w)*
        }

        /// What it has used: CPU, memory, and more.
        pub $($a)* fn metrics(&self) -> Result<Value> {
            self.call("GET", "/metrics", None)$($w)*
        }

        /// What happened to it (`events`), and the last `output` of its interpreter, also between runs.
        pub $($a)* fn logs(&self) -> Result<Value> {
            self.call("GET", "/logs", None)$($w)*
        }

        /// Runs a program to its end: a line for /bin/sh, or `["program", "argument"]`.
        pub $($a)* fn command(&self, command: impl Into<Command>, options: &CommandOptions) -> Result<CommandResult> {
            let process = self.start(command, options)$($w)*?;
            self.wait(process, |_| {})$($w)*
        }

        /// Starts a program and gives its number.
        pub $($a)* fn start(&self, command: impl Into<Command>, options: &CommandOptions) -> Result<u32> {
            Ok(ProcessInfo::of(&self.call("POST", "/processes", Some(options.body(command.into())))$($w)*?).pid)
        }

        /// Waits for a program's end; `each` is called with what it prints, first what was kept. Can be asked again at any time.
        pub $($a)* fn wait(&self, pid: u32, each: impl FnMut(&Output)) -> Result<CommandResult> {
            let mut collector = Collector::new(each);
            self.client.events("GET", &self.path(&format!("/processes/{}/output", pid)), None, |piece| collector.feed(piece))$($w)*?;
            collector.command(pid)
        }

        /// Sends a program and its group a signal, such as `TERM`. False: it has ended already.
        pub $($a)* fn signal(&self, pid: u32, signal: &str) -> Result<bool> {
            match self.call("POST", &format!("/processes/{}/signal", pid), Some(json!({"signal": signal})))$($w)* {
                Ok(_) => Ok(true),
                Err(error) if error.status() == Some(409) => Ok(false),
                Err(error) => Err(error),
            }
        }

        /// Gives a program input; `close`: this was all. It must have been started with `keep_stdin` or a terminal.
        pub $($a)* fn send_stdin(&self, pid: u32, input: &[u8], close: bool) -> Result<()> {
            self.client.bytes("POST", &self.path(&format!("/processes/{}/stdin?close={}", pid, close)), Some(input.to_vec()))$($w)*.map(drop)
        }

        /// Sets the size of a program's terminal anew.
        pub $($a)* fn resize(&self, pid: u32, rows: u16, columns: u16) -> Result<()> {
            self.call("POST", &format!("/processes/{}/resize", pid), Some(json!({"rows": rows, "columns": columns})))$($w)*.map(drop)
        }

        /// Programs that were started here, also the last that have ended.
        pub $($a)* fn processes(&self) -> Result<Vec<ProcessInfo>> {
            Ok(list(&self.call("GET", "/processes", None)$($w)*?["processes"], ProcessInfo::of))
        }

        /// A file's content. A relative path begins in the interpreter's working directory.
        pub $($a)* fn read_file(&self, path: &str) -> Result<Vec<u8>> {
            self.client.bytes("GET", &self.file("/content", path, ""), None)$($w)*
        }

        /// Writes a file; directories that are missing are made.
        pub $($a)* fn write_file(&self, path: &str, content: impl Into<Vec<u8>>) -> Result<()> {
            self.client.bytes("PUT", &self.file("/content", path, ""), Some(content.into()))$($w)*.map(drop)
        }

        /// A directory's content as a tar archive. Its names are the sandbox's: do not let them lead out of where it is unpacked.
        pub $($a)* fn read_archive(&self, path: &str) -> Result<Vec<u8>> {
            self.client.bytes("GET", &self.file("/archive", path, ""), None)$($w)*
        }

        /// Unpacks a tar archive into a directory, which is made if it is missing.
        pub $($a)* fn write_archive(&self, path: &str, archive: impl Into<Vec<u8>>) -> Result<()> {
            self.client.bytes("PUT", &self.file("/archive", path, ""), Some(archive.into()))$($w)*.map(drop)
        }

        /// Entries of a directory, ordered by name.
        pub $($a)* fn list_files(&self, path: &str) -> Result<Vec<FileInfo>> {
            Ok(list(&self.client.json("GET", &self.file("", path, ""), None)$($w)*?["entries"], FileInfo::of))
        }

        /// Type, size, mode, time.
        pub $($a)* fn stat(&self, path: &str) -> Result<FileInfo> {
            Ok(FileInfo::of(&self.client.json("GET", &self.file("/stat", path, ""), None)$($w)*?))
        }

        /// Makes a directory and those above it.
        pub $($a)* fn make_directory(&self, path: &str) -> Result<()> {
            self.call("POST", "/files/mkdir", Some(json!({"path": path, "parents": true})))$($w)*.map(drop)
        }

        /// Moves or renames; a file that is there is replaced.
        pub $($a)* fn move_file(&self, from: &str, to: &str) -> Result<()> {
            self.call("POST", "/files/move", Some(json!({"from": from, "to": to})))$($w)*.map(drop)
        }

        /// Removes a file or directory; `recursive`: with all below it.
        pub $($a)* fn remove_file(&self, path: &str, recursive: bool) -> Result<()> {
            self.client.json("DELETE", &self.file("", path, &format!("&recursive={}", recursive)), None)$($w)*.map(drop)
        }

        /// Calls back with kind and path of changes in a directory as they happen, until it says false.
        pub $($a)* fn watch(&self, path: &str, recursive: bool, mut each: impl FnMut(&str, &str) -> bool) -> Result<()> {
            let (mut parser, mut goes_on) = (EventParser::default(), true);
            let target = self.file("/watch", path, &format!("&recursive={}", recursive));
            let watched = self.client.events("GET", &target, None, |piece| {
                parser.feed(piece, |name, value| {
                    if name == "change" && goes_on {
                        goes_on = each(&string(&value, "kind"), &string(&value, "path"));
                    }
                })?;
                if goes_on { Ok(()) } else { Err(Error::Transport(String::new())) }
            })$($w)*;
            if goes_on { watched } else { Ok(()) }
        }
    };
}

pub(crate) use {client_surface, sandbox_surface};

/// Items of an answer.
pub(crate) fn list<T>(value: &serde_json::Value, of: impl Fn(&serde_json::Value) -> T) -> Vec<T> {
    value.as_array().into_iter().flatten().map(of).collect()
}
