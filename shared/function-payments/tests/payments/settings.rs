//! Settings are those of a process, so each case is this test binary again.

use std::process::Command;

use function_payments::{NotifyUrl, Payments};

const BE_A_PROCESS: &str = "PAYMENTS_TEST_BE_A_PROCESS";

/// Not a test of its own: it ends at once when it was not started as the process.
#[tokio::test]
async fn payments_from_the_environment_of_a_process_of_their_own() {
    if std::env::var_os(BE_A_PROCESS).is_some() {
        let payments = Payments::from_environment().await;
        let notify_url = NotifyUrl::from_environment();
        eprintln!(
            "<{}> <{}>",
            payments.map_or_else(|error| error.to_string(), |_| "payments".to_owned()),
            notify_url.map_or_else(|error| error.to_string(), |_| "address".to_owned()),
        );
    }
}

fn said_with(settings: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "settings::payments_from_the_environment_of_a_process_of_their_own",
            "--nocapture",
        ])
        .env_clear()
        .env(BE_A_PROCESS, "1")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_setting_that_is_missing_or_wrong_is_named() {
    let all = [
        ("ORDER_TABLE", "orders"),
        ("EVENT_BUS", "shop"),
        ("NOTIFY_URL", "https://api.example.com"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let said = said_with(&all);
    assert!(said.contains("<payments> <address>"), "{said}");
    for missing in 0..all.len() {
        let mut some = all.to_vec();
        let (name, _) = some.remove(missing);
        let said = said_with(&some);
        assert!(said.contains(name), "{name}: {said}");
    }
    let mut wrong = all;
    wrong[2].1 = "http://canary.example.com";
    let said = said_with(&wrong);
    assert!(
        said.contains("NOTIFY_URL") && !said.contains("canary"),
        "{said}"
    );
}
