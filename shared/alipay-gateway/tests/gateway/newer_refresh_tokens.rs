//! `isv.refreshed-token-invalid` and the refresh token that it may bring. Pure, but for the last.

use alipay_gateway::methods::{
    exchange_app_auth_code, exchange_code, merchant_grants, refresh_app_auth_token, refresh_token,
    user_grant,
};
use alipay_gateway::{App, Call, GatewayError, Protocol, Refusal, v3};
use secrecy::{ExposeSecret, SecretString};
use simulator::{CodeOptions, Fault, FaultKind};

use crate::redaction::{CANARY, assert_redacted};
use crate::replies::{body, signed};
use crate::{Fixture, app, failure, verify_reply};

const REFRESHED: &str = "isv.refreshed-token-invalid";

fn user_refresh() -> Call {
    refresh_token(&SecretString::from("sent".to_owned()))
}

fn merchant_refresh() -> Call {
    refresh_app_auth_token(&SecretString::from("sent".to_owned())).expect("a call")
}

fn node(sub_code: &str, members: &str) -> String {
    format!(r#"{{"code":"40002","msg":"Invalid Arguments","sub_code":"{sub_code}"{members}}}"#)
}

fn newer() -> String {
    node(REFRESHED, &format!(r#","refresh_token":"{CANARY}""#))
}

#[track_caller]
fn refused(call: &Call, text: &str) -> Refusal {
    match failure(verify_reply(&app(), call, text.as_bytes(), None, None)) {
        GatewayError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

fn brought(refusal: &Refusal) -> Option<&str> {
    refusal
        .refresh_token
        .as_ref()
        .map(|token| token.expose_secret())
}

#[test]
fn the_newer_token_of_a_refused_refresh_is_carried_signed_or_not() {
    let own = "alipay_system_oauth_token_response";
    for (text, verified) in [
        (body(&[("error_response", &newer())]), false),
        (signed("error_response", &newer()), true),
        (body(&[(own, &newer())]), false),
        (signed(own, &newer()), true),
    ] {
        let refusal = refused(&user_refresh(), &text);
        assert_eq!(brought(&refusal), Some(CANARY), "{text}");
        assert_eq!(refusal.verified, verified, "{text}");
        assert_eq!(refusal.sub_code.as_deref(), Some(REFRESHED));
    }
    // Without a code it is an error by its place alone.
    let silent = format!(r#"{{"sub_code":"{REFRESHED}","refresh_token":"{CANARY}"}}"#);
    let refusal = refused(&user_refresh(), &body(&[("error_response", &silent)]));
    assert_eq!(brought(&refusal), Some(CANARY));
}

#[test]
fn a_merchants_newer_token_has_its_name_of_a_success_or_the_users() {
    let own = "alipay_open_auth_token_app_response";
    for members in [
        r#","app_refresh_token":"newer""#,
        r#","refresh_token":"newer""#,
        r#","app_refresh_token":"newer","refresh_token":"other""#,
        r#","app_refresh_token":"","refresh_token":"newer""#,
    ] {
        let text = body(&[(own, &node(REFRESHED, members))]);
        let refusal = refused(&merchant_refresh(), &text);
        assert_eq!(brought(&refusal), Some("newer"), "{members}");
    }
    let merchants = node(REFRESHED, r#","app_refresh_token":"newer""#);
    let text = body(&[("error_response", &merchants)]);
    assert_eq!(brought(&refused(&user_refresh(), &text)), None);
}

#[test]
fn other_methods_and_other_refusals_bring_no_token() {
    let text = body(&[("error_response", &newer())]);
    for method in [
        "alipay.trade.query",
        "alipay.user.info.share",
        "alipay.open.auth.token.app.query",
    ] {
        assert_eq!(
            brought(&refused(&Call::new(method), &text)),
            None,
            "{method}"
        );
    }
    for sub_code in [
        "isv.refresh-token-invalid",
        "isv.refresh-token-time-out",
        "isp.unknow-error",
        "",
    ] {
        let members = format!(r#","refresh_token":"{CANARY}""#);
        let text = body(&[("error_response", &node(sub_code, &members))]);
        assert_eq!(
            brought(&refused(&user_refresh(), &text)),
            None,
            "{sub_code}"
        );
    }
}

#[test]
fn what_is_no_token_is_left_out_and_the_refusal_stays_one() {
    let long = format!("\"{}\"", "a".repeat(513));
    for value in [
        "null",
        "\"\"",
        "1",
        "true",
        "[\"a\"]",
        "{\"a\":\"b\"}",
        "\"a b\"",
        "\"a\\u0000\"",
        "\"令牌\"",
        &long,
    ] {
        let text = body(&[(
            "error_response",
            &node(REFRESHED, &format!(r#","refresh_token":{value}"#)),
        )]);
        let refusal = refused(&user_refresh(), &text);
        assert_eq!(brought(&refusal), None, "{value}");
        assert_eq!(refusal.sub_code.as_deref(), Some(REFRESHED), "{value}");
    }
    let absent = body(&[("error_response", &node(REFRESHED, ""))]);
    assert_eq!(brought(&refused(&user_refresh(), &absent)), None);
    let longest = "a".repeat(512);
    let text = node(REFRESHED, &format!(r#","refresh_token":"{longest}""#));
    let text = body(&[("error_response", &text)]);
    assert_eq!(brought(&refused(&user_refresh(), &text)), Some(&*longest));
}

#[test]
fn a_refusal_with_a_wrong_signature_or_two_tokens_brings_nothing() {
    let forged = body(&[("error_response", &newer()), ("sign", "\"AAAA\"")]);
    let twice = node(
        REFRESHED,
        r#","refresh_token":"a","refresh_tok\u0065n":"b""#,
    );
    for text in [forged, body(&[("error_response", &twice)])] {
        let error = failure(verify_reply(
            &app(),
            &user_refresh(),
            text.as_bytes(),
            None,
            None,
        ));
        assert!(matches!(error, GatewayError::Unverified { .. }), "{error}");
        assert_redacted(&error);
    }
}

#[test]
fn v3_carries_it_too() {
    let app = App {
        protocol: Protocol::V3,
        ..app()
    };
    let text = format!(r#"{{"code":"{REFRESHED}","message":"m","refresh_token":"{CANARY}"}}"#);
    let headers = v3::ReplyHeaders::default();
    let reply = v3::UnverifiedReply::read(&app, 400, headers, text.as_bytes()).unwrap();
    let GatewayError::Refused(refusal) =
        failure(reply.verify(&app, &user_refresh(), &app.alipay_key))
    else {
        panic!("not refused");
    };
    assert_eq!((brought(&refusal), refusal.verified), (Some(CANARY), false));
}

#[test]
fn the_token_is_in_no_text_of_the_refusal_and_in_nothing_that_is_kept_of_it() {
    let text = body(&[("error_response", &newer())]);
    let refusal = refused(&user_refresh(), &text);
    assert_eq!(brought(&refusal), Some(CANARY));
    let kept = serde_json::to_string(&refusal).unwrap();
    assert!(
        !kept.contains(CANARY) && !kept.contains("refresh_token"),
        "{kept}"
    );
    let read: Refusal = serde_json::from_str(&kept).unwrap();
    assert_eq!(brought(&read), None);
    assert_ne!(read, refusal, "the token is part of what is compared");
    let planted = kept.replacen('{', &format!("{{\"refresh_token\":\"{CANARY}\","), 1);
    let read: Refusal = serde_json::from_str(&planted).unwrap();
    assert_eq!(brought(&read), None);
    assert!(format!("{refusal:?}").contains("has_refresh_token: true"));
    assert_redacted(&GatewayError::Refused(refusal));
}

/// The simulator's second opinion, in both protocols, for users and merchants.
#[tokio::test]
async fn the_token_that_alipay_refreshed_to_can_be_refreshed_again() {
    for protocol in [Protocol::V2, Protocol::V3] {
        let mut fixture = Fixture::new().await;
        fixture.app.protocol = protocol;
        let app_id = fixture.app.app_id.clone();
        let code = fixture
            .simulator
            .issue_code(&app_id, CodeOptions::default());
        let reply = fixture.call(&exchange_code(&code.into())).await.unwrap();
        let old = user_grant(&reply).unwrap().refresh_token.unwrap();
        let newer = refused_refresh(&fixture, &refresh_token(&old)).await;
        let reply = fixture.call(&refresh_token(&newer)).await.unwrap();
        assert!(user_grant(&reply).unwrap().refresh_token.is_some());

        let code = fixture
            .simulator
            .authorize_merchant(&app_id, "2021000000000088");
        let exchange = exchange_app_auth_code(&code.into()).unwrap();
        let granted = merchant_grants(&fixture.call(&exchange).await.unwrap()).unwrap();
        let old = granted[0].app_refresh_token.clone().unwrap();
        let call = refresh_app_auth_token(&old).unwrap();
        let newer = refused_refresh(&fixture, &call).await;
        let call = refresh_app_auth_token(&newer).unwrap();
        assert!(merchant_grants(&fixture.call(&call).await.unwrap()).is_ok());
        assert_eq!(fixture.simulator.refreshes_of_app(&app_id).done, 2);
    }
}

async fn refused_refresh(fixture: &Fixture, call: &Call) -> SecretString {
    fixture
        .simulator
        .inject(Fault::once(FaultKind::AlreadyRefreshed));
    let GatewayError::Refused(refusal) = failure(fixture.call(call).await) else {
        panic!("not refused");
    };
    assert_eq!(refusal.sub_code.as_deref(), Some(REFRESHED));
    *refusal.refresh_token.expect("a newer token")
}
