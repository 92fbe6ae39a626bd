//! What a ticket is worth, and to whom.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Browser, Target};

// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: [(&str, &str); 2] = [
    (
        "code_challenge",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    ),
    ("code_challenge_method", "S256"),
];

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 400, "{answer:?}");
    let said = answer.json();
    assert_eq!(said["error"], "invalid_argument");
    assert!(said["msg"].as_str().unwrap().starts_with("ticket: "));
    for name in ["uid", "openid", "userId", "buyer_id", "token"] {
        assert!(said.get(name).is_none(), "{said}");
    }
}

#[tokio::test]
async fn of_many_who_present_a_ticket_at_once_one_is_answered() {
    let bench = Bench::new().await;
    let ticket = json!({"ticket": Browser::default().logs_in(&bench, &[]).await});
    let answers = join_all((0..8).map(|_| bench.redeem(&ticket))).await;
    let (answered, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(answered.len(), 1);
    refused.into_iter().for_each(assert_refused);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_ticket_is_one_answer() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let spent = browser.logs_in(&bench, &[]).await;
    assert_eq!(bench.redeem(&json!({"ticket": spent})).await.status, 200);
    let expired = browser.logs_in(&bench, &[]).await;
    let without_verifier = browser.logs_in(&bench, &CHALLENGE).await;
    let state = browser.begins(&bench, &[]).await.told("state");
    let mut answers = vec![bench.redeem(&json!({"ticket": without_verifier})).await];
    bench.clock.advance(Duration::from_secs(60));
    let (unknown, long) = ("0".repeat(64), "0".repeat(100_000));
    for ticket in ["", "0", "状", &unknown, &long, &spent, &expired, &state] {
        answers.push(bench.redeem(&json!({"ticket": ticket})).await);
    }
    for answer in &answers {
        assert_refused(answer);
        assert_eq!(answer.body, answers[0].body);
    }
}

#[tokio::test]
async fn a_ticket_with_a_challenge_is_worth_nothing_without_its_verifier() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let verifier = |text: &str| json!({"code_verifier": text});
    let with = |ticket: &str, mut input: Value| {
        input["ticket"] = ticket.into();
        input
    };
    for wrong in [
        json!({}),
        verifier(""),
        verifier(CHALLENGE[0].1),
        verifier(&VERIFIER[1..]),
    ] {
        let ticket = browser.logs_in(&bench, &CHALLENGE).await;
        assert_refused(&bench.redeem(&with(&ticket, wrong)).await);
        // Who came without it has seen the ticket, so it is spent.
        assert_refused(&bench.redeem(&with(&ticket, verifier(VERIFIER))).await);
    }
    let ticket = browser.logs_in(&bench, &CHALLENGE).await;
    let answer = bench.redeem(&with(&ticket, verifier(VERIFIER))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Nor is one without a challenge with a verifier: its challenge was taken away on the way.
    let ticket = browser.logs_in(&bench, &[]).await;
    assert_refused(&bench.redeem(&with(&ticket, verifier(VERIFIER))).await);
}

#[tokio::test]
async fn a_client_that_is_disabled_gets_nothing_for_its_tickets() {
    let mut bench = Bench::new().await;
    let ticket = Browser::default().logs_in(&bench, &[]).await;
    bench.restarted_with(&json!([]));
    assert_refused(&bench.redeem(&json!({"ticket": ticket})).await);
}

/// What a page sends whose script collects a ticket: browsers say whose page it is.
async fn collected_by(bench: &Bench, origin: &str, ticket: &str) -> Answer {
    let target = Target {
        path: "/h5/ticket",
        origin,
        body: Some(json!({"ticket": ticket}).to_string()),
        ..Target::default()
    };
    bench.request("POST", &target).await
}

#[tokio::test]
async fn a_page_collects_no_ticket_of_another_clients() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    for other in [
        "https://other-shop.example.com",
        "https://tea.example.com",
        "https://shop.example.com.evil.com",
        "http://shop.example.com",
        "https://shop.example.com:444",
        "https://shop.example.com/",
        "null",
    ] {
        // Of the person whose login `other` is to take for one of its own.
        let ticket = browser.logs_in(&bench, &[]).await;
        assert_refused(&collected_by(&bench, other, &ticket).await);
    }
    let ticket = browser.logs_in(&bench, &[]).await;
    let own = collected_by(&bench, "https://shop.example.com", &ticket).await;
    assert_eq!(own.status, 200, "{own:?}");
}

#[tokio::test]
async fn what_is_no_ticket_at_all_is_named() {
    let bench = Bench::new().await;
    for (input, said) in [
        (json!({}), "ticket: is required"),
        (json!({"ticket": 1}), "ticket: must be a string"),
        (json!(["t"]), ""),
    ] {
        let answer = bench.redeem(&input).await;
        assert_eq!(answer.status, 400);
        let message = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(message.starts_with(said), "{message}");
    }
}
