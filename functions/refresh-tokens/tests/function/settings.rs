//! Settings are those of a process, so each case is this test binary again.

use std::process::Command;

use refresh_tokens::Settings;

const BE_A_PROCESS: &str = "REFRESH_TOKENS_TEST_BE_A_PROCESS";

/// Not a test of its own: it ends at once when it was not started as the process.
#[test]
fn settings_from_the_environment_of_a_process_of_their_own() {
    if std::env::var_os(BE_A_PROCESS).is_some() {
        let said = match Settings::from_environment() {
            Ok(_) => "ready".to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("<{said}>");
    }
}

fn said_with(settings: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "settings::settings_from_the_environment_of_a_process_of_their_own",
            "--nocapture",
        ])
        .env_clear()
        .env(BE_A_PROCESS, "1")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

const AWS: [(&str, &str); 3] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
    ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
];

#[test]
fn without_queues_nothing_has_to_be_set() {
    assert!(said_with(&[]).contains("<ready>"));
    assert!(said_with(&[("REFRESH_RATE", " 200 ")]).contains("<ready>"));
}

#[test]
fn every_wrong_setting_is_named() {
    for rate in ["0", "-1", "10001", "1.5", "many"] {
        let said = said_with(&[("REFRESH_RATE", rate)]);
        assert!(
            said.contains("<REFRESH_RATE: must be a whole number from 1 to 10000>"),
            "{rate}: {said}"
        );
    }
    for queue in ["REFRESH_QUEUE_URL", "RESCUE_QUEUE_URL"] {
        let mut settings = AWS.to_vec();
        settings.push((queue, "http://127.0.0.1:1/queue"));
        let said = said_with(&settings);
        assert!(said.contains("<ready>"), "{said}");
        for (missing, _) in AWS {
            let mut rest = settings.clone();
            rest.retain(|(name, _)| *name != missing);
            let said = said_with(&rest);
            assert!(said.contains(&format!("{missing}: is not set")), "{said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }
}
