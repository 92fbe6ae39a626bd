//! Settings are those of a process, so each case is this test binary again.

use std::process::Command;

use function_logins::Logins;

use crate::bench::document;

const BE_A_PROCESS: &str = "LOGINS_TEST_BE_A_PROCESS";

/// Not a test of its own: it ends at once when it was not started as the process.
#[tokio::test]
async fn logins_from_the_environment_of_a_process_of_their_own() {
    if std::env::var_os(BE_A_PROCESS).is_some() {
        let said = match Logins::from_environment().await {
            Ok(logins) => format!("{logins:?} of {}", logins.issuer().url()),
            Err(error) => format!("{error} {error:?}"),
        };
        eprintln!("<{said}>");
    }
}

fn said_with(settings: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "settings::logins_from_the_environment_of_a_process_of_their_own",
            "--nocapture",
        ])
        .env_clear()
        .env(BE_A_PROCESS, "1")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

/// A file with this content.
fn file(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

fn required(login_file: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("IDENTITY_TABLE", "identity"),
        ("LOGIN_FILE", login_file),
        ("LOGIN_ISSUER", "https://login.example.com"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
    ]
}

#[test]
fn every_missing_setting_is_named_and_no_value_is_shown() {
    let login_file = file(&document().to_string());
    let all = required(login_file.path().to_str().unwrap());
    let said = said_with(&all);
    assert!(said.contains("of https://login.example.com>"), "{said}");
    for (missing, _) in &all {
        let mut rest = all.clone();
        rest.retain(|(name, _)| name != missing);
        let said = said_with(&rest);
        let expected = format!("{missing}: is not set");
        assert!(said.contains(&expected), "{missing}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn every_wrong_setting_is_named_and_no_value_is_shown() {
    let good = file(&document().to_string());
    let mut document = document();
    document["sessions"]["keys"]["2026-11"] = "canary".into();
    let bad = file(&document.to_string());
    let (good, bad) = (good.path().to_str().unwrap(), bad.path().to_str().unwrap());
    for (name, value, expected) in [
        (
            "LOGIN_FILE",
            bad,
            "LOGIN_FILE: (or LOGIN_SECRET) sessions.keys.2026-11",
        ),
        ("LOGIN_FILE", "/nowhere/canary", "LOGIN_FILE: "),
        ("LOGIN_ISSUER", "http://canary.example", "LOGIN_ISSUER: "),
        (
            "LOGIN_ISSUER",
            "https://canary.example/path",
            "LOGIN_ISSUER: ",
        ),
    ] {
        let mut settings = required(good);
        settings.retain(|(known, _)| *known != name);
        settings.push((name, value));
        let said = said_with(&settings);
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("canary") || value.starts_with('/'), "{said}");
    }
}
