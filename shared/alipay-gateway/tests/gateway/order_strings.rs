//! The text that an app hands to the Alipay client, held to what the official SDKs make.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use alipay_gateway::{App, AppCertificates, Call, GatewayError, Protocol, order_string};
use alipay_signing::certificate::{Certificate, RootCertificates};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SigningKey};
use serde::Deserialize;

use crate::requests::{decoded, now};
use crate::{app, vectors};

const APP_PAY: &str = "alipay.trade.app.pay";

#[derive(Deserialize)]
struct Made<T> {
    clock: String,
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct NodeCase {
    id: String,
    key: String,
    sign_type: String,
    mode: String,
    aes_key: Option<String>,
    biz_content: String,
    fields: BTreeMap<String, String>,
    order_string: String,
}

#[derive(Deserialize)]
struct PythonCase {
    id: String,
    kind: String,
    key: String,
    sign_type: String,
    charset: String,
    params: BTreeMap<String, String>,
    order_string: Option<String>,
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    std::fs::read_to_string(folder.join(name)).expect("a readable file")
}

fn made<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let made: Made<T> = serde_json::from_str(&file(name)).expect("the documented form");
    assert_eq!(made.clock, "2026-01-02 03:04:05 +08:00");
    made.cases
}

/// The fixed clock of the vectors.
fn then() -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_294_245)
}

fn app_with(key: &str, sign_type: &str) -> App {
    App {
        app_id: "2021000000000001".to_owned(),
        signing_key: SigningKey::from_text(&file(&format!("keys/{key}.pkcs8.pem"))).expect("a key"),
        sign_type: sign_type.parse().expect("a sign type"),
        ..app()
    }
}

fn sorted_pairs(text: &str) -> Vec<&str> {
    let mut pairs: Vec<_> = text.split('&').collect();
    pairs.sort_unstable();
    pairs
}

/// Made by the official Node SDK: see `tests/vectors/README.md` of the project.
#[test]
fn every_encoded_pair_is_byte_for_byte_the_official_node_sdks() {
    let cases: Vec<NodeCase> = made("node-pay.json");
    assert_eq!(cases.len(), 16);
    for case in &cases {
        let certificates = (case.mode == "certificate").then(|| AppCertificates {
            app_serial_number: Certificate::from_text(&file("keys/app-2048.crt"))
                .expect("a certificate")
                .serial_number()
                .to_owned(),
            alipay: Certificate::from_text(&file("keys/alipay-2048.crt")).expect("a certificate"),
            roots: RootCertificates::from_text(&file("keys/roots.crt")).expect("the roots"),
        });
        let content_key = case
            .aes_key
            .as_deref()
            .map(|text| ContentKey::from_text(text).expect("an AES key"));
        let app = App {
            certificates,
            content_key,
            ..app_with(&case.key, &case.sign_type)
        };
        let call = Call {
            fields: case.fields.clone(),
            encrypted: case.aes_key.is_some(),
            ..Call::new(APP_PAY).with_biz_content(&case.biz_content)
        };
        let ours = order_string(&app, &call, then()).expect("an order string");
        assert_eq!(
            sorted_pairs(&ours),
            sorted_pairs(&case.order_string),
            "{}",
            case.id
        );
        // An app of the other protocol has no other text.
        let app = App {
            protocol: Protocol::V3,
            ..app
        };
        assert_eq!(
            order_string(&app, &call, then()).expect("an order string"),
            ours
        );
    }
}

/// The SDK writes a space as `+` and `format` in lower case, which is signed; the signature is over the same bytes otherwise.
#[test]
fn in_every_charset_the_parameters_are_those_of_the_official_python_sdk() {
    let cases: Vec<PythonCase> = made("python-sdk.json");
    let mut count = 0;
    for case in cases.iter().filter(|case| case.kind == "order_string") {
        let charset: Charset = case.charset.parse().expect("a charset");
        let app = App {
            charset,
            ..app_with(&case.key, &case.sign_type)
        };
        let call = Call::new(APP_PAY)
            .with_biz_content(&case.params["biz_content"])
            .with_field("notify_url", &case.params["notify_url"]);
        let ours = order_string(&app, &call, then()).expect("an order string");
        let theirs = case.order_string.as_deref().expect("an order string");
        let differs = |pair: &&str| {
            !["format=", "sign=", "charset="]
                .iter()
                .any(|name| pair.starts_with(name))
        };
        let theirs = theirs.replace('+', "%20");
        let encoded = |text: &str| -> Vec<String> {
            sorted_pairs(text)
                .into_iter()
                .filter(differs)
                .map(str::to_owned)
                .collect()
        };
        // What is not reserved may be encoded, too; the bytes are the same.
        assert_eq!(
            decoded(&encoded(&ours).join("&"), charset),
            decoded(&encoded(&theirs).join("&"), charset),
            "{}",
            case.id
        );
        if charset == Charset::Utf8 {
            assert_eq!(encoded(&ours), encoded(&theirs), "{}", case.id);
        }
        count += 1;
    }
    assert_eq!(count, 9);
}

#[test]
fn the_signature_stands_last_and_holds_over_what_a_server_reads() {
    let app = app();
    let call = Call::new(APP_PAY)
        .with_biz_content(r#"{"subject":"it's (a) * \"cup\" ~ 100% a+b&c=d 中 🍎"}"#)
        .with_field("notify_url", "https://shop.example/notify/1")
        .with_field("app_id", "9")
        .with_field("empty", "");
    let text = order_string(&app, &call, now()).unwrap();
    assert!(!text.contains('+') && !text.contains("empty"), "{text}");
    let pairs = decoded(&text, Charset::Utf8);
    let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "app_id",
            "biz_content",
            "charset",
            "format",
            "method",
            "notify_url",
            "sign_type",
            "timestamp",
            "version",
            "sign",
        ]
    );
    assert_eq!(pairs[0].1, "2021000000000000");
    let signed: Vec<_> = pairs[..9]
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let key = app.signing_key.verifying_key();
    key.verify(app.sign_type, signed.join("&").as_bytes(), &pairs[9].1)
        .unwrap();
}

#[test]
fn an_order_that_cannot_be_written_is_an_error() {
    let emoji = Call::new(APP_PAY).with_biz_content(r#"{"subject":"🍎"}"#);
    let gbk = App {
        charset: Charset::Gbk,
        ..app()
    };
    let error = order_string(&gbk, &emoji, now()).unwrap_err();
    assert!(matches!(error, GatewayError::Unencodable(_)), "{error}");
    let error = order_string(&app(), &emoji.encrypted(), now()).unwrap_err();
    assert!(matches!(error, GatewayError::Unbuildable { .. }), "{error}");
}

#[test]
fn outside_order_strings_are_made_again() {
    #[derive(Deserialize)]
    struct Case {
        id: String,
        key: String,
        output: String,
        params: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Key {
        private_pkcs8_b64: Option<String>,
    }
    let (Some(cases), Some(keys)) = (
        vectors::<Vec<Case>>("order_string.json"),
        vectors::<BTreeMap<String, Key>>("keys.json"),
    ) else {
        return;
    };
    let case = cases
        .iter()
        .find(|case| case.id.ends_with("format_json"))
        .expect("the case with a format");
    let app = App {
        app_id: case.params["app_id"].clone(),
        signing_key: SigningKey::from_text(keys[&case.key].private_pkcs8_b64.as_deref().unwrap())
            .unwrap(),
        ..app()
    };
    let call = Call::new(APP_PAY)
        .with_biz_content(&case.params["biz_content"])
        .with_field("notify_url", &case.params["notify_url"]);
    // 2024-06-07 18:41:51 in China.
    let now = UNIX_EPOCH + Duration::from_secs(1_717_756_911);
    let ours = order_string(&app, &call, now).unwrap();
    assert_eq!(sorted_pairs(&ours), sorted_pairs(&case.output));
}
