//! V3 over real HTTP: the same calls, the same answers.

use alipay_gateway::methods::{
    AppAuthorization, MiniCode, MiniCodeRequest, exchange_app_auth_code, exchange_code,
    merchant_grants, query_app_auth_token, refresh_token, user_grant,
};
use alipay_gateway::{Call, GatewayError, Protocol};
use secrecy::{ExposeSecret, SecretString};
use simulator::{AppOptions, CodeOptions, Fault, FaultKind, Scope, SimulatedUser, Trade};

use crate::{Fixture, failure, query_of};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;

async fn fixture(certificates: bool) -> Fixture {
    let mut fixture = Fixture::with(AppOptions {
        certificates,
        ..AppOptions::default()
    })
    .await;
    fixture.app.protocol = Protocol::V3;
    fixture.simulator.add_trade(Trade {
        app_id: fixture.app.app_id.clone(),
        out_trade_no: "T1".to_owned(),
        ..Trade::default()
    });
    fixture
}

fn code(fixture: &Fixture, scope: Scope) -> SecretString {
    let options = CodeOptions {
        scope,
        ..CodeOptions::default()
    };
    fixture
        .simulator
        .issue_code(&fixture.app.app_id, options)
        .into()
}

#[tokio::test]
async fn the_typed_calls_work_unchanged_in_both_modes() {
    for certificates in [false, true] {
        let fixture = fixture(certificates).await;
        let exchange = exchange_code(&code(&fixture, Scope::AuthUser));
        let reply = fixture.call(&exchange).await.unwrap();
        assert!(reply.trace_id().is_some());
        let grant = user_grant(&reply).unwrap();
        assert_eq!(grant.openid(), Some(USER));
        let old = grant.refresh_token.expect("a refresh token");
        let refreshed = user_grant(&fixture.call(&refresh_token(&old)).await.unwrap()).unwrap();

        let share = Call::new("alipay.user.info.share")
            .with_field("auth_token", refreshed.access_token.expose_secret());
        fixture.call(&share).await.unwrap();

        let code = MiniCodeRequest {
            url_param: "pages/index/index",
            query_param: "a=1&b=2",
            describe: "门店码",
            color: None,
            size: None,
        };
        let reply = fixture.call(&code.call().unwrap()).await.unwrap();
        reply.parse::<MiniCode>().unwrap();
    }
}

#[tokio::test]
async fn a_merchants_token_is_asked_about_by_get_and_used_in_a_header() {
    let fixture = fixture(false).await;
    let merchant = fixture.simulator.add_app(AppOptions::default());
    fixture.simulator.add_trade(Trade {
        app_id: merchant.app_id.clone(),
        out_trade_no: "of the merchant".to_owned(),
        ..Trade::default()
    });
    let app_id = &fixture.app.app_id;
    let code = fixture
        .simulator
        .authorize_merchant(app_id, &merchant.app_id);
    let exchange = exchange_app_auth_code(&code.into()).unwrap();
    let grants = merchant_grants(&fixture.call(&exchange).await.unwrap()).unwrap();
    let token = &grants[0].app_auth_token;

    let reply = fixture.call(&query_app_auth_token(token).unwrap()).await;
    let authorization: AppAuthorization = reply.unwrap().parse().unwrap();
    assert_eq!(authorization.status, "valid");
    assert_eq!(
        authorization.auth_app_id.as_deref(),
        Some(&*merchant.app_id)
    );

    let query = query_of("of the merchant");
    failure(fixture.call(&query).await);
    let for_merchant = query.with_field("app_auth_token", token.expose_secret());
    fixture.call(&for_merchant).await.unwrap();
}

#[tokio::test]
async fn a_used_code_is_refused_in_the_words_of_v2() {
    let fixture = fixture(false).await;
    let exchange = exchange_code(&code(&fixture, Scope::AuthBase));
    fixture.call(&exchange).await.unwrap();
    let GatewayError::Refused(refusal) = failure(fixture.call(&exchange).await) else {
        panic!("not refused");
    };
    assert_eq!(refusal.sub_code.as_deref(), Some("isv.code-invalid"));
    assert_eq!(refusal.code, "40002");
    assert!(refusal.caller_can_mend());
    assert!(refusal.trace_id.is_some());
}

#[tokio::test]
async fn a_wrong_private_key_is_named() {
    let mut fixture = fixture(false).await;
    // The pool has three pairs; the app's own may be one of these two.
    let own = fixture.app.signing_key.verifying_key();
    fixture.app.signing_key = match crate::alipay_key().verifying_key() == own {
        true => crate::app_key().clone(),
        false => crate::alipay_key().clone(),
    };
    let GatewayError::Refused(refusal) = failure(fixture.call(&query_of("T1")).await) else {
        panic!("not refused");
    };
    assert!(refusal.is_wrong_signature(), "{refusal}");
}

#[tokio::test]
async fn an_encrypted_call_is_answered_encrypted() {
    let fixture = fixture(false).await;
    let reply = fixture.call(&query_of("T1").encrypted()).await.unwrap();
    assert!(reply.node().contains("T1"));
}

#[tokio::test]
async fn a_spoiled_reply_is_never_a_success() {
    for certificates in [false, true] {
        let fixture = fixture(certificates).await;
        for kind in [
            FaultKind::NoSignature,
            FaultKind::BadSignature,
            FaultKind::ForeignKey,
        ] {
            fixture.simulator.inject(Fault::once(kind.clone()));
            let error = failure(fixture.call(&query_of("T1")).await);
            assert!(
                matches!(error, GatewayError::Unverified { .. }),
                "{kind:?}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn a_repeatable_call_is_repeated_after_a_server_error_and_another_is_not() {
    let fixture = fixture(false).await;
    for (call, attempts) in [(query_of("T1").repeatable(), 2), (query_of("T1"), 1)] {
        let fault = FaultKind::Html { status: 502 };
        fixture.simulator.inject(Fault::once(fault));
        let result = fixture.call(&call).await;
        assert_eq!(result.is_ok(), attempts == 2);
        assert_eq!(fixture.received(), attempts);
    }
}
