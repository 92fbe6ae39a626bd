//! OneAccess' `X-signature`: a session token that a device encrypts. What Node makes of the same key is in `tests/vectors`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dev_server::IDENTITY_TABLE;
use futures_util::future::join_all;
use serde_json::json;
use tests::{Stack, encrypted_to};

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};
use crate::sdk_login::{Answer, Sender, claims};
use crate::sessions::{LOGOUT, REFRESH_ID_TOKEN, no_session, session};

const PUBLIC_KEY: &str = "/api/v2/sdk/public-key";
const SERVER_DATE: &str = "/api/v2/sdk/server-date";

/// The `session_token=…&timestamp=…&nonce=…` of a device.
struct Text {
    token: String,
    timestamp: u64,
    nonce: String,
}

impl Text {
    /// As OneAccess describes it: the server's time, and the same in hexadecimal.
    async fn of(stack: &Stack, token: &str) -> Self {
        let answer = phone().ask(stack, "GET", SERVER_DATE, "").await;
        let timestamp = answer.text("timestamp").parse().unwrap();
        Self {
            token: token.to_owned(),
            timestamp,
            nonce: format!("{timestamp:x}"),
        }
    }

    fn text(&self) -> String {
        let Self {
            token,
            timestamp,
            nonce,
        } = self;
        format!("session_token={token}&timestamp={timestamp}&nonce={nonce}")
    }

    async fn encrypted(&self, stack: &Stack) -> String {
        encrypted(stack, &self.text()).await
    }
}

async fn encrypted(stack: &Stack, text: &str) -> String {
    let answer = phone().ask(stack, "GET", PUBLIC_KEY, "").await;
    encrypted_to(answer.text("public_key"), text)
}

fn phone() -> Sender {
    Sender::device("phone")
}

/// Asks with the header and no body.
async fn ask(stack: &Stack, sender: &Sender, method: &str, path: &str, header: &str) -> Answer {
    let sender = sender.with("X-signature", header);
    sender.ask(stack, method, path, "").await
}

async fn refresh(stack: &Stack, header: &str) -> Answer {
    ask(stack, &phone(), "POST", REFRESH_ID_TOKEN, header).await
}

async fn log_out(stack: &Stack, header: &str) -> Answer {
    ask(stack, &phone(), "GET", LOGOUT, header).await
}

#[tokio::test]
async fn a_device_that_encrypts_its_session_token_gets_an_id_token_and_logs_out() {
    let stack = Stack::start().await;
    let token = session(&stack).await;
    let header = Text::of(&stack, &token).await.encrypted(&stack).await;
    let answer = refresh(&stack, &header).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(claims(answer.text("id_token"))["aud"], "local");

    let header = Text::of(&stack, &token).await.encrypted(&stack).await;
    let answer = log_out(&stack, &header).await;
    assert_eq!((answer.status, answer.text("status")), (200, "SUCCESS"));
    let mut text = Text::of(&stack, &token).await;
    text.nonce = "another".to_owned();
    let answer = refresh(&stack, &text.encrypted(&stack).await).await;
    assert_eq!(answer, no_session());
}

#[tokio::test]
async fn a_header_gets_one_id_token_however_often_it_is_sent() {
    let stack = Stack::start().await;
    let token = session(&stack).await;
    let text = Text::of(&stack, &token).await;
    let header = text.encrypted(&stack).await;
    let answers = join_all((0..8).map(|_| refresh(&stack, &header))).await;
    let (refreshed, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(refreshed.len(), 1);
    for answer in refused {
        assert_eq!(answer, no_session());
    }
    // Encrypted anew it is another text with the same nonce.
    let mut again = Text {
        timestamp: text.timestamp + 1,
        ..text
    };
    let answer = refresh(&stack, &again.encrypted(&stack).await).await;
    assert_eq!(answer, no_session());
    // None of that did anything to the session, and another session may have the nonce.
    again.token = session(&stack).await;
    assert_eq!(
        refresh(&stack, &again.encrypted(&stack).await).await.status,
        200
    );
    let fresh = Text {
        token,
        nonce: "fresh".to_owned(),
        ..again
    };
    let answer = refresh(&stack, &fresh.encrypted(&stack).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_header_is_one_answer_and_ends_nothing() {
    let stack = Stack::start().await;
    let token = session(&stack).await;
    let text = Text::of(&stack, &token).await;
    let right = text.encrypted(&stack).await;
    let at = |timestamp| Text {
        timestamp,
        token: token.clone(),
        nonce: "1".to_owned(),
    };
    let six_minutes = 360_000;
    for wrong in [
        String::new(),
        "c2Vzc2lvbl90b2tlbj0=".to_owned(),
        token.clone(),
        text.text(),
        STANDARD.encode([0; 256]),
        STANDARD.encode([0xff; 256]),
        format!("{right}, {right}"),
        encrypted(&stack, &token).await,
        encrypted(&stack, &format!("session_token={token}&nonce=1")).await,
        at(text.timestamp - six_minutes).encrypted(&stack).await,
        at(text.timestamp + six_minutes).encrypted(&stack).await,
        at(text.timestamp / 1000).encrypted(&stack).await,
    ] {
        for answer in [refresh(&stack, &wrong).await, log_out(&stack, &wrong).await] {
            assert_eq!(answer, no_session(), "{wrong}");
        }
    }
    assert_eq!(refresh(&stack, &right).await.status, 200);
}

#[tokio::test]
async fn a_rightly_encrypted_token_is_judged_as_one_that_was_not() {
    let stack = Stack::with_clients(&[json!({"clientId": "shop"})]).await;
    let token = session(&stack).await;
    let text = Text::of(&stack, &token).await;
    let header = text.encrypted(&stack).await;
    for sender in [
        phone().with("X-client-id", "shop"),
        phone().with("X-client-id", "nobody"),
        phone().with("X-device-fingerprint", "tablet"),
    ] {
        let answer = ask(&stack, &sender, "POST", REFRESH_ID_TOKEN, &header).await;
        assert_eq!(answer, no_session());
    }
    let unknown = Text {
        token: "abc".to_owned(),
        nonce: "1".to_owned(),
        ..text
    };
    let unknown = unknown.encrypted(&stack).await;
    assert_eq!(refresh(&stack, &unknown).await, no_session());
    assert_eq!(log_out(&stack, &unknown).await.status, 200);
    // Another client ends nothing, and nobody but the holder uses the nonce up.
    let shop = phone().with("X-client-id", "shop");
    let answer = ask(&stack, &shop, "GET", LOGOUT, &header).await;
    assert_eq!(answer.status, 200);
    assert_eq!(nonces(&stack).await, 0);
    assert_eq!(refresh(&stack, &header).await.status, 200);
    assert_eq!(nonces(&stack).await, 1);
}

async fn nonces(stack: &Stack) -> usize {
    let table = stack.server.table().client().scan();
    let rows = table.table_name(IDENTITY_TABLE).send().await.unwrap();
    let is_nonce = |pk: &str| pk.starts_with("ONCE#NONCE#");
    rows.items()
        .iter()
        .filter(|row| is_nonce(row["pk"].as_s().unwrap()))
        .count()
}

#[tokio::test]
async fn where_there_is_a_header_nothing_else_is_read() {
    let stack = Stack::start().await;
    let token = session(&stack).await;
    let body = json!({"session_token": token}).to_string();
    let both = phone()
        .with("X-session-token", &token)
        .with("X-signature", "c2Vzc2lvbl90b2tlbj0=");
    let answer = both.ask(&stack, "POST", REFRESH_ID_TOKEN, &body).await;
    assert_eq!(answer, no_session());
}

#[tokio::test]
async fn the_key_and_the_time_are_told_to_a_device_that_says_what_it_is() {
    let stack = Stack::start().await;
    for path in [PUBLIC_KEY, SERVER_DATE] {
        let answer = phone().ask(&stack, "GET", path, "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.as_object().unwrap().len(), 1);
        let anonymous = phone().without("X-client-id");
        let answer = anonymous.ask(&stack, "GET", path, "").await;
        assert_eq!(answer.error(), (400, "APP.0002"));
        let answer = phone()
            .without("X-agent")
            .ask(&stack, "GET", path, "")
            .await;
        assert_eq!(answer.error(), (400, "SESSION.PARAMETER_INVALID"));
    }
}

#[tokio::test]
async fn without_a_key_in_the_login_document_there_are_no_such_calls_and_the_header_is_not_read() {
    let stack = Stack::with_login(|document| {
        let document = document.as_object_mut().unwrap();
        document.remove("requestEncryption").unwrap();
    })
    .await;
    for path in [PUBLIC_KEY, SERVER_DATE] {
        let answer = phone().ask(&stack, "GET", path, "").await;
        assert_eq!(answer.error(), (404, "SESSION.NOT_FOUND"));
    }
    let answer = refresh(&stack, "c2Vzc2lvbl90b2tlbj0=").await;
    assert_eq!(answer.error(), (400, "PARAM.0005"));
    let said = answer.text("error_msg");
    assert!(said.contains("X-signature is not understood"), "{said}");
    let token = session(&stack).await;
    let both = phone()
        .with("X-session-token", &token)
        .with("X-signature", "c2Vzc2lvbl90b2tlbj0=");
    let answer = both.ask(&stack, "POST", REFRESH_ID_TOKEN, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn the_log_names_what_is_wrong_with_a_header_and_nothing_of_what_is_in_it() {
    in_a_process_of_its_own(
        "x_signature::the_log_names_what_is_wrong_with_a_header_and_nothing_of_what_is_in_it",
        async {
            let stack = Stack::start().await;
            let token = session(&stack).await;
            let mut text = Text::of(&stack, &token).await;
            text.nonce = "canary-nonce".to_owned();
            let right = text.encrypted(&stack).await;
            text.timestamp -= 360_000;
            let old = text.encrypted(&stack).await;
            let form = encrypted(&stack, &token).await;
            let log = log_of_everything();
            for (header, status, said) in [
                (&*right, 200, "answered"),
                (&right, 401, "the nonce in X-signature was used before"),
                (&old, 401, "the timestamp in X-signature"),
                (&form, 401, "X-signature does not hold"),
                ("c2Vz", 401, "X-signature cannot be decrypted"),
            ] {
                assert_eq!(refresh(&stack, header).await.status, status);
                assert!(log.text().contains(said), "{said}");
            }
            log.assert_without(&[token, "canary-nonce".to_owned()]);
        },
    );
}
