//! The keys of session tokens, and their rotation.

use std::collections::BTreeMap;

use identity::{IdentityError, Refusal, SessionKeys, Sessions};
use secrecy::SecretString;

use super::{begin, keys, read, refusal, rotate, row, same, some_keys};
use crate::bench::{Bench, after};

#[tokio::test]
async fn a_session_goes_on_under_the_next_key() {
    let bench = Bench::new().await;
    let before = Sessions::new(bench.table(), some_keys("2026-10", &["2026-10"]));
    let during = Sessions::new(bench.table(), keys("2026-11"));
    let later = Sessions::new(bench.table(), some_keys("2026-11", &["2026-11"]));
    let first = begin(&before).await;
    read(&during, &first.token, after(1)).await.unwrap();
    let second = rotate(&during, &first.token, after(2)).await.unwrap();
    read(&later, &second.token, after(60)).await.unwrap();
    // A session that was not rotated while both keys were known is over.
    let left_behind = begin(&before).await;
    let read = read(&later, &left_behind.token, after(60)).await;
    assert_eq!(refusal(read), Refusal::Malformed);
}

#[tokio::test]
async fn the_same_successor_is_given_by_a_process_whose_active_key_is_another() {
    for (one, other) in [("2026-10", "2026-11"), ("2026-11", "2026-10")] {
        let bench = Bench::new().await;
        let one = Sessions::new(bench.table(), keys(one));
        let other = Sessions::new(bench.table(), keys(other));
        let first = begin(&one).await;
        let second = rotate(&one, &first.token, after(1)).await.unwrap();
        let again = rotate(&other, &first.token, after(5)).await.unwrap();
        assert!(same(&again.token, &second.token));
        let third = rotate(&other, &second.token, after(20)).await.unwrap();
        read(&one, &third.token, after(20)).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_without_the_key_of_the_successor_asks_for_patience_and_ends_nothing() {
    let bench = Bench::new().await;
    let behind = Sessions::new(bench.table(), some_keys("2026-10", &["2026-10"]));
    let ahead = Sessions::new(bench.table(), keys("2026-11"));
    let first = begin(&behind).await;
    let second = rotate(&ahead, &first.token, after(1)).await.unwrap();
    let before = row(&bench).await;
    let again = rotate(&behind, &first.token, after(2)).await.unwrap_err();
    assert!(matches!(again, IdentityError::Conflict));
    assert!(again.is_transient());
    let unknown = rotate(&behind, &second.token, after(2)).await;
    assert_eq!(refusal(unknown), Refusal::Malformed);
    assert_eq!(row(&bench).await, before);
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn problem(active: &str, keys: &[(&str, &str)]) -> (String, &'static str) {
    let error = SessionKeys::new(active.to_owned(), map(keys)).unwrap_err();
    (error.field().to_owned(), error.problem())
}

fn map(keys: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
    keys.iter()
        .map(|(id, key)| ((*id).to_owned(), SecretString::from(*key)))
        .collect()
}

#[test]
fn wrong_keys_are_named_by_their_field() {
    let not_a_key = ("keys.k".to_owned(), "must be 32 bytes in base64");
    for key in ["", "AAAA", "not base64", &KEY[1..], &format!("{KEY}{KEY}")] {
        assert_eq!(problem("k", &[("k", key)]), not_a_key);
    }
    let not_active = ("active".to_owned(), "must be the id of one of `keys`");
    assert_eq!(problem("other", &[("k", KEY)]), not_active);
    assert_eq!(problem("k", &[]), not_active);
    for id in ["", "a b", "a#b", "é", &"k".repeat(65)] {
        assert_eq!(problem(id, &[(id, KEY)]).0, "keys");
    }
    let ids: Vec<_> = (0..9).map(|number| format!("k{number}")).collect();
    let nine: Vec<_> = ids.iter().map(|id| (id.as_str(), KEY)).collect();
    assert_eq!(problem("k0", &nine).1, "must not be more than 8 keys");
    SessionKeys::new("k0".to_owned(), map(&nine[..8])).unwrap();
}

#[test]
fn what_is_wrong_is_said_without_the_key() {
    let secret = "c2VjcmV0";
    let error = SessionKeys::new("k".to_owned(), map(&[("k", secret)])).unwrap_err();
    assert_eq!(error.to_string(), "keys.k: must be 32 bytes in base64");
    assert!(!format!("{error:?}").contains(secret));
}
