//! The methods of payments: what goes out, and what comes of what Alipay answers.

use std::time::{Duration, UNIX_EPOCH};

use alipay_gateway::methods::{
    Buyer, ClosedTrade, CreatedTrade, FoundRefund, NewTrade, RefundQuery, RefundedTrade, Trade,
    TradeAppPay, TradeClose, TradeCreate, TradeQuery, TradeRefund,
};
use alipay_gateway::{Call, GatewayError, Reply};
use alipay_signing::SignType;
use serde_json::{Value, json};

use crate::{alipay_key, app, failure, verify_reply};

fn order() -> NewTrade<'static> {
    NewTrade {
        out_trade_no: "20261122_1",
        total_amount: "12.50",
        subject: "一杯咖啡",
        // 2026-11-22 00:30:05 in China.
        time_expire: Some(UNIX_EPOCH + Duration::from_secs(1_795_278_605)),
        notify_url: Some("https://shop.example/notify/1"),
        further: None,
    }
}

fn contents(call: &Call) -> Value {
    serde_json::from_str(call.biz_content.as_deref().expect("contents")).expect("JSON")
}

/// The reply to `call`, signed by Alipay.
fn reply(call: &Call, node: &Value) -> Result<Reply, GatewayError> {
    let node = node.to_string();
    let sign = alipay_key()
        .sign(SignType::Rsa2, node.as_bytes())
        .expect("a signature");
    let name = call.method.replace('.', "_");
    let body = format!(r#"{{"{name}_response":{node},"sign":"{sign}"}}"#);
    verify_reply(&app(), call, body.as_bytes(), None, None)
}

fn replied(call: &Call, node: &Value) -> Reply {
    reply(call, node).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_order_for_an_app_says_all_that_the_client_has_to_know() {
    let call = TradeAppPay { order: order() }.call().unwrap();
    assert_eq!(call.method, "alipay.trade.app.pay");
    assert_eq!(
        contents(&call),
        json!({
            "out_trade_no": "20261122_1", "total_amount": "12.50", "subject": "一杯咖啡",
            "product_code": "QUICK_MSECURITY_PAY", "time_expire": "2026-11-22 00:30:05",
        })
    );
    assert_eq!(call.fields["notify_url"], "https://shop.example/notify/1");
    let bare = NewTrade {
        time_expire: None,
        notify_url: None,
        ..order()
    };
    let call = TradeAppPay { order: bare }.call().unwrap();
    assert!(contents(&call).get("time_expire").is_none() && call.fields.is_empty());
}

#[test]
fn an_order_for_a_mini_program_names_its_app_and_its_buyer() {
    for (buyer, name, id) in [
        (
            Buyer::UserId("2088000000000011"),
            "buyer_id",
            "2088000000000011",
        ),
        (Buyer::OpenId("0a1"), "buyer_open_id", "0a1"),
    ] {
        let created = TradeCreate {
            order: order(),
            op_app_id: "2021000000000000",
            buyer,
        };
        let call = created.call().unwrap();
        assert_eq!(call.method, "alipay.trade.create");
        let sent = contents(&call);
        assert_eq!(
            (&sent["product_code"], &sent["op_app_id"], &sent[name]),
            (&json!("JSAPI_PAY"), &json!("2021000000000000"), &json!(id))
        );
        assert_eq!(
            sent.as_object()
                .unwrap()
                .keys()
                .filter(|name| name.starts_with("buyer"))
                .count(),
            1
        );
        let shown = format!("{created:?} {buyer:?} {call:?}");
        assert!(!shown.contains(id) && !shown.contains("咖啡"), "{shown}");
    }
}

#[test]
fn further_members_are_sent_and_never_in_the_place_of_ours() {
    let further = json!({
        "goods_detail": [{"goods_id": "g1", "quantity": 1}], "passback_params": "a%3D1",
        "total_amount": "0.01", "out_trade_no": "x", "product_code": "OTHER", "op_app_id": "9",
        "buyer_id": "2088000000000099", "buyer_open_id": "9", "timeout_express": "90m", "time_expire": "2099-01-01 00:00:00",
    });
    let further = further.as_object().unwrap();
    let order = NewTrade {
        further: Some(further),
        ..order()
    };
    let created = TradeCreate {
        order: order.clone(),
        op_app_id: "2021000000000000",
        buyer: Buyer::OpenId("0a1"),
    };
    assert_eq!(
        contents(&created.call().unwrap()),
        json!({
            "out_trade_no": "20261122_1", "total_amount": "12.50", "subject": "一杯咖啡", "product_code": "JSAPI_PAY",
            "op_app_id": "2021000000000000", "buyer_open_id": "0a1", "time_expire": "2026-11-22 00:30:05",
            "goods_detail": [{"goods_id": "g1", "quantity": 1}], "passback_params": "a%3D1",
        })
    );
    let for_an_app = contents(&TradeAppPay { order }.call().unwrap());
    for name in ["buyer_id", "buyer_open_id", "timeout_express"] {
        assert!(for_an_app.get(name).is_none(), "{name}");
    }
}

#[test]
fn the_other_calls_name_the_order_by_its_number() {
    let out_trade_no = "20261122_1";
    let refund = TradeRefund {
        out_trade_no,
        refund_amount: "1.00",
        out_request_no: "r-1",
        refund_reason: None,
    };
    let with_reason = TradeRefund {
        refund_reason: Some("冷了"),
        ..refund.clone()
    };
    for (call, method, expected) in [
        (
            TradeQuery { out_trade_no }.call(),
            "alipay.trade.query",
            json!({"out_trade_no": out_trade_no}),
        ),
        (
            TradeClose { out_trade_no }.call(),
            "alipay.trade.close",
            json!({"out_trade_no": out_trade_no}),
        ),
        (
            refund.call(),
            "alipay.trade.refund",
            json!({"out_trade_no": out_trade_no, "refund_amount": "1.00", "out_request_no": "r-1"}),
        ),
        (
            with_reason.call(),
            "alipay.trade.refund",
            json!({"out_trade_no": out_trade_no, "refund_amount": "1.00", "out_request_no": "r-1", "refund_reason": "冷了"}),
        ),
        (
            RefundQuery {
                out_trade_no,
                out_request_no: "r-1",
            }
            .call(),
            "alipay.trade.fastpay.refund.query",
            json!({"out_trade_no": out_trade_no, "out_request_no": "r-1"}),
        ),
    ] {
        let call = call.unwrap();
        assert_eq!((call.method.as_str(), contents(&call)), (method, expected));
        assert!(call.repeatable && call.fields.is_empty());
    }
}

#[test]
fn a_trade_is_read_with_numbers_and_without_what_alipay_left_out() {
    let call = TradeQuery {
        out_trade_no: "20261122_1",
    }
    .call()
    .unwrap();
    let trade: Trade = replied(&call, &json!({
        "code": "10000", "msg": "Success", "trade_no": "2026", "out_trade_no": "20261122_1", "trade_status": "TRADE_SUCCESS",
        "total_amount": 12.5, "buyer_user_id": "2088000000000011", "buyer_open_id": "", "receipt_amount": null,
        "send_pay_date": "2026-11-22 10:00:00", "fund_bill_list": [{"amount": 12.5}],
    })).parse().unwrap();
    assert_eq!(
        (trade.trade_status.as_str(), trade.total_amount.as_str()),
        ("TRADE_SUCCESS", "12.5")
    );
    assert_eq!(trade.buyer_user_id.as_deref(), Some("2088000000000011"));
    assert_eq!(
        (
            trade.buyer_open_id.as_deref(),
            trade.receipt_amount.as_deref()
        ),
        (None, None)
    );
    assert_eq!(trade.send_pay_date.as_deref(), Some("2026-11-22 10:00:00"));
    assert!(!format!("{trade:?}").contains("2088"), "{trade:?}");

    for node in [
        json!({"code": "10000", "trade_no": "2026", "out_trade_no": "20261122_1", "total_amount": "12.50"}),
        json!({"code": "10000", "trade_no": "2026", "out_trade_no": "20261122_1", "total_amount": "", "trade_status": "x"}),
        json!({"code": "10000", "trade_no": "2026", "out_trade_no": "20261122_1", "total_amount": [1], "trade_status": "x"}),
    ] {
        let error = replied(&call, &node).parse::<Trade>().unwrap_err();
        assert!(matches!(error, GatewayError::Malformed { .. }), "{error}");
    }
}

#[test]
fn the_other_replies_are_read() {
    let out_trade_no = "20261122_1";
    let call = TradeAppPay { order: order() }.call().unwrap();
    let created = replied(
        &call,
        &json!({"code": "10000", "trade_no": "2026", "out_trade_no": out_trade_no}),
    );
    assert_eq!(created.parse::<CreatedTrade>().unwrap().trade_no, "2026");

    let call = TradeClose { out_trade_no }.call().unwrap();
    let closed: ClosedTrade = replied(&call, &json!({"code": "10000"})).parse().unwrap();
    assert_eq!(
        closed,
        ClosedTrade {
            trade_no: None,
            out_trade_no: None
        }
    );

    let refund = TradeRefund {
        out_trade_no,
        refund_amount: "1.00",
        out_request_no: "r-1",
        refund_reason: None,
    };
    let node = json!({"code": "10000", "out_trade_no": out_trade_no, "fund_change": "N", "refund_fee": "3.00", "buyer_user_id": "2088"});
    let refunded: RefundedTrade = replied(&refund.call().unwrap(), &node).parse().unwrap();
    assert_eq!(
        (
            refunded.fund_change.as_deref(),
            refunded.refund_fee.as_deref()
        ),
        (Some("N"), Some("3.00"))
    );
    assert!(!format!("{refunded:?}").contains("2088"), "{refunded:?}");

    let call = RefundQuery {
        out_trade_no,
        out_request_no: "r-1",
    }
    .call()
    .unwrap();
    let unknown: FoundRefund = replied(&call, &json!({"code": "10000", "msg": "Success"}))
        .parse()
        .unwrap();
    assert!(!unknown.is_done() && unknown.refund_amount.is_none());
    let node = json!({"code": "10000", "out_request_no": "r-1", "refund_amount": "1.00", "refund_status": "REFUND_SUCCESS"});
    let found: FoundRefund = replied(&call, &node).parse().unwrap();
    assert!(found.is_done());
    assert_eq!(found.refund_amount.as_deref(), Some("1.00"));
}

#[test]
fn a_genuine_reply_about_another_order_or_refund_is_refused() {
    let call = RefundQuery {
        out_trade_no: "20261122_1",
        out_request_no: "r-1",
    }
    .call()
    .unwrap();
    for node in [
        json!({"code": "10000", "out_trade_no": "20261122_2"}),
        json!({"code": "10000", "out_request_no": "r-2", "refund_status": "REFUND_SUCCESS"}),
    ] {
        let error = failure(reply(&call, &node));
        assert!(matches!(error, GatewayError::Unverified { .. }), "{error}");
    }
}
