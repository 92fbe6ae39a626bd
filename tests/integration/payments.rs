//! Payments from the order to the event, with a simulated Alipay and an embedded event bus: a payment is an event once, whatever is
//! sent twice, late or wrongly and whatever is down meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use dev_server::{DevServer, Options};
use embedded_event_bus::PublishedEvent;
use serde_json::{Value, json};
use simulator::{
    Fault, FaultKind, Notice, NoticeForgery, NoticeOptions, NoticeStanding, SimulatedUser,
};
use tests::{OWNER, PlacedOrder, Stack, http_client};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;
/// In a message of Alipay's; it is to be nowhere.
const CANARY: &str = "canary-app-auth-token";

fn about(order: &PlacedOrder) -> Value {
    json!({"out_trade_no": order.out_trade_no})
}

/// The notices of `order`, once all that is due was delivered.
async fn settled_notices(stack: &Stack, order: &PlacedOrder) -> Vec<Notice> {
    stack.simulator().notices_settled().await;
    stack.simulator().notices_of(&order.out_trade_no)
}

fn assert_acknowledged(notices: &[Notice]) {
    assert!(!notices.is_empty());
    for notice in notices {
        assert_eq!(notice.standing, NoticeStanding::Acknowledged, "{notice:?}");
        assert_eq!(notice.attempts.len(), 1, "{notice:?}");
    }
}

/// What happened, in order.
fn kinds(events: &[PublishedEvent]) -> Vec<&str> {
    events.iter().map(|event| &*event.detail_type).collect()
}

/// The same of events that are all different.
fn distinct_kinds(events: &[PublishedEvent]) -> Vec<&str> {
    let id = |event: &'_ PublishedEvent| event.detail["event_id"].as_str().unwrap().to_owned();
    let distinct: BTreeSet<String> = events.iter().map(id).collect();
    assert_eq!(distinct.len(), events.len(), "{events:?}");
    kinds(events)
}

#[tokio::test]
async fn an_app_is_paid_in_and_its_order_is_an_event_once_however_often_alipay_says_so() {
    let stack = Stack::start().await;
    let order = stack.place_order("12.50").await;
    let report = json!({"owner": OWNER, "resultCode": "8000", "out_trade_no": order.out_trade_no});
    let before = stack.pay_call("app.checkResult", report.clone()).await;
    assert_eq!(before["paid"], Value::Null, "{before}");
    assert!(stack.events().events().is_empty());

    let paid = stack.simulator().pay(&order.value).unwrap();
    let notices = settled_notices(&stack, &order).await;
    assert_acknowledged(&notices);
    let events = stack.published(1).await;
    let detail = &events[0].detail;
    assert_eq!(events[0].source, "alipay-functions");
    assert_eq!(kinds(&events), ["order.paid"]);
    for (name, value) in [
        ("app_id", &*stack.app().app_id),
        ("out_trade_no", &*order.out_trade_no),
        ("trade_no", &*paid.trade_no),
        ("owner", OWNER),
        ("total_amount", "12.50"),
        ("state", "paid"),
        ("refunded_amount", "0.00"),
        ("buyer_id", USER),
    ] {
        assert_eq!(detail[name], value, "{detail}");
    }
    assert_eq!(detail["buyer_is_expected"], Value::Null);

    for answer in stack
        .simulator()
        .repeat_notice(&notices[0].notify_id, 20)
        .await
    {
        assert!(answer.is_success(), "{answer:?}");
    }
    // The same news under other ids.
    for _ in 0..3 {
        let form = stack.simulator().trade_notice(
            &stack.app().app_id,
            &order.out_trade_no,
            &NoticeOptions::default(),
        );
        assert_eq!(stack.notify(&form).await, (200, "success".to_owned()));
    }
    let queried = stack.pay_call("trade.query", about(&order)).await;
    assert_eq!(
        (&queried["state"], &queried["trade_status"]),
        (&json!("paid"), &json!("TRADE_SUCCESS")),
        "{queried}"
    );
    let told: Value = serde_json::from_str(&paid.client_result).unwrap();
    let report =
        json!({"owner": OWNER, "resultStatus": told["resultStatus"], "result": told["result"]});
    let checked = stack.pay_call("app.checkResult", report).await;
    assert_eq!(checked["paid"], true, "{checked}");
    stack.invoke("publish-events", &json!({})).await;
    assert_eq!(stack.events().events(), events);
}

#[tokio::test]
async fn fifty_deliveries_at_once_of_one_payment_are_one_event() {
    let stack = Stack::start().await;
    let order = stack.place_order("12.50").await;
    let simulator = stack.simulator();
    simulator.hold_notices();
    simulator.pay(&order.value).unwrap();
    let form = || {
        let options = NoticeOptions::default();
        simulator.trade_notice(&stack.app().app_id, &order.out_trade_no, &options)
    };
    let same = form();
    let forms: Vec<String> = (0..50)
        .map(|number| {
            if number % 2 == 0 {
                same.clone()
            } else {
                form()
            }
        })
        .collect();
    let sent = forms.iter().map(|form| stack.notify(form));
    for (status, body) in futures_util::future::join_all(sent).await {
        // Who lost the race for the row is sent again by Alipay.
        assert!(
            (status, &*body) == (200, "success") || (status, &*body) == (503, "fail"),
            "{status} {body}"
        );
    }
    for form in forms {
        assert_eq!(stack.notify(&form).await, (200, "success".to_owned()));
    }
    assert_eq!(kinds(&stack.published(1).await), ["order.paid"]);
}

#[tokio::test]
async fn a_mini_program_is_paid_in_by_the_buyer_that_the_order_names() {
    let stack = Stack::start().await;
    let arguments =
        json!({"total_amount": "3.00", "subject": "一杯茶", "owner": OWNER, "buyer_id": USER});
    let created = stack.pay_call("trade.create", arguments).await;
    let trade_no = created["trade_no"].as_str().unwrap();
    stack.simulator().pay(trade_no).unwrap();
    stack.simulator().notices_settled().await;
    let events = stack.published(1).await;
    assert_eq!(kinds(&events), ["order.paid"]);
    assert_eq!(events[0].detail["out_trade_no"], created["out_trade_no"]);
    assert_eq!(events[0].detail["buyer_is_expected"], true);
}

#[tokio::test]
async fn each_refund_is_an_event_once_whoever_made_it() {
    let stack = Stack::start().await;
    let (simulator, app_id) = (stack.simulator(), &stack.app().app_id);
    let order = stack.place_order("12.50").await;
    simulator.pay(&order.value).unwrap();
    settled_notices(&stack, &order).await;
    let refund = json!({"out_trade_no": order.out_trade_no, "refund_amount": "5.00", "out_request_no": "R1"});
    for _ in 0..2 {
        let answer = stack.pay_call("trade.refund", refund.clone()).await;
        assert_eq!(
            (&answer["refunded"], &answer["refunded_amount"]),
            (&json!(true), &json!("5.00")),
            "{answer}"
        );
    }
    // The rest in Alipay's console, of which only a notice tells.
    simulator.refund_trade(app_id, &order.out_trade_no, "7.50", "R2");
    let notices = settled_notices(&stack, &order).await;
    assert!(notices.len() >= 3, "{notices:?}");
    assert_acknowledged(&notices);
    let events = stack.published(3).await;
    assert_eq!(
        distinct_kinds(&events),
        ["order.paid", "order.refunded", "order.refunded"]
    );
    assert_eq!(events[1].detail["refund_amount"], "5.00");
    assert_eq!(events[2].detail["out_request_no"], "R2");
    assert_eq!(events[2].detail["refunded_amount"], "12.50");
    let asked = json!({"out_trade_no": order.out_trade_no, "out_request_no": "R2"});
    let asked = stack.pay_call("refund.query", asked).await;
    assert_eq!(asked["refunded"], true, "{asked}");
    // Nothing goes back from paid: a full refund is refunds.
    assert_eq!(asked["state"], "paid");
}

#[tokio::test]
async fn an_order_that_is_closed_or_left_alone_is_closed_once_and_cannot_be_paid() {
    let stack = Stack::start().await;
    let (closed, left) = (
        stack.place_order("1.00").await,
        stack.place_order("2.00").await,
    );
    for order in [&closed, &left] {
        stack.simulator().open_cashier(&order.value).unwrap();
    }
    let answer = stack.pay_call("trade.close", about(&closed)).await;
    assert_eq!(answer["state"], "closed", "{answer}");
    // The order's time is over at Alipay.
    stack
        .simulator()
        .advance_clock(Duration::from_secs(16 * 60));
    for order in [&closed, &left] {
        assert_acknowledged(&settled_notices(&stack, order).await);
        assert!(stack.simulator().pay(&order.value).is_err());
    }
    let events = stack.published(2).await;
    assert_eq!(distinct_kinds(&events), ["order.closed", "order.closed"]);
    let again = stack.pay_call("trade.close", about(&closed)).await;
    assert_eq!(again["state"], "closed", "{again}");
    assert_eq!(stack.events().events().len(), 2);
}

#[tokio::test]
async fn what_alipay_did_not_sign_or_does_not_confirm_changes_nothing() {
    let stack = Stack::start().await;
    let (simulator, app_id) = (stack.simulator(), &stack.app().app_id);
    let order = stack.place_order("12.50").await;
    simulator.open_cashier(&order.value).unwrap();
    let notice =
        |options: &NoticeOptions| simulator.trade_notice(app_id, &order.out_trade_no, options);
    let saying_paid = |more: &[(&str, &str)]| NoticeOptions {
        fields: [("trade_status", "TRADE_SUCCESS")]
            .iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..NoticeOptions::default()
    };
    let forged = NoticeOptions {
        forgery: Some(NoticeForgery::BadSignature),
        ..saying_paid(&[])
    };
    for options in [
        forged,
        // Genuine, and nobody has paid.
        saying_paid(&[]),
        saying_paid(&[("total_amount", "0.01")]),
        saying_paid(&[("seller_id", "2088000000000998")]),
        saying_paid(&[("out_trade_no", "ANOTHER")]),
    ] {
        let (status, body) = stack.notify(&notice(&options)).await;
        assert_eq!((status, &*body), (400, "fail"), "{options:?}");
    }
    assert!(stack.events().events().is_empty());
    let queried = stack.pay_call("trade.query", about(&order)).await;
    assert_eq!(queried["state"], "created", "{queried}");
}

#[tokio::test]
async fn a_message_to_the_app_is_an_event_once_and_its_secrets_are_nowhere() {
    let stack = Stack::start().await;
    let (simulator, app_id) = (stack.simulator(), &stack.app().app_id);
    let contents = json!({"detail": {"app_auth_token": CANARY, "auth_app_id": "2021000000000101"}});
    let contents = contents.to_string();
    let fields = [
        ("notify_type", "open_app_auth_notify"),
        ("biz_content", &*contents),
    ];
    let form = simulator.app_message(app_id, &fields, &NoticeOptions::default());
    for _ in 0..3 {
        assert_eq!(stack.notify(&form).await, (200, "success".to_owned()));
    }
    let events = stack.published(1).await;
    assert_eq!(kinds(&events), ["alipay.message"]);
    let said = events[0].detail.to_string();
    assert!(
        said.contains("open_app_auth_notify") && said.contains("2021000000000101"),
        "{said}"
    );
    assert!(!said.contains(CANARY), "{said}");
    let rows = stack.order_rows().await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains(CANARY), "{rows:?}");
}

#[tokio::test]
async fn while_the_gateway_is_down_alipay_is_told_to_send_its_notice_again() {
    let stack = Stack::start().await;
    let simulator = stack.simulator();
    let order = stack.place_order("12.50").await;
    simulator.inject(
        Fault::always(FaultKind::EmptyBody { status: 502 }).for_method("alipay.trade.query"),
    );
    simulator.pay(&order.value).unwrap();
    let notices = settled_notices(&stack, &order).await;
    assert_eq!(notices[0].standing, NoticeStanding::Waiting, "{notices:?}");
    assert!(stack.events().events().is_empty());
    simulator.clear_faults();
    // Alipay's first repeat.
    simulator.advance_clock(Duration::from_secs(4 * 60));
    let notices = settled_notices(&stack, &order).await;
    assert_eq!(notices[0].standing, NoticeStanding::Acknowledged);
    assert_eq!(notices[0].attempts.len(), 2);
    assert_eq!(kinds(&stack.published(1).await), ["order.paid"]);
}

#[tokio::test]
async fn while_the_table_is_down_alipay_is_told_to_send_its_notice_again() {
    let stack = Stack::start().await;
    let order = stack.place_order("12.50").await;
    stack.simulator().hold_notices();
    stack.simulator().pay(&order.value).unwrap();
    let form = stack.simulator().trade_notice(
        &stack.app().app_id,
        &order.out_trade_no,
        &NoticeOptions::default(),
    );
    stack.server.table().stop();
    assert_eq!(stack.notify(&form).await, (503, "fail".to_owned()));
    assert!(stack.events().events().is_empty());
}

#[tokio::test]
async fn while_the_bus_is_down_payments_are_recorded_and_their_events_get_out_later() {
    let stack = Stack::start().await;
    let order = stack.place_order("12.50").await;
    stack.events().refuse_next(1, "ThrottlingException");
    stack.simulator().pay(&order.value).unwrap();
    assert_acknowledged(&settled_notices(&stack, &order).await);
    assert!(stack.events().events().is_empty());
    let queried = stack.pay_call("trade.query", about(&order)).await;
    assert_eq!(queried["state"], "paid", "{queried}");
    // It is not due yet: whoever recorded it may be publishing it now.
    let early = stack.invoke("publish-events", &json!({})).await;
    assert_eq!(
        (&early["due"], &early["published"]),
        (&json!(0), &json!(0)),
        "{early}"
    );
    stack.make_events_due().await;
    let late = stack.invoke("publish-events", &json!({})).await;
    assert_eq!(
        (&late["published"], &late["failed"]),
        (&json!(1), &json!(0)),
        "{late}"
    );
    assert_eq!(kinds(&stack.published(1).await), ["order.paid"]);
    let nothing = stack.invoke("publish-events", &json!({})).await;
    assert_eq!(nothing["due"], 0, "{nothing}");
    assert_eq!(stack.events().events().len(), 1);
}

#[tokio::test]
async fn an_event_whose_publication_was_not_confirmed_comes_again_under_the_same_id() {
    let stack = Stack::start().await;
    let order = stack.place_order("12.50").await;
    stack.events().lose_reply(1);
    stack.simulator().pay(&order.value).unwrap();
    settled_notices(&stack, &order).await;
    let events = stack.published(2).await;
    assert_eq!(events[0], events[1]);
    stack.make_events_due().await;
    let nothing = stack.invoke("publish-events", &json!({})).await;
    assert_eq!(nothing["due"], 0, "{nothing}");
}

#[tokio::test]
async fn the_schedule_publishes_what_did_not_get_out_and_the_events_can_be_looked_at() {
    let options = Options {
        publishing: Some(Duration::from_millis(100)),
        ..Options::default()
    };
    let stack = Stack::of(DevServer::start(&options).await.unwrap());
    let order = stack.place_order("12.50").await;
    stack.events().refuse_next(1, "InternalFailure");
    stack.simulator().pay(&order.value).unwrap();
    settled_notices(&stack, &order).await;
    stack.make_events_due().await;
    let published = stack.published(1).await;
    let address = format!("{}/_local/events", stack.server.base_url());
    let shown = http_client().get(address).send().await.unwrap();
    let shown: Value = serde_json::from_str(&shown.text().await.unwrap()).unwrap();
    assert_eq!(shown["events"].as_array().unwrap().len(), 1);
    assert_eq!(shown["events"][0]["detail-type"], "order.paid");
    assert_eq!(shown["events"][0]["detail"], published[0].detail);
}
