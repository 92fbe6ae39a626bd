//! The function over an embedded table and an embedded event bus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use embedded_dynamodb::{EmbeddedDynamoDb, Fault, Proxy, client_at};
use embedded_event_bus::{EmbeddedEventBus, client};
use function_kit::kept_log::KeptLog;
use function_kit::{Handler, Invocation};
use function_payments::{Buyer, Finding, OrderNumber, OrderRequest, Payments, Product, Publisher};
use publish_events::PublishEvents;
use serde_json::{Value, json};
use table_rows::{MovableClock, WallTime};

const TABLE: &str = "orders";
const SCHEDULED: &str =
    r#"{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}"#;

struct Bench {
    _dynamodb: EmbeddedDynamoDb,
    table: Proxy,
    bus: EmbeddedEventBus,
    payments: Payments,
    /// The function's.
    clock: MovableClock,
    function: PublishEvents,
}

impl Bench {
    async fn new() -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        payments::create_order_table(&dynamodb.client(), TABLE)
            .await
            .unwrap();
        let table = Proxy::before(dynamodb.address()).await.unwrap();
        let bus = EmbeddedEventBus::start().await.unwrap();
        let publisher = Publisher::new(client(&bus.endpoint()), "shop");
        let payments = Payments::new(client_at(table.address), TABLE, publisher);
        let clock = MovableClock::default();
        Self {
            function: PublishEvents::with_clock(payments.clone(), clock.clock()),
            _dynamodb: dynamodb,
            table,
            bus,
            payments,
            clock,
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// So many orders are paid while the bus takes nothing.
    async fn with_unpublished(orders: usize) -> Self {
        let bench = Self::new().await;
        bench.bus.refuse_next(orders, "InternalFailure");
        for number in 0..orders {
            bench.pay(&format!("T{number}")).await;
        }
        assert!(bench.bus.events().is_empty());
        bench
    }

    async fn pay(&self, number: &str) {
        let now = SystemTime::now();
        let request = OrderRequest {
            app_id: "2021000000000001".to_owned(),
            out_trade_no: OrderNumber::try_from(number.to_owned()).unwrap(),
            owner: "owner".to_owned(),
            product: Product::App,
            amount: Some("0.01".parse().unwrap()),
            subject: Some("x".to_owned()),
            seller_id: "2088000000000999".to_owned(),
            life: Duration::from_secs(900),
            expected_buyer: Buyer::default(),
        };
        let orders = self.payments.orders();
        let order = orders.place(&request, WallTime::from(now)).await.unwrap();
        let paid = Finding::Paid {
            trade_no: format!("2026{number}"),
            is_finished: false,
            payer: Buyer::default(),
        };
        self.payments
            .record(&order, &paid, None, now, in_seconds(60))
            .await
            .unwrap();
    }

    async fn run(&self) -> Value {
        self.run_with("{}", in_seconds(30)).await
    }

    async fn run_with(&self, event: &str, deadline: Deadline) -> Value {
        let invocation = Invocation {
            request_id: "r-1".to_owned(),
            deadline,
        };
        let answer = self.function.handle(event, invocation).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// The ids of all events, those that got out twice once.
    fn told(&self) -> usize {
        let events = self.bus.events();
        let ids = events
            .iter()
            .map(|event| event.detail["event_id"].to_string());
        ids.collect::<std::collections::BTreeSet<_>>().len()
    }
}

fn in_seconds(seconds: u64) -> Deadline {
    Deadline::after(SystemTime::now(), Duration::from_secs(seconds))
}

#[tokio::test]
async fn what_did_not_get_out_gets_out_once_and_the_run_says_how_late() {
    let log = KeptLog::of("info");
    let bench = Bench::with_unpublished(30).await;
    let nothing =
        json!({"code": 0, "msg": "ok", "due": 0, "published": 0, "failed": 0, "oldest_seconds": 0});
    assert_eq!(bench.run().await, nothing);
    bench.advance(100);
    let answer = bench.run_with(SCHEDULED, in_seconds(30)).await;
    assert_eq!(
        (&answer["due"], &answer["published"], &answer["failed"]),
        (&json!(30), &json!(30), &json!(0))
    );
    let oldest = answer["oldest_seconds"].as_u64().unwrap();
    assert!((100..160).contains(&oldest), "{oldest}");
    assert!(log.text().contains(&format!("oldest_seconds={oldest}")));
    assert_eq!((bench.bus.events().len(), bench.told()), (30, 30));
    bench.advance(1000);
    assert_eq!(bench.run().await, nothing);
    assert_eq!(bench.bus.events().len(), 30);
}

#[tokio::test]
async fn more_than_a_page_gets_out_in_one_run() {
    let bench = Bench::with_unpublished(130).await;
    bench.advance(31);
    let answer = bench.run().await;
    assert_eq!(
        (&answer["due"], &answer["published"]),
        (&json!(130), &json!(130))
    );
    assert_eq!((bench.bus.events().len(), bench.told()), (130, 130));
}

#[tokio::test]
async fn while_the_bus_is_down_the_lateness_grows_and_nothing_is_lost() {
    let bench = Bench::with_unpublished(3).await;
    bench.bus.refuse_next(9, "InternalFailure");
    for minute in 1..=3 {
        bench.advance(61);
        let answer = bench.run().await;
        assert_eq!(
            (&answer["due"], &answer["published"], &answer["failed"]),
            (&json!(3), &json!(0), &json!(3))
        );
        // Not since the last attempt, but since it was recorded: an alarm goes by it.
        assert!(answer["oldest_seconds"].as_u64().unwrap() >= 61 * minute);
    }
    bench.advance(61);
    assert_eq!(bench.run().await["published"], 3);
    assert_eq!((bench.bus.events().len(), bench.told()), (3, 3));
}

#[tokio::test]
async fn two_runs_at_once_publish_each_event_once() {
    let bench = Bench::with_unpublished(20).await;
    bench.advance(31);
    let (one, other) = tokio::join!(bench.run(), bench.run());
    let published = |answer: &Value| answer["published"].as_u64().unwrap();
    assert_eq!(published(&one) + published(&other), 20);
    assert_eq!(bench.bus.events().len(), 20);
}

#[tokio::test]
async fn what_cannot_be_taken_over_stands_in_nobodys_way() {
    let bench = Bench::with_unpublished(5).await;
    bench.advance(31);
    // Three attempts of one client.
    let throttled = Fault::Answer {
        status: 400,
        code: "ThrottlingException",
    };
    bench.table.arm("UpdateItem", throttled, 3);
    let answer = bench.run().await;
    assert!(answer["failed"].as_u64().unwrap() <= 1);
    bench.advance(61);
    bench.run().await;
    assert_eq!((bench.bus.events().len(), bench.told()), (5, 5));
}

#[tokio::test]
async fn without_time_nothing_is_begun() {
    let bench = Bench::with_unpublished(5).await;
    bench.advance(31);
    let answer = bench.run_with("{}", in_seconds(5)).await;
    assert_eq!(
        (&answer["due"], &answer["published"]),
        (&json!(5), &json!(0))
    );
    assert!(answer["oldest_seconds"].as_u64().unwrap() > 0);
    assert_eq!(bench.run().await["published"], 5);
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_a_failure_that_may_pass() {
    let bench = Bench::with_unpublished(1).await;
    bench.advance(31);
    bench.table.arm("Query", Fault::LoseRequest, 100);
    let answer = bench.run().await;
    assert_eq!(
        (&answer["error"], &answer["retryable"]),
        (&json!("temporarily_unavailable"), &json!(true))
    );
    bench.table.disarm();
    assert_eq!(bench.run().await["published"], 1);
}

#[tokio::test]
async fn events_of_others_are_refused() {
    let bench = Bench::with_unpublished(1).await;
    bench.advance(31);
    for event in [
        r#"{"requestContext":{"http":{"method":"POST"}},"body":"{}"}"#,
        r#"{"Records":[]}"#,
        r#"{"all":true}"#,
        "[]",
    ] {
        let answer = bench.run_with(event, in_seconds(30)).await;
        assert_eq!(answer["code"], -1, "{event}");
    }
    assert!(bench.bus.events().is_empty());
}
