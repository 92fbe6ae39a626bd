//! Replies that others made: real ones, the official SDKs' extraction cases, and attacks. The files lie beside the project;
//! nothing of them is in it.

use std::collections::{BTreeMap, HashMap};

use alipay_gateway::{App, Call, GatewayError, Reply};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::{alipay_key, app, failure, vectors, verify_reply};

#[derive(Deserialize)]
struct Key {
    public_spki_b64: String,
}

#[derive(Deserialize)]
struct Signed {
    id: String,
    raw_body: String,
    response_key: String,
    signed_content: String,
    alipay_key: String,
    sign_type: Option<String>,
    expect_valid: bool,
    note: Option<String>,
}

impl Signed {
    /// The one encrypted reply among them tells its key in its note.
    fn content_key(&self) -> Option<ContentKey> {
        let (_, rest) = self.note.as_deref()?.split_once("AES key ")?;
        let (key, _) = rest.split_once(',')?;
        Some(ContentKey::from_text(key).expect("a key"))
    }

    /// What the signed text says: itself, or what it decrypts to.
    fn content(&self) -> String {
        match self.content_key() {
            None => self.signed_content.clone(),
            Some(key) => {
                let ciphertext = self.signed_content.trim_matches('"');
                String::from_utf8(key.decrypt(ciphertext).expect("a ciphertext")).expect("UTF-8")
            }
        }
    }
}

/// The method whose node has this name; any one where an error stands in its place.
fn method_of(response_key: &str) -> String {
    match response_key {
        "error_response" => "alipay.system.oauth.token".to_owned(),
        node => node
            .strip_suffix("_response")
            .expect("a node's name")
            .replace('_', "."),
    }
}

fn read(app: &App, response_key: &str, body: &str) -> Result<Reply, GatewayError> {
    // Underscores of a method's own name are lost on the way back, which changes nothing: the node's name is the same.
    let call = Call::new(method_of(response_key));
    verify_reply(app, &call, body.as_bytes(), None, None)
}

fn member(node: &str, name: &str) -> Option<String> {
    let members: BTreeMap<String, serde_json::Value> = serde_json::from_str(node).expect("a node");
    Some(members.get(name)?.as_str()?.to_owned())
}

/// Holds a signed reply to what its file says of it.
fn check_signed(case: &Signed, keys: &HashMap<String, Key>) {
    let app = App {
        alipay_key: VerifyingKey::from_text(&keys[&case.alipay_key].public_spki_b64)
            .expect("a key"),
        sign_type: case
            .sign_type
            .as_deref()
            .map_or(SignType::Rsa2, |text| text.parse().expect("a type")),
        content_key: case.content_key(),
        ..app()
    };
    let result = read(&app, &case.response_key, &case.raw_body);
    if !case.expect_valid {
        let error = failure(result);
        assert!(
            matches!(error, GatewayError::Unverified { .. }),
            "{}: {error}",
            case.id
        );
        return;
    }
    let content = case.content();
    let code = member(&content, "code");
    if code.is_none() || code.as_deref() == Some("10000") {
        let reply = result.unwrap_or_else(|error| panic!("{}: {error}", case.id));
        assert_eq!(reply.node(), content, "{}", case.id);
    } else {
        let GatewayError::Refused(refusal) = failure(result) else {
            panic!("{}: not refused", case.id);
        };
        assert_eq!(Some(refusal.code), code, "{}", case.id);
        for (read, name) in [(refusal.sub_code, "sub_code"), (refusal.sub_msg, "sub_msg")] {
            assert_eq!(read, member(&content, name), "{}", case.id);
        }
    }
}

#[test]
fn real_replies_verify_and_altered_ones_do_not() {
    let (Some(keys), Some(cases)) = (
        vectors::<HashMap<String, Key>>("keys.json"),
        vectors::<Vec<Signed>>("responses_real.json"),
    ) else {
        return;
    };
    assert_eq!(cases.len(), 5);
    for case in &cases {
        check_signed(case, &keys);
    }
}

#[test]
fn synthetic_edge_cases_are_judged_as_stated() {
    #[derive(Deserialize)]
    struct Synthetic {
        responses: Vec<Signed>,
    }
    let (Some(keys), Some(synthetic)) = (
        vectors::<HashMap<String, Key>>("keys.json"),
        vectors::<Synthetic>("synthetic.json"),
    ) else {
        return;
    };
    assert_eq!(synthetic.responses.len(), 13);
    for case in &synthetic.responses {
        check_signed(case, &keys);
    }
}

/// Their keys are not public, so no signature of them can be right: what is unsigned is an error and nothing more, what is
/// signed is refused.
#[test]
fn documented_shapes_are_recognised() {
    #[derive(Deserialize)]
    struct Shape {
        id: String,
        raw_body: String,
    }
    let Some(shapes) = vectors::<Vec<Shape>>("responses_format_only.json") else {
        return;
    };
    for shape in shapes {
        let (node, expected) = match shape.id.as_str() {
            "cert_mode_field_order" => ("alipay_open_mock_response", None),
            "error_response_without_sign" => ("error_response", Some("isv.code-invalid")),
            "error_response_with_cert_sn_and_empty_sign" => {
                ("error_response", Some("isv.code-invalid"))
            }
            "method_node_error_without_sign" => {
                ("alipay_trade_query_response", Some("isv.invalid-app-id"))
            }
            other => panic!("{other}: a new shape"),
        };
        match (failure(read(&app(), node, &shape.raw_body)), expected) {
            (GatewayError::Refused(refusal), Some(sub_code)) => {
                assert_eq!(refusal.sub_code.as_deref(), Some(sub_code), "{}", shape.id);
                assert_eq!(refusal.code, "40002", "{}", shape.id);
            }
            (GatewayError::Unverified { .. }, None) => {}
            (error, _) => panic!("{}: {error}", shape.id),
        }
    }
}

/// The file has the text to be cut out and no usable signature. So each reply is signed anew over that very text: it verifies
/// if and only if the same text is cut out.
#[test]
fn the_slice_that_is_verified_is_the_one_that_the_official_sdks_verify() {
    #[derive(Deserialize)]
    struct Extraction {
        id: String,
        raw_body: String,
        response_key: String,
        expected_content: String,
    }
    /// Their node is a text that is no ciphertext (base64 of plain JSON): it verifies, and is then not decrypted.
    const ENCRYPTED: [&str; 2] = ["encrypted_string_node", "encrypted_string_node_blanks"];

    let app = App {
        content_key: Some(ContentKey::from_text(&STANDARD.encode([7; 16])).unwrap()),
        ..app()
    };
    let Some(cases) = vectors::<Vec<Extraction>>("extract.json") else {
        return;
    };
    assert_eq!(cases.len(), 14);
    let mut encrypted = 0;
    for case in cases {
        let envelope: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&case.raw_body).expect("JSON");
        let old_sign = envelope["sign"].as_str().expect("a signature");
        assert_eq!(case.raw_body.matches(old_sign).count(), 1, "{}", case.id);
        let body_signed_over = |text: &str| {
            let sign = alipay_key().sign(SignType::Rsa2, text.as_bytes()).unwrap();
            case.raw_body.replace(old_sign, &sign)
        };
        let result = read(
            &app,
            &case.response_key,
            &body_signed_over(&case.expected_content),
        );
        match result {
            Err(GatewayError::Unverified { reason }) if ENCRYPTED.contains(&case.id.as_str()) => {
                assert!(reason.contains("decrypted"), "{}: {reason}", case.id);
                encrypted += 1;
            }
            Ok(reply) => assert_eq!(reply.node(), case.expected_content, "{}", case.id),
            // Some cases have a code other than 10000; they come this far only with a valid signature.
            Err(GatewayError::Refused(refusal)) => assert_eq!(
                Some(refusal.code),
                member(&case.expected_content, "code"),
                "{}",
                case.id
            ),
            Err(error) => panic!("{}: {error}", case.id),
        }
        let other = body_signed_over(&format!("{} ", case.expected_content));
        let error = failure(read(&app, &case.response_key, &other));
        assert!(
            matches!(error, GatewayError::Unverified { reason } if reason.contains("signature")),
            "{}: {error}",
            case.id
        );
    }
    assert_eq!(encrypted, ENCRYPTED.len());
}

#[derive(Deserialize)]
struct Attacks {
    alipay_public_key_pem: String,
    response: Vec<Attack>,
}

#[derive(Deserialize)]
struct Attack {
    id: String,
    method: String,
    expect: String,
    amount: Option<String>,
    body_b64: String,
    aes_key_b64: Option<String>,
}

#[test]
fn every_forged_reply_gets_its_verdict() {
    let Some(attacks) = vectors::<Attacks>("attack/attack-vectors.json") else {
        return;
    };
    let utf8 = App {
        alipay_key: VerifyingKey::from_text(&attacks.alipay_public_key_pem).expect("a key"),
        ..app()
    };
    let gbk = App {
        charset: Charset::Gbk,
        ..utf8.clone()
    };
    let (mut accepted, mut refused) = (0, 0);
    for attack in &attacks.response {
        let id = attack.id.as_str();
        let body = STANDARD.decode(&attack.body_b64).expect("base64");
        let content_key = attack.aes_key_b64.as_deref();
        let utf8 = App {
            content_key: content_key.map(|key| ContentKey::from_text(key).expect("a key")),
            ..utf8.clone()
        };
        let call = Call::new(&attack.method);
        let read = |app: &App| verify_reply(app, &call, &body, None, None);
        let is_accepted = |app: &App| {
            let reply = read(app).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!(member(reply.node(), "total_amount"), attack.amount, "{id}");
        };
        let is_rejected = |app: &App| {
            let error = failure(read(app));
            assert!(
                matches!(error, GatewayError::Unverified { .. }),
                "{id}: {error}"
            );
        };
        match attack.expect.as_str() {
            // The one verdict of the file that the design changes: the text that verified is the text that is read.
            _ if id == "R02b" => is_accepted(&utf8),
            "accept" => is_accepted(&utf8),
            "accept_if_charset_gbk_else_reject" => {
                is_accepted(&gbk);
                is_rejected(&utf8);
            }
            "reject" => is_rejected(&utf8),
            "business_error" => {
                let error = failure(read(&utf8));
                assert!(matches!(error, GatewayError::Refused(_)), "{id}: {error}");
            }
            "transient" => {
                let error = failure(read(&utf8));
                assert!(
                    matches!(error, GatewayError::Unreachable { sent: true, .. })
                        && error.is_transient(),
                    "{id}: {error}"
                );
            }
            verdict => panic!("{id}: nothing is known of the verdict {verdict}"),
        }
        match attack.expect.starts_with("accept") {
            true => accepted += 1,
            false => refused += 1,
        }
    }
    assert_eq!((accepted, refused), (6, 21));
}
