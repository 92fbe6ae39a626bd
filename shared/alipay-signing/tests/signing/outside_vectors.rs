//! Keys and signatures that others made: real replies and notices, and what the official SDKs
//! sign. The files lie beside the project; nothing of them is in it.

use std::collections::{BTreeMap, HashMap};

use alipay_signing::{
    Charset, EmptyValues, NoticeRule, SignType, SigningKey, VerifyingKey, canonical_string,
    form_encode, notice_text,
};
use serde::Deserialize;

use crate::{form_decode, json};

#[derive(Deserialize)]
struct Key {
    private_pkcs1_b64: Option<String>,
    private_pkcs8_b64: Option<String>,
    public_spki_b64: String,
}

fn keys() -> Option<HashMap<String, Key>> {
    json("keys.json")
}

impl Key {
    fn signing(&self) -> SigningKey {
        let text = self.private_pkcs8_b64.as_deref().expect("a private key");
        SigningKey::from_text(text).expect("a usable private key")
    }

    fn verifying(&self) -> VerifyingKey {
        VerifyingKey::from_text(&self.public_spki_b64).expect("a usable public key")
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    map.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn published_keys_load_and_their_halves_belong_together() {
    let Some(keys) = keys() else { return };
    let mut private = 0;
    for (name, key) in &keys {
        assert_eq!(key.verifying().to_base64(), key.public_spki_b64, "{name}");
        for text in key.private_pkcs1_b64.iter().chain(&key.private_pkcs8_b64) {
            let signing_key = SigningKey::from_text(text).expect("a usable private key");
            assert_eq!(signing_key.verifying_key(), key.verifying(), "{name}");
            private += 1;
        }
    }
    assert_eq!((keys.len(), private), (10, 10));
}

#[derive(Deserialize)]
struct Signed {
    id: String,
    key: String,
    charset: Option<String>,
    sign_type: Option<String>,
    params: BTreeMap<String, String>,
    sign_string: String,
    signature: String,
    raw_query: Option<String>,
    raw_body: Option<String>,
    raw_order_string: Option<String>,
    output: Option<String>,
}

impl Signed {
    fn charset(&self) -> Charset {
        self.charset
            .as_deref()
            .map_or(Charset::Utf8, |text| text.parse().expect("a charset"))
    }

    fn sign_type(&self) -> SignType {
        self.sign_type
            .as_deref()
            .map_or(SignType::Rsa2, |text| text.parse().expect("a type"))
    }

    /// The parameters as the SDK sent them, out of the text that it sent.
    fn sent(&self) -> Option<BTreeMap<String, String>> {
        let parts = [
            &self.raw_query,
            &self.raw_body,
            &self.raw_order_string,
            &self.output,
        ];
        let pairs: Vec<_> = parts
            .into_iter()
            .flatten()
            .map(|part| {
                part.split_once('?')
                    .map_or(part.as_str(), |(_, query)| query)
            })
            .flat_map(|part| form_decode(part, self.charset()))
            .collect();
        let count = pairs.len();
        let map: BTreeMap<_, _> = pairs.into_iter().collect();
        assert_eq!(map.len(), count, "{}: a name twice", self.id);
        (count > 0).then_some(map)
    }
}

fn requests_are_signed_byte_for_byte(file: &str) -> Option<(usize, usize)> {
    let keys = keys()?;
    let cases: Vec<Signed> = json(file)?;
    let mut sent_count = 0;
    for case in &cases {
        let id = &case.id;
        let key = &keys[&case.key];
        let (charset, sign_type) = (case.charset(), case.sign_type());

        let text = canonical_string(pairs(&case.params));
        assert_eq!(text, case.sign_string, "{id}");
        let message = charset.encode(&text).expect("text of the charset");
        let signature = key
            .signing()
            .sign(sign_type, &message)
            .expect("a signature");
        assert_eq!(signature, case.signature, "{id}");
        assert_eq!(
            key.verifying().verify(sign_type, &message, &case.signature),
            Ok(()),
            "{id}"
        );

        // What the SDK sent decodes to what it signed, and our encoding decodes to the same.
        if let Some(sent) = case.sent() {
            assert_eq!(sent.get("sign"), Some(&case.signature), "{id}");
            assert_eq!(canonical_string(pairs(&sent)), text, "{id}");
            let ours = form_encode(pairs(&sent), charset).expect("text of the charset");
            assert_eq!(form_decode(&ours, charset), Vec::from_iter(sent), "{id}");
            sent_count += 1;
        }
    }
    Some((cases.len(), sent_count))
}

#[test]
fn requests_of_the_official_sdks_are_signed_byte_for_byte() {
    if let Some(counts) = requests_are_signed_byte_for_byte("sign_v2.json") {
        assert_eq!(counts, (34, 29));
    }
}

#[test]
fn order_strings_of_the_official_sdk_are_signed_byte_for_byte() {
    if let Some(counts) = requests_are_signed_byte_for_byte("order_string.json") {
        assert_eq!(counts, (3, 3));
    }
}

#[test]
fn the_percent_encoding_of_gbk_is_that_of_the_official_sdk() {
    let Some(cases) = json::<Vec<Signed>>("sign_v2.json") else {
        return;
    };
    let mut count = 0;
    for case in cases
        .iter()
        .filter(|case| case.id.starts_with("pysdk_qrcode_"))
    {
        let biz_content = case.params["biz_content"].as_str();
        let ours = form_encode([("biz_content", biz_content)], case.charset()).expect("a form");
        let theirs = case
            .raw_body
            .as_deref()
            .expect("a body")
            .replace('+', "%20");
        assert_eq!(ours, theirs, "{}", case.id);
        count += 1;
    }
    assert_eq!(count, 6);
}

#[derive(Deserialize)]
struct Reply {
    id: String,
    alipay_key: String,
    signed_content: String,
    raw_body: String,
    expect_valid: bool,
}

#[test]
fn replies_of_the_real_gateway_verify_and_a_changed_one_does_not() {
    let (Some(keys), Some(replies)) = (keys(), json::<Vec<Reply>>("responses_real.json")) else {
        return;
    };
    let mut valid = 0;
    for reply in &replies {
        let body: serde_json::Value = serde_json::from_str(&reply.raw_body).expect("JSON");
        let sign = body["sign"].as_str().expect("a signature");
        let verdict = keys[&reply.alipay_key].verifying().verify(
            SignType::Rsa2,
            reply.signed_content.as_bytes(),
            sign,
        );
        assert_eq!(verdict.is_ok(), reply.expect_valid, "{}", reply.id);
        valid += usize::from(reply.expect_valid);
    }
    assert_eq!((replies.len(), valid), (5, 4));
}

#[derive(Deserialize)]
struct NodeSdk {
    keys: HashMap<String, String>,
    notify: Vec<NodeSdkNotice>,
    response: Vec<NodeSdkReply>,
}

#[derive(Deserialize)]
struct NodeSdkNotice {
    params: BTreeMap<String, serde_json::Value>,
    verifies_with: Vec<String>,
}

#[derive(Deserialize)]
struct NodeSdkReply {
    signed_bytes: String,
    sign: String,
    verifies_with: Vec<String>,
}

#[test]
fn notices_and_a_reply_of_the_real_gateway_verify_under_their_key_only() {
    let Some(file) = json::<NodeSdk>("alipay-real-signatures/node-sdk-vectors.json") else {
        return;
    };
    let keys: HashMap<_, _> = file
        .keys
        .iter()
        .map(|(name, text)| (name, VerifyingKey::from_text(text).expect("a usable key")))
        .collect();

    for reply in &file.response {
        for (name, key) in &keys {
            let verdict = key.verify(SignType::Rsa2, reply.signed_bytes.as_bytes(), &reply.sign);
            assert_eq!(
                verdict.is_ok(),
                reply.verifies_with.contains(name),
                "{name}"
            );
        }
    }

    assert_eq!(file.notify.len(), 6);
    for (index, notice) in file.notify.iter().enumerate() {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let params: BTreeMap<String, String> = notice
            .params
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let sign = &params["sign"];
        let mut verifies_with = Vec::new();
        for (rule, kind) in [
            ("drop_sign_type", NoticeRule::WithoutSignType),
            ("keep_sign_type", NoticeRule::WithSignType),
        ] {
            let mut signed = params.clone();
            // Two of them were published without it.
            signed
                .entry("sign_type".to_owned())
                .or_insert_with(|| "RSA2".to_owned());
            let message = notice_text(pairs(&signed), kind, EmptyValues::Kept);
            for (name, key) in &keys {
                if key.verify(SignType::Rsa2, message.as_bytes(), sign).is_ok() {
                    verifies_with.push(format!("{name}:{rule}"));
                }
            }
        }
        assert_eq!(
            verifies_with.is_empty(),
            notice.verifies_with.is_empty(),
            "notice {index}"
        );
        for expected in &notice.verifies_with {
            assert!(
                verifies_with.contains(expected),
                "notice {index}: {verifies_with:?}"
            );
        }
    }
}

#[derive(Deserialize)]
struct GopayReply {
    public_key_pem: String,
    signed_bytes: String,
    sign: String,
}

#[test]
fn a_reply_published_by_another_sdk_verifies() {
    let name = "alipay-real-signatures/gopay-sync-vector.json";
    let Some(reply) = json::<GopayReply>(name) else {
        return;
    };
    let key = VerifyingKey::from_text(&reply.public_key_pem).expect("a usable key");
    let signed = reply.signed_bytes.as_bytes();
    assert_eq!(key.verify(SignType::Rsa2, signed, &reply.sign), Ok(()));
    assert!(key.verify(SignType::Rsa, signed, &reply.sign).is_err());
}

#[derive(Deserialize)]
struct Synthetic {
    responses: Vec<Reply>,
}

/// Cases that turn on how the node is cut out of the reply belong to the gateway crate; here it is
/// the signature over the stated text.
#[test]
fn signatures_of_the_synthetic_replies_verify_over_the_stated_text() {
    let (Some(keys), Some(file)) = (keys(), json::<Synthetic>("synthetic.json")) else {
        return;
    };
    let mut count = 0;
    for reply in file.responses.iter().filter(|reply| reply.expect_valid) {
        let Ok(body) = serde_json::from_str::<serde_json::Value>(&reply.raw_body) else {
            continue;
        };
        let Some(sign) = body["sign"].as_str() else {
            continue;
        };
        let key = keys[&reply.alipay_key].verifying();
        let verdict = key.verify(SignType::Rsa2, reply.signed_content.as_bytes(), sign);
        assert_eq!(verdict, Ok(()), "{}", reply.id);
        count += 1;
    }
    assert!(count > 0);
}

#[derive(Deserialize)]
struct Attacks {
    alipay_public_key_pem: String,
    alipay_private_key_pem_test_only: String,
    response: Vec<Attack>,
}

#[derive(Deserialize)]
struct Attack {
    id: String,
    body_b64: String,
    expect: String,
}

/// The attacks on the signature itself: none, a wrong algorithm, another key, other spellings.
#[test]
fn forged_and_respelled_signatures_are_refused() {
    use base64::Engine;
    let Some(file) = json::<Attacks>("attack/attack-vectors.json") else {
        return;
    };
    let key = VerifyingKey::from_text(&file.alipay_public_key_pem).expect("a usable key");
    let private = SigningKey::from_text(&file.alipay_private_key_pem_test_only).expect("a key");
    assert_eq!(private.verifying_key(), key);

    let mut count = 0;
    for attack in &file.response {
        if !["R15", "R19", "R20", "R21"]
            .iter()
            .any(|kind| attack.id.starts_with(kind))
        {
            continue;
        }
        assert_eq!(attack.expect, "reject");
        let body = base64::engine::general_purpose::STANDARD
            .decode(&attack.body_b64)
            .expect("base64");
        let body: BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_slice(&body).expect("JSON");
        let node = body
            .iter()
            .find(|(name, _)| name.ends_with("_response"))
            .expect("a node")
            .1;
        // Where `sign` is no string there is nothing for this crate to check.
        let Ok(sign) = serde_json::from_str::<String>(body["sign"].get()) else {
            continue;
        };
        let verdict = key.verify(SignType::Rsa2, node.get().as_bytes(), &sign);
        assert!(verdict.is_err(), "{}", attack.id);
        count += 1;
    }
    assert!(count >= 4, "{count}");
}
