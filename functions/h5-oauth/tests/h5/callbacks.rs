//! Callbacks that are not, or not any more, those of a login of this browser.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use simulator::{Fault, FaultKind};

use crate::bench::{Answer, Bench, Browser, EXCHANGE, PAGE, callback};
use crate::secrets::kept_log;

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// The one answer to all of them.
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {answer:?}");
    assert!(answer.body.contains("重新登录"), "{what}");
    assert_eq!(answer.header("location"), "", "{what}");
    assert!(answer.cookies().is_empty(), "{what}");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_state_is_one_answer() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let app = bench.app.app_id.as_str();

    let spent = browser.begins(&bench, &[]).await;
    let code = bench.code();
    // The cookie is kept, as in a browser that was told nothing.
    let with_cookie = browser.clone();
    browser.comes_back(&bench, &spent, &code).await.location();
    browser = with_cookie;
    let exchanges = bench.exchanges();

    let expired = browser.begins(&bench, &[]).await;
    bench.clock.advance(TEN_MINUTES);
    let live = browser.begins(&bench, &[]).await;
    let live = live.told("state");
    let (spent, expired) = (spent.told("state"), expired.told("state"));
    let (half, longer) = (&live[..32], format!("{live}0"));
    let (upper, long) = (live.to_uppercase(), "0".repeat(10_000));
    let ticket = browser.logs_in(&bench, &[]).await;

    let fresh = bench.code();
    let mut answers = Vec::new();
    for state in [
        "", "0", "a_b", "_", "__", "\0", "状态", "{}", half, &longer, &upper, &long, &spent,
        &expired, &ticket,
    ] {
        let query = callback(app, &fresh, state);
        for accept in [PAGE, "*/*"] {
            let answer = browser.asks(&bench, "/h5/callback", &query, accept).await;
            assert_eq!(answer.status, 400, "{state}: {answer:?}");
            answers.push((accept, answer.body));
        }
    }
    for query in [
        &[("auth_code", fresh.as_str())][..],
        &[("auth_code", &fresh), ("state", &live), ("state", &live)],
        &[
            ("auth_code", &fresh),
            ("state", &live),
            ("app_id", app),
            ("app_id", app),
        ],
    ] {
        let answer = browser.goes(&bench, "/h5/callback", query).await;
        assert_refused(&answer, "no state, or two");
        answers.push((PAGE, answer.body));
    }
    // Another browser, with and without a login of its own.
    let mut other = Browser::default();
    for _ in 0..2 {
        let query = callback(app, &fresh, &live);
        let answer = other.goes(&bench, "/h5/callback", &query).await;
        assert_refused(&answer, "another browser");
        answers.push((PAGE, answer.body));
        other.begins(&bench, &[]).await;
    }
    for (accept, body) in &answers {
        let first = answers.iter().find(|(other, _)| other == accept).unwrap();
        assert_eq!(*body, first.1);
    }
    assert_eq!(bench.exchanges(), exchanges + 1, "that of the ticket");
    // None of it has harmed the login that is under way.
    let query = callback(app, &fresh, &live);
    browser
        .goes(&bench, "/h5/callback", &query)
        .await
        .location();
}

#[tokio::test]
async fn a_login_of_one_app_does_not_end_as_one_of_another() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let state = browser.begins(&bench, &[]).await.told("state");
    let code = bench.code();
    for other in [&bench.other_app.app_id, "2021999999999999", "", "evil"] {
        let query = callback(other, &code, &state);
        let answer = browser.goes(&bench, "/h5/callback", &query).await;
        assert_refused(&answer, other);
    }
    assert_eq!(bench.exchanges(), 0);
    let query = callback(&bench.app.app_id, &code, &state);
    let back = browser.goes(&bench, "/h5/callback", &query).await;
    assert_eq!(back.status, 302, "nothing was spent: {back:?}");
}

#[tokio::test]
async fn what_cannot_be_a_code_never_reaches_the_gateway() {
    let bench = Bench::new().await;
    let long = "c".repeat(10_000);
    for code in [
        "",
        &"c".repeat(41),
        &long,
        "a\nb",
        "a\0b",
        "🙂",
        "a b",
        "a&b",
    ] {
        let mut browser = Browser::default();
        let begun = browser.begins(&bench, &[]).await;
        let answer = browser.comes_back(&bench, &begun, code).await;
        assert_refused(&answer, code);
    }
    let mut browser = Browser::default();
    let state = browser.begins(&bench, &[]).await.told("state");
    let app = bench.app.app_id.as_str();
    let query = [("app_id", app), ("state", &state)];
    assert_refused(
        &browser.goes(&bench, "/h5/callback", &query).await,
        "no code",
    );
    assert_eq!(bench.exchanges(), 0);
}

#[tokio::test]
async fn of_one_code_in_two_browsers_at_once_comes_one_login() {
    let bench = Bench::new().await;
    let code = bench.code();
    let mut browsers = vec![Browser::default(); 4];
    let answers = join_all(browsers.iter_mut().map(async |browser| {
        let begun = browser.begins(&bench, &[]).await;
        browser.comes_back(&bench, &begun, &code).await
    }))
    .await;
    let (logged_in, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 302);
    assert_eq!(logged_in.len(), 1);
    for answer in refused {
        assert_refused(answer, "the code of another");
    }
    assert_eq!(bench.exchanges(), 1);
}

#[tokio::test]
async fn of_one_callback_twice_at_once_comes_one_login() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    let code = bench.code();
    let mut tabs = vec![browser; 4];
    let answers = join_all(
        tabs.iter_mut()
            .map(|tab| tab.comes_back(&bench, &begun, &code)),
    )
    .await;
    let logged_in = answers.iter().filter(|answer| answer.status == 302);
    assert_eq!(logged_in.count(), 1);
    assert_eq!(bench.exchanges(), 1);
}

#[tokio::test]
async fn a_used_code_looks_like_a_login_that_was_not_begun_here() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let code = bench.code();
    let begun = browser.begins(&bench, &[]).await;
    browser.comes_back(&bench, &begun, &code).await.location();
    let unknown = callback(&bench.app.app_id, &code, "unknown");
    let expected = browser.goes(&bench, "/h5/callback", &unknown).await;
    // Known for a used one here, and later by Alipay alone.
    for life in [0, 120] {
        bench.clock.advance(Duration::from_secs(life));
        let begun = browser.begins(&bench, &[]).await;
        let answer = browser.comes_back(&bench, &begun, &code).await;
        assert_refused(&answer, "used");
        assert_eq!(answer.body, expected.body);
    }
}

#[tokio::test]
async fn an_exchange_without_an_answer_is_not_repeated() {
    let mut bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    bench
        .simulator
        .inject(Fault::always(FaultKind::NeverAnswer).for_method(EXCHANGE));
    bench.patience = Duration::from_secs(3);
    let code = bench.code();
    let answer = browser
        .comes_back_asking(&bench, &begun, &code, "*/*")
        .await;
    assert_eq!(answer.status, 504, "{answer:?}");
    let said = answer.json();
    assert_eq!(
        (&said["error"], &said["retryable"]),
        (&json!("gateway_timeout"), &json!(false))
    );
    bench.simulator.clear_faults();
    bench.patience = Duration::from_secs(20);
    // Neither the same callback nor the same code is worth anything now.
    assert_refused(
        &browser.comes_back(&bench, &begun, &code).await,
        "the state",
    );
    let begun = browser.begins(&bench, &[]).await;
    assert_refused(&browser.comes_back(&bench, &begun, &code).await, "the code");
    assert_eq!(bench.exchanges(), 1);
    // Who logs in again is logged in.
    browser.logs_in(&bench, &[]).await;
}

#[tokio::test]
async fn a_failure_of_alipays_is_a_page_that_asks_to_log_in_again() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    let kind = FaultKind::refusal("20000", "isp.unknow-error");
    bench
        .simulator
        .inject(Fault::once(kind).for_method(EXCHANGE));
    let answer = browser.comes_back(&bench, &begun, &bench.code()).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("log in again") && !answer.body.contains("isp."));
}

#[tokio::test]
async fn a_code_of_another_app_looks_like_a_used_one_and_is_logged() {
    let log = kept_log();
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let unknown = callback(&bench.app.app_id, "code", "unknown");
    let begun = browser.begins(&bench, &[]).await;
    let kind = FaultKind::refusal("40002", "isv.unmatched-app-id");
    bench
        .simulator
        .inject(Fault::once(kind).for_method(EXCHANGE));
    let answer = browser.comes_back(&bench, &begun, &bench.code()).await;
    assert_refused(&answer, "of another app");
    let expected = browser.goes(&bench, "/h5/callback", &unknown).await;
    assert_eq!(answer.body, expected.body);
    assert!(
        log.text()
            .contains("a code that Alipay gave to another app")
    );
}

#[tokio::test]
async fn nothing_of_a_query_is_in_an_answer() {
    let bench = Bench::new().await;
    let marked = "<script>alert('reflected')</script>\"'><img src=x>";
    let names = [
        "error",
        "error_description",
        "auth_code",
        "state",
        "app_id",
        "scope",
        "source",
        "return_to",
        "appid",
        "other",
        "code_challenge",
        "code_challenge_method",
        marked,
    ];
    let query: Vec<_> = names.map(|name| (name, marked)).into_iter().collect();
    let mut browser = Browser::default();
    for path in ["/h5/callback", "/h5/authorize", "/h5/<script>reflected"] {
        for accept in [PAGE, "*/*"] {
            let answer = browser.asks(&bench, path, &query, accept).await;
            let written = answer.written.to_string();
            assert!(
                !written.contains("reflected") && !written.contains("<script"),
                "{written}"
            );
        }
    }
    // In a login that is this browser's own, too.
    let state = browser.begins(&bench, &[]).await.told("state");
    let query = [
        ("state", state.as_str()),
        ("error", marked),
        ("auth_code", marked),
    ];
    let answer = browser.goes(&bench, "/h5/callback", &query).await;
    assert_refused(&answer, "an error");
    assert!(!answer.written.to_string().contains("reflected"));
}

#[tokio::test]
async fn who_has_not_the_cookie_spends_neither_state_nor_code() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    let code = bench.code();
    for accept in ["", "*/*", PAGE] {
        let preview = Browser::default()
            .comes_back_asking(&bench, &begun, &code, accept)
            .await;
        assert_eq!(preview.status, 400);
    }
    assert_eq!(bench.exchanges(), 0);
    browser.comes_back(&bench, &begun, &code).await.location();
}

#[tokio::test]
async fn somebody_elses_link_logs_nobody_in() {
    let bench = Bench::new().await;
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let theirs = attacker.begins(&bench, &[]).await;
    let own = victim.begins(&bench, &[]).await;
    let code = bench.code();
    assert_refused(
        &victim.comes_back(&bench, &theirs, &code).await,
        "the attacker's link",
    );
    // Nor does a cookie of the attacker's under the name of the victim's, or one that was sent twice.
    let stolen = attacker.cookies.values().next().unwrap().clone();
    let mut planted = victim.clone();
    for value in planted.cookies.values_mut() {
        value.clone_from(&stolen);
    }
    assert_refused(&planted.comes_back(&bench, &own, &code).await, "planted");
    assert_eq!(bench.exchanges(), 0);
    victim.comes_back(&bench, &own, &code).await.location();
}

#[tokio::test]
async fn a_client_that_was_disabled_meanwhile_gets_nobody() {
    let mut bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    bench.restarted_with(&json!([]));
    let answer = browser.comes_back(&bench, &begun, &bench.code()).await;
    assert_refused(&answer, "no such client");
}
