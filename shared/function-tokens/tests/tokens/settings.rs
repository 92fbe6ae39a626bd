//! Settings are those of a process, so each case is this test binary again.

use std::process::Command;

use function_tokens::Tokens;

const BE_A_PROCESS: &str = "TOKENS_TEST_BE_A_PROCESS";

/// Not a test of its own: it ends at once when it was not started as the process.
#[tokio::test]
async fn tokens_from_the_environment_of_a_process_of_their_own() {
    if std::env::var_os(BE_A_PROCESS).is_some() {
        let tokens = Tokens::from_environment().await;
        eprintln!(
            "<{}>",
            tokens.map_or_else(
                |error| format!("{error} {error:?}"),
                |tokens| format!("{tokens:?}")
            )
        );
    }
}

fn said_with(settings: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "settings::tokens_from_the_environment_of_a_process_of_their_own",
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
fn every_missing_or_wrong_setting_is_named_and_no_value_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("keys.json");
    std::fs::write(
        &good,
        format!(r#"{{"active":"a","keys":{{"a":"{}="}}}}"#, "A".repeat(43)),
    )
    .unwrap();
    let bad = folder.path().join("bad.json");
    std::fs::write(&bad, r#"{"active":"a","keys":{"a":"canarycanary"}}"#).unwrap();
    let all = [
        ("TOKEN_TABLE", "tokens"),
        ("TOKEN_KEYS_FILE", good.to_str().unwrap()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
    ];
    assert!(said_with(&all).contains("<Tokens"), "{}", said_with(&all));
    for (missing, _) in all {
        let rest: Vec<_> = all
            .iter()
            .copied()
            .filter(|(name, _)| *name != missing)
            .collect();
        let said = said_with(&rest);
        assert!(
            said.contains(&format!("{missing}: is not set")),
            "{missing}: {said}"
        );
        assert!(!said.contains("canary"), "{said}");
    }
    let mut wrong = all;
    wrong[1].1 = bad.to_str().unwrap();
    let said = said_with(&wrong);
    assert!(
        said.contains("TOKEN_KEYS_FILE: (or TOKEN_KEYS_SECRET)"),
        "{said}"
    );
    assert!(!said.contains("canary"), "{said}");
}
