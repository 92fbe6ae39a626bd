use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::{Deadline, Gateway};
use embedded_dynamodb::{EmbeddedDynamoDb, Proxy};
use embedded_event_bus::{EmbeddedEventBus, client};
use function_kit::{Alipay, Apps, SelectedApp};
use function_payments::{
    Buyer, Order, OrderNumber, OrderRequest, Payments, Product, Publisher, RefundNumber,
};
use serde_json::json;
use simulator::{AppOptions, SimulatedApp, Simulator, Trade};
use table_rows::{MovableClock, WallTime};

pub const TABLE: &str = "orders";
pub const ORDER: &str = "T1";
pub const TRADE_NO: &str = "2026112222001400000000000001";

pub struct Bench {
    pub simulator: Simulator,
    pub alipay: Alipay,
    pub app: SelectedApp,
    pub bus: EmbeddedEventBus,
    /// Before the bus.
    pub publishing: Proxy,
    pub payments: Payments,
    clock: MovableClock,
    registered: SimulatedApp,
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    pub async fn new() -> Self {
        let simulator = Simulator::start().await.unwrap();
        let registered = simulator.add_app(AppOptions::default());
        let apps = json!({"apps": [{
            "appid": registered.app_id, "privateKey": registered.private_key,
            "alipayPublicKey": registered.alipay_public_key, "gateway": simulator.gateway_url(),
        }]});
        let apps = Apps::from_document(&apps.to_string().into(), None).unwrap();
        let clock = MovableClock::default();
        // The gateway judges timestamps by the real time.
        let gateway = Gateway::new(Arc::new(SystemTime::now)).unwrap();
        let alipay = Alipay::new(gateway, apps, clock.clock(), false);
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        payments::create_order_table(&dynamodb.client(), TABLE)
            .await
            .unwrap();
        let bus = EmbeddedEventBus::start().await.unwrap();
        let publishing = Proxy::before(bus.address()).await.unwrap();
        let publisher = Publisher::new(client(&format!("http://{}", publishing.address)), "shop");
        Self {
            app: alipay.app(None).unwrap(),
            payments: Payments::new(dynamodb.client(), TABLE, publisher),
            simulator,
            alipay,
            bus,
            publishing,
            clock,
            registered,
            _dynamodb: dynamodb,
        }
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// An order of 1.00 that can be paid for 15 minutes.
    pub async fn order(&self) -> Order {
        let request = OrderRequest {
            app_id: self.registered.app_id.clone(),
            out_trade_no: OrderNumber::try_from(ORDER.to_owned()).unwrap(),
            owner: "owner".to_owned(),
            product: Product::App,
            amount: Some("1.00".parse().unwrap()),
            subject: Some("x".to_owned()),
            seller_id: self.registered.pid.clone(),
            life: Duration::from_secs(900),
            expected_buyer: Buyer::default(),
        };
        let now = WallTime::from(self.alipay.now());
        self.payments.orders().place(&request, now).await.unwrap()
    }

    /// Its trade, as it stands at Alipay.
    pub fn trade(&self, status: &str) -> Trade {
        let paid = matches!(status, "TRADE_SUCCESS" | "TRADE_FINISHED");
        Trade {
            app_id: self.registered.app_id.clone(),
            out_trade_no: ORDER.to_owned(),
            trade_no: TRADE_NO.to_owned(),
            trade_status: status.to_owned(),
            total_amount: "1.00".to_owned(),
            paid_at: paid.then_some(1_700_000_000_000),
            ..Trade::default()
        }
    }

    pub fn refund(&self, amount: &str, number: &str) {
        self.simulator
            .refund_trade(&self.registered.app_id, ORDER, amount, number);
    }

    /// The kinds of the events that got out, in their order.
    pub fn told(&self) -> Vec<String> {
        let events = self.bus.events().into_iter();
        events.map(|event| event.detail_type).collect()
    }
}

pub fn soon() -> Deadline {
    Deadline::after(SystemTime::now(), Duration::from_secs(30))
}

pub fn refund_number(text: &str) -> RefundNumber {
    RefundNumber::try_from(text.to_owned()).unwrap()
}
