//! What is signed and what is sent: the same, whatever the arguments.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alipay_gateway::{
    App, AppCertificates, Call, GatewayError, SignedRequest, signed_request, timestamp,
};
use alipay_signing::certificate::{Certificate, RootCertificates};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType, SigningKey};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;

use crate::{app, app_key, vector_text, vectors};

/// 2026-11-22 00:30:05 in China.
const NOW: Duration = Duration::from_secs(1_795_278_605);

/// The names that the protocol gives a meaning, and that only [`signed_request`] gives a value.
const PROTOCOL: [&str; 11] = [
    "alipay_root_cert_sn",
    "app_cert_sn",
    "app_id",
    "charset",
    "encrypt_type",
    "format",
    "method",
    "sign",
    "sign_type",
    "timestamp",
    "version",
];

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

/// Reads a form as a server does, with another library than the one that wrote it.
pub(crate) fn decoded(form: &str, charset: Charset) -> Vec<(String, String)> {
    let text = |part: &str| {
        let part = part.replace('+', " ");
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(&part).collect();
        match charset {
            Charset::Utf8 => String::from_utf8(bytes).expect("UTF-8"),
            _ => encoding_rs::GBK
                .decode_without_bom_handling_and_without_replacement(&bytes)
                .expect("GBK")
                .into_owned(),
        }
    };
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("name=value");
            (text(name), text(value))
        })
        .collect()
}

/// The signed text, written a second time: by name, empty values and the signature left out.
fn canonical(parameters: &BTreeMap<String, String>) -> String {
    parameters
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

/// Query and body together, no name twice; and the signature is one over all of them.
fn received(app: &App, request: &SignedRequest) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let query = decoded(&request.query, app.charset);
    for (name, value) in query.into_iter().chain(decoded(&request.body, app.charset)) {
        assert!(
            parameters.insert(name.clone(), value).is_none(),
            "{name} stands twice"
        );
    }
    let signed = canonical(&parameters);
    app.signing_key
        .verifying_key()
        .verify(
            app.sign_type,
            &app.charset.encode(&signed).expect("the charset's text"),
            &parameters["sign"],
        )
        .expect("a signature over what was sent");
    parameters
}

/// What the gateway has to find, from the rules alone.
fn expected(app: &App, call: &Call) -> BTreeMap<String, String> {
    let mut expected = call.fields.clone();
    if let Some(biz_content) = &call.biz_content {
        expected.insert("biz_content".to_owned(), biz_content.clone());
    }
    expected.retain(|name, value| {
        !name.is_empty() && !value.is_empty() && !PROTOCOL.contains(&name.as_str())
    });
    for (name, value) in [
        ("app_id", app.app_id.as_str()),
        ("charset", app.charset.as_str()),
        ("format", "JSON"),
        ("method", &call.method),
        ("sign_type", app.sign_type.as_str()),
        ("timestamp", "2026-11-22 00:30:05"),
        ("version", "1.0"),
    ] {
        expected.insert(name.to_owned(), value.to_owned());
    }
    expected
}

fn holds_what_was_signed(app: &App, call: &Call) {
    let request = signed_request(app, call, now()).expect("a request");
    let mut received = received(app, &request);
    received.remove("sign");
    assert_eq!(received, expected(app, call));
    let query: BTreeMap<_, _> = decoded(&request.query, app.charset).into_iter().collect();
    assert_eq!(query["charset"], app.charset.as_str());
    for secret in [
        "auth_token",
        "app_auth_token",
        "code",
        "refresh_token",
        "biz_content",
    ] {
        assert!(!query.contains_key(secret), "{secret} stands in the query");
    }
}

fn names() -> impl Strategy<Value = String> {
    let reserved = select(
        [
            &PROTOCOL[..],
            &[
                "auth_token",
                "app_auth_token",
                "code",
                "refresh_token",
                "grant_type",
                "notify_url",
                "biz_content",
                "a",
                "a1",
                "",
            ],
        ]
        .concat(),
    );
    prop_oneof![any::<String>(), reserved.prop_map(str::to_owned)]
}

fn gbk_text() -> impl Strategy<Value = String> {
    vec(
        prop_oneof![prop::char::range(' ', '~'), prop::char::range('一', '龥')],
        0..12,
    )
    .prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_sent_is_what_was_signed(
        biz_content in proptest::option::of(any::<String>()),
        fields in btree_map(names(), any::<String>(), 0..6),
        method in "[a-z.]{1,40}",
    ) {
        let call = Call { method, biz_content, fields, repeatable: false, encrypted: false };
        holds_what_was_signed(&app(), &call);
    }

    #[test]
    fn what_is_sent_is_what_was_signed_in_gbk(
        biz_content in proptest::option::of(gbk_text()),
        fields in btree_map(gbk_text(), gbk_text(), 0..6),
    ) {
        let app = App { charset: Charset::Gbk, ..app() };
        let call = Call { biz_content, fields, ..Call::new("alipay.trade.query") };
        holds_what_was_signed(&app, &call);
    }
}

#[test]
fn an_argument_never_replaces_what_the_protocol_says() {
    for name in PROTOCOL {
        let call = Call::new("alipay.trade.query").with_field(name, "forged");
        let request = signed_request(&app(), &call, now()).unwrap();
        assert!(
            !request.query.contains("forged") && !request.body.contains("forged"),
            "{name}"
        );
    }
    let call = Call::new("alipay.trade.query")
        .with_field("biz_content", "forged")
        .with_biz_content("{}");
    let request = signed_request(&app(), &call, now()).unwrap();
    assert_eq!(request.body, "biz_content=%7B%7D");
}

#[test]
fn tokens_codes_and_content_stay_out_of_the_address() {
    let call = Call::new("alipay.user.info.share")
        .with_field("auth_token", "canary")
        .with_field("app_auth_token", "canary")
        .with_field("code", "canary")
        .with_field("refresh_token", "canary")
        .with_biz_content("canary");
    let request = signed_request(&app(), &call, now()).unwrap();
    assert!(!request.query.contains("canary"));
    assert_eq!(request.body.matches("canary").count(), 5);
}

#[test]
fn empty_values_are_neither_signed_nor_sent() {
    let bare = Call::new("alipay.trade.query");
    let empty = bare
        .clone()
        .with_field("notify_url", "")
        .with_field("", "nameless")
        .with_biz_content("");
    let request = |call| signed_request(&app(), call, now()).unwrap();
    assert!(request(&bare) == request(&empty));
    assert_eq!(request(&empty).body, "");
}

#[test]
fn gbk_is_percent_encoded_over_its_own_bytes() {
    let app = App {
        charset: Charset::Gbk,
        ..app()
    };
    let call = Call::new("alipay.trade.query").with_biz_content("中");
    let request = signed_request(&app, &call, now()).unwrap();
    assert_eq!(request.body, "biz_content=%D6%D0");
    assert!(request.query.contains("charset=GBK"));
}

#[test]
fn a_character_that_the_charset_lacks_stops_the_call() {
    let app = App {
        charset: Charset::Gbk,
        ..app()
    };
    for call in [
        Call::new("alipay.trade.query").with_biz_content("canary😀"),
        Call::new("alipay.trade.query").with_field("subject", "canary😀"),
    ] {
        let error = match signed_request(&app, &call, now()) {
            Ok(_) => panic!("was encoded"),
            Err(error) => error,
        };
        assert!(matches!(error, GatewayError::Unencodable(_)), "{error}");
        assert!(error.was_never_sent() && !error.is_transient());
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[test]
fn the_timestamp_is_that_of_china_in_every_season() {
    for (seconds, expected) in [
        (0, "1970-01-01 08:00:00"),
        // China had summer time in 1990; Alipay's gateway has none.
        (643_780_800, "1990-05-27 12:00:00"),
        (951_753_600, "2000-02-29 00:00:00"),
        (951_839_999, "2000-02-29 23:59:59"),
        (1_717_756_911, "2024-06-07 18:41:51"),
        (1_735_660_800, "2025-01-01 00:00:00"),
    ] {
        let moment = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(999);
        assert_eq!(timestamp(moment), expected);
    }
}

#[derive(Deserialize)]
struct Key {
    private_pkcs8_b64: Option<String>,
}

#[derive(Deserialize)]
struct Captured {
    id: String,
    key: String,
    charset: String,
    sign_type: String,
    params: BTreeMap<String, String>,
    sign_string: String,
    signature: String,
}

#[derive(Deserialize)]
pub(crate) struct Aes {
    pub(crate) id: String,
    pub(crate) key_b64: String,
}

/// The official Node SDK's test certificates.
pub(crate) fn node_certificates() -> AppCertificates {
    let text = |name: &str| vector_text(&format!("certs/{name}")).expect("a certificate");
    let of_app = Certificate::from_text(&text("node_appCertPublicKey_2021001161683774.crt"));
    AppCertificates {
        app_serial_number: of_app.expect("a certificate").serial_number().to_owned(),
        alipay: Certificate::from_text(&text("node_alipayCertPublicKey_RSA2.crt"))
            .expect("a certificate"),
        roots: RootCertificates::from_text(&text("alipayRootCert_variantA.crt"))
            .expect("the roots"),
    }
}

/// The official SDKs leave `format` out or write `json`, and spell charsets in their own ways; with those two changed, the
/// signed text of the same call at the same moment is theirs, byte for byte, and so is the signature.
#[test]
fn the_signature_is_the_official_sdks() {
    /// Signed texts without a timestamp or a version: no call.
    const NO_CALLS: [&str; 3] = ["java_rsa1", "java_rsa2", "java_rsa2_chinese_utf8"];

    let (Some(keys), Some(cases)) = (
        vectors::<HashMap<String, Key>>("keys.json"),
        vectors::<Vec<Captured>>("sign_v2.json"),
    ) else {
        return;
    };
    let Some(aes) = vectors::<Vec<Aes>>("aes.json") else {
        return;
    };
    let mut compared = 0;
    for case in cases {
        if NO_CALLS.contains(&case.id.as_str()) {
            continue;
        }
        let private = keys[&case.key].private_pkcs8_b64.as_deref();
        let signing_key = SigningKey::from_text(private.expect("a private key")).unwrap();
        let charset: Charset = case.charset.parse().unwrap();
        let sign_type: SignType = case.sign_type.parse().unwrap();
        let sign = |text: &str| {
            signing_key
                .sign(sign_type, &charset.encode(text).unwrap())
                .unwrap()
        };
        // The text written here is the SDK's own before anything is changed in it.
        assert_eq!(canonical(&case.params), case.sign_string, "{}", case.id);
        assert_eq!(sign(&case.sign_string), case.signature, "{}", case.id);
        let mut theirs = case.params.clone();
        theirs.insert("format".to_owned(), "JSON".to_owned());
        theirs.insert("charset".to_owned(), charset.as_str().to_owned());
        theirs.retain(|_, value| !value.is_empty());

        let mut fields = case.params.clone();
        fields.retain(|name, _| !PROTOCOL.contains(&name.as_str()) && name != "biz_content");
        let content_key = case.params.contains_key("encrypt_type").then(|| {
            let key = aes.iter().find(|case| case.id == "node_gateway_response");
            ContentKey::from_text(&key.expect("Node's AES key").key_b64).unwrap()
        });
        let mut call = Call {
            biz_content: case.params.get("biz_content").cloned(),
            fields,
            ..Call::new(&case.params["method"])
        };
        if let Some(key) = &content_key {
            let plaintext = key.decrypt(&case.params["biz_content"]).unwrap();
            call = call
                .with_biz_content(String::from_utf8(plaintext).unwrap())
                .encrypted();
        }
        let moment = match case.params["timestamp"].as_str() {
            "2024-06-07 18:41:51" => 1_717_756_911,
            "2022-02-22 22:22:22" => 1_645_539_742,
            other => panic!("{}: {other}", case.id),
        };
        let app = App {
            app_id: case.params["app_id"].clone(),
            signing_key: signing_key.clone(),
            sign_type,
            charset,
            content_key,
            certificates: case.params.get("app_cert_sn").map(|_| node_certificates()),
            ..app()
        };
        let moment = UNIX_EPOCH + Duration::from_secs(moment);
        let request = signed_request(&app, &call, moment).unwrap();
        let mut ours = received(&app, &request);
        assert_eq!(
            ours.remove("sign"),
            Some(sign(&canonical(&theirs))),
            "{}",
            case.id
        );
        assert_eq!(ours, theirs, "{}", case.id);
        compared += 1;
    }
    assert_eq!(compared, 31);
}

#[test]
fn the_keys_of_these_tests_are_two() {
    assert!(app_key().verifying_key() != app().alipay_key);
}
