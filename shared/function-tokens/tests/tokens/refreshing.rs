//! What the gateway can do to a refresh, and what becomes of the row.

use std::time::Duration;

use alipay_gateway::methods::UserGrant;
use function_tokens::{Because, RefreshOutcome, Seen, TokenKey, TokenKind, User};
use secrecy::ExposeSecret;
use simulator::{AppOptions, Fault, FaultKind, RefreshCount};

use crate::bench::Bench;

const PATIENCE: Duration = Duration::from_secs(20);
const QUARANTINE: Duration = Duration::from_secs(120);

async fn logged_in() -> (Bench, UserGrant) {
    logged_in_with(AppOptions::default()).await
}

async fn logged_in_with(options: AppOptions) -> (Bench, UserGrant) {
    let bench = Bench::with_app(options).await;
    let (granted, asked_at) = bench.login().await;
    bench.keep(None, &granted, asked_at).await;
    bench.simulator.clear_received();
    (bench, granted)
}

async fn refresh(bench: &Bench, granted: &UserGrant) -> RefreshOutcome {
    let key = TokenKey {
        app_id: bench.app.app_id.clone(),
        kind: TokenKind::User,
        subject: granted.openid().unwrap().to_owned(),
        scopes: "default".to_owned(),
    };
    bench.refresh(key, Because::Asked).await.unwrap()
}

async fn stored(bench: &Bench, granted: &UserGrant) -> String {
    let caller = bench.caller(PATIENCE).await;
    let user = User {
        openid: granted.openid().unwrap(),
        scope: None,
        auth_app_id: None,
    };
    // As a process sees it that has no copy in memory.
    let token = bench
        .other_process()
        .user_access_token(&bench.alipay, &caller, &user)
        .await;
    token.unwrap().token.expose_secret().to_owned()
}

fn refresh_token(granted: &UserGrant) -> &str {
    granted.refresh_token.as_ref().unwrap().expose_secret()
}

fn of_app(bench: &Bench) -> RefreshCount {
    bench.simulator.refreshes_of_app(&bench.app.app_id)
}

#[tokio::test]
async fn a_refresh_token_that_alipay_replaced_by_itself_is_followed_under_the_same_lease() {
    for signed_error_responses in [false, true] {
        let (bench, granted) = logged_in_with(AppOptions {
            signed_error_responses,
            ..AppOptions::default()
        })
        .await;
        bench
            .simulator
            .inject(Fault::once(FaultKind::AlreadyRefreshed));
        assert_eq!(refresh(&bench, &granted).await, RefreshOutcome::Refreshed);
        let (received, spent) = (of_app(&bench).received, refresh_token(&granted));
        assert_eq!(
            (received, bench.simulator.refreshes_with(spent).received),
            (2, 1)
        );
        let user_id = granted.user_id.as_deref().unwrap();
        let live = bench
            .simulator
            .live_refresh_tokens(&bench.app.app_id, user_id);
        assert_eq!(live.len(), 1);
        assert_ne!(
            stored(&bench, &granted).await,
            granted.access_token.expose_secret()
        );
        // What is stored is the live lineage.
        assert_eq!(refresh(&bench, &granted).await, RefreshOutcome::Refreshed);
        assert_eq!(bench.simulator.refreshes_with(&live[0]).done, 1);
    }
}

#[tokio::test]
async fn a_gateway_that_always_names_yet_another_refresh_token_is_not_followed_for_ever() {
    let (bench, granted) = logged_in().await;
    bench
        .simulator
        .inject(Fault::always(FaultKind::AlreadyRefreshed));
    let outcome = refresh(&bench, &granted).await;
    assert!(
        matches!(outcome, RefreshOutcome::Suspect { .. }),
        "{outcome:?}"
    );
    assert_eq!(of_app(&bench).received, 2);
}

#[tokio::test]
async fn a_users_pair_whose_reply_was_lost_ends_in_a_login_and_not_before_the_quarantine() {
    let (bench, granted) = logged_in().await;
    let lost = Fault::once(FaultKind::ResetAfterDone).for_refreshes();
    bench.simulator.inject(lost);
    let outcome = refresh(&bench, &granted).await;
    let RefreshOutcome::BackedOff { retry_after } = outcome else {
        panic!("{outcome:?}");
    };
    bench.move_on(retry_after);
    // The gateway has moved on; the stored refresh token is spent.
    let outcome = refresh(&bench, &granted).await;
    assert!(
        matches!(outcome, RefreshOutcome::Suspect { .. }),
        "{outcome:?}"
    );
    let outcome = refresh(&bench, &granted).await;
    assert!(
        matches!(outcome, RefreshOutcome::Suspect { .. }),
        "{outcome:?}"
    );
    assert_eq!(
        of_app(&bench).received,
        2,
        "nothing is tried in the quarantine"
    );
    bench.move_on(QUARANTINE);
    assert_eq!(refresh(&bench, &granted).await, RefreshOutcome::Reauthorize);
    assert_eq!(
        of_app(&bench),
        RefreshCount {
            received: 3,
            done: 1
        }
    );
    // A login is all it takes.
    let (again, asked_at) = bench.login().await;
    bench.keep(None, &again, asked_at).await;
    assert_eq!(
        stored(&bench, &granted).await,
        again.access_token.expose_secret()
    );
    assert_eq!(refresh(&bench, &again).await, RefreshOutcome::Refreshed);
}

#[tokio::test]
async fn a_life_that_is_no_number_of_seconds_neither_loses_the_pair_nor_ends_the_grant() {
    for expires_in in [
        "0",
        "-1",
        r#""abc""#,
        "1000000000000",
        "99999999999999999999999",
        r#""""#,
        "null",
        "300.5",
        "[]",
    ] {
        let (bench, granted) = logged_in().await;
        let user_id = granted.user_id.as_deref().unwrap();
        let json = format!(
            r#"{{"user_id":"{user_id}","access_token":"new-access","refresh_token":"new-refresh","expires_in":{expires_in},"re_expires_in":{expires_in}}}"#
        );
        let fault = Fault::once(FaultKind::Node { json }).for_refreshes();
        bench.simulator.inject(fault);
        let outcome = refresh(&bench, &granted).await;
        assert_eq!(outcome, RefreshOutcome::Refreshed, "{expires_in}");
        let second = refresh(&bench, &granted).await;
        let tried = bench.simulator.refreshes_with("new-refresh").received;
        assert!(
            tried == 1 || second == RefreshOutcome::Fresh,
            "{expires_in}: {second:?}"
        );
    }
}

#[tokio::test]
async fn a_life_that_is_missing_is_not_taken_for_one_that_is_over() {
    let (bench, granted) = logged_in().await;
    let json = r#"{"access_token":"new-access","refresh_token":"new-refresh"}"#.to_owned();
    let fault = Fault::once(FaultKind::Node { json }).for_refreshes();
    bench.simulator.inject(fault);
    assert_eq!(refresh(&bench, &granted).await, RefreshOutcome::Refreshed);
    assert_eq!(stored(&bench, &granted).await, "new-access");
}

#[tokio::test]
async fn a_reply_without_a_refresh_token_keeps_the_one_that_was_used() {
    for member in ["", r#","refresh_token":"""#, r#","refresh_token":null"#] {
        let (bench, granted) = logged_in().await;
        let json = format!(r#"{{"access_token":"new-access","expires_in":3600{member}}}"#);
        let fault = Fault::once(FaultKind::Node { json }).for_refreshes();
        bench.simulator.inject(fault);
        assert_eq!(refresh(&bench, &granted).await, RefreshOutcome::Refreshed);
        assert_eq!(stored(&bench, &granted).await, "new-access");
        refresh(&bench, &granted).await;
        let used = bench.simulator.refreshes_with(refresh_token(&granted));
        assert_eq!(used.received, 2, "{member}");
    }
}

#[tokio::test]
async fn another_users_tokens_never_come_into_a_row() {
    let (bench, granted) = logged_in().await;
    let json = r#"{"user_id":"2088000000000666","access_token":"canary","refresh_token":"canary","expires_in":3600}"#;
    let fault = FaultKind::Node {
        json: json.to_owned(),
    };
    bench.simulator.inject(Fault::once(fault).for_refreshes());
    let outcome = refresh(&bench, &granted).await;
    assert!(
        matches!(outcome, RefreshOutcome::Misconfigured { .. }),
        "{outcome:?}"
    );
    assert_eq!(
        stored(&bench, &granted).await,
        granted.access_token.expose_secret()
    );
}

#[tokio::test]
async fn a_row_of_an_app_that_is_not_configured_is_kept_and_left_alone() {
    let bench = Bench::new().await;
    let (granted, asked_at) = bench.login().await;
    let login = function_tokens::Login {
        app_id: "2021000000000999",
        auth_app_id: None,
        scope: None,
        granted: &granted,
        asked_at,
    };
    let claim = bench.claim().await;
    bench
        .tokens
        .keep_login(&login, Seen::NOTHING, claim, &"")
        .await
        .unwrap();
    let key = TokenKey {
        app_id: "2021000000000999".to_owned(),
        kind: TokenKind::User,
        subject: granted.openid().unwrap().to_owned(),
        scopes: "default".to_owned(),
    };
    for _ in 0..3 {
        let outcome = bench.refresh(key.clone(), Because::Asked).await.unwrap();
        let (RefreshOutcome::Misconfigured { retry_after }
        | RefreshOutcome::BackedOff { retry_after }) = outcome
        else {
            panic!("{outcome:?}");
        };
        bench.move_on(retry_after);
    }
    assert_eq!(
        bench.simulator.refreshes_of_app(&bench.app.app_id).received,
        0
    );
}
