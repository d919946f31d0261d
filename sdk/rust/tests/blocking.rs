#![cfg(feature = "blocking")]

use ramet::*;
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn code_runs_in_a_fork_of_its_own() {
    let client = Client::new();
    let result = client.exec("import sys\nprint(1 + 1)\nprint('e', file=sys.stderr)").unwrap();
    assert_eq!(("2", "2\n", "e\n", 0), (result.to_string().as_str(), result.stdout.as_str(), result.stderr.as_str(), result.exit_code));
    assert!(result.total_time_ms > 0.0 && result.check().is_ok());
    let options = ExecOptions {
        stdin: Some("in".into()),
        args: Some(vec!["ö".into()]),
        env: BTreeMap::from([("WHO".into(), "me".into())]),
        files: BTreeMap::from([("a/b".into(), "text".into())]),
        memory_mb: Some(128),
        ..Default::default()
    };
    let code = "import sys, os\nprint(input(), sys.argv[1:], os.environ['WHO'], open('a/b').read())";
    assert_eq!("in ['ö'] me text", client.exec_with(code, &options).unwrap().check().unwrap().to_string());
    let late = client.exec_with("print('so far', flush=True)\nwhile True: pass", &ExecOptions { timeout: Some(Duration::from_secs(2)), ..Default::default() }).unwrap();
    assert_eq!((true, 124, "so far\n"), (late.timed_out, late.exit_code, late.stdout.as_str()));
    assert!(matches!(late.check(), Err(Error::Code(_))));
    let results = client.exec_batch(&["print(1)", "print(2)", "print(3)"], &ExecOptions::default()).unwrap();
    assert_eq!(["1", "2", "3"], results.iter().map(ToString::to_string).collect::<Vec<_>>()[..]);
    assert_eq!("ok", client.health().unwrap()["status"]);
}

#[test]
fn output_of_a_fork_is_told_as_it_is_printed_and_templates_are_made() {
    let client = Client::new();
    let mut pieces = Vec::new();
    let code = "import sys, time\nprint('é', flush=True)\ntime.sleep(0.2)\nprint(2)\nprint('e', file=sys.stderr)\nsys.exit(3)";
    let result = client.exec_streaming(code, &ExecOptions::default(), |piece| pieces.push(piece.clone())).unwrap();
    assert_eq!(("é\n2\n", "e\n", 3), (result.stdout.as_str(), result.stderr.as_str(), result.exit_code));
    assert!(pieces.len() >= 3);
    let sandbox = client.create(&SandboxOptions::default()).unwrap();
    sandbox.run("shared = 40").unwrap();
    let made = sandbox.save_template("rust-sdk").unwrap();
    assert_eq!(("rust-sdk", Some("python")), (made.name.as_str(), made.from.as_deref()));
    let options = ExecOptions { template: Some("rust-sdk".into()), ..Default::default() };
    assert_eq!("42", client.exec_with("print(shared + 2)", &options).unwrap().to_string());
    assert!(client.templates().unwrap().iter().any(|one| one.name == "rust-sdk"));
    client.delete_template("rust-sdk").unwrap();
    assert!(client.delete_template("rust-sdk").unwrap_err().is_not_found());
}

#[test]
fn names_stay_and_values_exceptions_and_streams_are_told() {
    let sandbox = Sandbox::new().unwrap();
    assert_eq!("2", sandbox.run("print(1 + 1)").unwrap().to_string());
    sandbox.run("x = 40").unwrap();
    assert_eq!(Some("42"), sandbox.run("x + 2").unwrap().value.as_deref());
    let failed = sandbox.run("raise ValueError('no')").unwrap();
    assert_eq!(Some(("ValueError".to_owned(), "no".to_owned())), failed.exception);
    assert!(failed.check().unwrap_err().to_string().contains("ValueError: no"));
    let late = sandbox.run_with("while True: pass", &RunOptions { timeout: Some(Duration::from_millis(500)), ..Default::default() }).unwrap();
    assert!(late.timed_out);
    let mut pieces = Vec::new();
    let code = "import sys, time\nfor i in range(3):\n    print('é', i, flush=True)\n    time.sleep(0.1)\nprint('e', file=sys.stderr)\nx";
    let result = sandbox.run_streaming(code, &RunOptions::default(), |piece| pieces.push(piece.clone())).unwrap();
    assert_eq!(("é 0\né 1\né 2\n", "e\n", Some("40")), (result.stdout.as_str(), result.stderr.as_str(), result.value.as_deref()));
    assert!(pieces.len() >= 4 && pieces.contains(&Output::Stderr("e\n".into())));
    assert!(sandbox.logs().unwrap()["output"].as_str().unwrap().contains("é 2"));
}

#[test]
fn sandboxes_are_found_extended_and_go_when_they_are_dropped() {
    let client = Client::new();
    let sandbox = client.create(&SandboxOptions { memory_mb: Some(100), metadata: BTreeMap::from([("a".into(), "b".into())]), ..Default::default() }).unwrap();
    let id = sandbox.id().to_owned();
    let info = sandbox.info().unwrap();
    assert_eq!((100.0, "python", "running", "b"), (info.memory_mb, info.template.as_str(), info.state.as_str(), info.metadata["a"].as_str()));
    assert!(sandbox.extend(Duration::from_secs(1000)).unwrap().expires > info.expires);
    assert!(client.sandboxes().unwrap().iter().any(|one| one.id == id));
    let again = client.connect(&id).unwrap();
    sandbox.run("v = 'kept'").unwrap();
    assert_eq!(Some("'kept'"), again.run("v").unwrap().value.as_deref());
    drop(again);
    drop(sandbox);
    assert!(client.connect(&id).err().unwrap().is_not_found());
    let kept = Sandbox::new().unwrap().detach();
    client.connect(&kept).unwrap().delete().unwrap();
}

#[test]
fn commands_are_run_fed_and_signalled() {
    let sandbox = Sandbox::new().unwrap();
    let options = CommandOptions {
        env: BTreeMap::from([("WHO".into(), "ö".into())]),
        cwd: Some("/tmp".into()),
        user: Some("nobody".into()),
        stdin: Some("in\n".into()),
        ..Default::default()
    };
    let result = sandbox.command("id -un; pwd; echo $WHO; cat; echo err >&2; exit 3", &options).unwrap();
    assert_eq!(("nobody\n/tmp\nö\nin\n", "err\n", 3), (result.stdout.as_str(), result.stderr.as_str(), result.exit_code));
    assert_eq!("a b", sandbox.command(["echo", "a b"], &CommandOptions::default()).unwrap().check().unwrap().to_string());
    let cat = sandbox.start(["cat"], &CommandOptions { keep_stdin: true, ..Default::default() }).unwrap();
    sandbox.send_stdin(cat, b"one\n", false).unwrap();
    sandbox.send_stdin(cat, b"two\n", true).unwrap();
    let mut printed = String::new();
    let result = sandbox.wait(cat, |piece| if let Output::Stdout(text) = piece { printed.push_str(text) }).unwrap();
    assert_eq!(("one\ntwo\n", "one\ntwo\n"), (result.stdout.as_str(), printed.as_str()));
    let sleep = sandbox.start("sleep 100", &CommandOptions::default()).unwrap();
    assert!(sandbox.signal(sleep, "TERM").unwrap());
    assert_eq!(143, sandbox.wait(sleep, |_| {}).unwrap().exit_code);
    assert!(!sandbox.signal(sleep, "KILL").unwrap());
    let shell = sandbox.start(["/bin/sh"], &CommandOptions { tty: Some((30, 100)), ..Default::default() }).unwrap();
    sandbox.resize(shell, 41, 123).unwrap();
    sandbox.send_stdin(shell, b"stty size; exit 4\n", false).unwrap();
    let result = sandbox.wait(shell, |_| {}).unwrap();
    assert!(result.exit_code == 4 && result.stdout.contains("41 123"), "{:?}", result);
    assert!(sandbox.processes().unwrap().iter().any(|one| one.pid == cat && one.exit_code == Some(0)));
}

#[test]
fn files_are_written_read_listed_and_watched() {
    let sandbox = Sandbox::new().unwrap();
    sandbox.write_file("d/a b&c.txt", "hallå").unwrap();
    assert_eq!("hallå".as_bytes(), sandbox.read_file("d/a b&c.txt").unwrap());
    assert_eq!((6, "file", 0o644), { let one = sandbox.stat("d/a b&c.txt").unwrap(); (one.size, if one.kind == "file" { "file" } else { "" }, one.mode) });
    sandbox.make_directory("d/x/y").unwrap();
    sandbox.move_file("d/a b&c.txt", "d/x/moved").unwrap();
    assert_eq!(["moved", "y"], sandbox.list_files("d/x").unwrap().iter().map(|one| one.name.clone()).collect::<Vec<_>>()[..]);
    let archive = sandbox.read_archive("d").unwrap();
    sandbox.write_archive("/srv/again", archive).unwrap();
    assert_eq!("hallå".as_bytes(), sandbox.read_file("/srv/again/x/moved").unwrap());
    assert_eq!(Some(409), sandbox.remove_file("d", false).unwrap_err().status());
    sandbox.remove_file("d", true).unwrap();
    assert!(sandbox.stat("d").unwrap_err().is_not_found());

    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 3) as u8).collect();
    sandbox.write_file_from("/tmp/large", &bytes[..]).unwrap();
    let mut back = Vec::new();
    assert_eq!(bytes.len() as u64, sandbox.read_file_to("/tmp/large", &mut back).unwrap());
    assert!(bytes == back);

    sandbox.make_directory("w").unwrap();
    sandbox.start("while :; do date >/root/w/f; sleep 0.1; done", &CommandOptions::default()).unwrap();
    let mut seen = Vec::new();
    sandbox.watch("w", false, |kind, path| { seen.push(format!("{} {}", kind, path)); seen.len() < 3 }).unwrap();
    assert!(seen.len() == 3 && seen.contains(&"modified w/f".to_owned()), "{:?}", seen);
}

#[test]
fn errors_say_what_to_do_and_name_the_request() {
    match Client::new().exec_with("1", &ExecOptions { language: Some("pyhton".into()), ..Default::default() }) {
        Err(Error::Api(error)) => assert!(error.status == 400 && error.detail.contains("python") && error.request_id.is_some(), "{:?}", error),
        other => panic!("{:?}", other),
    }
    let nobody = Client::with(&ClientOptions { url: Some("http://127.0.0.1:9".into()), ..Default::default() });
    assert!(matches!(nobody.health(), Err(Error::Transport(text)) if text.contains("ramet serve")));
}

#[test]
fn sandboxes_are_forked_paused_saved_rewound_and_compared() {
    let client = Client::new();
    let parent = client.create(&SandboxOptions { env: BTreeMap::from([("WHO".into(), "me".into())]), cwd: Some("/tmp".into()), ..Default::default() }).unwrap();
    assert_eq!(Some("('me', '/tmp')"), parent.run("import os; x = 1; (os.environ['WHO'], os.getcwd())").unwrap().value.as_deref());
    let forks = parent.fork(2).unwrap();
    forks[0].run("x = 5").unwrap();
    let value = |sandbox: &Sandbox| sandbox.run("x").unwrap().value.unwrap();
    assert_eq!(["5", "1", "1"], [&forks[0], &forks[1], &parent].map(value)[..]);
    assert_eq!(Some(parent.id()), forks[0].info().unwrap().parent.as_deref());
    assert_eq!(("paused", "running"), (parent.pause().unwrap().state.as_str(), parent.resume().unwrap().state.as_str()));
    let moment = parent.checkpoint(Some("before")).unwrap();
    parent.run("x = 2; open('/tmp/g', 'w').write('two')").unwrap();
    let diff = parent.diff(Some(&moment.id), None, false).unwrap();
    assert!(diff["files"].as_array().unwrap().iter().any(|one| one["path"] == "/tmp/g" && one["change"] == "added"), "{}", diff);
    parent.rewind(&moment.id).unwrap();
    assert_eq!("1", value(&parent));
    assert_eq!(Some("before"), parent.checkpoints().unwrap()[0].name.as_deref());
    parent.delete_checkpoint(&moment.id).unwrap();
    let saved = parent.snapshot(Some("prepared")).unwrap();
    let again = client.create(&SandboxOptions { snapshot: Some(saved.id.clone()), ..Default::default() }).unwrap();
    assert_eq!("1", value(&again));
    assert!(client.snapshots().unwrap().iter().any(|one| one.id == saved.id && one.bytes > 0));
    client.delete_snapshot(&saved.id).unwrap();
    assert!(parent.metrics().unwrap()["runs"].as_u64().unwrap() >= 3);
}

#[test]
fn a_streamed_run_whose_sandbox_is_paused_says_so() {
    let sandbox = Sandbox::new().unwrap();
    let options = RunOptions { timeout: Some(Duration::from_secs(250)), ..Default::default() };
    let paused = |_: &Output| {
        sandbox.pause().unwrap();
    };
    match sandbox.run_streaming("print('begun', flush=True)\nwhile True: pass", &options, paused) {
        Err(Error::Api(error)) => assert!(error.status == 409 && error.detail.contains("paused") && error.request_id.is_some(), "{:?}", error),
        other => panic!("{:?}", other),
    }
}
