//! `dev-server login-keys` as a process.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use identity::LoginDocument;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .arg("login-keys")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn read(document: &str) -> LoginDocument {
    LoginDocument::from_json(&document.into()).unwrap()
}

fn keys_in(file: &Path) -> usize {
    read(&fs::read_to_string(file).unwrap()).key_times().len()
}

#[test]
fn a_document_is_printed_with_nothing_around_it() {
    let arguments = ["new", "--client-id", "shop", "--appid", "2021000000000001"];
    let Output { status, stdout, .. } = run(&arguments);
    assert!(status.success());
    let document = read(&text(&stdout));
    let client = document.client("shop").unwrap();
    assert_eq!(client.app_id.as_deref(), Some("2021000000000001"));
    assert!(client.has_secret());
}

#[test]
fn a_file_is_written_once_and_rotated_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let path = file.to_str().unwrap();
    let new = ["new", "--appid", "2021000000000001", "--file", path];
    let made = run(&new);
    assert!(made.status.success() && made.stdout.is_empty());
    let before = fs::read(&file).unwrap();

    let again = run(&new);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("is there already"));
    assert_eq!(fs::read(&file).unwrap(), before);

    let rotated = run(&["rotate", path]);
    assert!(rotated.status.success());
    assert!(text(&rotated.stdout).contains("signs from"));
    assert_eq!(keys_in(&file), 2);
    let again = run(&["rotate", path]);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("already rotated"));
    assert_eq!(keys_in(&file), 2);
}

#[test]
fn what_is_wrong_with_the_command_line_is_said_and_nothing_is_made() {
    for (arguments, said) in [
        (&["new", "--client-id", "shop"][..], "for each --appid"),
        (&["new", "--appid", "not an app id"], "clients[0]"),
        (&["rotate", "/nowhere/login.json"], "/nowhere/login.json"),
        (&[], "Usage"),
    ] {
        let Output {
            status,
            stdout,
            stderr,
        } = run(arguments);
        assert!(!status.success() && stdout.is_empty(), "{arguments:?}");
        assert!(text(&stderr).contains(said), "{}", text(&stderr));
    }
}
