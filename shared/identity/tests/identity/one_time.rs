//! One-time values: state, tickets, codes, login targets.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::{Fault, Proxy};
use identity::{IdentityError, OneTime, Purpose, Refusal};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, START, after, text};
use crate::logs::Logs;

const PURPOSES: [Purpose; 6] = [
    Purpose::SsoTicket,
    Purpose::H5State,
    Purpose::H5Ticket,
    Purpose::OidcState,
    Purpose::AuthorizationCode,
    Purpose::LoginTarget,
];

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Value {
    app_id: String,
    nonce: Option<String>,
}

fn value() -> Value {
    Value {
        app_id: "2021000000000001".to_owned(),
        nonce: Some("支付宝 \"#\" \u{0}".to_owned()),
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> Refusal {
    match result {
        Err(IdentityError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn issue(values: &OneTime, purpose: Purpose) -> SecretString {
    values
        .issue(purpose, &value(), MINUTE, START)
        .await
        .unwrap()
}

async fn redeem(
    values: &OneTime,
    purpose: Purpose,
    text: &SecretString,
    seconds: u64,
) -> Result<Value, IdentityError> {
    values.redeem(purpose, text, after(seconds)).await
}

#[tokio::test]
async fn a_value_is_given_once_and_as_it_was() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    for purpose in PURPOSES {
        let issued = issue(&values, purpose).await;
        let given = redeem(&values, purpose, &issued, 1).await.unwrap();
        assert_eq!(given, value());
        for _ in 0..2 {
            let again = redeem(&values, purpose, &issued, 1).await;
            assert_eq!(refusal(again), Refusal::Spent);
        }
    }
}

#[tokio::test]
async fn a_text_is_hexadecimal_digits_and_fits_its_place() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    let mut seen = BTreeSet::new();
    for purpose in PURPOSES {
        let issued = issue(&values, purpose).await;
        let issued = issued.expose_secret();
        // `target_id` of Alipay's login string has at most 32 characters.
        let characters = if purpose == Purpose::LoginTarget {
            32
        } else {
            64
        };
        assert_eq!(issued.len(), characters);
        assert!(
            issued
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        );
        assert!(seen.insert(issued.to_owned()));
    }
}

#[tokio::test]
async fn looking_at_a_value_does_not_spend_it() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    let issued = issue(&values, Purpose::H5State).await;
    let before = bench.items().await;
    for _ in 0..3 {
        let seen: Value = values
            .peek(Purpose::H5State, &issued, after(1))
            .await
            .unwrap();
        assert_eq!(seen, value());
    }
    assert_eq!(bench.items().await, before);
    redeem(&values, Purpose::H5State, &issued, 1).await.unwrap();
    let seen = values.peek::<Value>(Purpose::H5State, &issued, after(1));
    assert_eq!(refusal(seen.await), Refusal::Spent);
}

#[tokio::test]
async fn a_value_is_good_until_its_time_and_not_a_moment_longer() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    let just_before = after(60).minus(Duration::from_millis(1));
    let issued = issue(&values, Purpose::H5Ticket).await;
    let late = redeem(&values, Purpose::H5Ticket, &issued, 60).await;
    assert_eq!(refusal(late), Refusal::Expired);
    let seen = values.peek::<Value>(Purpose::H5Ticket, &issued, after(60));
    assert_eq!(refusal(seen.await), Refusal::Expired);
    // Who came too late has spent nothing.
    let in_time = values.redeem::<Value>(Purpose::H5Ticket, &issued, just_before);
    in_time.await.unwrap();
}

#[tokio::test]
async fn a_value_of_another_purpose_is_unknown() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    for purpose in PURPOSES {
        let issued = issue(&values, purpose).await;
        for other in PURPOSES {
            if other != purpose {
                let refused = refusal(redeem(&values, other, &issued, 1).await);
                assert!(matches!(refused, Refusal::Unknown | Refusal::Malformed));
            }
        }
        redeem(&values, purpose, &issued, 1).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_never_issued_costs_one_request_and_leaves_nothing() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let values = OneTime::new(bench.table_through(proxy.address));
    let issued = issue(&values, Purpose::OidcState).await;
    let issued = issued.expose_secret();
    let before = bench.items().await;
    let foreign = [
        (String::new(), Refusal::Malformed),
        ("0".repeat(64), Refusal::Unknown),
        ("0".repeat(32), Refusal::Malformed),
        (issued.to_uppercase(), Refusal::Malformed),
        (format!("{issued} "), Refusal::Malformed),
        (issued[1..].to_owned(), Refusal::Malformed),
        (format!("{}é", &issued[..62]), Refusal::Malformed),
        ("x".repeat(1024 * 1024), Refusal::Malformed),
    ];
    for (text, reason) in foreign {
        proxy.take_operations();
        let text = text.into();
        let refused = redeem(&values, Purpose::OidcState, &text, 1).await;
        assert_eq!(refusal(refused), reason);
        assert_eq!(proxy.take_operations(), ["UpdateItem"]);
        let seen = values.peek::<Value>(Purpose::OidcState, &text, after(1));
        assert_eq!(refusal(seen.await), reason);
        assert_eq!(proxy.take_operations(), ["GetItem"]);
    }
    assert_eq!(bench.items().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_at_once_one_gets_the_value() {
    let bench = Bench::new().await;
    let processes: Vec<_> = (0..8)
        .map(|_| OneTime::new(bench.table_of_another_process()))
        .collect();
    for purpose in PURPOSES {
        let issued = issue(&processes[0], purpose).await;
        let attempts: Vec<_> = (0..64)
            .map(|number| {
                let (values, text) = (processes[number % 8].clone(), issued.clone());
                tokio::spawn(async move { redeem(&values, purpose, &text, 1).await })
            })
            .collect();
        let mut given = 0;
        for attempt in attempts {
            match attempt.await.unwrap() {
                Ok(_) => given += 1,
                Err(error) => assert_eq!(refusal::<()>(Err(error)), Refusal::Spent),
            }
        }
        assert_eq!(given, 1);
    }
}

#[tokio::test]
async fn a_redemption_whose_reply_was_lost_is_recognised_as_its_own() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let values = OneTime::new(bench.table_through(proxy.address));
    let issued = issue(&values, Purpose::SsoTicket).await;
    proxy.arm("UpdateItem", Fault::LoseReply, 1);
    redeem(&values, Purpose::SsoTicket, &issued, 1)
        .await
        .unwrap();
    assert_eq!(proxy.suffered(), 1);
    let again = redeem(&values, Purpose::SsoTicket, &issued, 1).await;
    assert_eq!(refusal(again), Refusal::Spent);
}

#[tokio::test]
async fn a_redemption_that_was_never_answered_has_spent_the_value() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let values = OneTime::new(bench.table_through(proxy.address));
    let issued = issue(&values, Purpose::H5State).await;
    proxy.arm("UpdateItem", Fault::LoseReply, 3);
    let unanswered = redeem(&values, Purpose::H5State, &issued, 1).await;
    assert!(unanswered.unwrap_err().is_transient());
    let again = redeem(&values, Purpose::H5State, &issued, 1).await;
    assert_eq!(refusal(again), Refusal::Spent);
}

#[tokio::test]
async fn an_issue_whose_reply_was_lost_gives_a_value_that_is_good_once() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let values = OneTime::new(bench.table_through(proxy.address));
    proxy.arm("PutItem", Fault::LoseReply, 1);
    let issued = issue(&values, Purpose::LoginTarget).await;
    assert_eq!(proxy.suffered(), 1);
    assert_eq!(bench.items().await.len(), 1);
    redeem(&values, Purpose::LoginTarget, &issued, 1)
        .await
        .unwrap();
    let again = redeem(&values, Purpose::LoginTarget, &issued, 1).await;
    assert_eq!(refusal(again), Refusal::Spent);
}

#[tokio::test]
async fn an_issue_that_arrives_late_does_not_make_a_spent_value_good_again() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let values = OneTime::new(bench.table_through(proxy.address));
    proxy.arm("PutItem", Fault::DelayRequest, 1);
    let issued = issue(&values, Purpose::AuthorizationCode).await;
    redeem(&values, Purpose::AuthorizationCode, &issued, 1)
        .await
        .unwrap();
    proxy.let_arrive().await;
    let again = redeem(&values, Purpose::AuthorizationCode, &issued, 1).await;
    assert_eq!(refusal(again), Refusal::Spent);
}

#[tokio::test]
async fn the_table_holds_the_hash_of_a_text_under_its_purpose() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    let prefixes = [
        "ONCE#SSO-TICKET#",
        "ONCE#H5-STATE#",
        "ONCE#H5-TICKET#",
        "ONCE#OIDC-STATE#",
        "ONCE#OIDC-CODE#",
        "ONCE#LOGIN-TARGET#",
    ];
    for (purpose, prefix) in PURPOSES.into_iter().zip(prefixes) {
        let issued = issue(&values, purpose).await;
        let rows = bench.items_under(prefix).await;
        assert_eq!(rows.len(), 1);
        let hash = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            issued.expose_secret().as_bytes(),
        );
        let hash: String = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(text(&rows[0], "pk"), format!("{prefix}{hash}"));
        assert!(!format!("{rows:?}").contains(issued.expose_secret()));
        // A day after its time.
        let ttl = after(60 + 24 * 3600).as_secs_rounded_up();
        assert_eq!(text(&rows[0], "ttl"), ttl.to_string());
    }
    assert_eq!(bench.items().await.len(), PURPOSES.len());
}

#[tokio::test]
async fn only_a_spent_authorization_code_that_comes_back_rings_the_alarm() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    for purpose in PURPOSES {
        let logs = Logs::kept();
        let issued = issue(&values, purpose).await;
        redeem(&values, purpose, &issued, 1).await.unwrap();
        assert!(!logs.has(&["ERROR"]));
        redeem(&values, purpose, &issued, 1).await.unwrap_err();
        let rang = logs.has(&["ERROR", "a spent authorization code came back"]);
        assert_eq!(rang, purpose == Purpose::AuthorizationCode);
        assert!(!logs.has(&[issued.expose_secret()]));
    }
}

#[tokio::test]
async fn a_value_has_a_largest_size() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    let largest = "x".repeat(16 * 1024 - 2);
    let issued = values
        .issue(Purpose::H5State, &largest, MINUTE, START)
        .await
        .unwrap();
    let given: String = values
        .redeem(Purpose::H5State, &issued, after(1))
        .await
        .unwrap();
    assert_eq!(given, largest);
    let refused = values
        .issue(Purpose::H5State, &format!("{largest}x"), MINUTE, START)
        .await;
    assert!(matches!(
        refused,
        Err(IdentityError::TooLarge {
            field: "value",
            limit: 16384
        })
    ));
    assert_eq!(bench.items().await.len(), 1);
}

#[tokio::test]
async fn a_damaged_value_is_never_served() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    for (field, damage) in [
        ("value", Some("{}")),
        ("value", Some("not JSON")),
        ("value", None),
        ("expires_at", Some("tomorrow")),
        ("expires_at", None),
    ] {
        let issued = issue(&values, Purpose::H5State).await;
        let mut row = bench.items_under("ONCE#").await.remove(0);
        match damage {
            Some(text) => row.insert(field.to_owned(), AttributeValue::S(text.to_owned())),
            None => row.remove(field),
        };
        bench.overwrite(row.clone()).await;
        let seen = values.peek::<Value>(Purpose::H5State, &issued, after(1));
        assert!(matches!(seen.await, Err(IdentityError::Corrupt { .. })));
        let redeemed = redeem(&values, Purpose::H5State, &issued, 1).await;
        assert!(matches!(redeemed, Err(IdentityError::Corrupt { .. })));
        bench
            .client
            .delete_item()
            .table_name(&bench.name)
            .key("pk", row["pk"].clone())
            .send()
            .await
            .unwrap();
    }
}

async fn use_nonce(
    values: &OneTime,
    credential: &str,
    nonce: &str,
    seconds: u64,
) -> Result<(), IdentityError> {
    values
        .use_nonce(
            &credential.into(),
            &nonce.into(),
            START.plus(MINUTE),
            after(seconds),
        )
        .await
}

#[tokio::test]
async fn a_nonce_is_used_once_by_each_holder() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    use_nonce(&values, "token", "1a2", 0).await.unwrap();
    for seconds in [0, 59] {
        let again = use_nonce(&values, "token", "1a2", seconds).await;
        assert_eq!(refusal(again), Refusal::Spent);
    }
    // Another's, another one, and two that are the same texts when joined.
    for (credential, nonce) in [
        ("other", "1a2"),
        ("token", "1a3"),
        ("token1", "a2"),
        ("toke", "n1a2"),
    ] {
        use_nonce(&values, credential, nonce, 0).await.unwrap();
    }
    // What it came with is not taken any more.
    use_nonce(&values, "token", "1a2", 60).await.unwrap();
}

#[tokio::test]
async fn of_many_who_use_a_nonce_at_once_one_does() {
    let bench = Bench::new().await;
    let uses = (0..32).map(|_| {
        let values = OneTime::new(bench.table_of_another_process());
        tokio::spawn(async move { use_nonce(&values, "token", "1a2", 0).await })
    });
    let mut used = 0;
    for outcome in uses.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Ok(()) => used += 1,
            refused => assert_eq!(refusal(refused), Refusal::Spent),
        }
    }
    assert_eq!(used, 1);
}

#[tokio::test]
async fn a_nonce_whose_reply_was_lost_is_used_by_the_one_who_sent_it() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let values = OneTime::new(bench.table_through(proxy.address));
    proxy.arm("PutItem", Fault::LoseReply, 1);
    use_nonce(&values, "token", "1a2", 0).await.unwrap();
    let again = use_nonce(&values, "token", "1a2", 0).await;
    assert_eq!(refusal(again), Refusal::Spent);
}

#[tokio::test]
async fn the_table_holds_neither_a_nonce_nor_whose_it_is() {
    let bench = Bench::new().await;
    let values = OneTime::new(bench.table());
    use_nonce(&values, "canary-token", "canary-nonce", 0)
        .await
        .unwrap();
    let rows = bench.items_under("ONCE#NONCE#").await;
    assert_eq!(rows.len(), 1);
    assert!(!format!("{rows:?}").contains("canary"));
    // A day after its time.
    let ttl = after(60 + 24 * 3600).as_secs_rounded_up();
    assert_eq!(text(&rows[0], "ttl"), ttl.to_string());
}
