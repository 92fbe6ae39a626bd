//! What V3 signs and sends.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, UNIX_EPOCH};

use alipay_gateway::methods::exchange_code;
use alipay_gateway::{App, Call, GatewayError, Protocol, v3};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::requests::{Aes, node_certificates, now};
use crate::{app, app_key, vectors};

const NONCE: &str = "a-nonce";
const QR_CODE: &str = "alipay.open.app.qrcode.create";

fn app_v3() -> App {
    App {
        protocol: Protocol::V3,
        content_key: Some(ContentKey::from_text(&STANDARD.encode([7; 16])).expect("a key")),
        ..app()
    }
}

fn request(call: &Call) -> v3::SignedRequest {
    v3::signed_request(&app_v3(), call, NONCE, now()).expect("a request")
}

#[track_caller]
fn unbuildable(app: &App, call: &Call) -> &'static str {
    match v3::signed_request(app, call, NONCE, now()).err() {
        Some(GatewayError::Unbuildable { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn header<'a>(request: &'a v3::SignedRequest, name: &str) -> Option<&'a str> {
    let mut named = request.headers.iter().filter(|(header, _)| *header == name);
    let value = named.next().map(|(_, value)| value.as_str());
    assert!(named.next().is_none(), "{name} stands twice");
    value
}

fn json_body(request: &v3::SignedRequest) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

#[test]
fn the_address_is_the_method_with_slashes_at_the_gateways_host() {
    let request = request(&Call::new(QR_CODE).with_biz_content("{}"));
    assert_eq!(
        request.url.as_str(),
        "http://127.0.0.1:9/v3/alipay/open/app/qrcode/create"
    );
    assert_eq!(request.http_method, "POST");
    assert_eq!(request.body, "{}");
}

#[test]
fn the_signature_is_over_what_is_sent() {
    let call = Call::new("alipay.user.info.share")
        .with_biz_content(r#"{"a":"中文"}"#)
        .with_field("auth_token", "a b/c")
        .with_field("app_auth_token", "merchant")
        .with_field("notify_url", "https://example.com/?a=1&b");
    let request = request(&call);
    let authorization = header(&request, "authorization").unwrap();
    let (scheme, rest) = authorization.split_once(' ').unwrap();
    let (auth_string, sign) = rest.split_once(",sign=").unwrap();
    assert_eq!(scheme, "ALIPAY-SHA256withRSA");
    assert_eq!(
        auth_string,
        "app_id=2021000000000000,nonce=a-nonce,timestamp=1795278605000"
    );
    let target = "/v3/alipay/user/info/share?auth_token=a%20b%2Fc";
    let body = r#"{"a":"中文","notify_url":"https://example.com/?a=1&b"}"#;
    assert!(request.url.as_str().ends_with(target));
    assert_eq!(request.body, body);
    let text = format!("{auth_string}\nPOST\n{target}\n{body}\nmerchant\n");
    let key = app_key().verifying_key();
    key.verify(SignType::Rsa2, text.as_bytes(), sign).unwrap();
    assert_eq!(header(&request, "alipay-app-auth-token"), Some("merchant"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(header(&request, "alipay-request-id"), Some(NONCE));
}

#[test]
fn arguments_beside_biz_content_are_members_of_the_body() {
    let request = request(&exchange_code(&"c\"1".to_owned().into()));
    assert_eq!(
        json_body(&request),
        json!({"grant_type": "authorization_code", "code": "c\"1"})
    );
    let share = self::request(&Call::new("alipay.user.info.share").with_field("auth_token", "t"));
    assert_eq!(share.body, "");
    assert_eq!(header(&share, "content-type"), None);
}

#[test]
fn empty_arguments_are_not_sent() {
    let call = Call::new(QR_CODE)
        .with_biz_content("")
        .with_field("a", "")
        .with_field("auth_token", "")
        .with_field("app_auth_token", "")
        .with_field("", "b");
    let request = request(&call);
    assert_eq!((request.url.query(), &*request.body), (None, ""));
    assert_eq!(header(&request, "alipay-app-auth-token"), None);
}

#[test]
fn the_query_of_a_merchants_token_is_a_get() {
    let call = Call::new("alipay.open.auth.token.app.query")
        .with_biz_content(r#"{"app_auth_token":"t 1","n":{"a":1}}"#);
    let request = request(&call);
    assert_eq!((request.http_method, &*request.body), ("GET", ""));
    assert_eq!(
        request.url.query(),
        Some("app_auth_token=t%201&n=%7B%22a%22%3A1%7D")
    );
    assert!(unbuildable(&app_v3(), &call.encrypted()).contains("nothing to encrypt"));
}

#[test]
fn an_argument_stands_once_in_a_query_as_in_a_body() {
    let call = Call::new("alipay.open.auth.token.app.query").with_biz_content(r#"{"a":"1"}"#);
    unbuildable(&app_v3(), &call.clone().with_field("a", "2"));
    let call = call.with_biz_content(r#"{"auth_token":"1"}"#);
    request(&call);
    unbuildable(&app_v3(), &call.with_field("auth_token", "2"));
}

#[test]
fn the_body_of_an_encrypted_call_is_its_ciphertext() {
    let call = Call::new(QR_CODE)
        .with_biz_content(r#"{"a":1}"#)
        .with_field("b", "2")
        .encrypted();
    let request = request(&call);
    let key = app_v3().content_key.unwrap();
    let plaintext = key.decrypt(&request.body).unwrap();
    assert_eq!(plaintext, br#"{"a":1,"b":"2"}"#);
    assert_eq!(header(&request, "content-type"), Some("text/plain"));
    assert_eq!(header(&request, "alipay-encrypt-type"), Some("AES"));
}

#[test]
fn what_v3_has_no_request_for_is_not_sent() {
    let call = Call::new(QR_CODE).with_biz_content(r#"{"a":1}"#);
    let gbk = App {
        charset: Charset::Gbk,
        ..app_v3()
    };
    let sha1 = App {
        sign_type: SignType::Rsa,
        ..app_v3()
    };
    assert!(unbuildable(&gbk, &call).contains("utf-8"));
    assert!(unbuildable(&sha1, &call).contains("RSA2"));
    let without_key = App {
        content_key: None,
        ..app_v3()
    };
    assert!(unbuildable(&without_key, &call.clone().encrypted()).contains("aesKey"));
    for method in ["", "a..b", "../a", "a/b", "a?b", "a.b\n", "a.\u{4e2d}"] {
        unbuildable(&app_v3(), &Call::new(method));
    }
    unbuildable(&app_v3(), &call.clone().with_field("a", "2"));
    unbuildable(
        &app_v3(),
        &call.clone().with_field("app_auth_token", "t\nu"),
    );
    for no_object in ["[]", "\"a\"", "{", r#"{"a":1,"a":2}"#] {
        let call = Call::new(QR_CODE).with_biz_content(no_object);
        unbuildable(&app_v3(), &call.with_field("b", "2"));
    }
}

#[derive(Deserialize)]
struct Captured {
    id: String,
    key: String,
    http_method: String,
    request_target: String,
    body: String,
    headers: BTreeMap<String, String>,
    auth_string: String,
}

#[derive(Deserialize)]
struct Key {
    private_pkcs8_b64: Option<String>,
}

/// The same call at the same moment with the same nonce is the official Node SDK's request, header by header.
#[test]
fn the_request_is_the_official_sdks() {
    /// It writes a space in the query as `+`, which is signed as it is sent; here it is `%20`.
    const OTHER_SPELLING: &str = "nodesdk_v3_get_with_query";
    /// Sent by the Node SDK and by no other; its value is the one of `alipay-encrypt-type`.
    const NODES_OWN: &str = "alipay-encryption-algm";

    let (Some(keys), Some(cases), Some(aes)) = (
        vectors::<HashMap<String, Key>>("keys.json"),
        vectors::<Vec<Captured>>("sign_v3.json"),
        vectors::<Vec<Aes>>("aes.json"),
    ) else {
        return;
    };
    let aes = aes.iter().find(|case| case.id == "node_gateway_response");
    let content_key = ContentKey::from_text(&aes.expect("Node's AES key").key_b64).unwrap();
    let mut compared = 0;
    for case in cases.iter().filter(|case| case.id != OTHER_SPELLING) {
        let id = &case.id;
        let private = keys[&case.key].private_pkcs8_b64.as_deref();
        let said: HashMap<&str, &str> = case
            .auth_string
            .split(',')
            .map(|pair| pair.split_once('=').expect("name=value"))
            .collect();
        let app = App {
            app_id: said["app_id"].to_owned(),
            signing_key: SigningKey::from_text(private.expect("a private key")).unwrap(),
            certificates: said.get("app_cert_sn").map(|_| node_certificates()),
            content_key: Some(content_key.clone()),
            ..app_v3()
        };
        let method = case
            .request_target
            .trim_start_matches("/v3/")
            .replace('/', ".");
        let mut call = Call::new(method);
        call = if case.headers.contains_key("alipay-encrypt-type") {
            let plaintext = content_key.decrypt(&case.body).unwrap();
            call.with_biz_content(String::from_utf8(plaintext).unwrap())
                .encrypted()
        } else {
            call.with_biz_content(&case.body)
        };
        if let Some(token) = case.headers.get("alipay-app-auth-token") {
            call = call.with_field("app_auth_token", token);
        }
        let moment = UNIX_EPOCH + Duration::from_millis(said["timestamp"].parse().unwrap());
        let ours = v3::signed_request(&app, &call, said["nonce"], moment).unwrap();
        assert_eq!(ours.http_method, case.http_method, "{id}");
        assert_eq!(ours.url.path(), case.request_target, "{id}");
        assert_eq!(ours.body, case.body, "{id}");
        let sent: BTreeMap<&str, &str> = ours
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .filter(|(name, _)| *name != "alipay-request-id")
            .collect();
        let expected: BTreeMap<&str, &str> = case
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !["alipay-request-id", "content-length", NODES_OWN].contains(name))
            .collect();
        assert_eq!(sent, expected, "{id}");
        compared += 1;
    }
    assert_eq!(compared, 4);
}
