//! What somebody who can write the table, but has no key, can do with sealed values.

use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::ExposeSecret;
use std::time::Duration;
use token_store::{Keyring, StoreError, TokenKey, TokenStore};

use crate::harness::{Bench, Gateway, Item, NoGateway, START, grant, keyring, user};

async fn with_logins(subjects: &[&str]) -> Bench {
    let bench = Bench::new().await;
    for subject in subjects {
        bench
            .store()
            .put_login(&user(subject), &grant(subject, START), START, None)
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
    store
        .access_token(key, &bench.clock, bench.deadline(), &NoGateway)
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
        .store()
        .access_token(&user("alice"), &bench.clock, bench.deadline(), &gateway)
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
    let store = TokenStore::new(bench.client.clone(), &table, keyring("2026-11"));
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
    assert!(is_corrupt(&outcome, "refresh_token_sealed"));
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

#[tokio::test]
async fn after_a_rotation_old_rows_open_and_are_sealed_anew_at_their_next_write() {
    let bench = Bench::new().await;
    let old = TokenStore::new(bench.client.clone(), &bench.table, keyring("2026-10"));
    old.put_login(&user("alice"), &grant("alice", START), START, None)
        .await
        .unwrap();
    assert_eq!(bench.item().await["key_id"].as_s().unwrap(), "2026-10");

    let new = bench.store();
    assert_eq!(
        read(&bench, &new, &user("alice")).await.unwrap(),
        "access-alice"
    );
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Gateway::with_live("alice", &bench.clock);
    new.access_token(&user("alice"), &bench.clock, bench.deadline(), &gateway)
        .await
        .unwrap();
    assert_eq!(bench.item().await["key_id"].as_s().unwrap(), "2026-11");
    assert_eq!(
        read(&bench, &new, &user("alice")).await.unwrap(),
        "access-refreshed-1"
    );
}

#[tokio::test]
async fn a_row_whose_key_was_removed_is_named_as_such() {
    let bench = with_logins(&["alice"]).await;
    let other = Keyring::from_json(
        &format!(
            r#"{{"active":"2027-01","keys":{{"2027-01":"{}="}}}}"#,
            "A".repeat(43)
        )
        .into(),
    )
    .unwrap();
    let store = TokenStore::new(bench.client.clone(), &bench.table, other);
    let error = read(&bench, &store, &user("alice")).await.unwrap_err();
    assert!(error.to_string().contains("2026-11"), "{error}");
}
