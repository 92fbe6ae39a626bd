//! Keys by purpose, their rotation, and what happens where one is missing.

use std::time::Duration;

use secrecy::ExposeSecret;
use token_store::{
    Because, DueShards, Keyring, RefreshOutcome, Seen, StoreError, TokenKeys, TokenStore,
};

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, START, grant, keyring, keys, long_grant, refresh_keyring, text, user};
use crate::refresh::with_expired_token;

fn store_with(bench: &Bench, keys: TokenKeys) -> TokenStore {
    bench.store_with(keys, DueShards::default())
}

/// A keyring of one key that nobody else has.
fn strange_keyring(id: &str) -> Keyring {
    let key = "E".repeat(42) + "A";
    let document = format!(r#"{{"active":"{id}","keys":{{"{id}":"{key}="}}}}"#);
    Keyring::from_json(&document.into()).unwrap()
}

fn is_corrupt<T>(outcome: &Result<T, StoreError>, attribute: &str) -> bool {
    matches!(outcome, Err(StoreError::Corrupt { field, .. }) if *field == attribute)
}

#[tokio::test]
async fn a_process_that_only_reads_can_neither_refresh_nor_store_a_pair() {
    let bench = with_expired_token().await;
    let before = bench.item().await;
    let reader = bench.reader();
    let outcome = bench.refresh(&reader, Because::Asked, &NoGateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Misconfigured(_))),
        "{outcome:?}"
    );
    let outcome = reader
        .put_login(&user("u"), Seen::NOTHING, &grant("b", START), START, None)
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Misconfigured(_))),
        "{outcome:?}"
    );
    assert_eq!(bench.item().await, before);
}

#[tokio::test]
async fn the_keys_for_access_tokens_do_not_open_refresh_tokens_though_their_ids_are_the_same() {
    let bench = with_expired_token().await;
    let row = bench.item().await;
    assert_eq!(text(&row, "key_id"), text(&row, "refresh_key_id"));
    let both = TokenKeys::for_keeping(keyring("2026-11"), keyring("2026-11"));
    let outcome = bench
        .refresh(&store_with(&bench, both), Because::Asked, &NoGateway)
        .await;
    assert!(is_corrupt(&outcome, "refresh_token_sealed"), "{outcome:?}");
}

#[tokio::test]
async fn after_a_rotation_of_both_keyrings_old_rows_open_and_are_sealed_anew_at_their_next_write() {
    let bench = Bench::new().await;
    let before = TokenKeys::for_keeping(keyring("2026-10"), refresh_keyring("2026-10"));
    let old = store_with(&bench, before);
    old.put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    let row = bench.item().await;
    assert_eq!(
        (text(&row, "key_id"), text(&row, "refresh_key_id")),
        ("2026-10", "2026-10")
    );

    let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-a");
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Gateway::with_live("a", &bench.clock);
    bench.read(&bench.store(), &gateway).await.unwrap();
    let row = bench.item().await;
    assert_eq!(
        (text(&row, "key_id"), text(&row, "refresh_key_id")),
        ("2026-11", "2026-11")
    );
    let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    bench.clock.advance(Duration::from_secs(400));
    bench.read(&bench.store(), &gateway).await.unwrap();
    assert_eq!(gateway.used(), ["refresh-a", "refresh-refreshed-1"]);
}

#[tokio::test]
async fn the_keyrings_may_be_rotated_one_without_the_other() {
    let bench = Bench::new().await;
    let mixed = TokenKeys::for_keeping(keyring("2026-11"), refresh_keyring("2026-10"));
    let store = store_with(&bench, mixed);
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    let row = bench.item().await;
    assert_eq!(
        (text(&row, "key_id"), text(&row, "refresh_key_id")),
        ("2026-11", "2026-10")
    );
    let gateway = Gateway::with_live("a", &bench.clock);
    let outcome = bench
        .refresh(&bench.store(), Because::Asked, &gateway)
        .await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
}

#[tokio::test]
async fn a_row_whose_key_was_removed_is_named_as_such() {
    let bench = Bench::new().await;
    bench.log_in(&grant("a", START)).await;
    let reader = store_with(&bench, TokenKeys::for_reading(strange_keyring("2027-01")));
    let error = bench.read(&reader, &NoGateway).await.unwrap_err();
    assert!(
        error.to_string().contains("access_token_sealed") && error.to_string().contains("2026-11"),
        "{error}"
    );
}

#[tokio::test]
async fn without_the_key_of_a_refresh_token_nothing_is_sent_to_the_gateway() {
    let bench = with_expired_token().await;
    let lacking = TokenKeys::for_keeping(keyring("2026-11"), strange_keyring("2027-01"));
    let outcome = bench
        .refresh(&store_with(&bench, lacking), Because::Asked, &NoGateway)
        .await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Corrupt {
                field: "refresh_token_sealed",
                ..
            }
        ) && !error.is_transient()
            && error.to_string().contains("2026-11"),
        "{error}"
    );
    assert!(!bench.item().await.contains_key("lease_owner"));
    // Whoever has it goes on with the row.
    let gateway = Gateway::with_live("a", &bench.clock);
    bench
        .read(&store_with(&bench, keys()), &gateway)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_process_without_the_key_of_a_new_row_serves_its_copy_to_the_copys_end_and_then_nothing()
{
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    let reader = bench.reader();
    bench.read(&reader, &NoGateway).await.unwrap();
    let strange = TokenKeys::for_keeping(strange_keyring("2027-01"), strange_keyring("2027-01"));
    store_with(&bench, strange)
        .put_login(
            &user("u"),
            Seen::NOTHING,
            &long_grant("b", START),
            START,
            None,
        )
        .await
        .unwrap();
    bench.clock.advance(Duration::from_millis(59_999));
    let token = bench.read(&reader, &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-a");
    bench.clock.advance(Duration::from_millis(1));
    let outcome = bench.read(&reader, &NoGateway).await;
    assert!(is_corrupt(&outcome, "access_token_sealed"), "{outcome:?}");
}
