//! A table and a bus of its own for each test, apps at the simulated gateway, and a clock that can be moved on.

use std::time::Duration;

use alipay_gateway::{Deadline, Gateway};
use app_pay::AppPay;
use embedded_dynamodb::{EmbeddedDynamoDb, Proxy, client_at};
use embedded_event_bus::EmbeddedEventBus;
use function_kit::{Alipay, Apps, Handler, Invocation, Service};
use function_payments::{NotifyUrl, Order, OrderNumber, Payments, Publisher};
use serde_json::{Value, json};
use simulator::{AppOptions, Fault, FaultKind, SimulatedApp, Simulator};
use table_rows::MovableClock;

pub const TABLE: &str = "orders";
pub const BUS: &str = "events";
pub const NOTIFY_URL: &str = "https://pay.example.com";
/// The owner of the orders in most of these tests.
pub const OWNER: &str = "ec8674a41a7d4ea991e92f0305946374";
/// Who pays, where nobody else is said to.
pub const BUYER: &str = "2088000000000001";
/// As long as the function may run.
const TIMEOUT: Duration = Duration::from_secs(15);

pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    pub other_app: SimulatedApp,
    /// Configured without a pid.
    pub poor_app: SimulatedApp,
    pub proxy: Proxy,
    pub payments: Payments,
    pub bus: EmbeddedEventBus,
    pub service: Service<AppPay>,
    clock: MovableClock,
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    pub async fn new() -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        payments::create_order_table(&dynamodb.client(), TABLE)
            .await
            .unwrap();
        let proxy = Proxy::before(dynamodb.address()).await.unwrap();
        let bus = EmbeddedEventBus::start().await.unwrap();
        let publisher = Publisher::new(embedded_event_bus::client(&bus.endpoint()), BUS);
        let payments = Payments::new(client_at(proxy.address), TABLE, publisher);

        let simulator = Simulator::start().await.unwrap();
        let add = || simulator.add_app(AppOptions::default());
        let (app, other_app, poor_app) = (add(), add(), add());
        let document = |app: &SimulatedApp, pid: Option<&str>| {
            let mut entry = json!({
                "appid": app.app_id,
                "privateKey": app.private_key,
                "alipayPublicKey": app.alipay_public_key,
                "gateway": simulator.gateway_url(),
            });
            if let Some(pid) = pid {
                entry["pid"] = pid.into();
            }
            entry
        };
        let document = json!({
            "default": app.app_id,
            "apps": [
                document(&app, Some(&app.pid)),
                document(&other_app, Some(&other_app.pid)),
                document(&poor_app, None),
            ],
        });
        let apps = Apps::from_document(&document.to_string().into(), None).unwrap();
        let clock = MovableClock::default();
        // The gateway's timestamps follow the moved clock: a test moves it by less than ten minutes.
        let gateway = Gateway::new(clock.clock()).unwrap();
        let alipay = Alipay::new(gateway, apps, clock.clock(), false);
        let notify_url = NotifyUrl::parse(NOTIFY_URL).unwrap();
        let function = AppPay::new(alipay.clone(), payments.clone(), notify_url);
        Self {
            service: Service::new(function, alipay),
            simulator,
            app,
            other_app,
            poor_app,
            proxy,
            payments,
            bus,
            clock,
            _dynamodb: dynamodb,
        }
    }

    pub fn move_on(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance_clock(by);
    }

    /// A direct invoke.
    pub async fn invoke(&self, call: &str, arguments: Value) -> Value {
        let mut event = arguments;
        event["call"] = call.into();
        self.handle(&event).await
    }

    /// A direct invoke that must succeed.
    pub async fn succeed(&self, call: &str, arguments: Value) -> Value {
        let answer = self.invoke(call, arguments).await;
        assert_eq!(answer["code"], 0, "{call}: {answer}");
        answer
    }

    /// A call over HTTP: status and body.
    pub async fn post(&self, path: &str, arguments: &Value) -> (u64, Value) {
        let event = json!({
            "version": "2.0",
            "requestContext": {"stage": "$default", "http": {"method": "POST", "path": path, "sourceIp": "192.0.2.1", "userAgent": "a"}},
            "body": arguments.to_string(),
            "isBase64Encoded": false,
        });
        let answer = self.handle(&event).await;
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    pub async fn handle(&self, event: &Value) -> Value {
        let invocation = Invocation {
            request_id: "r-1".to_owned(),
            deadline: Deadline::after(self.clock.now(), TIMEOUT),
        };
        let answer = self.service.handle(&event.to_string(), invocation).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// The record of an order of the default app.
    pub async fn order(&self, out_trade_no: &str) -> Order {
        let number = OrderNumber::try_from(out_trade_no.to_owned()).unwrap();
        self.payments
            .orders()
            .find(&self.app.app_id, &number, None)
            .await
            .unwrap()
    }

    /// An order string for 12.50 yuan.
    pub async fn order_string(&self, out_trade_no: &str) -> String {
        let answer = self.succeed("app.getOrderStr", order(out_trade_no)).await;
        answer["value"].as_str().unwrap().to_owned()
    }

    /// A trade of a mini-program for 12.50 yuan: Alipay's number.
    pub async fn trade(&self, out_trade_no: &str) -> String {
        let answer = self.succeed("trade.create", trade(out_trade_no)).await;
        answer["trade_no"].as_str().unwrap().to_owned()
    }

    /// An order of 12.50 yuan that is paid, as the record knows.
    pub async fn paid(&self, out_trade_no: &str) {
        let value = self.order_string(out_trade_no).await;
        self.simulator.pay(&value).unwrap();
        let told = self
            .succeed("trade.query", json!({"out_trade_no": out_trade_no}))
            .await;
        assert_eq!(told["state"], "paid", "{told}");
    }

    pub fn inject(&self, kind: FaultKind, method: &str) {
        self.simulator.inject(Fault::once(kind).for_method(method));
    }

    /// What was published: the kinds, with the ids.
    pub fn events(&self) -> Vec<String> {
        let id = |detail: &Value| detail["event_id"].as_str().unwrap().to_owned();
        self.bus
            .events()
            .iter()
            .map(|event| id(&event.detail))
            .collect()
    }

    /// How often the gateway was asked for a method.
    pub fn asked(&self, method: &str) -> u64 {
        self.simulator.received_count(method)
    }
}

/// What `app.getOrderStr` takes.
pub fn order(out_trade_no: &str) -> Value {
    json!({"out_trade_no": out_trade_no, "total_amount": "12.50", "subject": "龙井茶 250 克", "owner": OWNER})
}

/// What `trade.create` takes.
pub fn trade(out_trade_no: &str) -> Value {
    let mut order = order(out_trade_no);
    order["buyer_id"] = BUYER.into();
    order
}

/// `base` with other members.
pub fn with(mut base: Value, others: Value) -> Value {
    for (name, value) in others.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

/// What an error says it is.
pub fn error(answer: &Value) -> (&str, &str) {
    (
        answer["error"].as_str().unwrap_or_default(),
        answer["msg"].as_str().unwrap_or_default(),
    )
}
