//! What goes wrong with refreshes, and what the simulator tells of them.

use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::{
    AppOptions, Fault, FaultKind, MerchantTokenRules, RefreshCount, SimulatedUser, TokenRules,
};

use crate::caller::{Fixture, OAUTH_TOKEN, text, verdict};
use crate::control::{delete, get, post};

const TOKEN_APP: &str = "alipay.open.auth.token.app";
const MERCHANT: &str = "2021000000000088";
const USER: &str = SimulatedUser::DEFAULT_USER_ID;

async fn fixture() -> Fixture {
    Fixture::new(AppOptions::default()).await
}

async fn login(fixture: &Fixture) -> Value {
    let code = fixture.code();
    fixture.exchange(&code).await
}

async fn merchant_call(fixture: &Fixture, wanted: Value) -> Value {
    fixture
        .call(TOKEN_APP, &[("biz_content", &wanted.to_string())])
        .await
}

async fn authorized(fixture: &Fixture) -> Value {
    let code = fixture
        .simulator
        .authorize_merchant(&fixture.app.app_id, MERCHANT);
    merchant_call(
        fixture,
        json!({"grant_type":"authorization_code","code":code}),
    )
    .await
}

async fn refresh_merchant(fixture: &Fixture, token: &str) -> Value {
    merchant_call(
        fixture,
        json!({"grant_type":"refresh_token","refresh_token":token}),
    )
    .await
}

fn live(fixture: &Fixture) -> Vec<String> {
    fixture
        .simulator
        .live_refresh_tokens(&fixture.app.app_id, USER)
}

fn count(received: u64, done: u64) -> RefreshCount {
    RefreshCount { received, done }
}

#[tokio::test]
async fn a_pair_that_alipay_refreshed_is_dead_and_the_refusal_brings_the_live_one() {
    let fixture = fixture().await;
    let old = login(&fixture).await;
    let old = text(&old, "refresh_token");
    fixture
        .simulator
        .inject(Fault::once(FaultKind::AlreadyRefreshed));
    // The exchange of a code is no refresh.
    let other = login(&fixture).await;
    assert!(other.get("access_token").is_some());
    let refused = fixture.refresh(old).await;
    assert_eq!(
        (text(&refused, "code"), verdict(&refused)),
        ("40002", "isv.refreshed-token-invalid")
    );
    assert_eq!(refused.get("access_token"), None);
    let newer = text(&refused, "refresh_token");
    assert_ne!(newer, old);
    assert_eq!(live(&fixture).len(), 2, "this login and the other");
    assert!(live(&fixture).contains(&newer.to_owned()));
    assert_eq!(
        verdict(&fixture.refresh(old).await),
        "isv.refresh-token-invalid"
    );
    let refreshed = fixture.refresh(newer).await;
    assert!(refreshed.get("access_token").is_some(), "{refreshed}");
    assert_eq!(
        fixture.simulator.refreshes_with(old),
        count(2, 0),
        "twice refused"
    );
    assert_eq!(fixture.simulator.refreshes_with(newer), count(1, 1));
}

#[tokio::test]
async fn a_refresh_that_is_refused_anyway_is_refused_as_ever() {
    let fixture = fixture().await;
    fixture
        .simulator
        .inject(Fault::always(FaultKind::AlreadyRefreshed));
    let refused = fixture.refresh("unknown").await;
    assert_eq!(verdict(&refused), "isv.refresh-token-invalid");
    assert_eq!(refused.get("refresh_token"), None);
}

#[tokio::test]
async fn the_refusal_is_signed_where_the_app_is_set_so() {
    for signed in [false, true] {
        let fixture = Fixture::new(AppOptions {
            signed_error_responses: signed,
            ..AppOptions::default()
        })
        .await;
        let tokens = login(&fixture).await;
        let members = [
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&tokens, "refresh_token")),
        ];
        fixture
            .simulator
            .inject(Fault::once(FaultKind::AlreadyRefreshed));
        let reply = fixture.reply(OAUTH_TOKEN, &members).await;
        let body = String::from_utf8_lossy(&reply.bytes).into_owned();
        assert!(body.starts_with(r#"{"error_response":"#), "{body}");
        assert!(body.contains(&live(&fixture)[0]));
        assert_eq!(fixture.is_signed(&reply, "error_response"), signed);
    }
}

#[tokio::test]
async fn a_merchants_pair_can_have_been_refreshed_too() {
    let fixture = fixture().await;
    let old = authorized(&fixture).await;
    let app_id = &fixture.app.app_id;
    fixture
        .simulator
        .inject(Fault::once(FaultKind::AlreadyRefreshed).for_app(app_id));
    let refused = refresh_merchant(&fixture, text(&old, "app_refresh_token")).await;
    assert_eq!(verdict(&refused), "isv.refreshed-token-invalid");
    assert_eq!(refused.get("app_auth_token"), None);
    let newer = text(&refused, "app_refresh_token");
    assert_eq!(
        fixture
            .simulator
            .live_merchant_refresh_token(app_id, MERCHANT)
            .as_deref(),
        Some(newer)
    );
    assert_eq!(verdict(&refresh_merchant(&fixture, newer).await), "10000");
    assert_eq!(fixture.simulator.refreshes_of_app(app_id), count(2, 1));
    fixture.simulator.cancel_merchant(app_id, MERCHANT);
    assert_eq!(
        fixture
            .simulator
            .live_merchant_refresh_token(app_id, MERCHANT),
        None
    );
}

#[tokio::test]
async fn a_fault_befalls_its_app_and_its_refreshes() {
    let mut fixture = fixture().await;
    let tokens = login(&fixture).await;
    let unknown = FaultKind::refusal("20000", "isp.unknow-error");
    let app_id = fixture.app.app_id.clone();
    let fault = Fault::times(unknown, 2).for_refreshes().for_app(&app_id);
    fixture.simulator.inject(fault);
    assert!(login(&fixture).await.get("access_token").is_some());
    let owner = fixture.app.clone();
    fixture.app = fixture.simulator.add_app(AppOptions::default());
    let others = login(&fixture).await;
    let others = fixture.refresh(text(&others, "refresh_token")).await;
    assert!(others.get("access_token").is_some(), "{others}");
    fixture.app = owner;
    let token = text(&tokens, "refresh_token");
    for _ in 0..2 {
        assert_eq!(verdict(&fixture.refresh(token).await), "isp.unknow-error");
    }
    assert!(fixture.refresh(token).await.get("access_token").is_some());
    assert_eq!(fixture.simulator.refreshes_with(token), count(3, 1));
    fixture.simulator.inject(
        Fault::once(FaultKind::refusal("40002", "isv.refresh-token-time-out")).for_refreshes(),
    );
    assert_eq!(
        verdict(&fixture.refresh(token).await),
        "isv.refresh-token-time-out"
    );
}

#[tokio::test]
async fn a_refresh_is_done_at_once_and_answered_late_or_never() {
    let fixture = fixture().await;
    let tokens = login(&fixture).await;
    let members = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    let delay = FaultKind::Delay { milliseconds: 300 };
    for kind in [delay, FaultKind::ResetAfterDone] {
        fixture.simulator.inject(Fault::once(kind).for_refreshes());
    }
    let begun = Instant::now();
    let mut call = pin!(fixture.try_reply(OAUTH_TOKEN, &members));
    let done = async {
        while fixture.simulator.refreshes_with(members[1].1) != count(1, 1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = done => {}
        reply = &mut call => panic!("answered before it was seen done: {reply:?}"),
    }
    let pairs = live(&fixture);
    assert_eq!(pairs.len(), 1);
    assert_ne!(pairs[0], members[1].1);
    assert!(call.await.is_err(), "the reply is lost");
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_refresh_that_is_reset_before_it_is_done_spends_nothing() {
    let fixture = fixture().await;
    let tokens = login(&fixture).await;
    let fault = Fault::once(FaultKind::ResetBeforeReading).for_refreshes();
    fixture.simulator.inject(fault);
    assert!(login(&fixture).await.get("access_token").is_some());
    let token = text(&tokens, "refresh_token");
    let members = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert!(fixture.try_reply(OAUTH_TOKEN, &members).await.is_err());
    assert_eq!(fixture.simulator.refreshes_with(token), count(1, 0));
    assert!(fixture.refresh(token).await.get("access_token").is_some());
}

#[tokio::test]
async fn lives_of_users_and_merchants_tokens_are_set_for_an_app() {
    let fixture = Fixture::new(AppOptions {
        tokens: TokenRules {
            access_seconds: 60,
            refresh_seconds: 600,
            ..TokenRules::default()
        },
        merchant_tokens: MerchantTokenRules {
            token_seconds: 120,
            refresh_seconds: 1200,
        },
        ..AppOptions::default()
    })
    .await;
    let user = login(&fixture).await;
    let merchant = authorized(&fixture).await;
    assert_eq!(
        (&user["expires_in"], &user["re_expires_in"]),
        (&json!(60), &json!(600))
    );
    assert_eq!(
        (&merchant["expires_in"], &merchant["re_expires_in"]),
        (&json!(120), &json!(1200))
    );
    fixture.simulator.advance_clock(Duration::from_secs(600));
    assert_eq!(live(&fixture), [""; 0], "the login has ended");
    let merchant = refresh_merchant(&fixture, text(&merchant, "app_refresh_token")).await;
    assert_eq!(merchant["expires_in"], 120);
    assert!(
        merchant["re_expires_in"].as_u64().unwrap() <= 600,
        "{merchant}"
    );
}

#[tokio::test]
async fn refreshes_are_counted_and_faulted_over_http_too() {
    let fixture = fixture().await;
    let app_id = fixture.app.app_id.clone();
    let tokens = login(&fixture).await;
    let token = text(&tokens, "refresh_token");
    let fault = json!({"kind":"already_refreshed","app_id":app_id,"times":1});
    assert_eq!(post(&fixture, "/_simulator/faults", fault).await.0, 201);
    let refused = fixture.refresh(token).await;
    let newer = text(&refused, "refresh_token");
    let path = format!("/_simulator/live-refresh-tokens/{app_id}/{USER}");
    assert_eq!(
        get(&fixture, &path).await,
        json!({"refresh_tokens":[newer]})
    );
    fixture.refresh(newer).await;
    let counts = get(&fixture, "/_simulator/refreshes").await;
    assert_eq!(counts["by_app"][&app_id], json!({"received":2,"done":1}));
    assert_eq!(
        counts["by_refresh_token"][newer],
        json!({"received":1,"done":1})
    );
    assert_eq!(delete(&fixture, "/_simulator/received").await, 204);
    assert_eq!(fixture.simulator.refreshes_of_app(&app_id), count(0, 0));

    let lives = json!({"tokens":{"access_seconds":2},"merchant_tokens":{"token_seconds":3}});
    let (status, _) = post(&fixture, "/_simulator/apps", lives).await;
    assert_eq!(status, 201);
    let slow = json!({"kind":{"delay":{"milliseconds":1}},"refreshes":true,"times":1});
    assert_eq!(post(&fixture, "/_simulator/faults", slow).await.0, 201);
}
