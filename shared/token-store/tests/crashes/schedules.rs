//! Many schedules for each point, and the proof that they find what is wrong.

use token_store::TokenKind;

use crate::bench::Bench;
use crate::schedule::{Plan, run};
use crate::wrong::Wrong;

/// Schedules for each point where nothing else is asked for.
const SCHEDULES: u64 = 20;
/// In how many schedules what is wrong must be found.
const SEARCHED: u64 = 1000;

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a whole number"))
}

fn seeds() -> std::ops::Range<u64> {
    match from_environment("CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("CRASH_SCHEDULES").unwrap_or(SCHEDULES),
    }
}

fn kind_of(seed: u64, merchants_only: bool) -> TokenKind {
    if merchants_only || seed % 2 == 1 {
        TokenKind::Isv
    } else {
        TokenKind::User
    }
}

async fn survives(point: &'static str) {
    let bench = Bench::new().await;
    // Of users there is no newer refresh token to be named, and no second pair that is good.
    let merchants_only = ["after-sibling", "after-superseded"].contains(&point);
    let (mut died, mut lost) = (0, 0);
    for seed in seeds() {
        let plan = Plan {
            seed,
            kind: kind_of(seed, merchants_only),
            point: Some(point),
            wrong: Wrong::Nothing,
        };
        match run(&bench, plan).await {
            Ok(outcome) => {
                died += u64::from(outcome.died);
                lost += u64::from(outcome.lost);
            }
            Err(violation) => panic!("{violation}"),
        }
    }
    let count = seeds().count();
    println!("{point}: {count} schedules, {died} deaths there, {lost} pairs lost with them");
    assert!(died > 0 || count == 1, "no schedule comes to {point}");
}

macro_rules! a_worker_may_die {
    ($($name:ident: $point:literal,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                survives($point).await;
            }
        )*
    };
}

a_worker_may_die! {
    a_worker_may_die_before_it_takes_the_lease: "before-acquire",
    a_worker_may_die_with_the_lease: "after-acquire",
    a_worker_may_die_before_its_request_is_carried_out: "gateway-before",
    a_worker_may_die_before_the_answer_comes: "gateway-after",
    a_worker_may_die_with_the_answer: "after-call",
    a_worker_may_die_when_it_has_saved_a_newer_refresh_token: "after-sibling",
    a_worker_may_die_before_it_stores_the_pair: "before-commit",
    a_worker_may_die_when_the_pair_is_stored: "after-commit",
    a_worker_may_die_when_another_pair_was_stored_first: "after-superseded",
    a_worker_may_die_before_it_says_that_it_is_done: "after-due",
    a_worker_may_die_before_a_pair_is_in_the_rescue_queue: "before-rescue",
    a_worker_may_die_when_a_pair_is_in_the_rescue_queue: "after-rescue",
    a_consumer_may_die_when_it_has_stored_a_rescued_pair: "after-rescued-commit",
    a_login_may_die_before_it_is_stored: "before-login",
    a_login_may_die_when_it_is_stored: "after-login",
}

/// The first schedule in which the rules find what is wrong.
async fn found(wrong: Wrong) -> String {
    let bench = Bench::new().await;
    for seed in 0..SEARCHED {
        let plan = Plan {
            seed,
            kind: TokenKind::User,
            point: None,
            wrong,
        };
        if let Err(violation) = run(&bench, plan).await {
            println!("{wrong:?}, schedule {seed}: {violation}");
            return violation.to_string();
        }
    }
    panic!("{SEARCHED} schedules find nothing wrong with {wrong:?}");
}

#[tokio::test]
async fn a_commit_that_asks_for_the_lease_is_found_to_lose_pairs() {
    let violation = found(Wrong::CommitsByLease).await;
    assert!(
        violation.contains("nobody had lost") || violation.contains("in hand"),
        "{violation}"
    );
}

#[tokio::test]
async fn a_commit_without_conditions_is_found() {
    found(Wrong::CommitsOverEverything).await;
}

#[tokio::test]
async fn a_worker_that_believes_the_first_refusal_is_found() {
    let violation = found(Wrong::BelievesTheFirstRefusal).await;
    assert!(violation.contains("first refusal"), "{violation}");
}

#[tokio::test]
async fn a_worker_without_a_lease_is_found() {
    let violation = found(Wrong::TakesNoLease).await;
    assert!(violation.contains("both had the lease"), "{violation}");
}

#[tokio::test]
async fn a_login_that_trusts_what_it_saw_is_found() {
    let violation = found(Wrong::TrustsWhatItSaw).await;
    assert!(violation.contains("two pairs are"), "{violation}");
}
