//! The gateway's second protocol: `/v3/…`, signatures in headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Fault, FaultKind, Scope, Verdict};

use crate::caller::{Fixture, QRCODE_CREATE, TRADE_QUERY, sign, text, verifies};
use crate::encryption::{decrypted, encrypted};

const MINI_CODE: &str = r#"{"url_param":"pages/index","query_param":"a=1","describe":"你好"}"#;

/// A call, right in every way until a test changes it.
#[derive(Clone)]
struct Request {
    http_method: reqwest::Method,
    target: String,
    body: String,
    authorization: String,
    headers: Vec<(&'static str, String)>,
    /// Signed in place of what is sent.
    signed_body: Option<String>,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    fn is_signed_by(&self, public_key: &str) -> bool {
        let text = format!(
            "{}\n{}\n{}\n",
            self.header("alipay-timestamp"),
            self.header("alipay-nonce"),
            self.body
        );
        verifies(public_key, text.as_bytes(), self.header("alipay-signature"))
    }
}

fn milliseconds(at: SystemTime) -> u128 {
    at.duration_since(UNIX_EPOCH).unwrap().as_millis()
}

fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn request(fixture: &Fixture, target: &str, body: &str) -> Request {
    let certificate = match fixture.app.app_cert_sn.as_str() {
        "" => String::new(),
        sn => format!(",app_cert_sn={sn}"),
    };
    let now = milliseconds(SystemTime::now());
    let app_id = &fixture.app.app_id;
    let authorization = format!(
        "app_id={app_id}{certificate},nonce={},timestamp={now}",
        nonce()
    );
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if !certificate.is_empty() {
        headers.push((
            "alipay-root-cert-sn",
            fixture.app.alipay_root_cert_sn.clone(),
        ));
    }
    Request {
        http_method: reqwest::Method::POST,
        target: target.to_owned(),
        body: body.to_owned(),
        authorization,
        headers,
        signed_body: None,
    }
}

async fn send(fixture: &Fixture, request: &Request) -> Reply {
    try_send(fixture, request).await.unwrap()
}

async fn try_send(fixture: &Fixture, request: &Request) -> reqwest::Result<Reply> {
    let token = request
        .headers
        .iter()
        .find(|(name, _)| *name == "alipay-app-auth-token")
        .map(|(_, token)| format!("{token}\n"))
        .unwrap_or_default();
    let body = request.signed_body.as_ref().unwrap_or(&request.body);
    let signed = format!(
        "{}\n{}\n{}\n{body}\n{token}",
        request.authorization, request.http_method, request.target
    );
    let signature = sign(&fixture.app.private_key, signed.as_bytes());
    let address = format!("{}{}", fixture.simulator.base_url(), request.target);
    let mut sent = fixture
        .http
        .request(request.http_method.clone(), address)
        .header(
            "authorization",
            format!(
                "ALIPAY-SHA256withRSA {},sign={signature}",
                request.authorization
            ),
        )
        .body(request.body.clone());
    for (name, value) in &request.headers {
        sent = sent.header(*name, value);
    }
    let response = sent.send().await?;
    Ok(Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await?,
    })
}

async fn post(fixture: &Fixture, target: &str, body: &str) -> Reply {
    send(fixture, &request(fixture, target, body)).await
}

const TOKEN_PATH: &str = "/v3/alipay/system/oauth/token";
const QRCODE_PATH: &str = "/v3/alipay/open/app/qrcode/create";
const TRADE_PATH: &str = "/v3/alipay/trade/query";

#[tokio::test]
async fn the_methods_are_those_of_v2_without_their_envelope() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let code = fixture.simulator.issue_code(
        &fixture.app.app_id,
        CodeOptions {
            scope: Scope::AuthUser,
            ..CodeOptions::default()
        },
    );
    let body = json!({ "grant_type": "authorization_code", "code": code });
    let tokens = post(&fixture, TOKEN_PATH, &body.to_string()).await;
    assert_eq!(tokens.status, 200);
    assert!(tokens.is_signed_by(&fixture.app.alipay_public_key));
    assert_eq!(tokens.header("alipay-trace-id").len(), 32);
    assert_eq!(tokens.header("alipay-sn"), "");
    let token = text(&tokens.json(), "access_token").to_owned();
    let target = format!("/v3/alipay/user/info/share?auth_token={token}");
    let profile = post(&fixture, &target, "").await;
    assert!(profile.is_signed_by(&fixture.app.alipay_public_key));
    assert_eq!(text(&profile.json(), "nick_name"), "小明");
    assert_eq!(profile.json().get("code"), None);
    let made = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert!(text(&made.json(), "qr_code_url").ends_with(".png"));
    let received = fixture.simulator.received().pop().unwrap();
    assert_eq!(received.method.as_deref(), Some(QRCODE_CREATE));
    assert_eq!(received.path, QRCODE_PATH);
    assert_eq!(received.app_id.as_ref(), Some(&fixture.app.app_id));
    assert_eq!(received.parameters["describe"], "你好");
    assert_eq!(received.parameters["biz_content"], MINI_CODE);
    assert_eq!(received.trace_id, made.header("alipay-trace-id"));
    assert_eq!(received.verdict, Verdict::Done);
}

#[tokio::test]
async fn a_refusal_has_a_status_a_code_and_a_signature() {
    let fixture = Fixture::new(AppOptions {
        methods: Some(vec![
            TRADE_QUERY.to_owned(),
            "alipay.system.oauth.token".to_owned(),
            "alipay.user.info.share".to_owned(),
        ]),
        ..AppOptions::default()
    })
    .await;
    let refresh = r#"{"grant_type":"authorization_code","code":"none"}"#;
    let rows = [
        (
            TRADE_PATH,
            r#"{"out_trade_no":"none"}"#,
            400,
            "ACQ.TRADE_NOT_EXIST",
        ),
        (TRADE_PATH, "[]", 400, "illegal-json"),
        (TOKEN_PATH, refresh, 400, "isv.code-invalid"),
        ("/v3/alipay/user/info/share", "", 401, "invalid-auth-token"),
        (QRCODE_PATH, MINI_CODE, 403, "insufficient-isv-permissions"),
        ("/v3/alipay/no/such", "", 404, "invalid-method"),
    ];
    for (target, body, status, code) in rows {
        let reply = post(&fixture, target, body).await;
        assert_eq!((reply.status, text(&reply.json(), "code")), (status, code));
        assert!(reply.is_signed_by(&fixture.app.alipay_public_key), "{code}");
        assert!(reply.json()["links"].is_array());
    }
    let mut get = request(&fixture, TRADE_PATH, "");
    get.http_method = reqwest::Method::GET;
    assert_eq!(send(&fixture, &get).await.status, 404);
}

#[tokio::test]
async fn each_part_of_the_authorization_is_checked() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let right = request(&fixture, TRADE_PATH, r#"{"out_trade_no":"none"}"#);
    let app_id = fixture.app.app_id.clone();
    let now = SystemTime::now();
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let stale = milliseconds(now - minutes(11));
    let early = milliseconds(now + minutes(11));
    let present = milliseconds(now - minutes(9));
    let rows = [
        (format!("nonce=1,timestamp={present}"), "missing-app-id"),
        (
            format!("app_id=2021999999999999,nonce=2,timestamp={present}"),
            "invalid-app-id",
        ),
        (format!("app_id={app_id},nonce=3"), "missing-timestamp"),
        (
            format!("app_id={app_id},nonce=4,timestamp={stale}"),
            "invalid-timestamp",
        ),
        (
            format!("app_id={app_id},nonce=5,timestamp={early}"),
            "invalid-timestamp",
        ),
        (
            format!("app_id={app_id},nonce=6,timestamp=2026-11-22 10:00:00"),
            "invalid-timestamp",
        ),
        (
            format!("app_id={app_id},timestamp={present}"),
            "missing-nonce",
        ),
        (
            format!("app_id={app_id},app_id={app_id},nonce=8,timestamp={present}"),
            "suspected-attack",
        ),
        (
            format!("timestamp={present},nonce=9,app_id={app_id},expired_seconds=120"),
            "ACQ.TRADE_NOT_EXIST",
        ),
        (
            format!("app_id={app_id},nonce=9,timestamp={present}"),
            "suspected-attack",
        ),
    ];
    for (authorization, code) in rows {
        let mut request = right.clone();
        request.authorization = authorization.clone();
        let reply = send(&fixture, &request).await;
        assert_eq!(text(&reply.json(), "code"), code, "{authorization}");
    }
    let mut forged = right.clone();
    forged.signed_body = Some(String::new());
    let reply = send(&fixture, &forged).await;
    assert_eq!(reply.status, 401);
    assert_eq!(text(&reply.json(), "code"), "invalid-signature");
    assert!(reply.is_signed_by(&fixture.app.alipay_public_key));
    let address = format!("{}{TRADE_PATH}", fixture.simulator.base_url());
    let bare = fixture.http.post(address).send().await.unwrap();
    assert_eq!(bare.headers().get("alipay-signature"), None);
    assert!(bare.text().await.unwrap().contains("missing-signature"));
}

#[tokio::test]
async fn the_query_and_the_app_auth_token_are_signed() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let target = format!("{TRADE_PATH}?memo=a+b%2B%E4%B8%AD%26&e=");
    let mut request = request(&fixture, &target, r#"{"out_trade_no":"none"}"#);
    request
        .headers
        .push(("alipay-app-auth-token", "merchant-token".to_owned()));
    let reply = send(&fixture, &request).await;
    // The signature has passed: what is wrong is the token, which is nobody's.
    assert_eq!(
        (reply.status, text(&reply.json(), "code")),
        (401, "invalid-app-auth-token")
    );
    let received = fixture.simulator.received().pop().unwrap();
    assert_eq!(received.parameters["memo"], "a b+中&");
    assert_eq!(received.parameters["app_auth_token"], "merchant-token");
}

#[tokio::test]
async fn certificate_mode_names_its_certificates_in_headers() {
    let fixture = Fixture::new(AppOptions {
        certificates: true,
        ..AppOptions::default()
    })
    .await;
    let reply = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("alipay-sn"), fixture.app.alipay_cert_sn);
    assert!(reply.is_signed_by(&fixture.app.alipay_public_key));
    let mut without_root = request(&fixture, QRCODE_PATH, MINI_CODE);
    without_root.headers.pop();
    let reply = send(&fixture, &without_root).await;
    assert_eq!(text(&reply.json(), "code"), "missing-alipay-root-cert-sn");
    let mut without_own = request(&fixture, QRCODE_PATH, MINI_CODE);
    let sn = format!(",app_cert_sn={}", fixture.app.app_cert_sn);
    without_own.authorization = without_own.authorization.replace(&sn, "");
    let reply = send(&fixture, &without_own).await;
    assert_eq!(text(&reply.json(), "code"), "missing-app-cert-sn");
    fixture.simulator.renew_alipay_certificate();
    let reply = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert_ne!(reply.header("alipay-sn"), fixture.app.alipay_cert_sn);
    assert!(!reply.is_signed_by(&fixture.app.alipay_public_key));
}

fn encrypted_request(fixture: &Fixture, body: &str) -> Request {
    let ciphertext = encrypted(&fixture.app.aes_key, body.as_bytes());
    let mut request = request(fixture, QRCODE_PATH, &ciphertext);
    request.headers = vec![
        ("content-type", "text/plain".to_owned()),
        ("alipay-encrypt-type", "AES".to_owned()),
    ];
    request
}

#[tokio::test]
async fn the_ciphertext_is_what_is_signed_both_ways() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let reply = send(&fixture, &encrypted_request(&fixture, MINI_CODE)).await;
    assert!(reply.is_signed_by(&fixture.app.alipay_public_key));
    let plain = decrypted(&fixture.app.aes_key, &reply.body).unwrap();
    assert!(plain.contains("qr_code_url"));
    let refused = send(&fixture, &encrypted_request(&fixture, "{}")).await;
    assert_eq!(text(&refused.json(), "code"), "INVALID_PARAMETER");
    let mut wrong = encrypted_request(&fixture, MINI_CODE);
    wrong.body = "AAAAAAAAAAAAAAAAAAAAAA==".to_owned();
    let reply = send(&fixture, &wrong).await;
    assert_eq!(text(&reply.json(), "code"), "decryption-error-unknown");
    let mut without_header = encrypted_request(&fixture, MINI_CODE);
    without_header.headers.pop();
    let reply = send(&fixture, &without_header).await;
    assert_eq!(
        text(&reply.json(), "code"),
        "decryption-error-missing-encrypt-type"
    );
    for (kind, signed) in [
        (FaultKind::ChangedCiphertext, false),
        (FaultKind::WrongPadding, true),
    ] {
        fixture.simulator.inject(Fault::once(kind.clone()));
        let reply = send(&fixture, &encrypted_request(&fixture, MINI_CODE)).await;
        let key = &fixture.app.alipay_public_key;
        assert_eq!(reply.is_signed_by(key), signed, "{kind:?}");
        let plain = decrypted(&fixture.app.aes_key, &reply.body);
        assert!(plain.is_none_or(|plain| !plain.contains("\"qr_code_url\":\"http")));
    }
}

#[tokio::test]
async fn faults_befall_v3_too() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let key = &fixture.app.alipay_public_key;
    let inject = |kind| {
        let fault = Fault::once(kind).for_method(QRCODE_CREATE);
        fixture.simulator.inject(fault);
    };
    for kind in [
        FaultKind::BadSignature,
        FaultKind::ForeignKey,
        FaultKind::Sha1Signature,
        FaultKind::ByteOrderMark,
        FaultKind::TruncatedBody,
        FaultKind::EscapedSlashes,
        FaultKind::SignMember {
            json: "\"null\"".to_owned(),
        },
    ] {
        inject(kind.clone());
        let reply = post(&fixture, QRCODE_PATH, MINI_CODE).await;
        assert!(!reply.is_signed_by(key), "{kind:?}");
        assert_ne!(reply.header("alipay-signature"), "", "{kind:?}");
    }
    inject(FaultKind::NoSignature);
    let unsigned = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert_eq!(unsigned.header("alipay-signature"), "");
    inject(FaultKind::Refusal {
        code: "20000".to_owned(),
        sub_code: "isp.unknow-error".to_owned(),
        sub_msg: String::new(),
        signed: false,
        error_response: false,
    });
    let refused = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert_eq!(
        (refused.status, text(&refused.json(), "code")),
        (500, "unknow-error")
    );
    inject(FaultKind::Html { status: 502 });
    assert_eq!(post(&fixture, QRCODE_PATH, MINI_CODE).await.status, 502);
    let verdict = fixture.simulator.received().pop().unwrap().verdict;
    assert_eq!(verdict, Verdict::NotDone);
    let json = r#"{"qr_code_url":"x"}"#.to_owned();
    inject(FaultKind::Node { json: json.clone() });
    let other = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert!(other.is_signed_by(key) && other.body == json);
    let clean = post(&fixture, QRCODE_PATH, MINI_CODE).await;
    assert!(clean.is_signed_by(key));
}

#[tokio::test]
async fn a_broken_connection_says_in_the_log_whether_the_call_was_done() {
    let fixture = Fixture::new(AppOptions::default()).await;
    for (kind, verdict) in [
        (FaultKind::ResetBeforeReading, Verdict::NotDone),
        (FaultKind::ResetAfterDone, Verdict::Done),
        (FaultKind::HalfBody, Verdict::Done),
    ] {
        fixture.simulator.inject(Fault::once(kind.clone()));
        let request = request(&fixture, QRCODE_PATH, MINI_CODE);
        let outcome = try_send(&fixture, &request).await;
        assert!(outcome.is_err(), "{kind:?}");
        let received = fixture.simulator.received().pop().unwrap();
        assert_eq!(received.verdict, verdict, "{kind:?}");
        assert_eq!(received.method.as_deref(), Some(QRCODE_CREATE));
    }
}

#[tokio::test]
async fn a_fault_of_refreshes_knows_them_by_their_body() {
    const PATH: &str = "/v3/alipay/system/oauth/token";
    let fixture = Fixture::new(AppOptions::default()).await;
    let code = fixture.code();
    let fault = Fault::once(FaultKind::ResetBeforeReading).for_refreshes();
    fixture.simulator.inject(fault.for_app(&fixture.app.app_id));
    let exchange = format!(r#"{{"grant_type":"authorization_code","code":"{code}"}}"#);
    let tokens = post(&fixture, PATH, &exchange).await.json();
    let token = text(&tokens, "refresh_token");
    let refresh = format!(r#"{{"grant_type":"refresh_token","refresh_token":"{token}"}}"#);
    let lost = try_send(&fixture, &request(&fixture, PATH, &refresh)).await;
    assert!(lost.is_err());
    let done = fixture.simulator.refreshes_with(token).done;
    assert_eq!(done, 0, "nothing is spent");
    fixture
        .simulator
        .inject(Fault::once(FaultKind::AlreadyRefreshed));
    let refused = post(&fixture, PATH, &refresh).await.json();
    assert_eq!(text(&refused, "code"), "isv.refreshed-token-invalid");
    assert_ne!(text(&refused, "refresh_token"), token);
    assert_eq!(refused.get("access_token"), None);
}
