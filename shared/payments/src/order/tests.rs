use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

const NOW: WallTime = WallTime::from_millis(1_795_226_400_000);
const TRADE: &str = "2026112122001400000000000001";

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn refund(text: &str) -> RefundNumber {
    RefundNumber::try_from(text.to_owned()).unwrap()
}

fn by_user_id(id: &str) -> Buyer {
    Buyer {
        user_id: Some(id.to_owned()),
        open_id: None,
    }
}

fn by_open_id(id: &str) -> Buyer {
    Buyer {
        user_id: None,
        open_id: Some(id.to_owned()),
    }
}

fn order() -> Order {
    Order {
        app_id: "2021000000000001".to_owned(),
        out_trade_no: OrderNumber::try_from("order_1".to_owned()).unwrap(),
        amount: amount("100.00"),
        owner: "owner-1".to_owned(),
        product: Product::App,
        subject: "tea".to_owned(),
        seller_id: "2088000000000100".to_owned(),
        time_expire: NOW,
        expected_buyer: Buyer::default(),
        state: OrderState::Created,
        trade_no: None,
        payer: Buyer::default(),
        refunds: BTreeMap::new(),
        notices: BTreeSet::new(),
        version: 1,
    }
}

fn paid(is_finished: bool) -> Finding {
    Finding::Paid {
        trade_no: TRADE.to_owned(),
        is_finished,
        payer: by_user_id("2088000000000001"),
    }
}

fn closed() -> Finding {
    Finding::Closed {
        trade_no: Some(TRADE.to_owned()),
    }
}

fn open() -> Finding {
    Finding::Open {
        trade_no: TRADE.to_owned(),
    }
}

fn refunded(number: &str, yuan: &str) -> Finding {
    Finding::Refunded {
        number: refund(number),
        amount: amount(yuan),
    }
}

/// The order after all of `findings`, and the events of each step.
fn after(mut order: Order, findings: &[Finding]) -> (Order, Vec<Event>) {
    let mut events = Vec::new();
    for finding in findings {
        if let Some(change) = order.after(finding, None, NOW).unwrap() {
            assert_eq!(change.order.version, order.version + 1);
            order = change.order;
            events.extend(change.events);
        }
    }
    (order, events)
}

fn ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}

fn detail(event: &Event) -> Value {
    serde_json::from_str(&event.detail).unwrap()
}

/// N-32.
#[test]
fn what_comes_late_never_takes_an_order_back() {
    let (order, events) = after(order(), &[paid(true), paid(false), closed(), open()]);
    assert_eq!(order.state, OrderState::Finished);
    assert_eq!(ids(&events), ["order.paid/2021000000000001/order_1"]);
}

#[test]
fn money_that_came_after_the_closing_is_not_hidden() {
    let (order, events) = after(order(), &[closed(), paid(false)]);
    assert_eq!(order.state, OrderState::Paid);
    assert_eq!(
        ids(&events),
        [
            "order.closed/2021000000000001/order_1",
            "order.paid/2021000000000001/order_1"
        ]
    );
}

#[test]
fn a_full_refund_is_a_refund_and_no_state() {
    let (order, events) = after(order(), &[paid(false), refunded("r1", "100.00"), closed()]);
    assert_eq!(order.state, OrderState::Paid);
    assert_eq!(order.refunded_fen(), 10_000);
    let detail = detail(&events[1]);
    assert_eq!(detail["refunded_amount"], "100.00");
    assert_eq!(detail["state"], "paid");
}

#[test]
fn the_event_of_a_payment_says_all_that_it_promises() {
    let (_, events) = after(order(), &[open(), paid(false)]);
    assert_eq!(events[0].kind, EventKind::OrderPaid);
    assert_eq!(
        detail(&events[0]),
        json!({
            "event_id": "order.paid/2021000000000001/order_1",
            "app_id": "2021000000000001",
            "out_trade_no": "order_1",
            "trade_no": TRADE,
            "owner": "owner-1",
            "total_amount": "100.00",
            "state": "paid",
            "refunded_amount": "0.00",
            "version": 3,
            "occurred_at": "2026-11-21T02:00:00Z",
            "buyer_id": "2088000000000001",
            "buyer_is_expected": null,
        })
    );
}

#[test]
fn the_event_of_a_refund_names_it() {
    let (_, events) = after(order(), &[paid(false), refunded("r/1", "0.50")]);
    let detail = detail(&events[1]);
    assert_eq!(
        detail["event_id"],
        "order.refunded/2021000000000001/order_1/r/1"
    );
    assert_eq!(detail["out_request_no"], "r/1");
    assert_eq!(detail["refund_amount"], "0.50");
    assert_eq!(EventKind::of_id(&events[1].id), Some(events[1].kind));
}

#[test]
fn the_event_of_a_closing_without_a_trade_names_none() {
    let never = Finding::Closed { trade_no: None };
    let (_, events) = after(order(), &[never]);
    assert_eq!(detail(&events[0]).get("trade_no"), None);
}

#[test]
fn the_event_says_whether_the_expected_buyer_paid() {
    let both = |user_id: &str, open_id: &str| Buyer {
        user_id: Some(user_id.to_owned()),
        open_id: Some(open_id.to_owned()),
    };
    for (expected, payer, told) in [
        (by_user_id("1"), by_user_id("1"), json!(true)),
        (by_user_id("1"), by_user_id("2"), json!(false)),
        (by_open_id("1"), both("9", "1"), json!(true)),
        (by_open_id("1"), both("1", "2"), json!(false)),
        (both("1", "2"), both("1", "3"), json!(false)),
        (by_open_id("1"), by_user_id("1"), json!(null)),
        (by_user_id("1"), Buyer::default(), json!(null)),
        (Buyer::default(), by_user_id("1"), json!(null)),
    ] {
        let order = Order {
            expected_buyer: expected,
            ..order()
        };
        let paid = Finding::Paid {
            trade_no: TRADE.to_owned(),
            is_finished: false,
            payer,
        };
        let (_, events) = after(order, &[paid]);
        assert_eq!(detail(&events[0])["buyer_is_expected"], told);
    }
}

#[test]
fn a_finding_about_another_trade_is_refused() {
    let (order, _) = after(order(), &[open()]);
    let other = Finding::Paid {
        trade_no: "2".to_owned(),
        is_finished: false,
        payer: Buyer::default(),
    };
    let refused = order.after(&other, None, NOW);
    assert!(matches!(refused, Err(PaymentError::OtherTrade)));
}

#[test]
fn only_notices_that_changed_something_are_remembered() {
    let changed = order().after(&paid(false), Some("notice-1"), NOW).unwrap();
    let order = changed.unwrap().order;
    assert!(order.notices.contains("notice-1"));
    assert_eq!(
        order.after(&paid(false), Some("notice-2"), NOW).unwrap(),
        None
    );
    for odd in [String::new(), "n".repeat(129)] {
        let change = order.after(&paid(true), Some(&odd), NOW).unwrap();
        assert_eq!(change.unwrap().order.notices, order.notices);
    }
}

#[test]
fn ids_over_their_limit_are_not_recorded() {
    let trade = Finding::Open {
        trade_no: "1".repeat(129),
    };
    let payer = Finding::Paid {
        trade_no: TRADE.to_owned(),
        is_finished: false,
        payer: by_open_id(&"o".repeat(129)),
    };
    for (finding, field) in [(trade, "trade_no"), (payer, "buyer")] {
        match order().after(&finding, None, NOW) {
            Err(PaymentError::TooLarge { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_order_has_two_hundred_refunds_at_most() {
    let (mut order, _) = after(order(), &[paid(false)]);
    for number in 0..MOST_REFUNDS {
        let change = order.after(&refunded(&format!("r{number}"), "0.01"), None, NOW);
        order = change.unwrap().unwrap().order;
    }
    assert_eq!(order.refunded_fen(), 200);
    let another = order.after(&refunded("another", "0.01"), None, NOW);
    assert!(matches!(
        another,
        Err(PaymentError::TooLarge {
            field: "refunds",
            ..
        })
    ));
    assert_eq!(
        order.after(&refunded("r7", "0.01"), None, NOW).unwrap(),
        None
    );
}

#[test]
fn refunds_that_nobody_answered_leave_room_for_those_that_alipay_tells_of() {
    let (mut order, _) = after(order(), &[paid(false)]);
    let ask = |order: &Order, number: usize| {
        order.with_refund_asked(&refund(&format!("r{number}")), amount("0.01"))
    };
    for number in 0..MOST_UNANSWERED {
        order = ask(&order, number).unwrap().unwrap();
    }
    assert!(matches!(
        ask(&order, MOST_UNANSWERED),
        Err(PaymentError::TooLarge {
            field: "refunds",
            limit: MOST_UNANSWERED
        })
    ));
    let (order, events) = after(
        order,
        &[refunded("console", "0.01"), refunded("r0", "0.01")],
    );
    assert_eq!(events.len(), 2);
    assert!(ask(&order, MOST_UNANSWERED).unwrap().is_some());
}

#[test]
fn a_refund_number_means_one_amount() {
    let (order, _) = after(order(), &[paid(false)]);
    let asked = order.with_refund_asked(&refund("r1"), amount("60.00"));
    let order = asked.unwrap().unwrap();
    assert_eq!(order.refunded_fen(), 0);
    let again = order.with_refund_asked(&refund("r1"), amount("60.00"));
    assert_eq!(again.unwrap(), None);
    let other = order.with_refund_asked(&refund("r1"), amount("60.01"));
    assert!(matches!(
        other,
        Err(PaymentError::Differs {
            field: "refund_amount"
        })
    ));
}

#[test]
fn more_than_was_paid_is_not_refunded() {
    let (order, _) = after(order(), &[paid(false), refunded("r1", "60.00")]);
    let rest = order.with_refund_asked(&refund("r2"), amount("40.00"));
    assert!(rest.unwrap().is_some());
    let more = order.with_refund_asked(&refund("r2"), amount("40.01"));
    assert!(matches!(more, Err(PaymentError::NotNow { .. })));
}

#[test]
fn an_order_that_is_not_paid_is_not_refunded() {
    for findings in [vec![], vec![open()], vec![closed()]] {
        let (order, _) = after(order(), &findings);
        let asked = order.with_refund_asked(&refund("r1"), amount("1.00"));
        assert!(matches!(
            asked,
            Err(PaymentError::NotNow {
                state: "is not paid"
            })
        ));
    }
}

#[test]
fn a_refund_that_is_done_cannot_be_given_up() {
    let (order, _) = after(order(), &[paid(false), refunded("r1", "60.00")]);
    assert_eq!(order.without_refund(&refund("r1")), None);
    assert_eq!(order.without_refund(&refund("r2")), None);
    let asked = order.with_refund_asked(&refund("r2"), amount("1.00"));
    let given_up = asked.unwrap().unwrap().without_refund(&refund("r2"));
    assert_eq!(given_up.unwrap().refunds, order.refunds);
}

#[test]
fn what_alipay_says_was_refunded_counts_and_not_what_was_asked_for() {
    let (order, _) = after(order(), &[paid(false)]);
    let asked = order.with_refund_asked(&refund("r1"), amount("60.00"));
    let (order, events) = after(asked.unwrap().unwrap(), &[refunded("r1", "59.00")]);
    assert_eq!(order.refunded_fen(), 5_900);
    assert_eq!(events.len(), 1);
    // What was done once is not done again, with whatever amount.
    for yuan in ["59.00", "60.00"] {
        let again = order.after(&refunded("r1", yuan), None, NOW);
        assert_eq!(again.unwrap(), None);
    }
}

#[test]
fn numbers_are_what_alipay_takes() {
    for text in ["a", "A_9-b", &"x".repeat(64)] {
        assert!(OrderNumber::try_from(text.to_owned()).is_ok(), "{text}");
    }
    for text in [
        "",
        "a.b",
        "a/b",
        "a#b",
        "订单",
        "a b",
        "a\n",
        &"x".repeat(65),
    ] {
        assert!(OrderNumber::try_from(text.to_owned()).is_err(), "{text}");
    }
    for text in ["", "a b", "a\n", "退", &"x".repeat(65)] {
        assert!(RefundNumber::try_from(text.to_owned()).is_err(), "{text}");
    }
    let made = OrderNumber::random();
    assert_eq!(made.as_str().len(), 32);
    assert!(OrderNumber::try_from(made.as_str().to_owned()).is_ok());
    assert_ne!(made, OrderNumber::random());
}

#[test]
fn persons_stay_out_of_logs() {
    let (order, events) = after(
        Order {
            expected_buyer: by_user_id("2088000000000009"),
            subject: "medicine".to_owned(),
            ..order()
        },
        &[paid(false)],
    );
    let logged = format!("{order:?} {events:?} {:?}", paid(false));
    for secret in [
        "2088000000000009",
        "2088000000000001",
        "medicine",
        "owner-1",
    ] {
        assert!(!logged.contains(secret), "{logged}");
    }
}

/// One answer of Alipay's about one trade: whatever is said of a refund is said in the same way each time.
fn finding() -> impl Strategy<Value = Finding> {
    select(vec![
        open(),
        closed(),
        paid(false),
        paid(true),
        refunded("r1", "60.00"),
        refunded("r2", "40.00"),
        refunded("order_1", "0.01"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// In whatever order answers come, and however often, an order ends as the same. Only whether it was closed before it was paid depends
    /// on the order.
    #[test]
    fn the_order_of_answers_does_not_matter(
        (findings, shuffled) in vec(finding(), 0..12).prop_flat_map(|findings| {
            let twice = [findings.clone(), findings.clone()].concat();
            (Just(findings), Just(twice).prop_shuffle())
        }),
    ) {
        let (straight, events) = after(order(), &findings);
        let (other, other_events) = after(order(), &shuffled);

        prop_assert_eq!(other.state, straight.state);
        prop_assert_eq!(&other.trade_no, &straight.trade_no);
        prop_assert_eq!(&other.payer, &straight.payer);
        prop_assert_eq!(&other.refunds, &straight.refunds);
        for (findings, events) in [(&findings, &events), (&shuffled, &other_events)] {
            let told: BTreeSet<_> = ids(events).into_iter().collect();
            prop_assert_eq!(told.len(), events.len(), "an event is told once");
            let first = |is: fn(&Finding) -> bool| findings.iter().position(is);
            let is_closed = first(|finding| matches!(finding, Finding::Closed { .. }));
            let is_paid = first(|finding| matches!(finding, Finding::Paid { .. }));
            let closed_first = is_closed.is_some_and(|closed| is_paid.is_none_or(|paid| closed < paid));
            prop_assert_eq!(told.contains("order.closed/2021000000000001/order_1"), closed_first);
        }
        let but_closed = |events: &[Event]| -> BTreeSet<String> {
            let others = events.iter().filter(|event| event.kind != EventKind::OrderClosed);
            others.map(|event| event.id.clone()).collect()
        };
        prop_assert_eq!(but_closed(&events), but_closed(&other_events));
    }

    #[test]
    fn an_order_only_rises(findings in vec(finding(), 0..16)) {
        let mut before = order();
        for finding in &findings {
            let (next, _) = after(before.clone(), std::slice::from_ref(finding));
            prop_assert!(next.state >= before.state);
            prop_assert!(next.refunded_fen() >= before.refunded_fen());
            before = next;
        }
    }
}
