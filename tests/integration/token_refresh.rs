//! Stored tokens are refreshed where they are needed and before: the whole stack over real HTTP, readers that cannot open refresh
//! tokens on one side, `refresh-tokens` on the other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, RefreshCount, SimulatedUser, Trade};
use tests::{Reader, Stack, TokenRow};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;
const MERCHANT: &str = "2021000000000101";
const PROFILE: &str = "alipay.user.info.share";
const USERS: &str = "APP#2021000000000001#USER#";
const MERCHANTS: &str = "APP#2021000000000001#ISV#";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A user's access token lives 15 days, the refresh token 30; it is due before the end.
const PAST_ITS_END: Duration = Duration::from_secs(15 * 24 * 3600 + 60);
const WHEN_DUE: Duration = Duration::from_secs(14 * 24 * 3600);
/// All at once. Of more the simulator, unoptimised, does not answer each within the 5 s that a call has.
const REQUESTS: usize = 400;
const QUARANTINE: Duration = Duration::from_secs(121);

async fn logged_in() -> Stack {
    let stack = Stack::start().await;
    log_in(&stack).await;
    stack
}

/// Logs in and gives the tokens in the clear.
async fn log_in(stack: &Stack) -> Value {
    let arguments = json!({"code": stack.code(), "needKey": true});
    let answer = stack.invoke("code2session", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    answer
}

fn refreshes(stack: &Stack) -> RefreshCount {
    stack.simulator().refreshes_of_app(&stack.app().app_id)
}

const ONE: RefreshCount = RefreshCount {
    received: 1,
    done: 1,
};

async fn sweep(stack: &Stack) -> Value {
    let answer = stack.invoke("refresh-tokens", &json!({"sweep": {}})).await;
    assert_eq!(answer["code"], 0, "{answer}");
    answer["sweep"].clone()
}

/// How many answers there were of each status. Whoever is told to come again is told when, and nobody meets another failure.
fn statuses(answers: &[Value]) -> BTreeMap<u64, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        let status = answer["statusCode"].as_u64().unwrap();
        assert!([200, 503].contains(&status), "{answer}");
        if status == 503 {
            assert_to_be_repeated(answer);
        }
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

fn assert_to_be_repeated(answer: &Value) {
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert_eq!(answer["body"]["error"], "temporarily_unavailable");
    assert_eq!(answer["body"]["retryable"], true);
    let seconds = answer["headers"]["retry-after"].as_str().unwrap();
    assert!(seconds.parse::<u32>().unwrap() >= 1, "{answer}");
}

fn assert_has_to_log_in(answer: &Value) {
    assert_eq!(
        (&answer["statusCode"], &answer["body"]["error"]),
        (&json!(401), &json!("reauthorize")),
        "{answer}"
    );
    let hint = answer["body"]["hint"].as_str().unwrap();
    assert!(hint.contains("log in again"), "{answer}");
}

/// Waits until the gateway has received a refresh.
async fn until_a_refresh_is_under_way(stack: &Stack) {
    while refreshes(stack).received == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await; // polls
    }
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_and_the_caller_notices_nothing() {
    let stack = logged_in().await;
    stack.let_pass(PAST_ITS_END).await;
    for _ in 0..2 {
        let answer = stack.invoke("user-info", &json!({"openid": USER})).await;
        assert_eq!(answer["nickName"], "小明", "{answer}");
    }
    assert_eq!(refreshes(&stack), ONE);
    let row = stack.token_row(USERS).await;
    assert_eq!(row.text("state"), Some("active"));
    assert_eq!(row.number("generation"), Some(2));
    assert!(!row.has("lease_owner") && row.has("due_shard"));
    assert_eq!(
        sweep(&stack).await["due"],
        0,
        "the index knows the new pair"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_environments_that_need_one_expired_token_at_once_make_one_refresh() {
    let stack = logged_in().await;
    stack.let_pass(PAST_ITS_END).await;
    let slow = Fault::once(FaultKind::Delay { milliseconds: 300 }).for_refreshes();
    stack.simulator().inject(slow);
    let readers: Vec<Reader> = (0..100).map(|_| Reader::start(&stack)).collect();
    let requests = readers.iter().flat_map(|reader| {
        (0..4).map(|_| {
            let reader = reader.clone();
            tokio::spawn(async move { reader.profile(USER).await })
        })
    });
    let answers: Vec<Value> = join_all(requests.collect::<Vec<_>>())
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let statuses = statuses(&answers);
    assert_eq!(refreshes(&stack), ONE, "{statuses:?}");
    assert!(statuses[&200] >= 1, "{statuses:?}");
    // Whoever was told to come again does.
    let again: Vec<Value> = join_all(readers.iter().map(|reader| reader.profile(USER))).await;
    assert!(again.iter().all(|answer| answer["statusCode"] == 200));
    assert_eq!(refreshes(&stack), ONE);
    assert_eq!(stack.token_row(USERS).await.number("generation"), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_http_requests_to_two_readers_for_one_expired_token_make_one_refresh() {
    let stack = logged_in().await;
    stack.let_pass(PAST_ITS_END).await;
    let (profile, request) = (
        json!({"openid": USER}),
        json!({"openid": USER, "method": PROFILE}),
    );
    let requests = (0..REQUESTS).map(|number| match number % 2 {
        0 => stack.invoke("user-info", &profile),
        _ => stack.invoke("generic-request", &request),
    });
    let answers = join_all(requests.collect::<Vec<_>>()).await;
    let mut answered = 0;
    for answer in &answers {
        let busy = answer["error"] == "temporarily_unavailable" && answer["retryable"] == true;
        assert!(answer["code"] == 0 || busy, "{answer}");
        answered += usize::from(!busy);
    }
    assert!(answered >= 1);
    assert_eq!(refreshes(&stack), ONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_that_need_one_merchants_token_at_once_make_one_refresh() {
    let stack = authorized().await;
    stack.let_pass(366 * DAY).await;
    let arguments = trade_query();
    let requests = (0..50).map(|_| stack.invoke("generic-request", &arguments));
    for answer in join_all(requests.collect::<Vec<_>>()).await {
        assert_eq!(answer["total_amount"], "0.10", "{answer}");
    }
    assert_eq!(refreshes(&stack), ONE);
    let row = stack.token_row(MERCHANTS).await;
    assert_eq!(
        (row.number("generation"), row.text("state")),
        (Some(2), Some("active"))
    );
}

/// A stack whose app a merchant has authorised, with a trade of the merchant's.
async fn authorized() -> Stack {
    let stack = Stack::start().await;
    stack.simulator().add_trade(Trade {
        app_id: MERCHANT.to_owned(),
        out_trade_no: "T1".to_owned(),
        total_amount: "0.10".to_owned(),
        ..Trade::default()
    });
    authorize(&stack).await;
    stack
}

async fn authorize(stack: &Stack) {
    let app_id = &stack.app().app_id;
    let code = stack.simulator().authorize_merchant(app_id, MERCHANT);
    let arguments = json!({"app_auth_code": code});
    let answer = stack.invoke("isv-auth-token", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
}

fn trade_query() -> Value {
    json!({
        "method": "alipay.trade.query",
        "authAppId": MERCHANT,
        "data": {"biz_content": {"out_trade_no": "T1"}},
    })
}

#[tokio::test]
async fn what_is_due_is_refreshed_by_a_sweep_before_anybody_has_to_wait_for_it() {
    let stack = logged_in().await;
    authorize(&stack).await;
    assert_eq!(sweep(&stack).await["due"], 0);
    stack.let_pass(WHEN_DUE).await;
    let summary = sweep(&stack).await;
    assert_eq!(
        (&summary["due"], &summary["refreshed"]),
        (&json!(1), &json!({"refreshed": 1})),
        "the merchant's lives a year: {summary}"
    );
    assert!(summary["oldest_lateness_seconds"].as_u64().unwrap() > 0);
    assert_eq!(sweep(&stack).await["due"], 0);
    let answer = stack.invoke("user-info", &json!({"openid": USER})).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(refreshes(&stack), ONE);
}

#[tokio::test]
async fn a_user_who_withdrew_is_asked_to_log_in_and_the_schedule_settles_the_row() {
    let stack = logged_in().await;
    let reader = Reader::start(&stack);
    stack.simulator().revoke(&stack.app().app_id, USER);
    assert_has_to_log_in(&reader.profile(USER).await);
    assert_eq!(stack.simulator().received_count(PROFILE), 1, "no loop");
    assert_eq!(refreshes(&stack).received, 0, "only the schedule asks");
    let row = stack.token_row(USERS).await;
    assert_eq!(row.text("state"), Some("suspect"));
    assert!(row.has("suspect_since") && row.has("due_shard"));

    // Until then each use is answered alike, with one call each.
    assert_has_to_log_in(&reader.profile(USER).await);
    assert_eq!(stack.simulator().received_count(PROFILE), 2);
    assert_eq!(sweep(&stack).await["due"], 0);

    // The first refusal of the refresh token begins the quarantine, the second ends the grant.
    stack.age_rows(QUARANTINE).await;
    assert_eq!(sweep(&stack).await["refreshed"], json!({"suspect": 1}));
    assert_eq!(
        sweep(&stack).await["due"],
        0,
        "not before the quarantine is over"
    );
    stack.age_rows(QUARANTINE).await;
    assert_eq!(sweep(&stack).await["refreshed"], json!({"reauthorize": 1}));
    assert_eq!(refreshes(&stack).received, 2);
    let row = stack.token_row(USERS).await;
    assert_eq!(row.text("state"), Some("reauthorize"));
    assert!(!row.has("due_shard") && !row.has("due_at"));

    assert_has_to_log_in(&reader.profile(USER).await);
    assert_eq!(
        stack.simulator().received_count(PROFILE),
        2,
        "Alipay is not asked"
    );
    stack.age_rows(DAY).await;
    assert_eq!(sweep(&stack).await["due"], 0);

    log_in(&stack).await;
    let answer = reader.profile(USER).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let row = stack.token_row(USERS).await;
    assert_eq!(row.text("state"), Some("active"));
    assert!(!row.has("suspect_since") && !row.has("refused_since"));
}

#[tokio::test]
async fn a_refresh_whose_reply_is_lost_is_waited_for_until_its_end_is_certain() {
    let stack = logged_in().await;
    let reader = Reader::start(&stack);
    stack.let_pass(PAST_ITS_END).await;
    let lost = Fault::once(FaultKind::ResetAfterDone).for_refreshes();
    stack.simulator().inject(lost);
    // Nobody knows whether it was done: a pause of random length, at most 2 s.
    assert_to_be_repeated(&reader.profile(USER).await);
    assert_eq!(stack.token_row(USERS).await.text("state"), Some("active"));
    stack.age_rows(Duration::from_secs(3)).await;
    // It was: the refresh token is spent. The pair may still come from somebody slow, so the user is not sent away yet.
    for _ in 0..3 {
        assert_to_be_repeated(&reader.profile(USER).await);
        assert_eq!(stack.token_row(USERS).await.text("state"), Some("suspect"));
    }
    assert_eq!(refreshes(&stack).received, 2);
    stack.age_rows(QUARANTINE).await;
    assert_has_to_log_in(&reader.profile(USER).await);
    assert_eq!(refreshes(&stack).received, 3, "the confirming call");
    log_in(&stack).await;
    assert_eq!(reader.profile(USER).await["statusCode"], 200);
}

#[tokio::test]
async fn a_merchants_refresh_whose_reply_is_lost_recovers_by_itself() {
    let stack = authorized().await;
    stack.age_rows(366 * DAY).await;
    let lost = Fault::once(FaultKind::ResetAfterDone).for_refreshes();
    stack.simulator().inject(lost);
    // The old token is used meanwhile: Alipay says not to rely on its time.
    for _ in 0..2 {
        let answer = stack.invoke("generic-request", &trade_query()).await;
        assert_eq!(answer["code"], 0, "{answer}");
    }
    stack.age_rows(Duration::from_secs(3)).await;
    let answer = stack.invoke("generic-request", &trade_query()).await;
    assert_eq!(answer["code"], 0, "{answer}");
    let row = stack.token_row(MERCHANTS).await;
    assert_eq!(
        (row.number("generation"), row.text("state")),
        (Some(2), Some("active"))
    );
    assert_eq!(refreshes(&stack).received, 2);
}

#[tokio::test]
async fn without_the_refresh_function_an_expired_token_is_a_matter_of_time_and_never_a_fault_of_ours()
 {
    let stack = logged_in().await;
    stack.let_pass(PAST_ITS_END).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let base = stack.server.base_url();
    for (invoke_api, function) in [
        (&closed, "refresh-tokens"),
        (&base, "no-such-function"),
        // It answers, but not with what came of a refresh.
        (&base, "launch-link"),
    ] {
        let reader = Reader::with_refresh_function(&stack, invoke_api, function);
        for _ in 0..2 {
            assert_to_be_repeated(&reader.profile(USER).await);
        }
    }
    assert_eq!(refreshes(&stack).received, 0);
    let row = stack.token_row(USERS).await;
    assert_eq!(
        (row.number("generation"), row.text("state")),
        (Some(1), Some("active"))
    );
    assert_eq!(Reader::start(&stack).profile(USER).await["statusCode"], 200);
}

#[tokio::test]
async fn an_ageing_token_is_used_without_waiting_for_its_refresh() {
    let stack = logged_in().await;
    stack.let_pass(15 * DAY - Duration::from_secs(100)).await;
    // A refresh that takes long and is not done, so that the old token lives on.
    let busy = FaultKind::refusal("20000", "isp.unknow-error");
    for fault in [FaultKind::Delay { milliseconds: 3000 }, busy] {
        stack.simulator().inject(Fault::once(fault).for_refreshes());
    }
    let answer = Reader::start(&stack).profile(USER).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let ended = |row: TokenRow| row.has("not_before");
    assert!(!ended(stack.token_row(USERS).await), "it was waited for");
    while !ended(stack.token_row(USERS).await) {
        tokio::time::sleep(Duration::from_millis(20)).await; // polls until the refresh has ended
    }
    assert_eq!(refreshes(&stack).received, 1);
}

#[tokio::test]
async fn a_newer_refresh_token_that_a_refusal_names_is_tried_at_once() {
    let stack = logged_in().await;
    stack.let_pass(PAST_ITS_END).await;
    let fault = Fault::once(FaultKind::AlreadyRefreshed);
    stack.simulator().inject(fault);
    let answer = Reader::start(&stack).profile(USER).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(refreshes(&stack).received, 2);
    let row = stack.token_row(USERS).await;
    assert_eq!(
        (row.number("generation"), row.text("state")),
        (Some(2), Some("active"))
    );
    assert!(!row.has("sibling_token_sealed"));
}

#[tokio::test]
async fn without_the_refresh_function_an_ageing_token_is_used_while_it_lives() {
    let stack = logged_in().await;
    stack.let_pass(15 * DAY - Duration::from_secs(100)).await;
    let base = stack.server.base_url();
    let reader = Reader::with_refresh_function(&stack, &base, "no-such-function");
    assert_eq!(reader.profile(USER).await["statusCode"], 200);
    assert_eq!(refreshes(&stack).received, 0);
}

#[tokio::test]
async fn a_login_while_a_refresh_runs_keeps_the_new_grant() {
    let stack = logged_in().await;
    let before = stack.token_row(USERS).await;
    stack.let_pass(PAST_ITS_END).await;
    let slow = Fault::once(FaultKind::Delay { milliseconds: 1000 }).for_refreshes();
    stack.simulator().inject(slow);
    let reader = Reader::start(&stack);
    let login = async {
        until_a_refresh_is_under_way(&stack).await;
        log_in(&stack).await
    };
    let (answer, login) = tokio::join!(reader.profile(USER), login);
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(refreshes(&stack), ONE);
    let row = stack.token_row(USERS).await;
    assert_ne!(row.text("grant_id"), before.text("grant_id"));
    assert_eq!(
        (row.number("generation"), row.text("state")),
        (Some(2), Some("active"))
    );
    assert!(!row.has("lease_owner") && !row.has("sibling_token_sealed"));
    // The pair of the refresh is nowhere; the login's is used.
    let received = stack.simulator().received();
    let last = &received.last().unwrap().parameters;
    assert_eq!(json!(last["auth_token"]), login["accessToken"]);
}

#[tokio::test]
async fn refreshes_by_hand_say_what_came_of_them() {
    let stack = logged_in().await;
    let app_id = &stack.app().app_id;
    let by_hand = json!({"refresh": {"appid": app_id, "subject": USER}});
    let answer = stack.invoke("refresh-tokens", &by_hand).await;
    assert_eq!(
        (&answer["code"], &answer["outcome"]),
        (&json!(0), &json!("refreshed")),
        "{answer}"
    );
    stack.simulator().revoke(app_id, USER);
    let answer = stack.invoke("refresh-tokens", &by_hand).await;
    assert_eq!(answer["outcome"], "suspect", "{answer}");
    assert!(answer["retry_after_ms"].as_u64().unwrap() > 100_000);
    let asked = refreshes(&stack).received;
    let answer = stack.invoke("refresh-tokens", &by_hand).await;
    assert_eq!(answer["outcome"], "suspect", "{answer}");
    assert_eq!(refreshes(&stack).received, asked, "not in the quarantine");
    stack.age_rows(QUARANTINE).await;
    let answer = stack.invoke("refresh-tokens", &by_hand).await;
    assert_eq!(answer["outcome"], "reauthorize", "{answer}");
    let unknown = json!({"refresh": {"appid": app_id, "subject": "2088999999999999"}});
    let answer = stack.invoke("refresh-tokens", &unknown).await;
    assert_eq!(answer["outcome"], "gone", "{answer}");
}
