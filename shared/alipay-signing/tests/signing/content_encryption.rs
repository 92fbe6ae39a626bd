//! Content encryption: what others encrypted, what is refused, and that a failure tells nothing.

use std::collections::BTreeMap;

use alipay_signing::content_encryption::{ContentKey, ContentKeyError, DecryptError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;

use crate::json;

const KEY: [u8; 16] = *b"sixteen letters!";

fn key() -> ContentKey {
    ContentKey::from_text(&STANDARD.encode(KEY)).expect("a key")
}

#[derive(Deserialize)]
struct Encrypted {
    id: String,
    key_b64: String,
    plaintext: String,
    ciphertext_b64: String,
    encrypt_type: String,
}

#[test]
fn ciphertexts_of_the_official_sdks_and_the_gateway_are_read_and_made_again() {
    let Some(cases) = json::<Vec<Encrypted>>("aes.json") else {
        return;
    };
    let mut count = (0, 0);
    for case in &cases {
        let id = &case.id;
        let key = ContentKey::from_text(&case.key_b64).expect("a key");
        if case.encrypt_type == "AES_V2" {
            let text = key.decrypt_with_leading_vector(&case.ciphertext_b64);
            assert_eq!(text.as_deref(), Ok(case.plaintext.as_bytes()), "{id}");
            assert_ne!(key.decrypt(&case.ciphertext_b64), text, "{id}");
            count.1 += 1;
            continue;
        }
        let text = key.decrypt(&case.ciphertext_b64);
        assert_eq!(text.as_deref(), Ok(case.plaintext.as_bytes()), "{id}");
        let again = key.encrypt(case.plaintext.as_bytes());
        assert_eq!(again.as_ref(), Ok(&case.ciphertext_b64), "{id}");
        count.0 += 1;
    }
    assert_eq!(count, (3, 1));
}

/// The requests that the Node SDK encrypted, under the key that it was given.
#[test]
fn encrypted_requests_of_the_official_sdk_are_read_and_made_again() {
    #[derive(Deserialize)]
    struct Request {
        id: String,
        params: Option<BTreeMap<String, String>>,
        body: Option<String>,
    }
    let (Some(cases), Some(v2), Some(v3)) = (
        json::<Vec<Encrypted>>("aes.json"),
        json::<Vec<Request>>("sign_v2.json"),
        json::<Vec<Request>>("sign_v3.json"),
    ) else {
        return;
    };
    let node = cases.iter().find(|case| case.id.starts_with("node_"));
    let key = ContentKey::from_text(&node.expect("its case").key_b64).expect("a key");
    let mut count = 0;
    for request in v2.iter().chain(&v3) {
        if !request.id.ends_with("encrypted") {
            continue;
        }
        let ciphertext = match &request.params {
            Some(params) => &params["biz_content"],
            None => request.body.as_ref().expect("a body"),
        };
        let text = key.decrypt(ciphertext).expect("a plaintext");
        let _: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(
            key.encrypt(&text).as_ref(),
            Ok(ciphertext),
            "{}",
            request.id
        );
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn the_front_ends_encrypted_samples_are_read() {
    #[derive(Deserialize)]
    struct File {
        phone: Vec<Sample>,
    }
    #[derive(Deserialize)]
    struct Sample {
        id: String,
        aes_key_b64: Option<String>,
        frontend_response: String,
        plaintext: String,
    }
    let Some(file) = json::<File>("synthetic.json") else {
        return;
    };
    let mut count = 0;
    for sample in &file.phone {
        let Some(key) = &sample.aes_key_b64 else {
            continue;
        };
        let key = ContentKey::from_text(key).expect("a key");
        let front_end: serde_json::Value =
            serde_json::from_str(&sample.frontend_response).expect("JSON");
        let text = key.decrypt(front_end["response"].as_str().expect("a ciphertext"));
        assert_eq!(
            text.as_deref(),
            Ok(sample.plaintext.as_bytes()),
            "{}",
            sample.id
        );
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn a_key_is_read_as_people_paste_it() {
    let text = STANDARD.encode(KEY);
    let expected = key().encrypt(b"{}");
    for text in [
        format!("  {text}\r\n"),
        format!("{text}\\n"),
        format!("{}\n{}", &text[..8], &text[8..]),
        text.trim_end_matches('=').to_owned(),
    ] {
        let key = ContentKey::from_text(&text).expect("a key");
        assert_eq!(key.encrypt(b"{}"), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_key_is_named() {
    let error = |text: &str| ContentKey::from_text(text).expect_err("a refusal");
    assert_eq!(error(""), ContentKeyError::Empty);
    assert_eq!(error(" \n"), ContentKeyError::Empty);
    assert_eq!(error("not base64!"), ContentKeyError::NotBase64);
    assert_eq!(error("密钥"), ContentKeyError::NotBase64);
    for bytes in [1, 15, 17, 24, 32] {
        let text = STANDARD.encode(vec![7; bytes]);
        assert_eq!(error(&text), ContentKeyError::WrongLength { bytes });
    }
}

#[test]
fn neither_debug_nor_errors_show_a_key() {
    let text = STANDARD.encode(KEY);
    assert_eq!(format!("{:?}", key()), "ContentKey { .. }");
    let error = ContentKey::from_text(&format!("{text}AAAA")).expect_err("too long");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&text[..8]), "{shown}");
}

#[test]
fn the_same_text_gives_the_same_ciphertext_on_one_line() {
    let ciphertext = key().encrypt(&[b'x'; 200]).expect("a ciphertext");
    assert_eq!(key().encrypt(&[b'x'; 200]).as_ref(), Ok(&ciphertext));
    assert!(!ciphertext.contains('\n'));
    // Padding is never left out: a text of whole blocks has one more.
    let blocks = STANDARD.decode(&ciphertext).expect("base64").len();
    assert_eq!(blocks, 208);
    let block = STANDARD
        .decode(key().encrypt(&[0; 16]).expect("a ciphertext"))
        .expect("base64");
    assert_eq!(block.len(), 32);
}

#[test]
fn whatever_is_wrong_with_a_ciphertext_the_error_is_the_same() {
    let whole = STANDARD
        .decode(key().encrypt(b"a text of two blocks").expect("a text"))
        .expect("base64");
    let mut bad_padding = whole.clone();
    let before_last = whole.len() - 17;
    bad_padding[before_last] ^= 0x80;
    let damaged = [
        String::new(),
        "no base64 !".to_owned(),
        "ab".to_owned(),
        STANDARD.encode(&whole[..15]),
        STANDARD.encode(&whole[..whole.len() - 1]),
        STANDARD.encode([&whole[..], &[0]].concat()),
        STANDARD.encode(bad_padding),
        STANDARD.encode(&whole).replace('=', ""),
        format!("{}\n", STANDARD.encode(&whole)),
    ];
    for text in damaged {
        assert_eq!(key().decrypt(&text), Err(DecryptError), "{text}");
        assert_eq!(
            key().decrypt_with_leading_vector(&text),
            Err(DecryptError),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn what_was_encrypted_is_decrypted(text in prop::collection::vec(any::<u8>(), 0..200), key in any::<[u8; 16]>()) {
        let key = ContentKey::from_text(&STANDARD.encode(key)).expect("a key");
        let ciphertext = key.encrypt(&text).expect("a ciphertext");
        prop_assert_eq!(key.decrypt(&ciphertext), Ok(text));
    }

    #[test]
    fn a_leading_vector_is_that_of_the_block_before(text in prop::collection::vec(any::<u8>(), 16..100)) {
        // In CBC a ciphertext without its first block is one with that block as its vector.
        let ciphertext = key().encrypt(&text).expect("a ciphertext");
        prop_assert_eq!(key().decrypt_with_leading_vector(&ciphertext), Ok(text[16..].to_vec()));
    }

    #[test]
    fn whatever_the_ciphertext_decrypting_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in ".{0,60}") {
        for text in [STANDARD.encode(bytes), text] {
            let _ = key().decrypt(&text);
            let _ = key().decrypt_with_leading_vector(&text);
        }
    }
}
