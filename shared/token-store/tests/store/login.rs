//! Storing the pair of a login, and reading it back.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::Proxy;
use secrecy::ExposeSecret;
use token_store::{
    Because, Claim, Clock, Completion, RefreshOutcome, Seen, StoreError, TokenKind, TokenStore,
    WallTime,
};

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, START, grant, user};

#[tokio::test]
async fn a_first_login_is_generation_one_and_is_read_back() {
    let bench = Bench::new().await;
    let store = bench.store();
    let generation = store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    assert_eq!(generation.get(), 1);

    let read = store
        .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
        .await
        .unwrap();
    assert_eq!(read.token.expose_secret(), "access-a");
    assert_eq!(read.expires_at, START.plus(Duration::from_secs(300)));
    assert_eq!(read.generation, generation);
}

#[tokio::test]
async fn a_second_login_replaces_the_pair_and_the_grant() {
    let bench = Bench::new().await;
    let store = bench.store();
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    let first = bench.item().await;
    let mut second = grant("b", START);
    second.refresh_token = None;
    second.refresh_expires_at = None;
    let generation = store
        .put_login(&user("u"), Seen::NOTHING, &second, START, None)
        .await
        .unwrap();
    assert_eq!(generation.get(), 2);

    let row = bench.item().await;
    assert_ne!(row["grant_id"], first["grant_id"]);
    assert!(
        !row.contains_key("refresh_token_sealed") && !row.contains_key("refresh_expires_at"),
        "nothing of the old grant stays"
    );
    let read = store
        .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
        .await
        .unwrap();
    assert_eq!(read.token.expose_secret(), "access-b");
}

#[tokio::test]
async fn racing_logins_all_land_and_each_has_its_own_generation() {
    let bench = Bench::new().await;
    let racers: Vec<_> = (0..5)
        .map(|number| {
            let store = bench.store();
            tokio::spawn(async move {
                store
                    .put_login(
                        &user("u"),
                        Seen::NOTHING,
                        &grant(&number.to_string(), START),
                        START,
                        None,
                    )
                    .await
                    .unwrap()
                    .get()
            })
        })
        .collect();
    let mut generations = Vec::new();
    for racer in racers {
        generations.push(racer.await.unwrap());
    }
    generations.sort_unstable();
    assert_eq!(generations, [1, 2, 3, 4, 5]);
    assert_eq!(bench.item().await["generation"].as_n().unwrap(), "5");
}

#[tokio::test]
async fn racing_logins_that_all_saw_the_same_row_have_generations_of_their_own() {
    let bench = Bench::new().await;
    bench.log_in(&grant("before", START)).await;
    let seen = bench.store().look(&user("u")).await.unwrap();
    let racers: Vec<_> = (0..5)
        .map(|number| {
            let (store, seen) = (bench.store(), seen.clone());
            let pair = grant(&number.to_string(), START);
            tokio::spawn(async move {
                store
                    .put_login(&user("u"), seen, &pair, START, None)
                    .await
                    .unwrap()
                    .get()
            })
        })
        .collect();
    let mut generations = Vec::new();
    for racer in racers {
        generations.push(racer.await.unwrap());
    }
    generations.sort_unstable();
    assert_eq!(generations, [2, 3, 4, 5, 6]);
}

/// How a login writes.
#[derive(Clone, Copy, Debug)]
enum Writing {
    ThePairAlone,
    WithAnAnswer,
}

impl Writing {
    const BOTH: [Self; 2] = [Self::ThePairAlone, Self::WithAnAnswer];

    fn operation(self) -> &'static str {
        match self {
            Self::ThePairAlone => "PutItem",
            Self::WithAnAnswer => "TransactWriteItems",
        }
    }
}

/// A bench whose user may have logged in before (`access-before`), and a login that has looked.
struct Looked {
    bench: Bench,
    writing: Writing,
    store: TokenStore,
    proxy: Proxy,
    seen: Seen,
}

impl Looked {
    async fn at(logged_in_before: bool, writing: Writing) -> Self {
        let bench = Bench::new().await;
        if logged_in_before {
            bench.log_in(&grant("before", START)).await;
        }
        let proxy = Proxy::before(bench.endpoint).await.unwrap();
        let store = bench.store_through(proxy.address);
        let seen = store.look(&user("u")).await.unwrap();
        assert_eq!(proxy.take_operations(), ["GetItem"]);
        Self {
            bench,
            writing,
            store,
            proxy,
            seen,
        }
    }

    /// The generation of the login, and the operations that it took.
    async fn log_in(&self) -> (u64, Vec<String>) {
        let later = START.plus(Duration::from_secs(60));
        let claim = match self.writing {
            Writing::ThePairAlone => None,
            Writing::WithAnAnswer => {
                let answers = self.bench.store().first_answers();
                let claim = answers.claim("f", "code", b"p", START, later, later).await;
                let Ok(Claim::First(token)) = claim else {
                    panic!("{claim:?}");
                };
                Some(token)
            }
        };
        let completes = claim.map(|claim| Completion::new(claim, "answer"));
        let generation = self
            .store
            .put_login(
                &user("u"),
                self.seen.clone(),
                &grant("new", START),
                START,
                completes,
            )
            .await
            .unwrap();
        let token = self
            .bench
            .read(&self.bench.store(), &NoGateway)
            .await
            .unwrap();
        assert_eq!(
            (token.token.expose_secret(), token.generation),
            ("access-new", generation),
            "it is what is stored"
        );
        (generation.get(), self.proxy.take_operations())
    }
}

#[tokio::test]
async fn a_login_that_looked_is_one_write() {
    for writing in Writing::BOTH {
        for (logged_in_before, generation) in [(false, 1), (true, 2)] {
            let looked = Looked::at(logged_in_before, writing).await;
            let expected = (generation, vec![writing.operation().to_owned()]);
            assert_eq!(looked.log_in().await, expected, "{writing:?}");
        }
    }
}

#[tokio::test]
async fn a_login_that_saw_no_row_follows_the_one_that_came_since() {
    for writing in Writing::BOTH {
        let looked = Looked::at(false, writing).await;
        looked.bench.log_in(&grant("meanwhile", START)).await;
        let expected = vec![writing.operation().to_owned(); 2];
        assert_eq!(looked.log_in().await, (2, expected), "{writing:?}");
    }
}

#[tokio::test]
async fn a_login_that_saw_a_row_follows_the_refresh_that_came_since() {
    for writing in Writing::BOTH {
        let looked = Looked::at(true, writing).await;
        let gateway = Gateway::with_live("before", &looked.bench.clock);
        let refreshed = looked
            .bench
            .refresh(&looked.bench.store(), Because::Asked, &gateway)
            .await;
        assert_eq!(refreshed.unwrap(), RefreshOutcome::Refreshed);
        let expected = vec![writing.operation().to_owned(); 2];
        assert_eq!(looked.log_in().await, (3, expected), "{writing:?}");
    }
}

#[tokio::test]
async fn a_login_that_saw_a_row_follows_the_login_that_came_since() {
    for writing in Writing::BOTH {
        let looked = Looked::at(true, writing).await;
        looked.bench.log_in(&grant("meanwhile", START)).await;
        let expected = vec![writing.operation().to_owned(); 2];
        assert_eq!(looked.log_in().await, (3, expected), "{writing:?}");
    }
}

/// As one that was removed by its time to live, and written anew by another login with the same generation.
#[tokio::test]
async fn a_login_that_saw_a_row_follows_another_one_of_the_same_generation() {
    for writing in Writing::BOTH {
        let looked = Looked::at(true, writing).await;
        looked.bench.remove_row().await;
        looked.bench.log_in(&grant("meanwhile", START)).await;
        let expected = vec![writing.operation().to_owned(); 2];
        assert_eq!(looked.log_in().await, (2, expected), "{writing:?}");
    }
}

#[tokio::test]
async fn a_login_that_saw_a_row_which_has_gone_is_the_first() {
    for writing in Writing::BOTH {
        let looked = Looked::at(true, writing).await;
        looked.bench.remove_row().await;
        let write = writing.operation();
        let expected = [write, "GetItem", write].map(str::to_owned).to_vec();
        assert_eq!(looked.log_in().await, (1, expected), "{writing:?}");
    }
}

#[tokio::test]
async fn looking_asks_for_no_token_and_for_no_consistent_read() {
    let looked = Looked::at(true, Writing::ThePairAlone).await;
    let requests = looked.proxy.requests();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    for part in [
        r#""ConsistentRead":false"#,
        r#""ProjectionExpression":"generation, grant_id, commit_id""#,
    ] {
        assert!(request.contains(part), "{request}");
    }
}

#[tokio::test]
async fn users_apps_kinds_and_scopes_do_not_share_a_row() {
    let bench = Bench::new().await;
    let store = bench.store();
    let mut keys = vec![user("u"); 5];
    keys[1].subject = "v".into();
    keys[2].app_id = "2021000000000002".into();
    keys[3].kind = TokenKind::Isv;
    keys[4].scopes = "auth_base".into();
    for (number, key) in keys.iter().enumerate() {
        let pair = grant(&number.to_string(), START);
        store
            .put_login(key, Seen::NOTHING, &pair, START, None)
            .await
            .unwrap();
    }
    for (number, key) in keys.iter().enumerate() {
        let read = store
            .access_token(key, &bench.clock, bench.deadline(), &NoGateway)
            .await
            .unwrap();
        assert_eq!(read.token.expose_secret(), format!("access-{number}"));
    }
}

#[tokio::test]
async fn an_unknown_user_has_no_token() {
    let bench = Bench::new().await;
    let outcome = bench
        .store()
        .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
        .await;
    assert!(matches!(outcome, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn an_expired_token_still_in_the_table_is_never_served() {
    let bench = Bench::new().await;
    let store = bench.store();
    let mut pair = grant("a", START);
    pair.refresh_token = None;
    store
        .put_login(&user("u"), Seen::NOTHING, &pair, START, None)
        .await
        .unwrap();
    let read_after = async |duration: Duration| {
        let clock = move || START.plus(duration);
        let deadline = clock().plus(Duration::from_secs(25));
        store
            .access_token(&user("u"), &clock, deadline, &NoGateway)
            .await
    };
    assert!(read_after(Duration::from_millis(294_999)).await.is_ok());
    for late in [295_000, 300_000, 10_000_000_000] {
        assert!(matches!(
            read_after(Duration::from_millis(late)).await,
            Err(StoreError::Reauthorize)
        ));
    }
    assert_eq!(bench.items().await.len(), 1, "the row is still there");
}

#[tokio::test]
async fn a_token_whose_refresh_token_has_expired_asks_for_a_new_login() {
    let bench = Bench::new().await;
    let store = bench.store();
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(30 * 24 * 3600));
    let outcome = store
        .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
        .await;
    assert!(matches!(outcome, Err(StoreError::Reauthorize)));
}

#[tokio::test]
async fn withdrawn_grants_are_not_served_though_their_token_lives() {
    let bench = Bench::new().await;
    let store = bench.store();
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    for state in ["revoked", "reauthorize"] {
        bench.set("state", AttributeValue::S(state.into())).await;
        let outcome = store
            .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
            .await;
        assert!(matches!(outcome, Err(StoreError::Reauthorize)), "{state}");
    }
}

#[tokio::test]
async fn absurd_lifetimes_do_no_harm() {
    let bench = Bench::new().await;
    let store = bench.store();
    let mut pair = grant("a", START);
    pair.expires_at = WallTime::from_millis(u64::MAX);
    pair.refresh_expires_at = Some(WallTime::from_millis(0));
    store
        .put_login(&user("u"), Seen::NOTHING, &pair, START, None)
        .await
        .unwrap();
    let deadline = bench.clock.now().plus(Duration::MAX);
    let gateway = Gateway::with_live("a", &bench.clock);
    let renewal = bench.renewal(&store, &gateway);
    let read = store
        .access_token(&user("u"), &bench.clock, deadline, &renewal)
        .await
        .unwrap();
    assert_eq!(read.token.expose_secret(), "access-a");
    assert_eq!(gateway.calls(), 0);
}

#[tokio::test]
async fn a_row_is_readable_but_for_its_secrets_and_leaves_the_table_in_time() {
    let bench = Bench::new().await;
    let key = user("2088#x");
    bench
        .store()
        .put_login(&key, Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    let row = bench.item().await;
    assert_eq!(
        row["pk"].as_s().unwrap(),
        "APP#2021000000000001#USER#2088%23x"
    );
    assert_eq!(row["sk"].as_s().unwrap(), "SCOPES#auth_user");
    assert_eq!(row["state"].as_s().unwrap(), "active");
    assert_eq!(row["key_id"].as_s().unwrap(), "2026-11");
    let expires_at = START.plus(Duration::from_secs(300)).as_millis();
    assert_eq!(row["expires_at"].as_n().unwrap(), &expires_at.to_string());
    let ttl: u64 = row["ttl"].as_n().unwrap().parse().unwrap();
    assert_eq!(ttl, START.as_millis() / 1000 + 37 * 24 * 3600, "in seconds");
    let shown = format!("{row:?}");
    assert!(!shown.contains("access-a") && !shown.contains("refresh-a"));
}

#[tokio::test]
async fn the_table_can_be_made_twice() {
    let bench = Bench::new().await;
    token_store::create_table(&bench.client, &bench.table)
        .await
        .unwrap();
}
