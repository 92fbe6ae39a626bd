//! Tokens that were not made as ours are.

use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use identity::{AccessTokenClaims, TokenRefused};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::forge::{
    CLIENT, Forge, ISSUER, KEY, Key, UID, claims, encode, forge, header, now, with,
};

fn right(forge: &Forge) -> String {
    forge
        .key
        .token(&header().to_string(), &claims().to_string())
}

#[test]
fn no_other_algorithm_is_taken() {
    let forge = forge();
    let claims = claims().to_string();
    for algorithm in [
        "none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS384", "RS512", "PS256", "ES256",
        "EdDSA", "HS256",
    ] {
        let header = with(header(), "alg", json!(algorithm)).to_string();
        let signed = forge.key.token(&header, &claims);
        let (unsigned, _) = signed.rsplit_once('.').unwrap();
        // ES256 with r = 0 and s = 0 among them.
        let zeros = encode([0; 64]);
        for token in [
            signed.clone(),
            format!("{unsigned}."),
            format!("{unsigned}.{zeros}"),
        ] {
            let said = forge.verified(&token);
            assert_eq!(said, Err(TokenRefused::Algorithm), "{algorithm}");
        }
    }
    for header in [
        json!({"typ": "JWT", "kid": KEY}),
        json!({"alg": ["RS256"], "typ": "JWT", "kid": KEY}),
    ] {
        assert!(forge.id_token(&header.to_string(), &claims).is_err());
    }

    // The public key, in each form that somebody may have it in, as the secret of an HMAC.
    let public = forge.key.pair().public_key();
    let spki: PublicKeyX509Der<'_> = public.as_der().unwrap();
    let base64 = STANDARD.encode(spki.as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
    let secrets = [
        spki.as_ref().to_vec(),
        public.as_ref().to_vec(),
        base64.into_bytes(),
        pem.into_bytes(),
        encode(&modulus).into_bytes(),
        modulus,
        Vec::new(),
    ];
    for algorithm in ["HS256", "RS256"] {
        let header = with(header(), "alg", json!(algorithm)).to_string();
        let message = format!("{}.{}", encode(header), encode(&claims));
        for secret in &secrets {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = hmac::sign(&key, message.as_bytes());
            assert!(
                forge
                    .verified(&format!("{message}.{}", encode(tag)))
                    .is_err()
            );
        }
    }
}

#[test]
fn a_header_says_nothing_but_algorithm_type_and_key() {
    let forge = forge();
    let attacker = Key::new();
    let public = attacker.pair().public_key();
    let jwk = json!({
        "kty": "RSA", "kid": KEY, "alg": "RS256",
        "n": encode(public.modulus().big_endian_without_leading_zero()), "e": "AQAB",
    });
    let claims = claims().to_string();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIC"])),
        ("x5t", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A128GCM")),
        ("new", json!(1)),
    ] {
        let header = with(header(), name, value).to_string();
        for key in [&forge.key, &attacker] {
            let said = forge.verified(&key.token(&header, &claims));
            assert_eq!(said, Err(TokenRefused::Header), "{name}");
        }
    }
    let attackers = attacker.token(&header().to_string(), &claims);
    assert_eq!(forge.verified(&attackers), Err(TokenRefused::Signature));
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    let forge = forge();
    let id_token = right(forge);
    let said = forge.issuer.verify_access_token(&id_token, CLIENT, now());
    assert_eq!(said, Err(TokenRefused::Type));

    let claims_of_both = AccessTokenClaims {
        subject: UID,
        audience: CLIENT,
        client_id: CLIENT,
        scope: "openid",
        app_id: Some("2021000000000001"),
        openid: Some("o1"),
        auth_app_id: None,
    };
    let access_token = forge.issuer.access_token(&claims_of_both, now()).unwrap();
    let access_token = access_token.expose_secret();
    assert_eq!(forge.verified(access_token), Err(TokenRefused::Type));
    let said = forge
        .issuer
        .verify_access_token(access_token, &format!("{ISSUER}/userinfo"), now());
    assert_eq!(said, Err(TokenRefused::Audience));

    for typ in ["jwt", "JWT ", "application/jwt", "at+JWT", ""] {
        let header = with(header(), "typ", json!(typ)).to_string();
        let said = forge.id_token(&header, &claims().to_string());
        assert_eq!(said, Err(TokenRefused::Type), "{typ}");
    }
    let untyped = json!({"alg": "RS256", "kid": KEY}).to_string();
    let said = forge.id_token(&untyped, &claims().to_string());
    assert_eq!(said, Err(TokenRefused::Type));
    for session_token in ["bts", &format!("bts{}", "A".repeat(70))] {
        assert_eq!(forge.verified(session_token), Err(TokenRefused::Malformed));
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_in_header_and_claims() {
    let forge = forge();
    let (header, claims) = (header().to_string(), claims().to_string());
    let twice = |text: &str, more: &str| format!("{{{more},{}", &text[1..]);
    for more in [
        r#""sub":"ffffffffffffffffffffffffffffffff""#,
        r#""\u0061ud":"other""#,
        r#""new":1,"new":1"#,
        r#""new":[{"a":{"b":1,"b":1}}]"#,
    ] {
        let said = forge.id_token(&header, &twice(&claims, more));
        assert_eq!(said, Err(TokenRefused::Malformed), "{more}");
    }
    for more in [
        r#""alg":"none""#,
        r#""kid":"other""#,
        r#""\u0061lg":"none""#,
    ] {
        let said = forge.id_token(&twice(&header, more), &claims);
        assert_eq!(said, Err(TokenRefused::Malformed), "{more}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    let forge = forge();
    let right = right(forge);
    assert!(forge.verified(&right).is_ok());
    let parts: Vec<&str> = right.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("a token has three parts");
    };
    // The last character of a signature of 256 bytes carries two bits that mean nothing.
    let (start, last) = signature.split_at(signature.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    let trailing = &alphabet[at + 1..=at + 1];
    let padded = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let long = "a.".repeat(100);
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{header}.{payload}"),
        format!("{right}."),
        format!("{right}.{signature}"),
        format!(".{right}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{start}{trailing}"),
        format!("{header}.{payload}.{}", padded(signature)),
        format!("{right}="),
        format!("{right}\n"),
        format!(" {right}"),
        format!("Bearer {right}"),
        format!("{header}.{payload} .{signature}"),
        format!("{header}\n.{payload}.{signature}"),
        right.replace('-', "+").replace('_', "/") + "é",
        json!({"protected": header, "payload": payload, "signature": signature}).to_string(),
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
            .to_string(),
        long,
    ] {
        assert_eq!(
            forge.verified(&wrong),
            Err(TokenRefused::Malformed),
            "{wrong}"
        );
    }
    // Signed over the spelling that came, so that only the spelling is at fault.
    let text = crate::forge::header().to_string();
    let mut spellings = vec![
        format!("{} ", encode(&text)),
        format!("{}\n", encode(&text)),
    ];
    // White space behind the object is JSON, so that one of three lengths needs no padding.
    let with_spaces = (0..3).map(|spaces| format!("{text}{}", " ".repeat(spaces)));
    spellings.extend(
        with_spaces
            .map(|text| URL_SAFE.encode(text))
            .filter(|text| text.ends_with('=')),
    );
    assert_eq!(spellings.len(), 4);
    for header in spellings {
        let signed = format!("{header}.{payload}");
        let token = format!("{signed}.{}", encode(forge.key.sign(signed.as_bytes())));
        let said = forge.verified(&token);
        assert_eq!(said, Err(TokenRefused::Malformed), "{header}");
    }
    for claims in [
        "",
        "1",
        "[]",
        "null",
        "\"text\"",
        "{}{}",
        "{}x",
        "\u{feff}{}",
    ] {
        let said = forge.id_token(&crate::forge::header().to_string(), claims);
        assert_eq!(said, Err(TokenRefused::Malformed), "{claims}");
    }
    let said = forge.id_token("[]", &crate::forge::claims().to_string());
    assert_eq!(said, Err(TokenRefused::Malformed));
}

#[test]
fn a_long_token_is_refused_before_anything_is_computed() {
    let forge = forge();
    let claims = with(claims(), "new", json!("x".repeat(20 * 1024)));
    let tokens = [
        forge.key.token(&header().to_string(), &claims.to_string()),
        "a".repeat(20 * 1024),
        ".".repeat(20 * 1024),
    ];
    for token in &tokens {
        let begun = Instant::now();
        for _ in 0..1000 {
            assert_eq!(forge.verified(token), Err(TokenRefused::TooLong));
        }
        // Less than a millisecond each, with a margin for a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
    // The longest that is read is longer than any that is made.
    let claims = with(crate::forge::claims(), "new", json!("x".repeat(5500)));
    assert!(forge.id_token_saying(&claims).is_ok());
}

#[test]
fn a_name_of_a_key_is_looked_up_nowhere() {
    let forge = forge();
    let said = |kid: serde_json::Value| {
        let header = with(header(), "kid", kid).to_string();
        forge.id_token(&header, &claims().to_string())
    };
    for kid in [
        "../../etc/passwd",
        "' OR 1=1 --",
        "https://evil.example/key",
        "",
        " 2026-11-01",
        "2026-11-01\0",
    ] {
        assert_eq!(said(json!(kid)), Err(TokenRefused::UnknownKey), "{kid}");
    }
    for kid in [
        json!("k".repeat(65)),
        json!("k".repeat(5 * 1024)),
        json!(1),
        json!([KEY]),
        json!(null),
    ] {
        assert_eq!(said(kid.clone()), Err(TokenRefused::Header), "{kid}");
    }
    assert_eq!(
        said(json!("k".repeat(10 * 1024))),
        Err(TokenRefused::TooLong)
    );
    // A flood: a name that is not at hand costs no signature, no file and no request.
    let (_, signature) = {
        let token = right(forge);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        (signed.to_owned(), signature.to_owned())
    };
    for number in 0..1000 {
        let header = with(header(), "kid", json!(format!("{number:x}"))).to_string();
        let token = format!(
            "{}.{}.{signature}",
            encode(header),
            encode(claims().to_string())
        );
        assert_eq!(forge.verified(&token), Err(TokenRefused::UnknownKey));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_changed_token_is_taken(place in 0.0..1.0_f64, to in "[A-Za-z0-9_.=+/ -]") {
        let forge = forge();
        let right = right(forge);
        let at = (place * right.len() as f64) as usize;
        let mut changed = right.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != right);
        prop_assert!(forge.verified(&changed).is_err());
    }

    #[test]
    fn no_other_text_is_taken(token in "\\PC{0,200}") {
        prop_assert!(forge().verified(&token).is_err());
    }
}
