//! What somebody who can write the table, but has no key, can do with sealed values.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::ExposeSecret;
use std::time::Duration;
use token_store::{Because, DueShards, Replacement, Seen, StoreError, TokenKey, TokenStore};

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, Item, START, grant, keys, text, user};

async fn with_logins(subjects: &[&str]) -> Bench {
    let bench = Bench::new().await;
    for subject in subjects {
        bench
            .store()
            .put_login(
                &user(subject),
                Seen::NOTHING,
                &grant(subject, START),
                START,
                None,
            )
            .await
            .unwrap();
    }
    bench
}

async fn row_of(bench: &Bench, subject: &str) -> Item {
    let items = bench.items().await;
    items
        .into_iter()
        .find(|item| item["pk"].as_s().unwrap().ends_with(&format!("#{subject}")))
        .unwrap()
}

async fn read(bench: &Bench, store: &TokenStore, key: &TokenKey) -> Result<String, StoreError> {
    bench
        .read_key(store, key, &NoGateway)
        .await
        .map(|token| token.token.expose_secret().to_owned())
}

fn is_corrupt<T>(outcome: &Result<T, StoreError>, attribute: &str) -> bool {
    matches!(outcome, Err(StoreError::Corrupt { field, .. }) if *field == attribute)
}

#[tokio::test]
async fn a_value_moved_to_another_users_row_does_not_open() {
    let bench = with_logins(&["alice", "bob"]).await;
    let alice = row_of(&bench, "alice").await;
    let mut bob = row_of(&bench, "bob").await;
    // With the grant id too, so that only the row differs.
    for field in ["access_token_sealed", "grant_id"] {
        bob.insert(field.into(), alice[field].clone());
    }
    bench.overwrite(bob).await;
    let outcome = read(&bench, &bench.store(), &user("bob")).await;
    assert!(is_corrupt(&outcome, "access_token_sealed"));
}

#[tokio::test]
async fn a_value_moved_to_another_apps_row_does_not_open() {
    let bench = with_logins(&["alice"]).await;
    let mut row = bench.item().await;
    let other = TokenKey {
        app_id: "2021000000000002".into(),
        ..user("alice")
    };
    let pk = "APP#2021000000000002#USER#alice";
    row.insert("pk".into(), AttributeValue::S(pk.into()));
    bench.overwrite(row).await;
    let outcome = read(&bench, &bench.store(), &other).await;
    assert!(is_corrupt(&outcome, "access_token_sealed"), "{outcome:?}");
}

#[tokio::test]
async fn an_access_token_in_the_siblings_place_does_not_open() {
    let bench = with_logins(&["alice"]).await;
    let sealed = bench.item().await["access_token_sealed"].clone();
    bench.set("sibling_token_sealed", sealed).await;
    bench
        .set("sibling_key_id", AttributeValue::S("2026-11".into()))
        .await;
    let outcome = bench
        .refresh_key(&bench.store(), &user("alice"), Because::Asked, &NoGateway)
        .await;
    assert!(is_corrupt(&outcome, "sibling_token_sealed"), "{outcome:?}");
}

#[tokio::test]
async fn a_value_with_a_bit_changed_or_its_tag_cut_does_not_open() {
    let bench = with_logins(&["alice"]).await;
    let sealed = bench.item().await["access_token_sealed"]
        .as_b()
        .unwrap()
        .clone()
        .into_inner();
    let mut damaged: Vec<Vec<u8>> = (0..sealed.len())
        .map(|byte| {
            let mut bytes = sealed.clone();
            bytes[byte] ^= 1 << (byte % 8);
            bytes
        })
        .collect();
    for tag in [12, 8, 0] {
        damaged.push(sealed[..sealed.len() - (16 - tag)].to_vec());
    }
    damaged.push(Vec::new());
    for bytes in damaged {
        bench
            .set("access_token_sealed", AttributeValue::B(Blob::new(bytes)))
            .await;
        let outcome = read(&bench, &bench.reader(), &user("alice")).await;
        assert!(is_corrupt(&outcome, "access_token_sealed"), "{outcome:?}");
    }
}

/// Whole and sealed rightly, so nothing shows it: the gateway does, when its tokens are used.
#[tokio::test]
async fn a_whole_row_put_back_to_an_earlier_generation_is_found_out_by_its_use() {
    let bench = with_logins(&["alice"]).await;
    let (key, store) = (user("alice"), bench.store());
    let before = bench.item().await;
    let gateway = Gateway::with_live("alice", &bench.clock);
    bench
        .refresh_key(&store, &key, Because::Asked, &gateway)
        .await
        .unwrap();
    bench.overwrite(before).await;
    let stale = bench.read_key(&store, &key, &NoGateway).await.unwrap();
    assert_eq!(stale.generation.get(), 1);
    let renewal = bench.renewal(&store, &gateway);
    let replacement = store
        .invalidate(&key, &stale, &bench.clock, bench.deadline(), &renewal)
        .await;
    assert!(
        matches!(replacement, Ok(Replacement::Reauthorize)),
        "{replacement:?}"
    );
    assert_eq!(text(&bench.item().await, "state"), "suspect");
}

#[tokio::test]
async fn a_refresh_token_in_the_access_tokens_place_does_not_open() {
    let bench = with_logins(&["alice"]).await;
    let mut row = bench.item().await;
    let refresh_token = row["refresh_token_sealed"].clone();
    row.insert("access_token_sealed".into(), refresh_token);
    bench.overwrite(row).await;
    let outcome = read(&bench, &bench.store(), &user("alice")).await;
    assert!(is_corrupt(&outcome, "access_token_sealed"));
}

#[tokio::test]
async fn an_earlier_generations_value_does_not_open_in_the_present_row() {
    let bench = with_logins(&["alice"]).await;
    let before = bench.item().await;
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Gateway::with_live("alice", &bench.clock);
    bench
        .read_key(&bench.store(), &user("alice"), &gateway)
        .await
        .unwrap();
    let mut row = bench.item().await;
    assert_eq!(
        row["grant_id"], before["grant_id"],
        "only the generation differs"
    );
    row.insert(
        "access_token_sealed".into(),
        before["access_token_sealed"].clone(),
    );
    bench.overwrite(row).await;
    let outcome = read(&bench, &bench.store(), &user("alice")).await;
    assert!(is_corrupt(&outcome, "access_token_sealed"));
}

#[tokio::test]
async fn a_row_copied_to_another_table_does_not_open() {
    let bench = with_logins(&["alice"]).await;
    let row = bench.item().await;
    let table = format!("other-{}", uuid::Uuid::new_v4());
    token_store::create_table(&bench.client, &table)
        .await
        .unwrap();
    bench
        .client
        .put_item()
        .table_name(&table)
        .set_item(Some(row))
        .send()
        .await
        .unwrap();
    let store = TokenStore::new(bench.client.clone(), &table, keys(), DueShards::default());
    let outcome = read(&bench, &store, &user("alice")).await;
    assert!(is_corrupt(&outcome, "access_token_sealed"));
}

#[tokio::test]
async fn a_refresh_token_that_does_not_open_never_reaches_the_gateway() {
    let bench = with_logins(&["alice"]).await;
    let mut row = bench.item().await;
    let access_token = row["access_token_sealed"].clone();
    row.insert("refresh_token_sealed".into(), access_token);
    bench.overwrite(row).await;
    bench.clock.advance(Duration::from_secs(400));
    let outcome = read(&bench, &bench.store(), &user("alice")).await;
    assert!(is_corrupt(&outcome, "refresh_token_sealed"), "{outcome:?}");
    assert!(
        !bench.item().await.contains_key("lease_owner"),
        "the value is opened before the lease is taken"
    );
}

#[tokio::test]
async fn damaged_rows_are_reported_by_attribute_and_not_served() {
    let bench = with_logins(&["alice"]).await;
    let good = bench.item().await;
    let cases = [
        ("generation", AttributeValue::S("x".into())),
        ("generation", AttributeValue::N("-1".into())),
        ("expires_at", AttributeValue::Bool(true)),
        ("state", AttributeValue::S("fine".into())),
        ("grant_id", AttributeValue::N("1".into())),
        ("key_id", AttributeValue::N("1".into())),
        ("access_token_sealed", AttributeValue::S("plain".into())),
    ];
    for (field, value) in cases {
        let mut row = good.clone();
        row.insert(field.into(), value);
        bench.overwrite(row).await;
        let outcome = read(&bench, &bench.store(), &user("alice")).await;
        assert!(is_corrupt(&outcome, field), "{field}: {outcome:?}");
    }
}
