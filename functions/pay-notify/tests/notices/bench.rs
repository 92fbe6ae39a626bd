//! The function with one order at a time, and everything around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::{Deadline, Gateway};
use embedded_dynamodb::{EmbeddedDynamoDb, Proxy, client_at};
use embedded_event_bus::{EmbeddedEventBus, PublishedEvent, client};
use function_kit::{Alipay, Apps, Handler, HttpService, Invocation};
use function_payments::{
    Buyer, Order, OrderNumber, OrderRequest, OrderState, Payments, Product, PublishSummary,
    Publisher,
};
use pay_notify::PayNotify;
use serde_json::{Value, json};
use simulator::{AppOptions, NoticeOptions, SimulatedApp, Simulator, Trade};
use table_rows::MovableClock;

pub const TABLE: &str = "orders";
pub const BUS: &str = "shop";
/// The order's number.
pub const ORDER: &str = "T1";
/// Alipay's number of its trade.
pub const TRADE_NO: &str = "2026112222001400000000000001";
pub const QUERY: &str = "alipay.trade.query";
pub const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";
/// The answer that ends a notice.
pub const SUCCESS: (u64, &str) = (200, "success");
pub const REFUSED: (u64, &str) = (400, "fail");
/// No event of any kind.
pub const NOTHING: (usize, usize, usize) = (0, 0, 0);
pub const LATER: (u64, &str) = (503, "fail");

pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    /// The second configured app.
    pub other_app: SimulatedApp,
    /// The function's. The gateway has the real one, by which its timestamps are judged.
    pub clock: MovableClock,
    pub dynamodb: EmbeddedDynamoDb,
    pub bus: EmbeddedEventBus,
    /// Before the table.
    pub table: Proxy,
    /// Before the gateway, whose requests have no name.
    pub gateway: Proxy,
    /// Before the bus.
    pub publishing: Proxy,
    pub payments: Payments,
    service: HttpService<PayNotify>,
}

/// What a test has otherwise than usual.
#[derive(Default)]
pub struct Setting {
    pub options: AppOptions,
    /// The key that the app takes for Alipay's.
    pub alipay_public_key: Option<String>,
    /// With this private key, PKCS#8 PEM, the gateway's replies are signed anew.
    pub gateway_key: Option<String>,
    /// The document of apps is read from a file in this folder, `apps.json`.
    pub folder: Option<std::path::PathBuf>,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub async fn with(setting: Setting) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(setting.options);
        let other_app = simulator.add_app(AppOptions::default());
        let mut address = simulator.address();
        if let Some(key) = setting.gateway_key {
            address = crate::resigning::gateway_signing_with(key, address).await;
        }
        let gateway = Proxy::before(address).await.unwrap();
        let url = format!("http://{}/gateway.do", gateway.address);
        let entry = |app: &SimulatedApp, alipay_public_key: &str| {
            json!({
                "appid": app.app_id, "privateKey": app.private_key,
                "alipayPublicKey": alipay_public_key, "gateway": url,
            })
        };
        let alipay_key = setting.alipay_public_key.as_ref();
        let apps = json!({"default": app.app_id, "apps": [
            entry(&app, alipay_key.unwrap_or(&app.alipay_public_key)),
            entry(&other_app, &other_app.alipay_public_key),
        ]});
        let clock = MovableClock::default();
        let to_alipay = Gateway::new(Arc::new(SystemTime::now)).unwrap();
        let alipay = match setting.folder {
            Some(folder) => {
                let file = folder.join("apps.json");
                std::fs::write(&file, apps.to_string()).unwrap();
                Alipay::from_file(to_alipay, file, clock.clock())
                    .await
                    .unwrap()
            }
            None => {
                let apps = Apps::from_document(&apps.to_string().into(), None).unwrap();
                Alipay::new(to_alipay, apps, clock.clock(), false)
            }
        };

        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        payments::create_order_table(&dynamodb.client(), TABLE)
            .await
            .unwrap();
        let table = Proxy::before(dynamodb.address()).await.unwrap();
        let bus = EmbeddedEventBus::start().await.unwrap();
        let publishing = Proxy::before(bus.address()).await.unwrap();
        let publisher = Publisher::new(client(&format!("http://{}", publishing.address)), BUS);
        let payments = Payments::new(client_at(table.address), TABLE, publisher);
        Self {
            service: HttpService::new(PayNotify::new(alipay, payments.clone())),
            simulator,
            app,
            other_app,
            clock,
            dynamodb,
            bus,
            table,
            gateway,
            publishing,
            payments,
        }
    }

    /// With an order of this amount, whose trade is paid at Alipay.
    pub async fn with_paid_order(amount: &str) -> Self {
        let bench = Self::new().await;
        bench.order(amount).await;
        bench.trade_of(amount, "TRADE_SUCCESS");
        bench
    }

    /// Places the order [`ORDER`].
    pub async fn order(&self, amount: &str) -> Order {
        self.order_for(amount, Buyer::default()).await
    }

    pub async fn order_for(&self, amount: &str, expected_buyer: Buyer) -> Order {
        self.placed(OrderRequest {
            expected_buyer,
            ..self.request(amount)
        })
        .await
    }

    pub fn request(&self, amount: &str) -> OrderRequest {
        OrderRequest {
            app_id: self.app.app_id.clone(),
            out_trade_no: number(ORDER),
            owner: "owner-1".to_owned(),
            product: Product::App,
            amount: Some(amount.parse().unwrap()),
            subject: Some("canarysubject".to_owned()),
            seller_id: self.app.pid.clone(),
            life: Duration::from_secs(900),
            expected_buyer: Buyer::default(),
        }
    }

    pub async fn placed(&self, request: OrderRequest) -> Order {
        let now = self.clock.wall_time();
        self.payments.orders().place(&request, now).await.unwrap()
    }

    /// Puts its trade there, as it stands at Alipay.
    pub fn trade_of(&self, amount: &str, status: &str) {
        self.simulator.add_trade(self.trade(amount, status));
    }

    pub fn trade(&self, amount: &str, status: &str) -> Trade {
        let paid = matches!(status, "TRADE_SUCCESS" | "TRADE_FINISHED");
        Trade {
            app_id: self.app.app_id.clone(),
            out_trade_no: ORDER.to_owned(),
            trade_no: TRADE_NO.to_owned(),
            trade_status: status.to_owned(),
            total_amount: amount.to_owned(),
            paid_at: paid.then_some(1_700_000_000_000),
            ..Trade::default()
        }
    }

    /// The notice that Alipay would send now.
    pub fn notice(&self) -> String {
        self.notice_with(&NoticeOptions::default())
    }

    pub fn notice_with(&self, options: &NoticeOptions) -> String {
        self.simulator
            .trade_notice(&self.app.app_id, ORDER, options)
    }

    /// A genuine notice with other values.
    pub fn notice_saying(&self, fields: &[(&str, &str)]) -> String {
        self.notice_with(&NoticeOptions {
            fields: owned(fields),
            ..NoticeOptions::default()
        })
    }

    /// Posts a notice to the app's address.
    pub async fn post(&self, body: &str) -> (u64, String) {
        self.post_to(&self.app.app_id, body).await
    }

    pub async fn post_to(&self, app_id: &str, body: &str) -> (u64, String) {
        self.handle(&event("POST", &format!("/notify/{app_id}"), body))
            .await
    }

    /// Every answer is one of the two, byte for byte, and `success` alone has the status 200.
    pub async fn handle(&self, event: &Value) -> (u64, String) {
        let invocation = Invocation {
            request_id: "r-1".to_owned(),
            deadline: self.deadline(),
        };
        let answer = self.service.handle(&event.to_string(), invocation).await;
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        let body = answer["body"].as_str().unwrap();
        assert_eq!(body, if status == 200 { "success" } else { "fail" });
        assert_eq!(answer["isBase64Encoded"], false);
        let headers = answer["headers"].as_object().unwrap();
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert!(!headers.contains_key("location"));
        (status, body.to_owned())
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(SystemTime::now(), Duration::from_secs(40))
    }

    /// As `publish-events` does.
    pub async fn sweep(&self) -> PublishSummary {
        self.payments
            .publish_due(self.clock.now(), self.deadline())
            .await
            .unwrap()
    }

    /// Everything that was due by then, an hour later.
    pub async fn sweep_later(&self) {
        for _ in 0..3 {
            self.clock.advance(Duration::from_secs(90));
            self.sweep().await;
        }
        assert_eq!(self.sweep().await, PublishSummary::default());
    }

    pub async fn recorded(&self) -> Order {
        let orders = self.payments.orders();
        orders
            .find(&self.app.app_id, &number(ORDER), None)
            .await
            .unwrap()
    }

    pub async fn state(&self) -> OrderState {
        self.recorded().await.state
    }

    pub fn events_of(&self, kind: &str) -> Vec<PublishedEvent> {
        let mut events = self.bus.events();
        events.retain(|event| event.detail_type == kind);
        events
    }

    /// How many events of each kind got out: paid, refunded, closed.
    pub fn told(&self) -> (usize, usize, usize) {
        let count = |kind: &str| self.events_of(kind).len();
        (
            count("order.paid"),
            count("order.refunded"),
            count("order.closed"),
        )
    }

    /// How often the gateway was asked, by whatever method.
    pub fn questions(&self) -> u64 {
        self.simulator.received_count(QUERY) + self.simulator.received_count(REFUND_QUERY)
    }

    /// All rows, as text.
    pub async fn rows(&self) -> String {
        let rows = self.dynamodb.client().scan().table_name(TABLE).send().await;
        format!("{:?}", rows.unwrap().items())
    }
}

pub fn number(text: &str) -> OrderNumber {
    OrderNumber::try_from(text.to_owned()).unwrap()
}

pub fn owned(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A request as API Gateway hands it over.
pub fn event(method: &str, path: &str, body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "POST /notify/{appid}", "rawPath": path, "rawQueryString": "",
        "headers": {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        "requestContext": {
            "stage": "$default", "requestId": "r",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1", "userAgent": "Mozilla/4.0"},
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// What [`Bench::post`] answers, for comparing.
pub fn is(expected: (u64, &str)) -> (u64, String) {
    (expected.0, expected.1.to_owned())
}
