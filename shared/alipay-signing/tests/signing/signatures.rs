use alipay_signing::{SignType, SignatureInvalid, UnknownSignType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::{KEY, OTHER_KEY};

const MESSAGE: &[u8] = b"app_id=2021&method=alipay.system.oauth.token";

#[test]
fn a_signature_verifies_and_is_the_same_each_time() {
    for sign_type in [SignType::Rsa2, SignType::Rsa] {
        let signature = KEY.sign(sign_type, MESSAGE).expect("a signature");
        assert_eq!(signature.len(), 344);
        assert_eq!(
            KEY.sign(sign_type, MESSAGE).as_deref(),
            Ok(signature.as_str())
        );
        assert_eq!(
            KEY.verifying_key().verify(sign_type, MESSAGE, &signature),
            Ok(())
        );
    }
}

#[test]
fn a_signature_of_the_other_algorithm_is_invalid() {
    let verifying_key = KEY.verifying_key();
    for (made, checked) in [
        (SignType::Rsa, SignType::Rsa2),
        (SignType::Rsa2, SignType::Rsa),
    ] {
        let signature = KEY.sign(made, MESSAGE).expect("a signature");
        assert_eq!(
            verifying_key.verify(checked, MESSAGE, &signature),
            Err(SignatureInvalid)
        );
    }
}

#[test]
fn a_signature_by_another_key_is_invalid() {
    let signature = OTHER_KEY
        .sign(SignType::Rsa2, MESSAGE)
        .expect("a signature");
    assert!(
        KEY.verifying_key()
            .verify(SignType::Rsa2, MESSAGE, &signature)
            .is_err()
    );
}

#[test]
fn one_byte_more_or_less_in_the_message_is_invalid() {
    let signature = KEY.sign(SignType::Rsa2, MESSAGE).expect("a signature");
    let longer = [MESSAGE, b"\n"].concat();
    let shorter = &MESSAGE[..MESSAGE.len() - 1];
    for message in [longer.as_slice(), shorter, b""] {
        assert!(
            KEY.verifying_key()
                .verify(SignType::Rsa2, message, &signature)
                .is_err()
        );
    }
}

#[test]
fn a_signature_has_one_spelling_only() {
    let verifying_key = KEY.verifying_key();
    // A message whose signature has both letters that the URL-safe alphabet lacks.
    let (message, signature) = (0..)
        .map(|number: u32| number.to_string())
        .map(|message| {
            let signature = KEY
                .sign(SignType::Rsa2, message.as_bytes())
                .expect("a signature");
            (message, signature)
        })
        .find(|(_, signature)| signature.contains('+') && signature.contains('/'))
        .expect("one in a few");
    assert!(
        verifying_key
            .verify(SignType::Rsa2, message.as_bytes(), &signature)
            .is_ok()
    );

    // 256 bytes end in one byte of two letters: the second carries four bits that must be zero.
    let last = signature
        .trim_end_matches('=')
        .chars()
        .last()
        .expect("a letter");
    let trailing_bit = char::from_u32(u32::from(last) + 1).expect("its neighbour");
    let with_trailing_bit = format!(
        "{}{trailing_bit}==",
        &signature[..signature.trim_end_matches('=').len() - 1]
    );
    let folded = format!("{}\n{}", &signature[..64], &signature[64..]);
    for spelling in [
        format!("{signature}\n"),
        folded.clone(),
        folded.replace('\n', "\r\n"),
        signature.replace('+', "-").replace('/', "_"),
        signature.replace('+', " "),
        signature.trim_end_matches('=').to_owned(),
        signature.replace("==", "="),
        format!("{signature}="),
        format!("{signature} "),
        format!(" {signature}"),
        with_trailing_bit,
        format!("{signature}{signature}"),
        format!("AA{signature}"),
    ] {
        assert_ne!(spelling, signature);
        assert_eq!(
            verifying_key.verify(SignType::Rsa2, message.as_bytes(), &spelling),
            Err(SignatureInvalid),
            "{spelling:?}"
        );
    }
}

#[test]
fn what_is_no_signature_at_all_is_invalid() {
    let zeros = STANDARD.encode([0; 256]);
    let ones = STANDARD.encode([0xff; 256]);
    for text in [
        "",
        "=",
        "AA==",
        "null",
        "[]",
        "签名",
        "\0",
        zeros.as_str(),
        ones.as_str(),
    ] {
        for sign_type in [SignType::Rsa2, SignType::Rsa] {
            assert!(
                KEY.verifying_key()
                    .verify(sign_type, MESSAGE, text)
                    .is_err(),
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_signing_key_can_be_shared_between_threads() {
    let expected = KEY.sign(SignType::Rsa, MESSAGE).expect("a signature");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let key = KEY.clone();
                for _ in 0..20 {
                    assert_eq!(
                        key.sign(SignType::Rsa, MESSAGE).as_deref(),
                        Ok(expected.as_str())
                    );
                }
            });
        }
    });
}

#[test]
fn sign_types_are_read_whatever_their_case() {
    assert_eq!("RSA2".parse(), Ok(SignType::Rsa2));
    assert_eq!("rsa".parse(), Ok(SignType::Rsa));
    assert_eq!(SignType::Rsa2.to_string(), "RSA2");
    assert_eq!(SignType::Rsa.to_string(), "RSA");
    for text in ["", "RSA256", "SM2", " RSA2"] {
        assert_eq!(text.parse::<SignType>(), Err(UnknownSignType));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_signed_verifies_and_with_one_byte_changed_it_does_not(
        message in prop::collection::vec(any::<u8>(), 1..2000),
        at in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
        rsa2 in any::<bool>(),
    ) {
        let sign_type = if rsa2 { SignType::Rsa2 } else { SignType::Rsa };
        let verifying_key = KEY.verifying_key();
        let signature = KEY.sign(sign_type, &message).expect("a signature");
        prop_assert!(verifying_key.verify(sign_type, &message, &signature).is_ok());

        let mut changed = message.clone();
        changed[at.index(message.len())] ^= change;
        prop_assert!(verifying_key.verify(sign_type, &changed, &signature).is_err());

        let mut bytes = STANDARD.decode(&signature).expect("base64");
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(verifying_key.verify(sign_type, &message, &STANDARD.encode(bytes)).is_err());
    }
}
