//! Trades that are made, closed and refunded over the gateway.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use simulator::{AppOptions, Identifiers, SimulatedUser, Trade};

use crate::caller::{Fixture, TRADE_QUERY, beijing_at, text, verdict};

pub(crate) const TRADE_CREATE: &str = "alipay.trade.create";
const TRADE_CLOSE: &str = "alipay.trade.close";
pub(crate) const TRADE_REFUND: &str = "alipay.trade.refund";
const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";
const BUYER: &str = SimulatedUser::DEFAULT_USER_ID;

impl Fixture {
    pub(crate) async fn trade_call(&self, method: &str, biz_content: Value) -> Value {
        let biz_content = biz_content.to_string();
        self.call(method, &[("biz_content", &biz_content)]).await
    }

    /// The members of a right `alipay.trade.create`.
    pub(crate) fn order(&self, out_trade_no: &str) -> Value {
        json!({"out_trade_no": out_trade_no, "total_amount": "12.5", "subject": "一件商品",
            "product_code": "JSAPI_PAY", "op_app_id": self.app.app_id, "buyer_id": BUYER})
    }

    /// A trade that waits for its buyer; its `trade_no`.
    pub(crate) async fn create(&self, out_trade_no: &str) -> String {
        let made = self
            .trade_call(TRADE_CREATE, self.order(out_trade_no))
            .await;
        text(&made, "trade_no").to_owned()
    }

    async fn query(&self, out_trade_no: &str) -> Value {
        let of = json!({"out_trade_no": out_trade_no});
        self.trade_call(TRADE_QUERY, of).await
    }
}

/// The members with another value of one; `null` takes it away.
fn with(mut members: Value, name: &str, value: Value) -> Value {
    let members_of = members.as_object_mut().unwrap();
    if value.is_null() {
        members_of.remove(name);
    } else {
        members_of.insert(name.to_owned(), value);
    }
    members
}

#[tokio::test]
async fn the_same_order_makes_one_trade_and_another_of_its_number_none() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let first = fixture.create("T1").await;
    assert_eq!(
        (first.len(), fixture.create("T1").await),
        (28, first.clone())
    );
    let same_amount = with(fixture.order("T1"), "total_amount", json!("12.50"));
    let again = fixture.trade_call(TRADE_CREATE, same_amount).await;
    assert_eq!(text(&again, "trade_no"), first);
    for (name, value) in [("total_amount", "12.51"), ("subject", "另一件")] {
        let other = with(fixture.order("T1"), name, json!(value));
        let refused = fixture.trade_call(TRADE_CREATE, other).await;
        assert_eq!(verdict(&refused), "ACQ.CONTEXT_INCONSISTENT", "{name}");
    }
    fixture.simulator.pay(&first).unwrap();
    let refused = fixture.trade_call(TRADE_CREATE, fixture.order("T1")).await;
    assert_eq!(verdict(&refused), "ACQ.TRADE_HAS_SUCCESS");
    fixture.create("T2").await;
    fixture
        .trade_call(TRADE_CLOSE, json!({"out_trade_no": "T2"}))
        .await;
    let refused = fixture.trade_call(TRADE_CREATE, fixture.order("T2")).await;
    assert_eq!(verdict(&refused), "ACQ.TRADE_HAS_CLOSE");
    assert_eq!(fixture.simulator.trades().len(), 2);
}

#[tokio::test]
async fn each_wrong_member_of_an_order_is_refused() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let invalid = "ACQ.INVALID_PARAMETER";
    let long = "长".repeat(257);
    let late = beijing_at(SystemTime::now() + Duration::from_secs(16 * 86_400));
    for (name, value, sub_code) in [
        ("out_trade_no", Value::Null, invalid),
        ("out_trade_no", json!("a b"), invalid),
        ("out_trade_no", json!("9".repeat(65)), invalid),
        ("total_amount", Value::Null, invalid),
        ("total_amount", json!("0"), invalid),
        ("total_amount", json!("-1"), invalid),
        ("total_amount", json!("0.001"), invalid),
        (
            "total_amount",
            json!("100000000.01"),
            "ACQ.TOTAL_FEE_EXCEED",
        ),
        ("subject", Value::Null, invalid),
        ("subject", json!(long), invalid),
        ("product_code", Value::Null, invalid),
        (
            "product_code",
            json!("QUICK_MSECURITY_PAY"),
            "ACQ.ACCESS_FORBIDDEN",
        ),
        ("op_app_id", Value::Null, invalid),
        ("op_app_id", json!("2021999999999999"), invalid),
        ("buyer_id", Value::Null, invalid),
        ("buyer_id", json!("2088999999999999"), "ACQ.BUYER_NOT_EXIST"),
        ("seller_id", json!("2088000000000998"), invalid),
        ("time_expire", json!("2020-01-01 00:00:00"), invalid),
        ("time_expire", json!(late), invalid),
        ("timeout_express", json!("90x"), invalid),
    ] {
        let wrong = with(fixture.order("T1"), name, value.clone());
        let refused = fixture.trade_call(TRADE_CREATE, wrong).await;
        assert_eq!(verdict(&refused), sub_code, "{name} {value}");
    }
    assert!(fixture.simulator.trades().is_empty());
    for (name, value) in [
        ("total_amount", json!(12.5)),
        ("seller_id", json!(fixture.app.pid)),
        (
            "time_expire",
            json!(beijing_at(SystemTime::now() + Duration::from_secs(60))),
        ),
        ("timeout_express", json!("1d")),
    ] {
        let right = with(fixture.order(name), name, value);
        assert_eq!(
            verdict(&fixture.trade_call(TRADE_CREATE, right).await),
            "10000",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_buyer_is_named_by_an_identifier_of_this_app() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let other = fixture.simulator.add_app(AppOptions::default());
    let simulator = &fixture.simulator;
    let own = simulator.open_id(&fixture.app.app_id, BUYER);
    let others = simulator.open_id(&other.app_id, BUYER);
    let by_open_id = |open_id: &str| {
        let order = with(fixture.order("T1"), "buyer_id", Value::Null);
        with(order, "buyer_open_id", json!(open_id))
    };
    let refused = fixture.trade_call(TRADE_CREATE, by_open_id(&others)).await;
    assert_eq!(verdict(&refused), "ACQ.BUYER_NOT_EXIST");
    let both = with(by_open_id(&own), "buyer_id", json!(BUYER));
    let refused = fixture.trade_call(TRADE_CREATE, both).await;
    assert_eq!(verdict(&refused), "ACQ.INVALID_PARAMETER");
    let made = fixture.trade_call(TRADE_CREATE, by_open_id(&own)).await;
    assert_eq!(verdict(&made), "10000");

    fixture.app = fixture.simulator.add_app(AppOptions {
        identifiers: Identifiers::OpenIdOnly,
        ..AppOptions::default()
    });
    let refused = fixture.trade_call(TRADE_CREATE, fixture.order("T1")).await;
    assert_eq!(verdict(&refused), "ACQ.BUYER_NOT_EXIST");
    let seller = fixture.simulator.add_app(AppOptions {
        pid: BUYER.to_owned(),
        ..AppOptions::default()
    });
    fixture.app = seller;
    let refused = fixture.trade_call(TRADE_CREATE, fixture.order("T1")).await;
    assert_eq!(verdict(&refused), "ACQ.BUYER_SELLER_EQUAL");
}

#[tokio::test]
async fn a_query_tells_of_the_payment_once_it_was_made() {
    let fixture = Fixture::new(AppOptions {
        identifiers: Identifiers::UserIdOnly,
        ..AppOptions::default()
    })
    .await;
    let trade_no = fixture.create("T1").await;
    let waiting = fixture.query("T1").await;
    assert_eq!(text(&waiting, "trade_status"), "WAIT_BUYER_PAY");
    assert_eq!(waiting.get("send_pay_date"), None);
    fixture.simulator.pay(&trade_no).unwrap();
    let paid = fixture.query("T1").await;
    for (name, value) in [
        ("trade_status", "TRADE_SUCCESS"),
        ("trade_no", &trade_no),
        ("total_amount", "12.50"),
        ("receipt_amount", "12.50"),
        ("buyer_user_id", BUYER),
        ("buyer_logon_id", "123****0001"),
    ] {
        assert_eq!(text(&paid, name), value);
    }
    assert_eq!(paid.get("buyer_open_id"), None);
    assert_eq!(
        text(&paid, "send_pay_date").len(),
        "2026-01-01 00:00:00".len()
    );
}

#[tokio::test]
async fn only_a_trade_that_waits_is_closed() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let trade_no = fixture.create("T1").await;
    let close = json!({"trade_no": trade_no});
    let closed = fixture.trade_call(TRADE_CLOSE, close.clone()).await;
    assert_eq!(
        (text(&closed, "out_trade_no"), text(&closed, "trade_no")),
        ("T1", trade_no.as_str())
    );
    assert_eq!(
        text(&fixture.query("T1").await, "trade_status"),
        "TRADE_CLOSED"
    );
    let again = fixture.trade_call(TRADE_CLOSE, close).await;
    assert_eq!(verdict(&again), "ACQ.TRADE_STATUS_ERROR");
    assert_eq!(
        fixture.simulator.pay(&trade_no).unwrap_err().code,
        "ACQ.TRADE_HAS_CLOSE"
    );
    let paid = fixture.create("T2").await;
    fixture.simulator.pay(&paid).unwrap();
    for (number, sub_code) in [
        ("T2", "ACQ.TRADE_STATUS_ERROR"),
        ("T3", "ACQ.TRADE_NOT_EXIST"),
    ] {
        let refused = fixture
            .trade_call(TRADE_CLOSE, json!({"out_trade_no": number}))
            .await;
        assert_eq!(verdict(&refused), sub_code, "{number}");
    }
}

#[tokio::test]
async fn a_trade_closes_at_its_time_by_the_simulators_clock() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = with(fixture.order("T1"), "timeout_express", json!("15m"));
    fixture.trade_call(TRADE_CREATE, order).await;
    fixture.create("T2").await;
    fixture
        .simulator
        .advance_clock(Duration::from_secs(14 * 60));
    assert_eq!(
        text(&fixture.query("T1").await, "trade_status"),
        "WAIT_BUYER_PAY"
    );
    fixture.simulator.advance_clock(Duration::from_secs(60));
    assert_eq!(
        text(&fixture.query("T1").await, "trade_status"),
        "TRADE_CLOSED"
    );
    assert_eq!(
        text(&fixture.query("T2").await, "trade_status"),
        "WAIT_BUYER_PAY"
    );
    fixture
        .simulator
        .advance_clock(Duration::from_secs(15 * 86_400));
    assert_eq!(
        text(&fixture.query("T2").await, "trade_status"),
        "TRADE_CLOSED"
    );
}

#[tokio::test]
async fn refunds_are_repeated_by_their_number_and_never_exceed_what_was_paid() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let trade_no = fixture.create("T1").await;
    let refund = async |amount: &str, number: Option<&str>| {
        let mut members = json!({"out_trade_no": "T1", "refund_amount": amount});
        if let Some(number) = number {
            members["out_request_no"] = json!(number);
        }
        fixture.trade_call(TRADE_REFUND, members).await
    };
    assert_eq!(
        verdict(&refund("1.00", Some("R1")).await),
        "ACQ.TRADE_STATUS_ERROR"
    );
    fixture.simulator.pay(&trade_no).unwrap();
    let pay_date = text(&fixture.query("T1").await, "send_pay_date").to_owned();

    assert_eq!(
        verdict(&refund("1.00", None).await),
        "ACQ.INVALID_PARAMETER"
    );
    let first = refund("2.50", Some("R1")).await;
    assert_eq!(
        (text(&first, "fund_change"), text(&first, "refund_fee")),
        ("Y", "2.50")
    );
    let again = refund("2.5", Some("R1")).await;
    assert_eq!(
        (text(&again, "fund_change"), text(&again, "refund_fee")),
        ("N", "2.50")
    );
    assert_eq!(
        verdict(&refund("2.51", Some("R1")).await),
        "ACQ.DISCORDANT_REPEAT_REQUEST"
    );
    assert_eq!(
        verdict(&refund("10.01", Some("R2")).await),
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    );
    assert_eq!(
        text(&fixture.query("T1").await, "trade_status"),
        "TRADE_SUCCESS"
    );
    let rest = refund("10.00", Some("R2")).await;
    assert_eq!(
        (text(&rest, "fund_change"), text(&rest, "refund_fee")),
        ("Y", "12.50")
    );
    let closed = fixture.query("T1").await;
    assert_eq!(text(&closed, "trade_status"), "TRADE_CLOSED");
    assert_eq!(text(&closed, "send_pay_date"), pay_date);
    assert_eq!(text(&refund("10.00", Some("R2")).await, "fund_change"), "N");
    assert_eq!(
        verdict(&refund("0.01", Some("R3")).await),
        "ACQ.TRADE_HAS_CLOSE"
    );
}

#[tokio::test]
async fn a_full_refund_without_a_number_has_that_of_the_order() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let trade_no = fixture.create("T1").await;
    fixture.simulator.pay(&trade_no).unwrap();
    let full = json!({"trade_no": trade_no, "refund_amount": "12.50"});
    assert_eq!(
        text(&fixture.trade_call(TRADE_REFUND, full).await, "fund_change"),
        "Y"
    );
    let query =
        json!({"trade_no": trade_no, "out_request_no": "T1", "query_options": ["gmt_refund_pay"]});
    let found = fixture.trade_call(REFUND_QUERY, query).await;
    assert_eq!(text(&found, "refund_status"), "REFUND_SUCCESS");
    assert_eq!(text(&found, "refund_amount"), "12.50");
    assert!(found.get("gmt_refund_pay").is_some());
}

#[tokio::test]
async fn a_refund_that_is_not_there_is_a_success_without_members() {
    let fixture = Fixture::new(AppOptions::default()).await;
    fixture.create("T1").await;
    let query = json!({"out_trade_no": "T1", "out_request_no": "R1"});
    let nothing = fixture.trade_call(REFUND_QUERY, query).await;
    assert_eq!(nothing, json!({"code": "10000", "msg": "Success"}));
    let unknown = json!({"out_trade_no": "T2", "out_request_no": "R1"});
    let refused = fixture.trade_call(REFUND_QUERY, unknown).await;
    assert_eq!(verdict(&refused), "ACQ.TRADE_NOT_EXIST");
    let unnamed = json!({"out_trade_no": "T1"});
    let refused = fixture.trade_call(REFUND_QUERY, unnamed).await;
    assert_eq!(verdict(&refused), "ACQ.INVALID_PARAMETER");
}

#[tokio::test]
async fn a_finished_trade_takes_no_refund() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let trade_no = fixture.create("T1").await;
    fixture.simulator.pay(&trade_no).unwrap();
    fixture.simulator.finish_trade(&fixture.app.app_id, "T1");
    assert_eq!(
        text(&fixture.query("T1").await, "trade_status"),
        "TRADE_FINISHED"
    );
    let refund = json!({"out_trade_no": "T1", "refund_amount": "12.50"});
    let refused = fixture.trade_call(TRADE_REFUND, refund).await;
    assert_eq!(verdict(&refused), "ACQ.TRADE_HAS_FINISHED");
}

#[tokio::test]
async fn a_planted_trade_is_refunded_like_any_other() {
    let fixture = Fixture::new(AppOptions::default()).await;
    fixture.simulator.add_trade(Trade {
        app_id: fixture.app.app_id.clone(),
        out_trade_no: "planted".to_owned(),
        total_amount: "3.00".to_owned(),
        ..Trade::default()
    });
    fixture
        .simulator
        .refund_trade(&fixture.app.app_id, "planted", "1.00", "R1");
    let query = json!({"out_trade_no": "planted", "out_request_no": "R1"});
    let found = fixture.trade_call(REFUND_QUERY, query).await;
    assert_eq!(text(&found, "refund_amount"), "1.00");
    assert_eq!(found.get("gmt_refund_pay"), None);
}
