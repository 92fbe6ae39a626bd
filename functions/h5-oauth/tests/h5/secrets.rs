//! What the log and the tables do not hold.

use function_kit::kept_log::KeptLog;
use serde_json::json;

use crate::bench::{Bench, Browser};

/// All that is logged on this thread from now on, of ours down to the finest level.
pub fn kept_log() -> KeptLog {
    KeptLog::of(
        "info,h5_oauth=trace,function_logins=trace,function_kit=trace,identity=trace,token_store=trace",
    )
}

#[tokio::test]
async fn no_code_state_cookie_ticket_or_token_is_in_the_log() {
    let log = kept_log();
    let bench = Bench::new().await;
    let mut secrets = Vec::new();
    // One that comes to its end, and one that is refused at each step.
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    secrets.push(begun.told("state"));
    secrets.extend(browser.cookies.values().cloned());
    let code = bench.code();
    secrets.push(code.clone());
    Browser::default().comes_back(&bench, &begun, &code).await;
    let ticket = browser
        .comes_back(&bench, &begun, &code)
        .await
        .told("ticket");
    secrets.push(ticket.clone());
    let again = browser.begins(&bench, &[]).await;
    browser.comes_back(&bench, &again, &code).await;
    let answer = bench.redeem(&json!({"ticket": ticket})).await;
    assert_eq!(bench.redeem(&json!({"ticket": ticket})).await.status, 400);
    secrets.push(answer.json()["token"].as_str().unwrap().to_owned());
    let granted = bench
        .simulator
        .live_refresh_tokens(&bench.app.app_id, crate::bench::USER);
    assert_eq!(granted.len(), 1);
    for token in &granted {
        assert!(!answer.body.contains(token.as_str()));
    }
    for name in [
        "access_token",
        "refresh_token",
        "accessToken",
        "refreshToken",
        "sessionKey",
    ] {
        assert!(answer.json().get(name).is_none());
    }
    secrets.extend(granted);

    let text = log.text();
    assert!(
        text.contains("answered") && text.contains("/h5/callback"),
        "{text}"
    );
    for secret in secrets {
        assert!(secret.len() >= 32 && !text.contains(&secret), "{secret}");
    }
}
