//! Each typed call against the simulator, with every kind of app.

use std::time::Duration;

use alipay_gateway::methods::{
    MiniCode, MiniCodeRequest, Recipient, TemplateMessage, exchange_code, refresh_token, user_grant,
};
use alipay_gateway::{App, Call, GatewayError};
use alipay_signing::{Charset, SignType};
use secrecy::{ExposeSecret, SecretString};
use simulator::{
    AppOptions, CodeOptions, Identifiers, NumberSpelling, SimulatedUser, TokenRules, Trade,
};

use crate::{Fixture, OAUTH_TOKEN, failure, query_of};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;

impl Fixture {
    fn code(&self) -> SecretString {
        self.simulator
            .issue_code(&self.app.app_id, CodeOptions::default())
            .into()
    }
}

#[tokio::test]
async fn a_code_is_exchanged_and_its_token_refreshed() {
    let fixture = Fixture::new().await;
    let reply = fixture.call(&exchange_code(&fixture.code())).await.unwrap();
    let grant = user_grant(&reply).unwrap();
    assert_eq!(grant.openid(), Some(USER));
    assert_eq!(
        grant.open_id,
        Some(fixture.simulator.open_id(&fixture.app.app_id, USER))
    );
    assert_eq!(grant.union_id, Some(fixture.simulator.union_id(USER)));
    assert_eq!(grant.expires_in, Some(1_296_000));
    assert_eq!(grant.re_expires_in, Some(2_592_000));
    assert!(grant.auth_start.is_some() && reply.trace_id().is_some());

    let old = grant.refresh_token.expect("a refresh token");
    let refreshed = user_grant(&fixture.call(&refresh_token(&old)).await.unwrap()).unwrap();
    assert_eq!(refreshed.openid(), Some(USER));
    assert_ne!(
        refreshed.access_token.expose_secret(),
        grant.access_token.expose_secret()
    );
    // A refresh token serves once.
    let GatewayError::Refused(refusal) = failure(fixture.call(&refresh_token(&old)).await) else {
        panic!("not refused");
    };
    assert_eq!(
        refusal.sub_code.as_deref(),
        Some("isv.refresh-token-invalid")
    );
}

#[tokio::test]
async fn a_used_code_is_refused_and_says_so() {
    let fixture = Fixture::new().await;
    let exchange = exchange_code(&fixture.code());
    fixture.call(&exchange).await.unwrap();
    let GatewayError::Refused(refusal) = failure(fixture.call(&exchange).await) else {
        panic!("not refused");
    };
    assert_eq!(refusal.sub_code.as_deref(), Some("isv.code-invalid"));
    assert!(refusal.caller_can_mend() && !refusal.is_transient());
    assert!(alipay_gateway::hint(&refusal).unwrap().contains("was used"));
    assert_eq!(fixture.received(), 2);
}

#[tokio::test]
async fn apps_with_user_ids_only_and_with_open_ids_only_get_their_users() {
    for (identifiers, spelling) in [
        (Identifiers::UserIdOnly, NumberSpelling::Number),
        (Identifiers::OpenIdOnly, NumberSpelling::String),
    ] {
        let fixture = Fixture::with(AppOptions {
            identifiers,
            tokens: TokenRules {
                access_seconds: 3600,
                spelling,
                ..TokenRules::default()
            },
            ..AppOptions::default()
        })
        .await;
        let grant =
            user_grant(&fixture.call(&exchange_code(&fixture.code())).await.unwrap()).unwrap();
        let open_id = fixture.simulator.open_id(&fixture.app.app_id, USER);
        match identifiers {
            Identifiers::UserIdOnly => {
                assert_eq!(grant.openid(), Some(USER));
                assert_eq!(grant.open_id, None);
            }
            _ => {
                assert_eq!(grant.openid(), Some(open_id.as_str()));
                assert_eq!(grant.user_id, None);
            }
        }
        assert_eq!(grant.expires_in, Some(3600));

        let recipient = match identifiers {
            Identifiers::UserIdOnly => Recipient::UserId(USER),
            _ => Recipient::OpenId(&open_id),
        };
        fixture
            .call(&message(recipient).call().unwrap())
            .await
            .unwrap();
        assert_eq!(fixture.simulator.messages()[0].user_id, USER);
    }
}

fn message(recipient: Recipient<'_>) -> TemplateMessage<'_> {
    TemplateMessage {
        recipient,
        form_id: None,
        user_template_id: "template-1",
        page: Some("pages/index/index?a=1&b=2"),
        data: r#"{"keyword1":{"value":"取餐码 A+1 & 2%"}}"#,
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_given_in_every_charset() {
    for charset in [Charset::Utf8, Charset::Gbk, Charset::Gb2312] {
        let mut fixture = Fixture::new().await;
        fixture.app.charset = charset;
        fixture
            .call(&message(Recipient::UserId(USER)).call().unwrap())
            .await
            .unwrap_or_else(|error| panic!("{charset}: {error}"));
        let messages = fixture.simulator.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].keywords["keyword1"], "取餐码 A+1 & 2%");
        assert_eq!(messages[0].page, "pages/index/index?a=1&b=2");
        assert_eq!(messages[0].form_id, None);

        // A Chinese refusal comes back in the same charset.
        fixture.simulator.unsubscribe(&fixture.app.app_id, USER);
        let again = message(Recipient::UserId(USER)).call().unwrap();
        let GatewayError::Refused(refusal) = failure(fixture.call(&again).await) else {
            panic!("{charset}: not refused");
        };
        assert_eq!(refusal.sub_code.as_deref(), Some("MSG_UNSUBSCRIBED"));
        assert_eq!(refusal.sub_msg.as_deref(), Some("用户未订阅该消息"));
        assert_eq!(fixture.received(), 2);
    }
}

#[tokio::test]
async fn what_the_charset_lacks_is_not_sent() {
    let mut fixture = Fixture::new().await;
    fixture.app.charset = Charset::Gbk;
    let error = failure(fixture.call(&query_of("😀").repeatable()).await);
    assert!(matches!(error, GatewayError::Unencodable(_)), "{error}");
    assert!(error.was_never_sent());
    assert_eq!(fixture.received(), 0);
}

#[tokio::test]
async fn a_mini_code_is_made() {
    let fixture = Fixture::new().await;
    let request = MiniCodeRequest {
        url_param: "pages/index/index",
        query_param: "a=1&b=2",
        describe: "门店码",
        color: None,
        size: None,
    };
    let reply = fixture.call(&request.call().unwrap()).await.unwrap();
    let code: MiniCode = reply.parse().unwrap();
    assert!(code.qr_code_url.starts_with(&fixture.simulator.base_url()));
}

#[tokio::test]
async fn an_old_app_signs_and_verifies_with_sha1() {
    let mut fixture = Fixture::with(AppOptions {
        sign_types: vec![simulator::SignType::Rsa],
        ..AppOptions::default()
    })
    .await;
    fixture.app.sign_type = SignType::Rsa;
    fixture.simulator.add_trade(Trade {
        app_id: fixture.app.app_id.clone(),
        out_trade_no: "T1".to_owned(),
        ..Trade::default()
    });
    fixture.call(&query_of("T1")).await.unwrap();
}

#[tokio::test]
async fn a_wrong_private_key_is_named() {
    let fixture = Fixture::new().await;
    let wrong = App {
        signing_key: crate::alipay_key().clone(),
        ..fixture.app.clone()
    };
    // The pool has three pairs; the app's own is one of them.
    let wrong = match wrong.signing_key.verifying_key() == fixture.app.signing_key.verifying_key() {
        true => App {
            signing_key: crate::app_key().clone(),
            ..wrong
        },
        false => wrong,
    };
    let result = fixture
        .gateway
        .call(&wrong, &query_of("T1"), crate::far())
        .await;
    let GatewayError::Refused(refusal) = failure(result) else {
        panic!("not refused");
    };
    assert!(refusal.is_wrong_signature());
}

#[tokio::test]
async fn a_users_token_goes_in_the_body_and_its_end_is_told() {
    let fixture = Fixture::new().await;
    let code = fixture.simulator.issue_code(
        &fixture.app.app_id,
        CodeOptions {
            scope: simulator::Scope::AuthUser,
            ..CodeOptions::default()
        },
    );
    let reply = fixture.call(&exchange_code(&code.into())).await.unwrap();
    let token = user_grant(&reply).unwrap().access_token;
    let share = Call::new("alipay.user.info.share").with_field("auth_token", token.expose_secret());
    fixture.call(&share).await.unwrap();
    let received = fixture.simulator.received();
    assert_eq!(received[1].in_body, ["auth_token"]);
    assert_eq!(received[0].in_body, ["code", "grant_type"]);
    for call in received {
        assert!(call.in_query.iter().any(|name| name == "charset"));
    }
    fixture
        .simulator
        .advance_clock(Duration::from_secs(1_296_001));
    let GatewayError::Refused(refusal) = failure(fixture.call(&share).await) else {
        panic!("not refused");
    };
    assert_eq!(refusal.sub_code.as_deref(), Some("aop.auth-token-time-out"));
}

#[tokio::test]
async fn the_reply_is_the_methods_own() {
    let fixture = Fixture::new().await;
    let reply = fixture.call(&exchange_code(&fixture.code())).await.unwrap();
    assert_eq!(fixture.simulator.received_count(OAUTH_TOKEN), 1);
    // A token reply has none of what a mini code has; the error names the member and no value.
    let error = reply.parse::<MiniCode>().unwrap_err();
    assert!(
        error.to_string().contains("missing field `qr_code_url`"),
        "{error}"
    );
}
