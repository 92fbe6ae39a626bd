//! What is stored is sealed, and what is answered or logged holds no secret.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{
    CodeOptions, Fault, FaultKind, NoticeForgery, NoticeOptions, ReceivedCall, Scope, SimulatedUser,
};
use tests::{OWNER, PlacedOrder, Reader, Stack};

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything, log_of_ours};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;
const MERCHANT: &str = "2021000000000101";
const DAY: Duration = Duration::from_secs(24 * 3600);
const QUARANTINE: Duration = Duration::from_secs(121);

/// Every code and token that was sent to Alipay, also those inside contents.
fn sent_to_alipay(calls: &[ReceivedCall]) -> Vec<String> {
    const SECRET: [&str; 4] = ["code", "refresh_token", "auth_token", "app_auth_token"];
    let mut secrets = Vec::new();
    for parameters in calls.iter().map(|call| &call.parameters) {
        let contents: Value = parameters
            .get("biz_content")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        for name in SECRET {
            secrets.extend(parameters.get(name).cloned());
            secrets.extend(contents[name].as_str().map(str::to_owned));
        }
    }
    secrets.sort();
    secrets.dedup();
    secrets
}

async fn assert_the_table_is_without(stack: &Stack, secrets: &[String]) {
    let rows = stack.all_rows().await;
    assert!(!rows.is_empty());
    for secret in secrets {
        let holds = |contents: &[u8]| {
            contents
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        assert!(
            !rows.iter().flat_map(tests::TokenRow::contents).any(holds),
            "{secret} is in the table"
        );
    }
}

#[tokio::test]
async fn the_table_holds_no_token_and_no_code_in_the_clear() {
    let stack = Stack::start().await;
    let code = stack.code();
    let answer = stack
        .invoke("code2session", &json!({"code": code, "needKey": true}))
        .await;
    assert_eq!(answer["code"], 0, "{answer}");
    let token = |name: &str| answer[name].as_str().unwrap().to_owned();
    let secrets = [token("accessToken"), token("refreshToken"), code];
    assert_the_table_is_without(&stack, &secrets).await;
}

#[test]
fn no_token_is_in_a_log_an_answer_or_the_table_whatever_becomes_of_its_refresh() {
    in_a_process_of_its_own(
        "secrets::no_token_is_in_a_log_an_answer_or_the_table_whatever_becomes_of_its_refresh",
        refresh_in_every_way(),
    );
}

async fn refresh_in_every_way() {
    let log = log_of_everything();
    let stack = Stack::start().await;
    let (simulator, app_id) = (stack.simulator(), &stack.app().app_id);
    let mut answers = Vec::new();
    let mut live = Vec::new();
    let by_hand = json!({"refresh": {"appid": app_id, "subject": USER}});
    let refusal = || FaultKind::refusal("20000", "isp.unknow-error");
    // What befalls the refresh of an expired token: nothing, a newer refresh token that the refusal names, no verified reply, a
    // refusal, a lost reply.
    for fault in [
        None,
        Some(FaultKind::AlreadyRefreshed),
        Some(FaultKind::BadSignature),
        Some(refusal()),
        Some(FaultKind::ResetAfterDone),
    ] {
        let options = CodeOptions {
            scope: Scope::AuthUser,
            ..CodeOptions::default()
        };
        let code = simulator.issue_code(app_id, options);
        answers.push(stack.log_in(&code).await.1);
        live.extend(simulator.live_refresh_tokens(app_id, USER));
        stack.let_pass(15 * DAY).await;
        if let Some(kind) = fault {
            simulator.inject(Fault::once(kind).for_refreshes());
        }
        // One without copies in memory of what was there before.
        let reader = Reader::start(&stack);
        answers.push(reader.profile(USER).await);
        live.extend(simulator.live_refresh_tokens(app_id, USER));
        stack.age_rows(Duration::from_secs(3)).await;
        answers.push(reader.profile(USER).await);
        answers.push(stack.invoke("refresh-tokens", &by_hand).await);
        answers.push(stack.invoke("refresh-tokens", &json!({})).await);
        live.extend(simulator.live_refresh_tokens(app_id, USER));
    }
    // The end of a grant: quarantine, confirming call, reauthorize.
    simulator.revoke(app_id, USER);
    for _ in 0..3 {
        stack.age_rows(QUARANTINE).await;
        answers.push(stack.invoke("refresh-tokens", &json!({})).await);
        answers.push(Reader::start(&stack).profile(USER).await);
    }
    // A merchant's.
    let code = simulator.authorize_merchant(app_id, MERCHANT);
    let exchange = json!({"app_auth_code": code});
    answers.push(stack.invoke("isv-auth-token", &exchange).await);
    live.extend(simulator.live_merchant_refresh_token(app_id, MERCHANT));
    stack.let_pass(366 * DAY).await;
    let query = json!({"authAppId": MERCHANT});
    answers.push(stack.invoke("isv-auth-query", &query).await);
    live.extend(simulator.live_merchant_refresh_token(app_id, MERCHANT));
    let merchant = json!({"refresh": {"appid": app_id, "kind": "isv", "subject": MERCHANT}});
    answers.push(stack.invoke("refresh-tokens", &merchant).await);

    let outcomes: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer["outcome"].as_str())
        .collect();
    for expected in ["refreshed", "suspect"] {
        assert!(outcomes.contains(&expected), "{outcomes:?}");
    }
    let said = Value::from(answers).to_string();
    assert!(said.contains("reauthorize") && said.contains("temporarily_unavailable"));
    let mut secrets = sent_to_alipay(&simulator.received());
    secrets.extend(live);
    assert!(secrets.len() >= 20, "{}", secrets.len());
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "a token is in an answer");
    }
    assert!(log.text().contains("refresh-tokens") && log.text().contains("TRACE"));
    log.assert_without(&secrets);
    assert_the_table_is_without(&stack, &secrets).await;
}

/// In a message of Alipay's.
const APP_AUTH_TOKEN: &str = "canary-app-auth-token";

#[test]
fn no_order_string_no_token_of_a_message_and_no_buyer_is_in_a_log_whatever_becomes_of_a_payment() {
    in_a_process_of_its_own(
        "secrets::no_order_string_no_token_of_a_message_and_no_buyer_is_in_a_log_whatever_becomes_of_a_payment",
        pay_in_every_way(),
    );
}

async fn pay_in_every_way() {
    let log = log_of_ours();
    let stack = Stack::start().await;
    let (simulator, app_id) = (stack.simulator(), &stack.app().app_id);
    let notices = |order: &PlacedOrder| {
        let genuine = NoticeOptions::default();
        let forged = NoticeOptions {
            forgery: Some(NoticeForgery::BadSignature),
            ..NoticeOptions::default()
        };
        let other_amount = NoticeOptions {
            fields: [("total_amount".to_owned(), "0.01".to_owned())].into(),
            ..NoticeOptions::default()
        };
        [genuine, forged, other_amount]
            .map(|options| simulator.trade_notice(app_id, &order.out_trade_no, &options))
    };
    let mut secrets = vec![APP_AUTH_TOKEN.to_owned()];
    // What befalls the question about a trade that a notice says is paid: nothing, a refusal, no verified reply, a lost reply.
    for fault in [
        None,
        Some(FaultKind::refusal("20000", "isp.unknow-error")),
        Some(FaultKind::BadSignature),
        Some(FaultKind::ResetAfterDone),
    ] {
        let order = stack.place_order("12.50").await;
        simulator.hold_notices();
        let paid = simulator.pay(&order.value).unwrap();
        if let Some(kind) = fault {
            simulator.inject(Fault::once(kind).for_method("alipay.trade.query"));
        }
        stack.events().refuse_next(1, "ThrottlingException");
        for form in notices(&order) {
            stack.notify(&form).await;
            secrets.push(form);
        }
        let told: Value = serde_json::from_str(&paid.client_result).unwrap();
        for result in [told["result"].clone(), json!("{}")] {
            let report = json!({"owner": OWNER, "resultStatus": "9000", "result": result});
            stack.pay_call("app.checkResult", report).await;
        }
        for request in ["R1", "R2"] {
            let refund = json!({"out_trade_no": order.out_trade_no, "refund_amount": "7.00", "out_request_no": request});
            stack.pay_call("trade.refund", refund).await;
        }
        let sign = order.value.rsplit_once("sign=").unwrap().1.to_owned();
        secrets.extend([order.value, sign, paid.client_result]);
    }
    let contents = json!({"detail": {"app_auth_token": APP_AUTH_TOKEN}}).to_string();
    for fields in [
        vec![
            ("notify_type", "open_app_auth_notify"),
            ("biz_content", &*contents),
        ],
        vec![
            ("notify_type", "open_app_auth_notify"),
            ("app_auth_token", APP_AUTH_TOKEN),
        ],
    ] {
        let form = simulator.app_message(app_id, &fields, &NoticeOptions::default());
        assert_eq!(stack.notify(&form).await.0, 200);
        secrets.push(form);
    }
    stack.make_events_due().await;
    stack.invoke("publish-events", &json!({})).await;
    let published = serde_json::to_string(&stack.events().events()).unwrap();
    assert!(published.contains("order.paid") && published.contains("alipay.message"));
    let rows = stack.order_rows().await.join("\n");
    for said in [&published, &rows] {
        assert!(!said.contains(APP_AUTH_TOKEN));
    }
    // Events and answers name the buyer; a log does not.
    secrets.push(USER.to_owned());
    assert!(log.text().contains("notice_mismatch") && log.text().contains("pay-notify"));
    log.assert_without(&secrets);
}
