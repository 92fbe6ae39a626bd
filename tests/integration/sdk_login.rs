//! OneAccess' SDK login: an app on a device logs its user in (security cases O-06 to O-08, O-16, E-01 to E-03, S-29).

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Fault, FaultKind};
use tests::{Stack, http_client};

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};

const EXCHANGE: &str = "alipay.system.oauth.token";
const LOGIN: &str = "/api/v3/sdk/login/alipay";

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn text(&self, name: &str) -> &str {
        let text = self.body[name].as_str();
        text.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.text("error_code"))
    }
}

/// Who sends something: its headers.
#[derive(Clone)]
pub(crate) struct Sender(Vec<(&'static str, String)>);

impl Sender {
    /// The back end of a client, with its access token.
    pub(crate) fn back_end(token: &str) -> Self {
        Self(vec![("Authorization", format!("Bearer {token}"))])
    }

    /// A device with the app of the client `local`.
    pub(crate) fn device(fingerprint: &str) -> Self {
        Self(vec![
            ("X-client-id", "local".to_owned()),
            ("X-operating-sys-version", "Android 10".to_owned()),
            ("X-device-fingerprint", fingerprint.to_owned()),
            ("X-agent", "Mozilla/5.0 (Linux; Android 10)".to_owned()),
        ])
    }

    /// The same with this header, in place of one of the same name.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut device = self.without(name);
        device.0.push((name, value.to_owned()));
        device
    }

    pub(crate) fn without(&self, name: &str) -> Self {
        let others = self.0.iter().filter(|(known, _)| *known != name);
        Self(others.cloned().collect())
    }

    pub(crate) fn headers(&self) -> &[(&'static str, String)] {
        &self.0
    }

    pub(crate) async fn ask(&self, stack: &Stack, method: &str, path: &str, body: &str) -> Answer {
        let url = format!("{}{path}", stack.server.base_url());
        let mut asked = http_client().request(method.parse().unwrap(), url);
        for (name, value) in self.headers() {
            asked = asked.header(*name, value);
        }
        let reply = asked.body(body.to_owned()).send().await.unwrap();
        let status = reply.status().as_u16();
        assert_eq!(reply.headers()["cache-control"], "no-store");
        let text = reply.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        Answer { status, body }
    }

    pub(crate) async fn log_in(&self, stack: &Stack, code: &str) -> Answer {
        let body = json!({"code": code}).to_string();
        self.ask(stack, "POST", LOGIN, &body).await
    }
}

/// The claims of a token, whose signature is another test's business.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

async fn sessions(stack: &Stack) -> usize {
    let rows = stack
        .server
        .table()
        .client()
        .scan()
        .table_name(dev_server::IDENTITY_TABLE);
    let rows = rows.send().await.unwrap().items.unwrap_or_default();
    let is_session = |pk: &str| pk.starts_with("SESSION#");
    rows.iter()
        .filter(|row| is_session(row["pk"].as_s().unwrap()))
        .count()
}

#[tokio::test]
async fn a_code_becomes_a_session_and_an_id_token_at_every_path_of_the_call() {
    let stack = Stack::start().await;
    let device = Sender::device("phone");
    let mut accounts = Vec::new();
    for path in [
        LOGIN,
        "/api/v2/sdk/login/alipay",
        "/api/v2/sdk/login/alipay-miniprogram",
    ] {
        let body = json!({"code": stack.code()}).to_string();
        let answer = device.ask(&stack, "POST", path, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // These and no others: no token of Alipay's either.
        let names: Vec<_> = answer.body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["status", "session_token", "id_token", "expire"]);
        assert_eq!(answer.text("status"), "SUCCESS");
        assert_eq!(answer.body["expire"], 604_800);
        assert!(answer.text("session_token").starts_with("bts"));
        let claims = claims(answer.text("id_token"));
        assert_eq!(claims["aud"], "local");
        assert_eq!(claims["iss"], stack.server.base_url());
        assert_eq!(claims["openid"], "2088000000000001");
        accounts.push(claims["sub"].clone());
    }
    accounts.dedup();
    assert_eq!(accounts.len(), 1);
    assert_eq!(sessions(&stack).await, 3);
    assert_eq!(stack.rows("APP#").await, 1, "the tokens stay here");
}

#[tokio::test]
async fn a_header_that_is_missing_or_endless_is_named_and_nothing_is_exchanged() {
    let stack = Stack::start().await;
    let device = Sender::device("phone");
    let endless = "x".repeat(1025);
    for name in ["X-operating-sys-version", "X-device-fingerprint", "X-agent"] {
        for wrong in [
            device.without(name),
            device.with(name, ""),
            device.with(name, &endless),
        ] {
            let answer = wrong.log_in(&stack, &stack.code()).await;
            assert_eq!(answer.error(), (400, "ALIPAY.PARAMETER_INVALID"), "{name}");
            assert!(answer.text("error_msg").starts_with(name), "{answer:?}");
        }
    }
    let answer = device
        .without("X-client-id")
        .log_in(&stack, &stack.code())
        .await;
    assert_eq!(answer.error(), (400, "APP.0002"));
    assert_eq!(answer.text("error_msg"), "Application ID required.");
    assert_eq!(stack.simulator().received_count(EXCHANGE), 0);
}

#[tokio::test]
async fn an_unknown_client_a_disabled_one_and_one_without_its_app_are_not_told_apart() {
    let stack = Stack::with_clients(&[
        json!({"clientId": "closed", "disabled": true}),
        json!({"clientId": "lost", "appid": "2021000000009999"}),
    ])
    .await;
    let expected = Answer {
        status: 400,
        body: json!({"error_code": "APP.0001", "error_msg": "Application does not exist."}),
    };
    for client in ["nobody", "closed", "lost", "2021000000000001", "LOCAL"] {
        let device = Sender::device("phone").with("X-client-id", client);
        assert_eq!(
            device.log_in(&stack, &stack.code()).await,
            expected,
            "{client}"
        );
    }
    assert_eq!(stack.simulator().received_count(EXCHANGE), 0);
}

#[tokio::test]
async fn people_read_errors_in_their_language() {
    let stack = Stack::start().await;
    let device = Sender::device("phone").with("X-client-id", "nobody");
    for (language, text) in [
        ("zh", "应用不存在"),
        ("zh-CN", "应用不存在"),
        ("ZH", "应用不存在"),
        ("en", "Application does not exist."),
        ("fr", "Application does not exist."),
        ("z", "Application does not exist."),
    ] {
        let answer = device.with("X-L", language).log_in(&stack, "code").await;
        assert_eq!(answer.text("error_msg"), text, "{language}");
        assert_eq!(answer.text("error_code"), "APP.0001");
    }
}

#[tokio::test]
async fn what_cannot_be_a_code_never_reaches_the_gateway() {
    let stack = Stack::start().await;
    let device = Sender::device("phone");
    for body in [
        json!({}),
        json!({"code": ""}),
        json!({"code": "a b"}),
        json!({"code": "c".repeat(41)}),
        json!({"code": 7}),
        json!({"code": null}),
        json!({"code": {"$ne": ""}}),
    ] {
        let answer = device.ask(&stack, "POST", LOGIN, &body.to_string()).await;
        assert_eq!(answer.error(), (400, "ALIPAY.CODE_INVALID"), "{body}");
    }
    for (body, code) in [
        (String::new(), "ALIPAY.PARAMETER_INVALID"),
        ("code=abc".to_owned(), "ALIPAY.PARAMETER_INVALID"),
        ("[]".to_owned(), "ALIPAY.PARAMETER_INVALID"),
        (
            r#"{"code":"a","code":"b"}"#.to_owned(),
            "ALIPAY.CODE_INVALID",
        ),
        (" ".repeat(1024 * 1024 + 1), "ALIPAY.TOO_LARGE"),
    ] {
        let answer = device.ask(&stack, "POST", LOGIN, &body).await;
        assert_eq!(answer.error(), (400, code), "{answer:?}");
    }
    assert_eq!(stack.simulator().received_count(EXCHANGE), 0);
}

#[tokio::test]
async fn one_code_makes_one_session_however_often_it_comes_at_once_and_later() {
    let stack = Stack::start().await;
    let code = stack.code();
    let device = Sender::device("phone");
    let mut answers = join_all((0..8).map(|_| device.log_in(&stack, &code))).await;
    answers.push(device.log_in(&stack, &code).await);
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != 200)
        .collect();
    assert_eq!(refused.len(), answers.len() - 1);
    for answer in refused {
        assert_eq!(answer.error(), (400, "ALIPAY.CODE_INVALID"));
    }
    assert_eq!(sessions(&stack).await, 1);
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
}

#[tokio::test]
async fn a_code_of_another_app_is_refused_as_one_that_does_not_exist() {
    let stack = Stack::start().await;
    let other = stack.simulator().add_app(AppOptions::default());
    let foreign = stack
        .simulator()
        .issue_code(&other.app_id, CodeOptions::default());
    let device = Sender::device("phone");
    let unknown = device.log_in(&stack, "never-issued").await;
    assert_eq!(unknown.error(), (400, "ALIPAY.CODE_INVALID"));
    assert_eq!(device.log_in(&stack, &foreign).await, unknown);
    assert_eq!(sessions(&stack).await, 0);
}

#[tokio::test]
async fn an_exchange_of_which_nothing_is_known_is_not_tried_again() {
    for (fault, status) in [
        (FaultKind::NeverAnswer, 504),
        (FaultKind::ResetAfterDone, 502),
        (FaultKind::HalfBody, 502),
    ] {
        let shown = format!("{fault:?}");
        let stack = Stack::start().await;
        stack
            .simulator()
            .inject(Fault::always(fault).for_method(EXCHANGE));
        let answer = Sender::device("phone").log_in(&stack, &stack.code()).await;
        assert_eq!(answer.error(), (status, "ALIPAY.LOGIN_AGAIN"), "{shown}");
        assert_eq!(stack.simulator().received_count(EXCHANGE), 1, "{shown}");
        assert_eq!(sessions(&stack).await, 0, "{shown}");
    }
}

#[tokio::test]
async fn what_a_device_says_of_its_address_is_not_read() {
    let stack = Stack::start().await;
    let device = Sender::device("phone")
        .with("X-device-ip", "'; DROP TABLE sessions; --")
        .with("X-Forwarded-For", "10.0.0.1, 127.0.0.1")
        .with("X-tenant-id", "08f770f51f80d2f40f38c00cb199fd21");
    assert_eq!(device.log_in(&stack, &stack.code()).await.status, 200);
}

#[test]
fn nothing_that_opens_anything_is_logged() {
    in_a_process_of_its_own("sdk_login::nothing_that_opens_anything_is_logged", async {
        let stack = Stack::start().await;
        let log = log_of_everything();
        let code = stack.code();
        let device = Sender::device("fingerprint-canary");
        let answer = device.log_in(&stack, &code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let again = device.log_in(&stack, &code).await;
        assert_eq!(again.status, 400);
        let secret = |name| answer.text(name).to_owned();
        log.assert_without(&[code, secret("session_token"), secret("id_token")]);
        assert!(log.text().contains("sdk-login"));
    });
}

#[test]
fn a_refused_code_is_logged_with_alipays_reason_and_the_app() {
    in_a_process_of_its_own(
        "sdk_login::a_refused_code_is_logged_with_alipays_reason_and_the_app",
        async {
            let stack = Stack::start().await;
            let other = stack.simulator().add_app(AppOptions::default());
            let foreign = stack
                .simulator()
                .issue_code(&other.app_id, CodeOptions::default());
            let log = log_of_everything();
            let device = Sender::device("phone");
            assert_eq!(device.log_in(&stack, &foreign).await.status, 400);
            let text = log.text();
            let refused: Vec<_> = text.lines().filter(|line| line.contains("WARN")).collect();
            assert_eq!(refused.len(), 1, "{}", refused.join("\n"));
            let app_id = &*stack.app().app_id;
            for part in ["isv.code-invalid", app_id, "request_id", "trace_id"] {
                assert!(refused[0].contains(part), "{part}: {}", refused[0]);
            }
            log.assert_without(&[foreign]);
        },
    );
}
