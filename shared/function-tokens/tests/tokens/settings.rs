//! Settings are those of a process, so each case is this test binary again.

use std::process::Command;

use function_tokens::Tokens;

const BE_A_PROCESS: &str = "TOKENS_TEST_BE_A_PROCESS";

/// Not a test of its own: it ends at once when it was not started as the process.
#[tokio::test]
async fn tokens_from_the_environment_of_a_process_of_their_own() {
    if std::env::var_os(BE_A_PROCESS).is_some() {
        let tokens = match std::env::var(BE_A_PROCESS).as_deref() {
            Ok("keeping") => Tokens::keeping_from_environment().await,
            Ok("reading") => Tokens::reading_from_environment().await,
            _ => Tokens::answering_from_environment().await,
        };
        eprintln!(
            "<{}>",
            tokens.map_or_else(
                |error| format!("{error} {error:?}"),
                |tokens| format!("{tokens:?}")
            )
        );
    }
}

fn said_with(power: &str, settings: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "settings::tokens_from_the_environment_of_a_process_of_their_own",
            "--nocapture",
        ])
        .env_clear()
        .env(BE_A_PROCESS, power)
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

/// Files with a good keyring and a bad one.
struct Keyrings {
    _folder: tempfile::TempDir,
    good: String,
    bad: String,
}

fn keyrings() -> Keyrings {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, key: &str| {
        let path = folder.path().join(name);
        let document = format!(r#"{{"active":"a","keys":{{"a":"{key}"}}}}"#);
        std::fs::write(&path, document).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, bad) = (
        file("keys.json", &format!("{}=", "A".repeat(43))),
        file("bad.json", "canarycanary"),
    );
    Keyrings {
        _folder: folder,
        good,
        bad,
    }
}

/// What each power cannot do without.
fn required<'a>(power: &str, keys: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut settings = vec![
        ("TOKEN_TABLE", "tokens"),
        ("TOKEN_KEYS_FILE", keys),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
    ];
    match power {
        "keeping" => settings.push(("REFRESH_TOKEN_KEYS_FILE", keys)),
        "reading" => settings.push(("REFRESH_FUNCTION", "refresh-tokens")),
        _ => {}
    }
    settings
}

const POWERS: [&str; 3] = ["keeping", "reading", "answering"];

#[test]
fn every_missing_setting_is_named_and_no_value_is_shown() {
    let keys = keyrings();
    for power in POWERS {
        let all = required(power, &keys.good);
        let said = said_with(power, &all);
        assert!(said.contains("<Tokens"), "{power}: {said}");
        for (missing, _) in &all {
            let mut rest = all.clone();
            rest.retain(|(name, _)| name != missing);
            let said = said_with(power, &rest);
            assert!(
                said.contains(&format!("{missing}: is not set")),
                "{power}: {missing}: {said}"
            );
            assert!(!said.contains("canary"), "{said}");
        }
    }
}

#[test]
fn every_wrong_setting_is_named_and_no_value_is_shown() {
    let keys = keyrings();
    for (power, name, value, expected) in [
        (
            "keeping",
            "TOKEN_KEYS_FILE",
            keys.bad.as_str(),
            "(or TOKEN_KEYS_SECRET)",
        ),
        (
            "reading",
            "TOKEN_KEYS_FILE",
            &keys.bad,
            "(or TOKEN_KEYS_SECRET)",
        ),
        (
            "keeping",
            "REFRESH_TOKEN_KEYS_FILE",
            &keys.bad,
            "(or REFRESH_TOKEN_KEYS_SECRET)",
        ),
        (
            "keeping",
            "DUE_SHARDS",
            "0",
            "must be a number from 1 to 1000",
        ),
        (
            "keeping",
            "DUE_SHARDS",
            "64;16",
            "must be a number from 1 to 1000",
        ),
        (
            "keeping",
            "DUE_SHARDS",
            "canary",
            "must be a number from 1 to 1000",
        ),
    ] {
        let mut settings = required(power, &keys.good);
        settings.retain(|(known, _)| *known != name);
        settings.push((name, value));
        let said = said_with(power, &settings);
        assert!(said.contains(&format!("{name}: {expected}")), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn a_power_needs_nothing_of_the_others() {
    let keys = keyrings();
    for (power, name, value) in [
        ("keeping", "DUE_SHARDS", "64,16"),
        ("keeping", "REFRESH_FUNCTION", ""),
        ("reading", "REFRESH_TOKEN_KEYS_FILE", keys.bad.as_str()),
        ("reading", "DUE_SHARDS", "0"),
        ("answering", "REFRESH_TOKEN_KEYS_FILE", &keys.bad),
        ("answering", "REFRESH_FUNCTION", ""),
    ] {
        let mut settings = required(power, &keys.good);
        settings.push((name, value));
        let said = said_with(power, &settings);
        assert!(said.contains("<Tokens"), "{power}: {name}: {said}");
    }
}
