use std::time::Duration;

use identity::{IdTokenClaims, Issuer, TokenRefused, Uid};
use secrecy::{ExposeSecret, SecretString};
use table_rows::WallTime;

use crate::forge::{CLIENT, ISSUER, Key, NOON, UID, decode, document, read};

const LIFE: Duration = Duration::from_secs(7200);

fn token(issuer: &Issuer, at: WallTime) -> SecretString {
    let uid = Uid::try_from(UID.to_owned()).unwrap();
    let claims = IdTokenClaims {
        uid: &uid,
        audience: CLIENT,
        app_id: "2021000000000001",
        openid: "o1",
        auth_app_id: None,
        nonce: None,
        authenticated_at: at,
        life: LIFE,
    };
    issuer.id_token(&claims, at).unwrap()
}

fn key_of(token: &SecretString) -> String {
    let header = token.expose_secret().split('.').next().unwrap();
    decode(header)["kid"].as_str().unwrap().to_owned()
}

fn issuer(keys: &[(&str, &Key, &str)]) -> Issuer {
    Issuer::new(ISSUER, &read(&document(keys))).unwrap()
}

#[test]
fn a_token_signed_just_before_a_rotation_is_valid_until_its_end() {
    let (old, new) = (Key::new(), Key::new());
    let issuer = issuer(&[
        ("old", &old, "2026-11-01T00:00:00Z"),
        ("new", &new, "2026-11-22T00:00:00Z"),
    ]);
    let noon = WallTime::from_secs(NOON);
    let before = noon.minus(Duration::from_secs(1));
    let last = token(&issuer, before);
    assert_eq!(key_of(&last), "old");
    let first = token(&issuer, noon);
    assert_eq!(key_of(&first), "new");

    let verified =
        |token: &SecretString, at| issuer.verify_id_token(token.expose_secret(), &[CLIENT], at);
    let end = before.plus(LIFE);
    assert!(verified(&last, end).is_ok());
    let leeway = Duration::from_secs(60);
    assert_eq!(
        verified(&last, end.plus(leeway)),
        Err(TokenRefused::Expired)
    );
    // Whose clock is behind verifies what the next key signed.
    assert!(verified(&first, before).is_ok());
}

#[test]
fn a_key_signs_from_its_moment_on_and_before_the_first_one_the_first_does() {
    let keys = [Key::new(), Key::new(), Key::new()];
    // Not in the order of their names.
    let issuer = issuer(&[
        ("c", &keys[0], "2026-11-01T00:00:00Z"),
        ("a", &keys[1], "2026-11-03T08:00:00+08:00"),
        ("b", &keys[2], "2026-11-02T00:00:00Z"),
    ]);
    let first = WallTime::from_secs(NOON - 21 * 86_400);
    for (days, id) in [(-1, "c"), (0, "c"), (1, "b"), (2, "a"), (300, "a")] {
        let day = Duration::from_secs(86_400);
        let at = match u32::try_from(days) {
            Ok(days) => first.plus(day * days),
            Err(_) => first.minus(day),
        };
        assert_eq!(key_of(&token(&issuer, at)), id, "after {days} days");
    }
}

#[test]
fn a_key_may_leave_when_the_last_token_that_it_signed_is_over() {
    let keys = [Key::new(), Key::new()];
    let mut document = document(&[
        ("one", &keys[0], "2026-11-01T00:00:00Z"),
        ("two", &keys[1], "2026-11-22T00:00:00Z"),
    ]);
    let removable = |document: &serde_json::Value| {
        let times = read(document).key_times();
        assert_eq!(times[1].removable_from, None);
        assert_eq!((times[0].id.as_str(), times[1].id.as_str()), ("one", "two"));
        times[0].removable_from.unwrap()
    };
    let noon = WallTime::from_secs(NOON);
    let leeway = Duration::from_secs(60);
    assert_eq!(removable(&document), noon.plus(LIFE).plus(leeway));
    // A shorter life than that of access tokens changes nothing; a longer one does, also of a client that is disabled by now.
    document["clients"][0]["idTokenSeconds"] = 60.into();
    assert_eq!(removable(&document), noon.plus(LIFE).plus(leeway));
    document["clients"][0]["idTokenSeconds"] = 86_400.into();
    document["clients"][0]["disabled"] = true.into();
    let day = Duration::from_secs(86_400);
    assert_eq!(removable(&document), noon.plus(day).plus(leeway));
}

#[test]
fn without_its_key_a_token_is_unknown() {
    let (old, new) = (Key::new(), Key::new());
    let before = issuer(&[("old", &old, "2026-11-01T00:00:00Z")]);
    let after = issuer(&[("new", &new, "2026-11-01T00:00:00Z")]);
    let noon = WallTime::from_secs(NOON);
    let token = token(&before, noon);
    let said = after.verify_id_token(token.expose_secret(), &[CLIENT], noon);
    assert_eq!(said, Err(TokenRefused::UnknownKey));
}
