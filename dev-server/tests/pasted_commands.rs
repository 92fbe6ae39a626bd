//! What `make run` prints is what its reader pastes: every printed command line is run as it stands.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use dev_server::ROUTES;
use serde_json::Value;

/// The started program; ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program on a free port; its printed lines up to the last one.
fn start(arguments: &[&str]) -> (Running, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let running = Running(child);
    let mut lines = Vec::new();
    for line in output.lines() {
        lines.push(line.unwrap());
        if lines
            .last()
            .is_some_and(|line| line.starts_with("Stop with"))
        {
            return (running, lines);
        }
    }
    panic!("it ended: {lines:?}");
}

fn paste(line: &str) -> Value {
    let output = Command::new("bash").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}\n{text}"))
}

#[test]
fn every_printed_command_line_works_when_pasted() {
    let (_running, lines) = start(&[]);
    let commands: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("curl "))
        .collect();
    let (codes, calls): (Vec<_>, Vec<_>) = commands
        .into_iter()
        .partition(|line| line.contains("/_simulator/codes"));
    for line in &calls {
        let answer = paste(line);
        assert_eq!(answer["code"], 0, "{line}\n{answer}");
    }
    for route in ROUTES {
        let direct = format!("/functions/{}/", route.function);
        let told = calls
            .iter()
            .any(|line| line.contains(route.path) || line.contains(&direct));
        assert!(told, "no example calls {}", route.function);
    }
    // The printed way to another code gives one that works as well.
    let code = paste(codes[0])["code"].as_str().unwrap().to_owned();
    let login = calls[0].split(" -d ").next().unwrap();
    let answer = paste(&format!("{login} -d '{{\"code\":\"{code}\"}}'"));
    assert_eq!(
        (&answer["code"], &answer["replayed"]),
        (&0.into(), &false.into()),
        "{answer}"
    );
}

#[test]
fn with_a_data_folder_a_login_outlives_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let data = ["--data", folder.path().to_str().unwrap()];
    let login = |lines: &[String]| {
        paste(
            lines
                .iter()
                .find(|line| line.starts_with("curl ") && line.contains("code2Session"))
                .unwrap(),
        )
    };
    {
        let (_running, lines) = start(&data);
        assert_eq!(login(&lines)["code"], 0);
    }
    assert!(folder.path().join("tables.sqlite").exists());
    let (_running, lines) = start(&data);
    // The token of the first run opens with the kept keys; the simulated gateway is a new one, does not know it and refuses it.
    let stored = paste(
        lines
            .iter()
            .find(|line| line.contains("/user-info/"))
            .unwrap(),
    );
    assert_eq!(stored["error"], "reauthorize", "{stored}");
}

#[test]
fn a_taken_port_names_the_option_that_changes_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .args(["--port", &port])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
}

#[test]
fn a_config_that_cannot_be_used_is_named_by_the_option_with_what_is_wrong() {
    let said = |document: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_dev-server"))
            .args(["--port", "0", "--config", document])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let absent = said("/nowhere/apps.json");
    assert!(
        absent.contains("--config /nowhere/apps.json: the file cannot be read"),
        "{absent}"
    );
    assert!(!absent.contains("ALIPAY_CONFIG_FILE"), "{absent}");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"apps":[{"appid":"2021000000000001"}]}"#).unwrap();
    let keyless = said(file.path().to_str().unwrap());
    assert!(
        keyless.contains("apps[0].privateKey: is missing"),
        "{keyless}"
    );
}
