//! A code makes one login, and a login that did not come about does not look like one.

use embedded_dynamodb::Fault;
use function_kit::Outcome;
use function_tokens::User;
use futures_util::future::join_all;
use simulator::{Fault as GatewayFault, FaultKind};

use crate::bench::{Bench, EXCHANGE, USER};

#[tokio::test]
async fn of_one_code_used_by_many_at_once_comes_one_login_of_one_account() {
    let bench = Bench::new().await;
    let code = bench.code();
    let logins = join_all((0..8).map(|_| bench.log_in(&code))).await;
    let mut logged_in = 0;
    for login in logins {
        match login {
            Ok(login) => {
                logged_in += 1;
                assert!(login.account.is_new);
                assert_eq!(login.openid, USER);
            }
            Err(failure) => assert!(matches!(failure.outcome(), Outcome::Conflict { .. })),
        }
    }
    assert_eq!(logged_in, 1);
    assert_eq!(bench.exchanges(), 1);
    assert_eq!(bench.rows_under("ACCOUNT#").await, 1);
}

#[tokio::test]
async fn the_next_code_leads_to_the_same_account() {
    let bench = Bench::new().await;
    let first = bench.log_in(&bench.code()).await.ok().unwrap();
    let second = bench.log_in(&bench.code()).await.ok().unwrap();
    assert_eq!(first.account.uid, second.account.uid);
    assert!(!second.account.is_new);
    assert_eq!(second.app_id, bench.app.app_id);
}

#[tokio::test]
async fn a_first_login_and_a_later_one_store_their_tokens_by_one_transaction_each() {
    let bench = Bench::new().await;
    let (table, tokens) = bench.watched_tokens().await;
    for _ in 0..3 {
        let code = bench.code();
        let login = bench.log_in_with(&bench.logins, &tokens, &code);
        assert!(login.await.is_ok());
        let operations = table.take_operations();
        assert_eq!(operations, ["PutItem", "GetItem", "TransactWriteItems"]);
    }
}

#[tokio::test]
async fn a_login_for_which_nobody_could_look_is_a_login_all_the_same() {
    let bench = Bench::new().await;
    assert!(bench.log_in(&bench.code()).await.is_ok());
    let (table, tokens) = bench.watched_tokens().await;
    table.arm("GetItem", Fault::Silence, usize::MAX);
    let code = bench.code();
    let login = bench.log_in_with(&bench.logins, &tokens, &code);
    assert!(login.await.is_ok());
    assert_eq!(table.suffered(), 1);
}

#[tokio::test]
async fn an_account_that_could_not_be_found_is_no_login_and_its_code_is_spent() {
    let bench = Bench::new().await;
    let code = bench.code();
    let logins = bench.logins_without_a_table();
    let failure = bench.log_in_with(&logins, &bench.tokens, &code).await;
    let failure = failure.err().unwrap();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { advice, .. } if advice.contains("begin the login again")),
        "{failure:?}"
    );
    assert!(!failure.is_repeatable());
    // What Alipay granted is kept all the same: it is the user's, whoever logs in next.
    let user = User {
        openid: USER,
        scope: None,
        auth_app_id: None,
    };
    let caller = bench.caller();
    let kept = bench
        .tokens
        .user_access_token(&bench.alipay, &caller, &user);
    assert!(kept.await.is_ok());
    let again = bench.log_in(&code).await.err().unwrap();
    assert!(matches!(again.outcome(), Outcome::Conflict { .. }));
    assert_eq!(bench.exchanges(), 1);
}

#[tokio::test]
async fn nothing_is_exchanged_that_could_not_be_kept() {
    let bench = Bench::new().await;
    let code = bench.code();
    let tokens = bench.tokens_without_a_table();
    let failure = bench.log_in_with(&bench.logins, &tokens, &code).await;
    let failure = failure.err().unwrap();
    assert!(matches!(
        failure.outcome(),
        Outcome::TemporarilyUnavailable { .. }
    ));
    assert!(failure.is_repeatable());
    assert_eq!(bench.exchanges(), 0);
    assert!(
        bench.log_in(&code).await.is_ok(),
        "the code is as good as before"
    );
}

#[tokio::test]
async fn a_refused_code_makes_no_account() {
    let bench = Bench::new().await;
    let failure = bench.log_in("neverissued").await.err().unwrap();
    assert!(
        matches!(failure.outcome(), Outcome::GatewayRefused(refusal) if refusal.caller_can_mend())
    );
    assert_eq!(bench.rows_under("ACCOUNT#").await, 0);
}

#[tokio::test]
async fn a_code_of_which_nobody_knows_whether_it_was_exchanged_is_spent() {
    let bench = Bench::new().await;
    let code = bench.code();
    let refused = GatewayFault::once(FaultKind::ResetBeforeReading).for_method(EXCHANGE);
    bench.simulator.inject(refused);
    let failure = bench.log_in(&code).await.err().unwrap();
    assert!(!failure.is_repeatable(), "{failure:?}");
    let again = bench.log_in(&code).await.err().unwrap();
    assert!(matches!(again.outcome(), Outcome::Conflict { .. }));
}
