//! Claims of tokens that are signed as they should be.

use identity::TokenRefused;
use serde_json::{Value, json};
use table_rows::WallTime;

use crate::forge::{APP, CLIENT, ISSUER, NOON, claims, forge, header, with};

#[test]
fn a_token_with_all_that_is_required_is_taken() {
    let forge = forge();
    assert_eq!(forge.id_token_saying(&claims()).unwrap().openid, "o1");
    // Of a newer version of ourselves.
    let newer = with(claims(), "amr", json!([{"a": 1}]));
    assert!(forge.id_token_saying(&newer).is_ok());
}

#[test]
fn only_exactly_our_audience_is_ours() {
    let forge = forge();
    for (audience, refusal) in [
        (json!("other"), TokenRefused::Audience),
        (json!("SHOP"), TokenRefused::Audience),
        (json!("shop "), TokenRefused::Audience),
        (json!(""), TokenRefused::Claim("aud")),
        (json!([CLIENT]), TokenRefused::Claim("aud")),
        (json!([CLIENT, "other"]), TokenRefused::Claim("aud")),
        (json!({"shop": 1}), TokenRefused::Claim("aud")),
        (json!(1), TokenRefused::Claim("aud")),
        (Value::Null, TokenRefused::Claim("aud")),
    ] {
        let said = forge.id_token_saying(&with(claims(), "aud", audience.clone()));
        assert_eq!(said, Err(refusal), "{audience}");
    }
}

#[test]
fn each_of_several_audiences_is_taken_and_the_one_meant_is_told() {
    let forge = forge();
    let token = forge
        .key
        .token(&header().to_string(), &claims().to_string());
    let verified = |audience: &[&str]| {
        forge
            .issuer
            .verify_id_token(&token, audience, crate::forge::now())
    };
    assert_eq!(verified(&["other", CLIENT]).unwrap().audience, CLIENT);
    assert_eq!(verified(&["other"]), Err(TokenRefused::Audience));
    assert_eq!(verified(&[]), Err(TokenRefused::Audience));
}

#[test]
fn only_exactly_our_issuer_is_ours() {
    let forge = forge();
    for issuer in [
        format!("{ISSUER}/"),
        ISSUER.to_uppercase(),
        ISSUER.replace("https", "http"),
        format!("{ISSUER}.evil.com"),
        format!("{ISSUER}:443"),
    ] {
        let said = forge.id_token_saying(&with(claims(), "iss", json!(issuer)));
        assert_eq!(said, Err(TokenRefused::Issuer), "{issuer}");
    }
    for issuer in [json!([ISSUER]), json!(1), json!(""), Value::Null] {
        let said = forge.id_token_saying(&with(claims(), "iss", issuer.clone()));
        assert_eq!(said, Err(TokenRefused::Claim("iss")), "{issuer}");
    }
}

#[test]
fn times_are_whole_numbers_of_seconds_in_range() {
    let forge = forge();
    for name in ["exp", "iat", "nbf"] {
        for wrong in [
            json!("never"),
            json!("9999999999"),
            json!(NOON.to_string()),
            json!(-1),
            json!(1.5),
            json!(1e300),
            json!(253_402_300_800_u64),
            json!(u64::MAX),
            json!(true),
            json!({"exp": NOON + 7200}),
            json!([NOON + 7200]),
        ] {
            let said = forge.id_token_saying(&with(claims(), name, wrong.clone()));
            assert_eq!(said, Err(TokenRefused::Claim(name)), "{name} {wrong}");
        }
    }
    for name in ["exp", "iat", "auth_time"] {
        let said = forge.id_token_saying(&with(claims(), name, Value::Null));
        assert_eq!(said, Err(TokenRefused::Claim(name)));
    }
    // What serde_json itself would not write.
    let exp = format!("\"exp\":{}", NOON + 7200);
    for (instead, refusal) in [
        ("\"exp\":null", TokenRefused::Claim("exp")),
        ("\"exp\":1e400", TokenRefused::Malformed),
        ("\"exp\":1.7e9", TokenRefused::Claim("exp")),
        ("\"exp\":0x10", TokenRefused::Malformed),
        ("\"exp\":NaN", TokenRefused::Malformed),
    ] {
        let text = claims().to_string();
        assert!(text.contains(&exp));
        let said = forge.id_token(&header().to_string(), &text.replace(&exp, instead));
        assert_eq!(said, Err(refusal), "{instead}");
    }
}

#[test]
fn clocks_may_differ_by_less_than_a_minute() {
    let forge = forge();
    let at = |iat: u64, exp: u64, nbf: Option<u64>| {
        let said = with(with(claims(), "iat", json!(iat)), "exp", json!(exp));
        let said = nbf.map_or(said.clone(), |nbf| with(said, "nbf", json!(nbf)));
        forge.id_token_saying(&said).map(drop)
    };
    let hour = NOON - 3600;
    assert_eq!(at(hour, NOON - 61, None), Err(TokenRefused::Expired));
    assert_eq!(at(hour, NOON - 60, None), Err(TokenRefused::Expired));
    assert_eq!(at(hour, NOON - 59, None), Ok(()));
    let later = NOON + 7200;
    assert_eq!(at(NOON + 61, later, None), Err(TokenRefused::NotYetValid));
    assert_eq!(at(NOON + 60, later, None), Ok(()));
    assert_eq!(
        at(NOON, later, Some(NOON + 61)),
        Err(TokenRefused::NotYetValid)
    );
    assert_eq!(at(NOON, later, Some(NOON + 60)), Ok(()));
    assert_eq!(at(NOON, NOON - 1, None), Err(TokenRefused::Claim("exp")));
}

#[test]
fn what_an_id_token_is_about_must_be_in_it() {
    let forge = forge();
    for name in ["sub", "app_id", "openid", "jti"] {
        for wrong in [Value::Null, json!(""), json!(1), json!(["x"]), json!({})] {
            let said = forge.id_token_saying(&with(claims(), name, wrong.clone()));
            assert_eq!(said, Err(TokenRefused::Claim(name)), "{name} {wrong}");
        }
    }
    for name in ["nonce", "auth_app_id"] {
        let said = forge.id_token_saying(&with(claims(), name, json!(1)));
        assert_eq!(said, Err(TokenRefused::Claim(name)), "{name}");
    }
    let other = with(claims(), "sub", json!(APP));
    assert_eq!(
        forge.id_token_saying(&other),
        Err(TokenRefused::Claim("sub"))
    );
}

#[test]
fn what_an_access_token_is_about_must_be_in_it() {
    let forge = forge();
    let audience = format!("{ISSUER}/userinfo");
    let header = with(header(), "typ", json!("at+jwt")).to_string();
    let right = json!({
        "iss": ISSUER, "sub": CLIENT, "aud": audience, "iat": NOON, "exp": NOON + 7200, "jti": "1",
        "client_id": CLIENT, "scope": "tenant",
    });
    let verified = |claims: &Value| {
        let token = forge.key.token(&header, &claims.to_string());
        forge
            .issuer
            .verify_access_token(&token, &audience, WallTime::from_secs(NOON))
            .map(drop)
    };
    assert_eq!(verified(&right), Ok(()));
    for name in [
        "sub",
        "client_id",
        "scope",
        "jti",
        "iat",
        "exp",
        "aud",
        "iss",
    ] {
        let said = verified(&with(right.clone(), name, Value::Null));
        assert_eq!(said, Err(TokenRefused::Claim(name)));
    }
}
