#![cfg(feature = "async")]

use ramet::aio::{Client, Sandbox};
use ramet::*;
use std::time::Duration;

#[tokio::test]
async fn code_sandboxes_commands_and_files_work_without_blocking() {
    let client = Client::new();
    assert_eq!("2", client.exec("print(1 + 1)").await.unwrap().to_string());
    let (a, b) = tokio::join!(client.exec("print('a')"), client.exec("print('b')"));
    assert_eq!(("a".to_owned(), "b".to_owned()), (a.unwrap().to_string(), b.unwrap().to_string()));
    let mut told = String::new();
    let result = client.exec_streaming("print(3)", &ExecOptions::default(), |piece| if let Output::Stdout(text) = piece { told.push_str(text) }).await.unwrap();
    assert_eq!(("3\n", "3\n"), (told.as_str(), result.stdout.as_str()));
    assert!(client.templates().await.unwrap().iter().any(|one| one.name == "node"));
    let sandbox = client.create(&SandboxOptions::default()).await.unwrap();
    sandbox.run("x = 40").await.unwrap();
    let mut streamed = String::new();
    let result = sandbox.run_streaming("print('hi'); x + 2", &RunOptions::default(), |piece| if let Output::Stdout(text) = piece { streamed.push_str(text) }).await.unwrap();
    assert_eq!(("hi\n", Some("42")), (streamed.as_str(), result.value.as_deref()));
    assert_eq!(3, sandbox.command("exit 3", &CommandOptions::default()).await.unwrap().exit_code);
    sandbox.write_file("f", "content").await.unwrap();
    assert_eq!(b"content", &sandbox.read_file("f").await.unwrap()[..]);
    let again = client.connect(sandbox.id()).await.unwrap();
    sandbox.delete().await.unwrap();
    assert!(again.info().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_future_that_is_dropped_interrupts_its_code() {
    let sandbox = Sandbox::new().await.unwrap();
    sandbox.run("x = 1").await.unwrap();
    let forever = RunOptions { timeout: Some(Duration::from_secs(600)), ..Default::default() };
    let begun = async {
        while sandbox.read_file("/tmp/begun").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        result = sandbox.run_with("x += 1\nopen('/tmp/begun', 'w').close()\nwhile True: pass", &forever) => panic!("{result:?}"),
        () = begun => {}
    }
    let value = tokio::time::timeout(Duration::from_secs(60), sandbox.run("x")).await.expect("the code runs still").unwrap().value;
    assert_eq!(Some("2"), value.as_deref());
    sandbox.delete().await.unwrap();
}

#[tokio::test]
async fn errors_are_told() {
    let nobody = Client::with(&ClientOptions { url: Some("http://127.0.0.1:9".into()), ..Default::default() });
    assert!(matches!(nobody.health().await, Err(Error::Transport(_))));
    assert_eq!(Some(400), Client::new().create(&SandboxOptions { language: Some("cobol".into()), ..Default::default() }).await.err().and_then(|error| error.status()));
}
