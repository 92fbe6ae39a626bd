//! What is published of an issuer.

use aws_lc_rs::signature::KeyPair as _;
use identity::Issuer;
use serde_json::json;

use crate::forge::{ISSUER, KEY, Key, document, encode, forge, read};

#[test]
fn all_keys_are_published_and_nothing_private_is() {
    let keys = [Key::new(), Key::new()];
    let document = document(&[
        ("signs", &keys[0], "2026-11-01T00:00:00Z"),
        ("waits", &keys[1], "2099-01-01T00:00:00Z"),
    ]);
    let issuer = Issuer::new(ISSUER, &read(&document)).unwrap();
    let jwk = |id: &str, key: &Key| {
        let modulus = key.pair().public_key().modulus();
        let n = encode(modulus.big_endian_without_leading_zero());
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": "AQAB"})
    };
    assert_eq!(
        serde_json::to_value(issuer.jwks()).unwrap(),
        json!({"keys": [jwk("signs", &keys[0]), jwk("waits", &keys[1])]})
    );
}

#[test]
fn the_discovery_document_names_what_there_is() {
    let forge = forge();
    assert_eq!(forge.issuer.url(), ISSUER);
    assert_eq!(
        serde_json::to_value(forge.issuer.configuration()).unwrap(),
        json!({
            "issuer": "https://login.example.com",
            "authorization_endpoint": "https://login.example.com/authorize",
            "token_endpoint": "https://login.example.com/token",
            "userinfo_endpoint": "https://login.example.com/userinfo",
            "jwks_uri": "https://login.example.com/.well-known/jwks.json",
            "scopes_supported": ["openid", "profile"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "jti", "nonce", "app_id", "openid",
                "auth_app_id", "name", "picture", "gender", "address",
            ],
            "request_uri_parameter_supported": false,
            "authorization_response_iss_parameter_supported": true,
        })
    );
}

#[test]
fn an_issuer_that_is_no_origin_is_refused_by_the_name_of_its_setting() {
    let key = Key::new();
    let document = read(&document(&[(KEY, &key, "2026-11-01T00:00:00Z")]));
    for url in ["https://login.example.com/", "http://login.example.com"] {
        let error = Issuer::new(url, &document).unwrap_err();
        assert_eq!(error.field(), "LOGIN_ISSUER", "{url}");
        assert!(!error.to_string().contains(url));
    }
}
