//! The text that a native app logs its user in with.

use std::path::Path;

use alipay_gateway::{App, GatewayError, login_string};
use alipay_signing::{Charset, SigningKey};
use serde::Deserialize;

use crate::app;

const PID: &str = "2088000000000019";
const TARGET_ID: &str = "0123456789abcdef0123456789abcdef";

#[derive(Deserialize)]
struct Made {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    key: String,
    sign_type: String,
    app_id: String,
    pid: String,
    target_id: String,
    login_string: String,
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    std::fs::read_to_string(folder.join(name)).expect("a readable file")
}

/// Made and checked with the official SDK: see `tests/vectors/README.md` of the project.
#[test]
fn a_login_string_is_byte_for_byte_what_the_official_sdk_verifies() {
    let made: Made = serde_json::from_str(&file("node-login.json")).expect("the documented form");
    assert!(made.cases.iter().any(|case| case.sign_type == "RSA"));
    assert!(made.cases.iter().any(|case| case.sign_type == "RSA2"));
    for case in &made.cases {
        let key = file(&format!("keys/{}.pkcs8.pem", case.key));
        for charset in [Charset::Utf8, Charset::Gbk, Charset::Gb2312] {
            let app = App {
                app_id: case.app_id.clone(),
                signing_key: SigningKey::from_text(&key).expect("a key"),
                sign_type: case.sign_type.parse().expect("a sign type"),
                charset,
                ..app()
            };
            let text = login_string(&app, &case.pid, &case.target_id).expect("a login string");
            assert_eq!(text, case.login_string, "{} {charset:?}", case.id);
        }
    }
}

#[test]
fn what_would_have_to_be_encoded_is_in_no_login_string() {
    let unbuildable = |app: &App, pid: &str, target_id: &str| {
        matches!(
            login_string(app, pid, target_id),
            Err(GatewayError::Unbuildable { .. })
        )
    };
    assert!(login_string(&app(), PID, "a").is_ok());
    for pid in [
        "",
        "208800000000001",
        "20880000000000190",
        "2089000000000019",
        "2088000000000019&scope=x",
        "208800000000001９",
    ] {
        assert!(unbuildable(&app(), pid, TARGET_ID), "{pid:?}");
    }
    for target_id in [
        "",
        "a b",
        "a&scope=x",
        "a=b",
        "a%26",
        "登录",
        "0123456789abcdef0123456789abcdef0",
    ] {
        assert!(unbuildable(&app(), PID, target_id), "{target_id:?}");
    }
    for app_id in ["", "20210000000000001", "2021&pid=1"] {
        let other = App {
            app_id: app_id.to_owned(),
            ..app()
        };
        assert!(unbuildable(&other, PID, TARGET_ID), "{app_id:?}");
    }
}
