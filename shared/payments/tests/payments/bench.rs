//! A table of its own for each test, and a bus that counts.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::{EmbeddedDynamoDb, Proxy, client_at};
use payments::{
    Buyer, Finding, Messages, Order, OrderNumber, OrderRequest, OrderTable, Orders, Outbox,
    PaymentError, Product, Recorded, RefundNumber, Unpublished, create_order_table,
};
use table_rows::WallTime;

pub type Item = HashMap<String, AttributeValue>;

/// The moment at which every test begins: 2026-11-21T02:00:00Z.
pub const START: WallTime = WallTime::from_secs(1_795_226_400);

pub const APP: &str = "2021000000000001";
pub const TRADE: &str = "2026112122001400000000000001";

/// The moment `seconds` after [`START`].
pub fn after(seconds: u64) -> WallTime {
    START.plus(Duration::from_secs(seconds))
}

/// An empty table on a running DynamoDB.
pub struct Bench {
    pub client: Client,
    pub name: String,
    pub endpoint: SocketAddr,
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    pub async fn new() -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        let name = format!("orders-{}", uuid::Uuid::new_v4());
        create_order_table(&client, &name).await.unwrap();
        Self {
            client,
            name,
            endpoint: dynamodb.address(),
            _dynamodb: dynamodb,
        }
    }

    pub fn table(&self) -> OrderTable {
        OrderTable::new(self.client.clone(), &self.name)
    }

    /// The table as another process has it: nothing is shared, not even connections.
    pub fn table_of_another_process(&self) -> OrderTable {
        self.table_through(self.endpoint)
    }

    /// The table through another endpoint, such as a faulty proxy.
    pub fn table_through(&self, endpoint: SocketAddr) -> OrderTable {
        OrderTable::new(client_at(endpoint), &self.name)
    }

    pub async fn proxy(&self) -> Proxy {
        Proxy::before(self.endpoint).await.unwrap()
    }

    pub fn orders(&self) -> Orders {
        Orders::new(self.table())
    }

    pub fn messages(&self) -> Messages {
        Messages::new(self.table())
    }

    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.table())
    }

    /// An order of 100.00 that nobody has paid.
    pub async fn placed(&self, number: &str) -> Order {
        let placed = self.orders().place(&request(number), START).await;
        placed.unwrap()
    }

    /// Records a finding, and publishes nothing.
    pub async fn record(&self, order: &Order, finding: &Finding, now: WallTime) -> Recorded {
        let recorded = self.orders().record(order, finding, None, now).await;
        recorded.unwrap()
    }

    /// The order as it is now.
    pub async fn order(&self, number: &str) -> Order {
        let number = OrderNumber::try_from(number.to_owned()).unwrap();
        self.orders().find(APP, &number, None).await.unwrap()
    }

    /// Every row.
    pub async fn items(&self) -> Vec<Item> {
        self.client
            .scan()
            .table_name(&self.name)
            .consistent_read(true)
            .send()
            .await
            .unwrap()
            .items
            .unwrap_or_default()
    }

    /// The row of an order.
    pub async fn row(&self, number: &str) -> Item {
        let pk = format!("ORDER#{APP}#{number}");
        self.client
            .get_item()
            .table_name(&self.name)
            .key("pk", AttributeValue::S(pk))
            .consistent_read(true)
            .send()
            .await
            .unwrap()
            .item
            .unwrap()
    }

    /// Writes a row as somebody who has the table could.
    pub async fn overwrite(&self, item: Item) {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }

    /// Deletes a row, as the table's time to live does.
    pub async fn delete(&self, pk: &str) {
        self.client
            .delete_item()
            .table_name(&self.name)
            .key("pk", AttributeValue::S(pk.to_owned()))
            .send()
            .await
            .unwrap();
    }

    /// Publishes what is due, from `now` on and with a minute's pause between, until nothing is.
    pub async fn sweep(&self, bus: &Bus, mut now: WallTime) {
        let outbox = self.outbox();
        for _ in 0..20 {
            let due = outbox.due(now, 25).await.unwrap();
            if due.is_empty() {
                self.assert_all_published().await;
                return;
            }
            for row in &due {
                if let Some(unpublished) = outbox.claim(row, now).await.unwrap() {
                    bus.publish(&unpublished);
                    outbox.published(&unpublished).await.unwrap();
                }
            }
            now = now.plus(Duration::from_secs(61));
        }
        panic!("there is no end of it");
    }

    /// No row has an event left, or a place in the index.
    pub async fn assert_all_published(&self) {
        for row in self.items().await {
            assert!(pending(&row).is_empty(), "{row:?}");
            for attribute in ["unpublished_shard", "publish_at", "unpublished_since"] {
                assert!(!row.contains_key(attribute), "{row:?}");
            }
        }
    }
}

/// What was published, in the place of EventBridge.
#[derive(Clone, Default)]
pub struct Bus(Arc<Mutex<Vec<String>>>);

impl Bus {
    pub fn publish(&self, unpublished: &Unpublished) {
        let ids = unpublished.events.iter().map(|event| event.id.clone());
        self.0.lock().unwrap().extend(ids);
    }

    /// How often each event got out.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for id in self.0.lock().unwrap().iter() {
            *counts.entry(id.clone()).or_default() += 1;
        }
        counts
    }
}

/// What a function does with a finding: record, publish, report.
pub async fn tell(
    table: &OrderTable,
    bus: &Bus,
    order: &Order,
    finding: &Finding,
    now: WallTime,
) -> Result<(), PaymentError> {
    let recorded = Orders::new(table.clone())
        .record(order, finding, Some("notice-1"), now)
        .await?;
    if let Some(unpublished) = &recorded.unpublished {
        bus.publish(unpublished);
        Outbox::new(table.clone()).published(unpublished).await?;
    }
    Ok(())
}

/// An order of 100.00.
pub fn request(number: &str) -> OrderRequest {
    OrderRequest {
        app_id: APP.to_owned(),
        out_trade_no: OrderNumber::try_from(number.to_owned()).unwrap(),
        owner: "owner-1".to_owned(),
        product: Product::App,
        amount: "100.00".parse().ok(),
        subject: Some("tea".to_owned()),
        seller_id: "2088000000000100".to_owned(),
        life: Duration::from_secs(900),
        expected_buyer: Buyer::default(),
    }
}

pub fn paid() -> Finding {
    Finding::Paid {
        trade_no: TRADE.to_owned(),
        is_finished: false,
        payer: buyer("2088000000000001"),
    }
}

pub fn finished() -> Finding {
    Finding::Paid {
        trade_no: TRADE.to_owned(),
        is_finished: true,
        payer: buyer("2088000000000001"),
    }
}

pub fn closed() -> Finding {
    Finding::Closed {
        trade_no: Some(TRADE.to_owned()),
    }
}

pub fn refunded(number: &str, yuan: &str) -> Finding {
    Finding::Refunded {
        number: refund(number),
        amount: yuan.parse().unwrap(),
    }
}

pub fn refund(number: &str) -> RefundNumber {
    RefundNumber::try_from(number.to_owned()).unwrap()
}

pub fn buyer(user_id: &str) -> Buyer {
    Buyer {
        user_id: Some(user_id.to_owned()),
        open_id: None,
    }
}

/// A text or number of a row, or nothing.
pub fn text<'a>(row: &'a Item, field: &str) -> &'a str {
    match row.get(field) {
        Some(AttributeValue::S(value) | AttributeValue::N(value)) => value,
        _ => "",
    }
}

/// The ids of the events in a row that are not published, sorted.
pub fn pending(row: &Item) -> Vec<String> {
    let Some(AttributeValue::M(pending)) = row.get("pending") else {
        return Vec::new();
    };
    let mut ids: Vec<_> = pending.keys().cloned().collect();
    ids.sort();
    ids
}
