use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{AccessTokenClaims, IdTokenClaims, IdentityError, SignedInClaims, Uid};
use secrecy::ExposeSecret;
use serde_json::json;
use table_rows::WallTime;

use crate::forge::{APP, CLIENT, ISSUER, KEY, NOON, UID, decode, forge, now};

fn uid() -> Uid {
    Uid::try_from(UID.to_owned()).unwrap()
}

fn least(uid: &Uid) -> IdTokenClaims<'_> {
    IdTokenClaims {
        uid,
        audience: CLIENT,
        app_id: APP,
        openid: "o1",
        auth_app_id: None,
        nonce: None,
        authenticated_at: WallTime::from_millis(NOON * 1000 - 1),
        life: Duration::from_secs(7200),
    }
}

#[test]
fn an_id_token_says_what_it_was_given() {
    let forge = forge();
    let uid = uid();
    let claims = IdTokenClaims {
        auth_app_id: Some("2021000000000002"),
        nonce: Some("n-0S6_WzA2Mj"),
        ..least(&uid)
    };
    let token = forge.issuer.id_token(&claims, now()).unwrap();
    let read = forge.verified(token.expose_secret()).unwrap();
    let expected = SignedInClaims {
        uid,
        audience: CLIENT.to_owned(),
        app_id: APP.to_owned(),
        openid: "o1".to_owned(),
        auth_app_id: Some("2021000000000002".to_owned()),
        nonce: Some("n-0S6_WzA2Mj".to_owned()),
        authenticated_at: WallTime::from_secs(NOON - 1),
        issued_at: now(),
        expires_at: now().plus(Duration::from_secs(7200)),
        token_id: read.token_id.clone(),
    };
    assert_eq!(read, expected);
}

#[test]
fn an_id_token_has_exactly_these_members() {
    let forge = forge();
    let uid = uid();
    let token = forge.issuer.id_token(&least(&uid), now()).unwrap();
    let parts: Vec<&str> = token.expose_secret().split('.').collect();
    assert_eq!(
        decode(parts[0]),
        json!({"typ": "JWT", "alg": "RS256", "kid": KEY})
    );
    let claims = decode(parts[1]);
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": UID, "aud": CLIENT, "iat": NOON, "exp": NOON + 7200, "auth_time": NOON - 1,
            "jti": claims["jti"], "app_id": APP, "openid": "o1",
        })
    );
}

#[test]
fn no_two_tokens_have_the_same_name() {
    let forge = forge();
    let uid = uid();
    let name = || {
        let token = forge.issuer.id_token(&least(&uid), now()).unwrap();
        forge.verified(token.expose_secret()).unwrap().token_id
    };
    assert_ne!(name(), name());
}

#[test]
fn an_access_token_says_what_it_was_given_for_two_hours() {
    let forge = forge();
    let audience = format!("{ISSUER}/userinfo");
    let claims = AccessTokenClaims {
        subject: UID,
        audience: &audience,
        client_id: CLIENT,
        scope: "openid profile",
        app_id: Some(APP),
        openid: Some("o1"),
        auth_app_id: None,
    };
    let token = forge.issuer.access_token(&claims, now()).unwrap();
    let header = token.expose_secret().split('.').next().unwrap();
    assert_eq!(decode(header)["typ"], "at+jwt");
    let read = forge
        .issuer
        .verify_access_token(token.expose_secret(), &audience, now())
        .unwrap();
    assert_eq!(read.subject, UID);
    assert_eq!(read.client_id, CLIENT);
    assert_eq!(read.scope, "openid profile");
    assert_eq!(read.app_id.as_deref(), Some(APP));
    assert_eq!(read.openid.as_deref(), Some("o1"));
    assert_eq!(read.auth_app_id, None);
    assert_eq!(read.expires_at, now().plus(identity::ACCESS_TOKEN_LIFE));
}

#[test]
fn whoever_has_the_published_key_can_verify_a_token_without_us() {
    let forge = forge();
    let uid = uid();
    let token = forge.issuer.id_token(&least(&uid), now()).unwrap();
    let (signed, signature) = token.expose_secret().rsplit_once('.').unwrap();
    let published = serde_json::to_value(forge.issuer.jwks()).unwrap();
    let bytes = |value: &serde_json::Value| {
        URL_SAFE_NO_PAD
            .decode(value.as_str().unwrap())
            .expect("base64url")
    };
    let key = RsaPublicKeyComponents {
        n: bytes(&published["keys"][0]["n"]),
        e: bytes(&published["keys"][0]["e"]),
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let verify =
        |message: &str| key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature);
    assert!(verify(signed).is_ok());
    assert!(verify(&signed.replace('.', ",")).is_err());
}

#[test]
fn a_token_that_nobody_would_read_is_not_made() {
    let forge = forge();
    let uid = uid();
    let nonce = "n".repeat(8 * 1024);
    let claims = IdTokenClaims {
        nonce: Some(&nonce),
        ..least(&uid)
    };
    let error = forge.issuer.id_token(&claims, now()).unwrap_err();
    assert!(matches!(
        error,
        IdentityError::TooLarge {
            field: "id_token",
            ..
        }
    ));
}

#[test]
fn debug_shows_names_of_keys_and_no_key() {
    let forge = forge();
    let shown = format!("{:?}", forge.issuer);
    assert!(shown.contains(ISSUER) && shown.contains(KEY));
    let key = forge.key.text();
    let middle = &key[key.len() / 2..][..24];
    assert!(!shown.contains(middle) && shown.len() < 400, "{shown}");
}
