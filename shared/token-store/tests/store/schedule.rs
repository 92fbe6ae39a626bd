//! The index of due rows, and what the schedule makes of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::Proxy;
use token_store::{
    Because, Clock, DueShards, RefreshFailure, RefreshOutcome, Seen, StoreError, TokenKey,
    TokenStore, WallTime,
};
use tokio::task::JoinSet;

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{
    Bench, DAY, Item, START, grant, keys, long_grant, merchant, number, text, time, user,
};

fn shards(text: &str) -> DueShards {
    text.parse().unwrap()
}

async fn log_in_many(store: &TokenStore, subjects: std::ops::Range<usize>) {
    for subject in subjects {
        let key = user(&subject.to_string());
        let pair = long_grant("a", START);
        store
            .put_login(&key, Seen::NOTHING, &pair, START, None)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_login_is_put_into_the_index_by_the_same_write() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    store
        .put_login(
            &user("u"),
            Seen::NOTHING,
            &long_grant("a", START),
            START,
            None,
        )
        .await
        .unwrap();
    assert_eq!(proxy.requests().len(), 1);
    let row = bench.item().await;
    assert!(text(&row, "due_shard").starts_with("16#"));
    let due_at = time(&row, "due_at").unwrap();
    assert!(due_at >= START.plus(12 * DAY) && due_at <= START.plus(DAY.mul_f64(13.5)));
}

#[tokio::test]
async fn a_hundred_copies_of_one_message_make_one_call() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    bench.clock.set(START.plus(14 * DAY));
    let gateway = Gateway::with_live("a", &bench.clock)
        .giving_long_lives()
        .slow(Duration::from_millis(50));
    let (bench, gateway) = (Arc::new(bench), Arc::new(gateway));
    let mut workers = JoinSet::new();
    for _ in 0..10 {
        let store = bench.store();
        for _ in 0..10 {
            let (bench, store, gateway) = (Arc::clone(&bench), store.clone(), Arc::clone(&gateway));
            workers.spawn(async move { bench.refresh(&store, Because::Due, &*gateway).await });
        }
    }
    let mut refreshed = 0;
    while let Some(outcome) = workers.join_next().await {
        match outcome.unwrap().unwrap() {
            RefreshOutcome::Refreshed => refreshed += 1,
            RefreshOutcome::Busy | RefreshOutcome::Fresh => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((gateway.calls(), refreshed), (1, 1));
}

#[tokio::test]
async fn a_row_is_refreshed_when_it_is_due_and_not_before() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    let store = bench.store();
    let due_at = time(&bench.item().await, "due_at").unwrap();
    bench.clock.set(due_at.minus(Duration::from_millis(1)));
    assert!(bench.due(&store).await.is_empty());
    let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Fresh);

    bench.clock.set(due_at);
    assert_eq!(bench.due(&store).await[0].key, user("u"));
    let gateway = Gateway::with_live("a", &bench.clock).giving_long_lives();
    let outcome = bench.refresh(&store, Because::Due, &gateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    let next = time(&bench.item().await, "due_at").unwrap();
    assert!(next >= due_at.plus(12 * DAY));
}

#[tokio::test]
async fn a_row_that_is_gone_or_given_up_is_nobodys_work() {
    let bench = Bench::new().await;
    let store = bench.store();
    let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Gone);
    bench.log_in(&long_grant("a", START)).await;
    bench.clock.set(START.plus(14 * DAY));
    for state in ["reauthorize", "revoked"] {
        bench.set("state", AttributeValue::S(state.into())).await;
        let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
        assert_eq!(outcome.unwrap(), RefreshOutcome::Reauthorize);
        assert!(bench.due(&store).await.is_empty(), "{state}");
    }
}

#[tokio::test]
async fn rows_that_are_due_come_in_pages_the_oldest_first_and_the_index_says_no_more_than_keys() {
    let bench = Bench::new().await;
    let store = bench.store_with(keys(), shards("1"));
    log_in_many(&store, 0..25).await;
    bench.clock.set(START.plus(14 * DAY));
    let shard = store.due_shards().all()[0];
    let (mut pages, mut rows, mut from) = (0, Vec::new(), None);
    loop {
        let now = bench.clock.now();
        let page = store.due_rows(shard, now, 10, from).await.unwrap();
        assert!(page.rows.len() <= 10);
        assert_eq!(page.unreadable, 0);
        rows.extend(page.rows);
        pages += 1;
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert!(pages >= 3);
    let subjects: HashSet<_> = rows.iter().map(|row| &row.key.subject).collect();
    assert_eq!((rows.len(), subjects.len()), (25, 25));
    assert!(rows.is_sorted_by_key(|row| row.due_at));
    let early = store
        .due_rows(shard, rows[4].due_at, 10, None)
        .await
        .unwrap();
    assert_eq!(early.rows, rows[..5]);
}

#[tokio::test]
async fn rows_in_the_index_that_are_no_tokens_are_counted_and_in_nobodys_way() {
    let bench = Bench::new().await;
    let store = bench.store_with(keys(), shards("1"));
    store
        .put_login(
            &user("u"),
            Seen::NOTHING,
            &long_grant("a", START),
            START,
            None,
        )
        .await
        .unwrap();
    bench.clock.set(START.plus(14 * DAY));
    let row = bench.item().await;
    let answer = [("pk", "ANSWER#a#b"), ("sk", "FIRST")];
    let other_kind = [("pk", "APP#a#GROUP#b"), ("sk", "SCOPES#")];
    for (keys, due_at) in [
        (answer, "1"),
        (other_kind, "2"),
        (answer, "-1"),
        (other_kind, "2.5"),
    ] {
        let mut odd = row.clone();
        for (name, value) in keys {
            odd.insert(name.into(), AttributeValue::S(value.into()));
        }
        odd.insert("due_at".into(), AttributeValue::N(due_at.into()));
        bench.overwrite(odd).await;
        let shard = store.due_shards().all()[0];
        let now = bench.clock.now();
        let page = store.due_rows(shard, now, 100, None).await.unwrap();
        assert_eq!(page.rows.len(), 1, "{due_at}");
        assert!(page.unreadable >= 1);
    }
}

#[tokio::test]
async fn the_number_of_partitions_changes_while_running_and_no_row_is_found_twice_or_forgotten() {
    let bench = Bench::new().await;
    let old = bench.store_with(keys(), shards("16"));
    let new = bench.store_with(keys(), shards("64,16"));
    log_in_many(&old, 0..40).await;
    log_in_many(&new, 40..80).await;
    bench.clock.set(START.plus(14 * DAY));
    let found = bench.due(&new).await;
    let keys: HashSet<TokenKey> = found.iter().map(|row| row.key.clone()).collect();
    assert_eq!((found.len(), keys.len()), (80, 80));

    // Old and new workers refresh side by side.
    for (position, row) in found.iter().enumerate() {
        let store = if position % 4 == 0 { &old } else { &new };
        let gateway = Gateway::with_live("a", &bench.clock).giving_long_lives();
        bench
            .refresh_key(store, &row.key, Because::Due, &gateway)
            .await
            .unwrap();
    }
    assert!(bench.due(&new).await.is_empty());
    bench.clock.set(START.plus(28 * DAY));
    let found = bench.due(&new).await;
    let keys: HashSet<TokenKey> = found.iter().map(|row| row.key.clone()).collect();
    assert_eq!((found.len(), keys.len()), (80, 80));
    // Once only new workers are left, each row moves as it is refreshed.
    for row in &found {
        let gateway = Gateway::with_live("refreshed-1", &bench.clock).giving_long_lives();
        bench
            .refresh_key(&new, &row.key, Because::Due, &gateway)
            .await
            .unwrap();
    }
    for row in bench.items().await {
        assert!(text(&row, "due_shard").starts_with("64#"));
    }
}

#[tokio::test]
async fn a_row_left_in_an_old_partition_is_moved_when_somebody_looks_at_it() {
    let bench = Bench::new().await;
    let old = bench.store_with(keys(), shards("16"));
    log_in_many(&old, 7..8).await;
    let new = bench.store_with(keys(), shards("64,16"));
    let key = user("7");
    bench
        .refresh_key(&new, &key, Because::Due, &NoGateway)
        .await
        .unwrap();
    assert!(text(&bench.item().await, "due_shard").starts_with("64#"));
}

/// What a refresh could gain something for, and is not in the index in time.
fn forgotten(rows: &[Item], now: WallTime) -> Vec<&Item> {
    rows.iter()
        .filter(|row| matches!(text(row, "state"), "active" | "suspect"))
        .filter(|row| {
            let hard_margin = Duration::from_secs(180);
            let latest = time(row, "expires_at").unwrap().minus(hard_margin);
            let latest = latest.max(time(row, "not_before").unwrap_or(now));
            time(row, "due_at").is_none_or(|due_at| due_at > latest)
        })
        .collect()
}

#[tokio::test]
async fn no_row_that_a_refresh_could_gain_for_is_missing_from_the_index_whatever_happened_to_it() {
    let bench = Bench::new().await;
    let store = bench.store();
    let hour = Duration::from_secs(3600);
    let lives = [hour, 10 * hour, DAY, 15 * DAY, 365 * DAY, 3650 * DAY];
    let mut users = Vec::new();
    for (number, life) in lives.into_iter().cycle().take(60).enumerate() {
        let key = match number % 5 {
            0 => merchant(&number.to_string()),
            _ => user(&number.to_string()),
        };
        let mut pair = grant("a", START);
        pair.expires_at = START.plus(life);
        pair.refresh_expires_at = (number % 3 != 0).then(|| START.plus(2 * life));
        store
            .put_login(&key, Seen::NOTHING, &pair, START, None)
            .await
            .unwrap();
        users.push(key);
    }
    assert_eq!(forgotten(&bench.items().await, START), Vec::<&Item>::new());
    let failures = [
        None,
        Some(RefreshFailure::Transient("HTTP 502")),
        Some(RefreshFailure::Refused),
        Some(RefreshFailure::Misconfigured("wrong key")),
        Some(RefreshFailure::Superseded("refresh-other".into())),
    ];
    for (key, failure) in users.iter().zip(failures.iter().cycle()) {
        let mut gateway = Gateway::with_live("a", &bench.clock).giving_long_lives();
        if let Some(failure) = failure {
            gateway = gateway.failing(failure.clone());
        }
        bench
            .refresh_key(&store, key, Because::Asked, &gateway)
            .await
            .unwrap();
    }
    let now = bench.clock.now();
    assert_eq!(forgotten(&bench.items().await, now), Vec::<&Item>::new());
}

#[tokio::test]
async fn a_token_that_a_refresh_would_gain_little_for_is_left_to_its_end() {
    let bench = Bench::new().await;
    let store = bench.store();
    let mut pair = long_grant("a", START);
    pair.refresh_expires_at = Some(START.plus(7 * DAY));
    for pair in [&pair, &grant("a", START)] {
        bench.log_in(pair).await;
        assert!(!bench.item().await.contains_key("due_at"));
    }
    // One that stands in the index nevertheless is taken out of it.
    bench.log_in(&pair).await;
    bench
        .set("due_shard", AttributeValue::S("16#000".into()))
        .await;
    bench.set("due_at", number(START)).await;
    assert_eq!(bench.due(&store).await.len(), 1);
    let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Fresh);
    assert!(!bench.item().await.contains_key("due_at"));
    // Past its end there is nothing but a new login.
    bench.clock.set(START.plus(15 * DAY));
    let outcome = bench.read(&bench.reader(), &NoGateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Reauthorize)),
        "{outcome:?}"
    );
}

/// After a long outage: else every sweep would begin with those that nobody can help any more.
#[tokio::test]
async fn a_row_whose_refresh_token_has_ended_leaves_the_index() {
    for days in [14, 40] {
        let bench = Bench::new().await;
        let mut pair = long_grant("a", START);
        pair.refresh_expires_at = Some(START.plus(13 * DAY));
        bench.log_in(&pair).await;
        let store = bench.store();
        bench.clock.set(START.plus(days * DAY));
        assert_eq!(bench.due(&store).await.len(), 1);
        bench
            .refresh(&store, Because::Due, &NoGateway)
            .await
            .unwrap();
        assert!(bench.due(&store).await.is_empty(), "{days} days later");
    }
}

#[tokio::test]
async fn a_row_that_does_not_open_is_left_alone_for_a_day() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    let store = bench.store();
    bench.clock.set(START.plus(14 * DAY));
    let sealed = bench.item().await["access_token_sealed"].clone();
    bench.set("refresh_token_sealed", sealed).await;
    for _ in 0..2 {
        assert_eq!(bench.due(&store).await.len(), 1);
        let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
        assert!(
            matches!(
                outcome,
                Err(StoreError::Corrupt {
                    field: "refresh_token_sealed",
                    ..
                })
            ),
            "{outcome:?}"
        );
        assert!(bench.due(&store).await.is_empty());
        bench.clock.advance(DAY);
    }
}

#[tokio::test]
async fn so_is_a_row_that_cannot_even_be_read() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    let store = bench.store();
    bench.clock.set(START.plus(14 * DAY));
    bench
        .set("state", AttributeValue::S("unheard of".into()))
        .await;
    let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Corrupt { field: "state", .. })),
        "{outcome:?}"
    );
    assert!(bench.due(&store).await.is_empty());
}
