//! What `make run` prints is what its reader pastes: every printed command line is run as it stands.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

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
    let (running, lines, _) = start_reading(arguments);
    (running, lines)
}

/// The same, and what it prints later.
fn start_reading(arguments: &[&str]) -> (Running, Vec<String>, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running(child);
    let mut lines = Vec::new();
    while let Some(line) = output.next() {
        lines.push(line.unwrap());
        if lines
            .last()
            .is_some_and(|line| line.starts_with("Stop with"))
        {
            return (running, lines, output);
        }
    }
    panic!("it ended: {lines:?}");
}

/// What each of `lines` prints when they are pasted one after the other into one shell.
fn paste_all(lines: &[&str]) -> Vec<String> {
    const END: char = '\u{1e}';
    let script: Vec<_> = lines
        .iter()
        .map(|line| format!("{line}\nprintf '\\036'"))
        .collect();
    let output = Command::new("bash")
        .args(["-c", &script.join("\n")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut printed: Vec<_> = text.split(END).map(str::to_owned).collect();
    assert_eq!(printed.pop().as_deref(), Some(""), "behind the last one");
    printed
}

fn paste(line: &str) -> Value {
    let text = paste_all(&[line]).remove(0);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}\n{text}"))
}

fn is_command(line: &str) -> bool {
    ["curl ", "ANSWER=", "ADDRESS="]
        .iter()
        .any(|beginning| line.starts_with(beginning))
}

/// Whether what a line printed is an answer without an error, the address at which a browser's way ended well or a payment can be
/// made, or what a forged notice has to get.
fn is_success(line: &str, printed: &str) -> bool {
    if line.contains("/notify/") {
        return printed == "fail\n";
    }
    let Ok(answer) = serde_json::from_str::<Value>(printed) else {
        let (_, query) = printed.split_once("/_local/landing?").unwrap_or_default();
        let (_, order) = printed.split_once("/cashier.htm?").unwrap_or_default();
        return query.starts_with("ticket=")
            || query.starts_with("code=")
            || order.contains("method=alipay.trade.app.pay")
            || order.starts_with("trade_no=");
    };
    let said = |name: &str| !answer[name].is_null();
    let code = &answer["code"];
    !said("error") && !said("error_code") && (code.is_null() || *code == 0 || *code == "200")
}

#[test]
fn every_printed_command_line_works_when_pasted() {
    let (_running, lines) = start(&[]);
    let calls: Vec<_> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| is_command(line))
        .collect();
    let mut printed = paste_all(&calls);
    let (codes, issued) = (calls[calls.len() - 1], printed.pop().unwrap());
    for (line, printed) in calls.iter().zip(&printed) {
        assert!(is_success(line, printed), "{line}\n{printed}");
    }
    for route in ROUTES {
        let direct = format!("/functions/{}/", route.function);
        let mut paths = ROUTES
            .iter()
            .filter(|other| other.function == route.function)
            .map(|other| other.path.split('{').next().unwrap());
        let told = calls.iter().any(|line| line.contains(&direct))
            || paths.any(|path| calls.iter().any(|line| line.contains(path)));
        assert!(told, "no example calls {}", route.function);
    }
    let events = calls
        .iter()
        .position(|line| line.contains("/_local/events"));
    assert!(printed[events.unwrap()].contains("order.paid"));
    // The printed way to another code gives one that works as well.
    assert!(codes.contains("/_simulator/codes"), "{codes}");
    let code = serde_json::from_str::<Value>(&issued).unwrap()["code"].clone();
    let (_, base) = lines[0].split_once("is running on ").unwrap();
    let arguments = serde_json::json!({ "code": code });
    let login = format!("curl -s {base}/openapi/alipay/auth/code2Session -d '{arguments}'");
    let answer = paste(&login);
    assert_eq!(
        (&answer["code"], &answer["replayed"]),
        (&0.into(), &false.into()),
        "{answer}"
    );
}

#[test]
fn each_published_event_is_printed_as_a_line_of_its_own() {
    let (_running, lines, later) = start_reading(&[]);
    let is_of_the_first_payment =
        |line: &&str| line.starts_with("ANSWER=") && line.contains("app.getOrderStr");
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let order = lines.iter().copied().find(is_of_the_first_payment).unwrap();
    let pay = lines
        .iter()
        .copied()
        .find(|line| line.contains("/_simulator/payments"))
        .unwrap();
    let printed = paste_all(&[order, pay]);
    let answer: Value = serde_json::from_str(&printed[0]).unwrap();
    let number = answer["out_trade_no"].as_str().unwrap();
    let (found, finding) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = later.map_while(Result::ok);
        found.send(lines.find(|line| line.starts_with("order.")))
    });
    // Alipay's notice leads to it.
    let line = finding.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(
        line.unwrap(),
        format!("order.paid 2021000000000001/{number} 12.50")
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
                .find(|line| is_command(line) && line.contains("code2Session"))
                .unwrap(),
        )
    };
    {
        let (_running, lines) = start(&data);
        assert_eq!(login(&lines)["code"], 0);
    }
    for file in ["tables.sqlite", "login.json"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
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

#[test]
fn a_login_document_that_cannot_be_used_is_named_with_what_is_wrong() {
    let said = |document: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_dev-server"))
            .args(["--port", "0", "--login", document])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let absent = said("/nowhere/login.json");
    assert!(
        absent.contains("login document /nowhere/login.json: the file cannot be read"),
        "{absent}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"clients":[]}"#).unwrap();
    let keyless = said(file.path().to_str().unwrap());
    assert!(keyless.contains("signing"), "{keyless}");
}

#[test]
fn the_secrets_of_a_developers_own_login_document_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (_running, lines) = start(&["--data", folder.path().to_str().unwrap()]);
        assert!(
            lines
                .iter()
                .any(|line| line.contains("client local, secret "))
        );
    }
    let document = folder.path().join("login.json");
    let secret = serde_json::from_str::<Value>(&std::fs::read_to_string(&document).unwrap())
        .unwrap()["clients"][0]["clientSecret"]
        .clone();
    let (_running, lines) = start(&["--login", document.to_str().unwrap()]);
    let printed = lines.join("\n");
    assert!(!printed.contains(secret.as_str().unwrap()), "{printed}");
}
