//! The rules of reading a V3 reply, each by a reply that breaks it. Pure.

use std::time::SystemTime;

use alipay_gateway::{App, Call, GatewayError, KeyNeeded, Protocol, Refusal, Reply, v3};
use alipay_signing::SignType;
use alipay_signing::content_encryption::ContentKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{alipay_key, app, failure, query_of};

const SUCCESS: &str = r#"{"out_trade_no":"T1","total_amount":"0.01"}"#;
const ERROR: &str = r#"{"code":"invalid-auth-token","message":"m","links":[{"link":"l"}]}"#;

fn key() -> ContentKey {
    ContentKey::from_text(&STANDARD.encode([7; 16])).expect("a key")
}

fn app_v3() -> App {
    App {
        protocol: Protocol::V3,
        content_key: Some(key()),
        ..app()
    }
}

/// A reply of which everything is right but what the test changes.
#[derive(Clone)]
struct Sent {
    status: u16,
    timestamp: Option<&'static str>,
    nonce: Option<&'static str>,
    signature: Option<String>,
    body: String,
}

impl Sent {
    fn signed(status: u16, body: impl Into<String>) -> Self {
        let body = body.into();
        let text = format!("1717756911576\nn-1\n{body}\n");
        let signature = alipay_key().sign(SignType::Rsa2, text.as_bytes());
        Self {
            status,
            timestamp: Some("1717756911576"),
            nonce: Some("n-1"),
            signature: Some(signature.expect("a signature")),
            body,
        }
    }

    fn unsigned(status: u16, body: impl Into<String>) -> Self {
        Self {
            signature: None,
            ..Self::signed(status, body)
        }
    }

    fn read_as(&self, app: &App, call: &Call) -> Result<Reply, GatewayError> {
        let headers = v3::ReplyHeaders {
            timestamp: self.timestamp,
            nonce: self.nonce,
            signature: self.signature.as_deref(),
            serial_number: None,
            trace_id: Some("t-1"),
        };
        let reply = v3::UnverifiedReply::read(app, self.status, headers, self.body.as_bytes())?;
        let KeyNeeded::Configured(key) = reply.key_needed(app, SystemTime::now())? else {
            panic!("a certificate is asked for");
        };
        let key = key.clone();
        reply.verify(app, call, &key)
    }

    fn read(&self) -> Result<Reply, GatewayError> {
        self.read_as(&app_v3(), &query_of("T1"))
    }

    #[track_caller]
    fn unverified(&self) -> &'static str {
        match failure(self.read()) {
            GatewayError::Unverified { reason } => reason,
            other => panic!("{other}"),
        }
    }

    #[track_caller]
    fn refused(&self) -> Refusal {
        match failure(self.read()) {
            GatewayError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        }
    }

    #[track_caller]
    fn unreachable(&self) {
        let error = failure(self.read());
        assert!(
            matches!(error, GatewayError::Unreachable { sent: true, .. }),
            "{error}"
        );
    }
}

#[test]
fn the_body_is_the_node() {
    let reply = Sent::signed(200, SUCCESS).read().unwrap();
    assert_eq!(reply.node(), SUCCESS);
    assert_eq!(reply.trace_id(), Some("t-1"));
}

#[test]
fn a_success_that_says_nothing_is_an_object_without_members() {
    assert_eq!(Sent::signed(200, "").read().unwrap().node(), "{}");
    Sent::unsigned(200, "").unreachable();
}

#[test]
fn a_success_without_a_valid_signature_is_never_a_success() {
    for signature in [None, Some(""), Some("null")] {
        let sent = Sent {
            signature: signature.map(str::to_owned),
            ..Sent::signed(200, SUCCESS)
        };
        assert!(sent.unverified().contains("without a signature"));
    }
    let right = Sent::signed(200, SUCCESS);
    for sent in [
        Sent {
            body: SUCCESS.replace("0.01", "9999.00"),
            ..right.clone()
        },
        Sent {
            timestamp: Some("1717756911577"),
            ..right.clone()
        },
        Sent {
            nonce: Some("n-2"),
            ..right.clone()
        },
        Sent {
            timestamp: None,
            ..right.clone()
        },
        Sent {
            nonce: None,
            ..right.clone()
        },
        Sent {
            signature: Some("AA==".to_owned()),
            ..right.clone()
        },
        // There is no second spelling of slashes in V3: what is signed is the body as it comes.
        Sent {
            body: r#"{"a":"\/"}"#.to_owned(),
            ..Sent::signed(200, r#"{"a":"/"}"#)
        },
    ] {
        sent.unverified();
    }
}

#[test]
fn an_error_may_be_unsigned_and_is_then_an_error_and_nothing_more() {
    for (sent, is_verified) in [
        (Sent::signed(401, ERROR), true),
        (Sent::unsigned(401, ERROR), false),
        (
            Sent {
                signature: Some("null".to_owned()),
                ..Sent::signed(401, ERROR)
            },
            false,
        ),
    ] {
        let refusal = sent.refused();
        assert_eq!(refusal.code, "20001");
        assert_eq!(refusal.sub_code.as_deref(), Some("aop.invalid-auth-token"));
        assert_eq!(refusal.sub_msg.as_deref(), Some("m"));
        assert_eq!(refusal.trace_id.as_deref(), Some("t-1"));
        assert_eq!(refusal.verified, is_verified);
        assert!(alipay_gateway::hint(&refusal).is_some());
    }
    Sent {
        signature: Some("AA==".to_owned()),
        ..Sent::signed(400, ERROR)
    }
    .unverified();
}

/// The status is not signed: with another status an error is still no success.
#[test]
fn an_error_with_the_status_of_a_success_is_refused() {
    assert!(Sent::signed(200, ERROR).unverified().contains("an error"));
    Sent::signed(400, SUCCESS).unreachable();
}

#[test]
fn what_is_no_answer_of_the_gateway_is_told_apart() {
    for status in [400, 403, 404, 500, 502, 503] {
        for body in ["", "<html>", "{}", r#"{"error":"x"}"#, "{\"code\""] {
            Sent::unsigned(status, body).unreachable();
        }
    }
    for body in ["<html>", "[]", "null", r#"{"a":"#] {
        Sent::unsigned(200, body).unreachable();
    }
    for status in [301, 302, 304] {
        Sent::signed(status, SUCCESS).unreachable();
        Sent::signed(status, ERROR).unreachable();
    }
}

#[test]
fn a_server_error_may_pass_and_is_still_alipays_word() {
    let refusal =
        Sent::unsigned(500, ERROR.replace("invalid-auth-token", "unknow-error")).refused();
    assert!(refusal.is_transient());
    let refusal = Sent::unsigned(503, ERROR.replace("invalid-auth-token", "NEW_NAME")).refused();
    assert!(refusal.is_transient());
    assert_eq!(refusal.sub_code.as_deref(), Some("NEW_NAME"));
}

#[test]
fn a_member_name_that_stands_twice_is_refused() {
    for body in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":{"a":1,"a":2}}"#,
        "{} {}",
        "\u{feff}{}",
    ] {
        Sent::signed(200, body).unverified();
    }
    Sent::unsigned(400, r#"{"code":"a","code":"b","message":"m"}"#).unverified();
}

#[test]
fn a_reply_to_another_trade_is_refused() {
    let other = SUCCESS.replace("T1", "T2");
    assert!(
        Sent::signed(200, other)
            .unverified()
            .contains("another request")
    );
}

#[test]
fn an_encrypted_body_is_verified_as_it_came_and_then_read() {
    let ciphertext = key().encrypt(SUCCESS.as_bytes()).unwrap();
    let encrypted = query_of("T1").encrypted();
    let read = |sent: &Sent| sent.read_as(&app_v3(), &encrypted);
    let reply = read(&Sent::signed(200, &ciphertext)).unwrap();
    assert_eq!(reply.node(), SUCCESS);

    let refused = key().encrypt(ERROR.as_bytes()).unwrap();
    for error in [Sent::signed(400, refused), Sent::unsigned(400, ERROR)] {
        assert!(matches!(failure(read(&error)), GatewayError::Refused(_)));
    }
    let without_key = App {
        content_key: None,
        ..app_v3()
    };
    let error = failure(Sent::signed(200, &ciphertext).read_as(&without_key, &encrypted));
    assert!(error.to_string().contains("aesKey"), "{error}");
    for sent in [
        Sent::unsigned(200, &ciphertext),
        Sent::signed(200, SUCCESS),
        Sent::signed(200, &ciphertext[4..]),
        Sent::signed(200, format!("{ciphertext}\n")),
    ] {
        let error = failure(read(&sent));
        assert!(matches!(error, GatewayError::Unverified { .. }), "{error}");
    }
}
