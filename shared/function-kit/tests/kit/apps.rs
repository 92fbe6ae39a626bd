//! The document of apps in all its forms (contracts §2).

use std::path::Path;

use alipay_gateway::{PRODUCTION, SANDBOX};
use alipay_signing::{Charset, SignType};
use function_kit::{AppSettings, Apps, AppsError};
use proptest::prelude::{ProptestConfig, proptest};
use serde_json::{Value, json};

use crate::keys::{self, pem};

const FIRST: &str = "2021000000000001";
const SECOND: &str = "2021000000000002";

fn read(document: &Value) -> Result<Apps, AppsError> {
    Apps::from_document(&document.to_string().into(), None)
}

fn wrong(document: &Value) -> AppsError {
    read(document).unwrap_err()
}

fn entry(app_id: &str) -> Value {
    json!({
        "appid": app_id,
        "privateKey": keys::app().private_text(),
        "alipayPublicKey": keys::alipay().public_text(),
    })
}

fn entry_with(field: &str, value: Value) -> Value {
    let mut entry = entry(FIRST);
    entry[field] = value;
    entry
}

fn only(entry: Value) -> Value {
    json!({ "apps": [entry] })
}

fn settings(entry: Value) -> std::sync::Arc<AppSettings> {
    read(&only(entry)).unwrap().get(None).unwrap().clone()
}

fn default_id(document: &Value) -> String {
    let apps = read(document).unwrap();
    apps.get(None).unwrap().app.app_id.clone()
}

#[test]
fn our_own_document_says_everything_about_its_apps() {
    let mut full = entry(FIRST);
    for (field, value) in [
        ("gateway", json!("sandbox")),
        ("signType", json!("RSA")),
        ("charset", json!("GBK")),
        ("pid", json!("2088000000000001")),
        ("aesKey", json!("AAAAAAAAAAAAAAAAAAAAAA==")),
        ("homePage", json!("pages/index/index")),
        ("requestMethods", json!(["alipay.trade.query"])),
    ] {
        full[field] = value;
    }
    let apps = read(&json!({ "default": SECOND, "apps": [full, entry(SECOND)] })).unwrap();
    let first = apps.get(Some(FIRST)).unwrap();
    assert_eq!(first.app.gateway.as_str(), SANDBOX);
    assert_eq!(first.app.sign_type, SignType::Rsa);
    assert_eq!(first.app.charset, Charset::Gbk);
    assert_eq!(first.home_page.as_deref(), Some("pages/index/index"));
    assert_eq!(first.request_methods, ["alipay.trade.query"]);

    let second = apps.get(None).unwrap();
    assert_eq!(second.app.app_id, SECOND);
    assert_eq!(second.app.gateway.as_str(), PRODUCTION);
    assert_eq!(second.app.sign_type, SignType::Rsa2);
    assert_eq!(second.app.charset, Charset::Utf8);
    assert!(second.home_page.is_none() && second.request_methods.is_empty());
    assert!(apps.get(Some("2021000000000003")).is_none());
    let mut ids: Vec<&str> = apps.ids().collect();
    ids.sort_unstable();
    assert_eq!(ids, [FIRST, SECOND]);
}

#[test]
fn the_uni_id_documents_load_as_they_are_and_what_else_they_hold_is_ignored() {
    let mut uni_id = entry(FIRST);
    uni_id["keyType"] = json!("PKCS8");
    let uni_id = json!({
        "passwordSecret": "x", "tokenExpiresIn": 7200, "autoSetDcloudAppid": false,
        "mp-weixin": { "oauth": { "weixin": { "appid": "wx", "appsecret": "x" } } },
        "mp-alipay": { "tokenExpiresIn": 259_200, "oauth": { "alipay": uni_id, "other": 1 } },
    });
    let vk = json!({
        "user": {}, "vk": {
            "context": { "a": 1 },
            "oauth": { "weixin": { "list": [{ "appid": "wx" }] }, "alipay": { "list": [entry(SECOND)] } },
        },
    });
    assert_eq!(default_id(&uni_id), FIRST);
    assert_eq!(default_id(&vk), SECOND, "one app alone is the default");

    let mut both = uni_id;
    both["vk"] = vk["vk"].clone();
    let apps = read(&both).unwrap();
    assert_eq!(apps.get(None).unwrap().app.app_id, FIRST);
    assert!(apps.get(Some(SECOND)).is_some());

    both["apps"] = json!([entry("2021000000000003")]);
    both["default"] = json!("2021000000000003");
    let apps = read(&both).unwrap();
    assert_eq!(apps.ids().count(), 3);
    assert_eq!(apps.get(None).unwrap().app.app_id, "2021000000000003");
}

#[test]
fn several_apps_need_a_default_and_it_must_be_one_of_them() {
    let two = json!([entry(FIRST), entry(SECOND)]);
    assert_eq!(wrong(&json!({ "apps": two })).field, "default");
    assert_eq!(
        wrong(&json!({ "apps": two, "default": "2021000000000003" })).field,
        "default"
    );
    assert_eq!(
        wrong(&json!({ "vk": { "oauth": { "alipay": { "list": two } } } })).field,
        "default"
    );
    assert_eq!(
        default_id(&json!({ "apps": two, "default": SECOND })),
        SECOND
    );
}

#[test]
fn an_app_stands_once_wherever_it_stands() {
    let twice = json!({ "apps": [entry(FIRST), entry(FIRST)] });
    assert_eq!(wrong(&twice).field, "apps[1].appid");
    let in_both = json!({
        "mp-alipay": { "oauth": { "alipay": entry(FIRST) } },
        "vk": { "oauth": { "alipay": { "list": [entry(FIRST)] } } },
    });
    assert_eq!(wrong(&in_both).field, "vk.oauth.alipay.list[0].appid");
}

#[test]
fn a_document_without_an_app_is_refused() {
    for document in [
        json!({}),
        json!({ "apps": [] }),
        json!({ "apps": null }),
        json!({ "vk": { "oauth": {} } }),
        json!({ "mp-alipay": {} }),
    ] {
        assert_eq!(wrong(&document).field, "apps", "{document}");
    }
    for text in ["", "[]", "[{}]", "7", "{", "{} {}"] {
        let error = Apps::from_document(&text.into(), None).unwrap_err();
        assert_eq!(error.field, "document", "{text}");
    }
}

#[test]
fn every_form_of_a_key_loads() {
    let (app, alipay) = (keys::app(), keys::alipay());
    let bare = app.private_text();
    for private in [
        bare.clone(),
        pkcs1_text(),
        format!(" \t\r\n{bare}\r\n "),
        pem("PRIVATE KEY", &app.private, "\n"),
        pem("PRIVATE KEY", &app.private, "\r\n"),
        pem("RSA PRIVATE KEY", app.pkcs1(), "\n"),
        pem("RSA PRIVATE KEY", &app.private, "\n"),
        pem("PRIVATE KEY", &app.private, "\\n"),
    ] {
        let shown = private.chars().take(30).collect::<String>();
        let entry = entry_with("privateKey", json!(private));
        assert!(read(&only(entry)).is_ok(), "{shown}");
    }
    for public in [
        alipay.public_text(),
        pem("PUBLIC KEY", &alipay.public, "\n"),
        pem("PUBLIC KEY", &alipay.public, "\r\n"),
        format!("\n {} \n", alipay.public_text()),
    ] {
        let entry = entry_with("alipayPublicKey", json!(public));
        assert!(read(&only(entry)).is_ok());
    }
}

fn pkcs1_text() -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(keys::app().pkcs1())
}

#[test]
fn every_mistaken_key_stops_the_start_with_its_field_and_the_mend_and_is_never_quoted() {
    const E: &[u8] = &[1, 0, 1];
    let (app, alipay) = (keys::app(), keys::alipay());
    let encrypted = pem("ENCRYPTED PRIVATE KEY", &keys::encrypted(), "\n");
    let legacy_encrypted = pem("RSA PRIVATE KEY", app.pkcs1(), "\n").replacen(
        "-----\n",
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
        1,
    );
    let certificate = pem("CERTIFICATE", keys::certificate(), "\n");
    let private = |der: &[u8]| pem("PRIVATE KEY", der, "\n");
    let public = |der: &[u8]| pem("PUBLIC KEY", der, "\n");
    let cases = [
        (
            "privateKey",
            private(&keys::private_of(128, E)),
            "1024 bits",
        ),
        (
            "privateKey",
            private(&keys::private_of(256, &[3])),
            "exponent",
        ),
        ("privateKey", private(&keys::ec_private()), "elliptic-curve"),
        ("privateKey", encrypted, "decrypt it first"),
        ("privateKey", legacy_encrypted, "decrypt it first"),
        ("privateKey", certificate.clone(), "certificate"),
        (
            "privateKey",
            app.public_text(),
            "public key where the private key belongs",
        ),
        ("privateKey", app.private_text()[..400].to_owned(), ""),
        (
            "privateKey",
            "canary!canary!canary!canary".to_owned(),
            "not base64",
        ),
        ("privateKey", String::new(), "empty"),
        (
            "alipayPublicKey",
            public(&keys::public_of(128, E)),
            "1024 bits",
        ),
        (
            "alipayPublicKey",
            public(&keys::public_of(256, &[3])),
            "exponent",
        ),
        (
            "alipayPublicKey",
            public(&keys::ec_public()),
            "elliptic-curve",
        ),
        ("alipayPublicKey", certificate, "certificate"),
        (
            "alipayPublicKey",
            alipay.private_text(),
            "private key where a public key belongs",
        ),
        ("alipayPublicKey", app.public_text(), "应用公钥"),
        (
            "alipayPublicKey",
            "canary!canary!canary!canary".to_owned(),
            "not base64",
        ),
        ("alipayPublicKey", String::new(), "empty"),
    ];
    for (field, text, mend) in cases {
        let at_each_place = [
            (only(entry_with(field, json!(text))), "apps[0]"),
            (
                json!({ "mp-alipay": { "oauth": { "alipay": entry_with(field, json!(text)) } } }),
                "mp-alipay.oauth.alipay",
            ),
            (
                json!({ "vk": { "oauth": { "alipay": { "list": [entry_with(field, json!(text))] } } } }),
                "vk.oauth.alipay.list[0]",
            ),
        ];
        for (document, place) in at_each_place {
            let error = wrong(&document);
            assert_eq!(error.field, format!("{place}.{field}"));
            assert!(error.problem.contains(mend), "{mend}: {error}");
            assert_quotes_nothing(&error, &text);
        }
    }
}

/// No 12 characters in a row of a key are in the error, PEM labels apart.
fn assert_quotes_nothing(error: &AppsError, text: &str) {
    let said = format!("{error} {error:?}");
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    for window in body.as_bytes().windows(12) {
        let window = std::str::from_utf8(window).unwrap();
        assert!(!said.contains(window), "{said}");
    }
}

#[test]
fn without_alipays_public_key_nothing_starts() {
    for missing in ["appid", "privateKey", "alipayPublicKey"] {
        for value in [None, Some(Value::Null)] {
            let mut entry = entry(FIRST);
            entry.as_object_mut().unwrap().remove(missing);
            if let Some(value) = value {
                entry[missing] = value;
            }
            let error = wrong(&only(entry));
            assert_eq!(error.field, format!("apps[0].{missing}"));
            assert!(error.problem.contains("missing"), "{error}");
        }
    }
}

#[test]
fn a_misspelt_member_is_named_and_no_value_is() {
    let error = wrong(&only(entry_with("alipayPublickKey", json!("canary"))));
    assert_eq!(error.field, "apps[0].alipayPublickKey");
    assert!(error.problem.contains("`alipayPublicKey`"), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[test]
fn a_wrong_type_is_named_without_the_value() {
    let numbers = json!([4_242_424_242_u64]);
    for (field, value, expected) in [
        ("appid", json!(4_242_424_242_u64), "a string"),
        (
            "privateKey",
            json!(4_242_424_242_u64),
            "a text or {\"file\":\"path\"}",
        ),
        (
            "privateKey",
            json!({ "path": "canary" }),
            "a text or {\"file\":\"path\"}",
        ),
        (
            "alipayPublicKey",
            numbers.clone(),
            "a text or {\"file\":\"path\"}",
        ),
        ("aesKey", numbers.clone(), "a text or {\"file\":\"path\"}"),
        ("needEncrypt", json!("true"), "a boolean"),
        ("protocol", json!(3), "a string"),
        ("gateway", json!(true), "a string"),
        ("requestMethods", json!("canary at line 1"), "an array"),
    ] {
        let error = wrong(&only(entry_with(field, value)));
        assert_eq!(error.field, format!("apps[0].{field}"));
        assert_eq!(error.problem, format!("must be {expected}"), "{error}");
    }
    for (document, field) in [
        (json!({ "apps": "canary, expected canary" }), "apps"),
        (json!({ "apps": ["canary"] }), "apps[0]"),
        (json!({ "default": 1, "apps": [] }), "default"),
        (
            json!({ "vk": { "oauth": { "alipay": { "list": "canary" } } } }),
            "vk.oauth.alipay.list",
        ),
        (json!({ "mp-alipay": "canary" }), "mp-alipay"),
    ] {
        let error = wrong(&document);
        assert_eq!(error.field, field);
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn an_app_id_is_letters_and_digits() {
    for app_id in [
        "",
        " ",
        "2021 0001",
        "2021/0001",
        "二〇二一",
        &"1".repeat(33),
    ] {
        assert_eq!(
            wrong(&only(entry(app_id))).field,
            "apps[0].appid",
            "{app_id}"
        );
    }
}

#[test]
fn the_gateway_is_a_preset_or_an_address_that_is_safe() {
    for gateway in [
        "production",
        "sandbox",
        "https://globalopenapi.alipay.com/gateway.do",
        "http://127.0.0.1:9/gateway.do",
        "http://localhost:9/gateway.do",
    ] {
        assert!(
            read(&only(entry_with("gateway", json!(gateway)))).is_ok(),
            "{gateway}"
        );
    }
    for gateway in [
        "",
        "prod",
        "http://example.com/",
        "https://u:canary@example.com/",
        "file:///etc/passwd",
    ] {
        let error = wrong(&only(entry_with("gateway", json!(gateway))));
        assert_eq!(error.field, "apps[0].gateway", "{gateway}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn sign_type_and_charset_are_those_of_the_protocol() {
    assert_eq!(
        settings(entry_with("signType", json!("RSA2")))
            .app
            .sign_type,
        SignType::Rsa2
    );
    for charset in ["utf-8", "UTF-8", "gbk", "GB2312"] {
        assert!(
            read(&only(entry_with("charset", json!(charset)))).is_ok(),
            "{charset}"
        );
    }
    for (field, value) in [
        ("signType", ""),
        ("signType", "SM2"),
        ("signType", "none"),
        ("charset", ""),
        ("charset", "latin-1"),
        ("homePage", ""),
        ("homePage", "/pages/index"),
        ("homePage", "pages/index?a=1"),
        ("homePage", " "),
        ("homePage", "pages/index\n"),
    ] {
        let error = wrong(&only(entry_with(field, json!(value))));
        assert_eq!(error.field, format!("apps[0].{field}"), "{value}");
    }
}

#[test]
fn a_prefix_allows_what_is_below_it_and_nothing_beside_it() {
    let settings = settings(entry_with(
        "requestMethods",
        json!(["alipay.trade.*", "alipay.open.app.qrcode.create"]),
    ));
    for method in [
        "alipay.trade.query",
        "alipay.trade.fastpay.refund.query",
        "alipay.open.app.qrcode.create",
    ] {
        assert!(settings.allows(method), "{method}");
    }
    for method in [
        "alipay.trade",
        "alipay.tradex.query",
        "alipay.open.app.qrcode.createx",
        "alipay.open.app.qrcode",
        "xalipay.trade.query",
        "ALIPAY.TRADE.QUERY",
        "",
    ] {
        assert!(!settings.allows(method), "{method}");
    }
    assert!(
        !crate::apps::settings(entry(FIRST)).allows("alipay.trade.query"),
        "no list allows nothing"
    );
}

#[test]
fn a_pattern_that_would_allow_everything_or_nothing_is_refused() {
    for pattern in [
        "*",
        ".*",
        "",
        "alipay.*.query",
        "alipay.trade*",
        "alipay..trade",
        "alipay.trade.",
        "Alipay.trade.query",
        "alipay.trade.**",
    ] {
        let error = wrong(&only(entry_with(
            "requestMethods",
            json!(["alipay.trade.query", pattern]),
        )));
        assert_eq!(error.field, "apps[0].requestMethods[1]", "{pattern}");
    }
}

#[test]
fn a_key_may_lie_in_a_file_beside_a_local_document_but_not_beside_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("app.pem"),
        pem("PRIVATE KEY", &keys::app().private, "\r\n"),
    )
    .unwrap();
    let read_in = |entry: Value, folder: Option<&Path>| {
        Apps::from_document(&only(entry).to_string().into(), folder)
    };

    let entry = entry_with("privateKey", json!({ "file": "app.pem" }));
    assert!(read_in(entry.clone(), Some(folder.path())).is_ok());
    let error = read_in(entry, None).unwrap_err();
    assert_eq!(error.field, "apps[0].privateKey");
    assert!(error.problem.contains("local document"), "{error}");

    let absolute = folder.path().join("app.pem");
    let elsewhere = entry_with("privateKey", json!({ "file": absolute }));
    assert!(read_in(elsewhere, Some(Path::new("/nowhere"))).is_ok());
    let missing = entry_with("alipayPublicKey", json!({ "file": "canary.pem" }));
    let error = read_in(missing, Some(folder.path())).unwrap_err();
    assert_eq!(error.field, "apps[0].alipayPublicKey");
    assert!(error.problem.contains("cannot be read"), "{error}");
}

#[test]
fn debug_shows_no_key() {
    let entry = entry_with("aesKey", json!("Y2FuYXJ5Y2FuYXJ5MDEyMw=="));
    let shown = format!("{:?}", read(&only(entry)).unwrap());
    assert!(shown.contains(FIRST));
    assert!(!shown.contains("Y2FuYXJ5"), "{shown}");
    for window in keys::app().private_text().as_bytes().windows(12) {
        assert!(
            !shown.contains(std::str::from_utf8(window).unwrap()),
            "{shown}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_the_reader_panic_or_quote_it(text in "\\PC*|(\\{\"(apps|default|vk|mp-alipay)\":(\\[|\\[\\[|\\[\\{\"[a-zA-Z]{0,3}\":|\\{\"oauth\":)?\"?CANARYCANARY[\"\\]}]{0,4}\\}?)") {
        if let Err(error) = Apps::from_document(&text.as_str().into(), None) {
            assert!(!error.to_string().contains("CANARYCANARY"), "{error}");
        }
    }
}
