//! Orders and what Alipay does about them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_event_bus::{EmbeddedEventBus, PublishedEvent};
use serde_json::{Value, json};
use simulator::NoticeOptions;

use crate::{Event, Stack};

/// Whose the orders of the tests and events are.
pub const OWNER: &str = "events-owner";

/// How long an event may take that is to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// An order of an app, as `app.getOrderStr` makes it.
#[derive(Clone, Debug)]
pub struct PlacedOrder {
    /// Its number.
    pub out_trade_no: String,
    /// What the app hands to Alipay's SDK, and the simulator's cashier takes.
    pub value: String,
}

impl Stack {
    /// The embedded event bus.
    pub fn events(&self) -> &EmbeddedEventBus {
        self.server.events()
    }

    /// Waits until `count` events were published in all.
    pub async fn published(&self, count: usize) -> Vec<PublishedEvent> {
        tokio::time::timeout(PATIENCE, self.events().wait_for(count))
            .await
            .unwrap_or_else(|_| panic!("{:?}", self.events().events()))
    }

    /// A call of `app-pay`, such as `trade.query`, with `arguments`, an object.
    pub async fn pay_call(&self, call: &str, mut arguments: Value) -> Value {
        arguments["call"] = call.into();
        self.invoke("app-pay", &arguments).await
    }

    /// A new order of [`OWNER`] over `amount`, such as `12.50`.
    pub async fn place_order(&self, amount: &str) -> PlacedOrder {
        let arguments = json!({"total_amount": amount, "subject": "两杯咖啡", "owner": OWNER});
        let answer = self.pay_call("app.getOrderStr", arguments).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}"));
        PlacedOrder {
            out_trade_no: text("out_trade_no").to_owned(),
            value: text("value").to_owned(),
        }
    }

    /// Posts what Alipay would to where the notices of the stack's app go; the status and the body.
    pub async fn notify(&self, form: &str) -> (u16, String) {
        let address = format!("{}/notify/{}", self.server.base_url(), self.app().app_id);
        let posted = self
            .http
            .post(address)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        let reply = posted.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    /// The rows of the table of orders, as texts.
    pub async fn order_rows(&self) -> Vec<String> {
        let rows = self.scan_of_orders().await;
        rows.iter().map(|row| format!("{row:?}")).collect()
    }

    /// Makes every event due that was recorded and has not got out, as if half a minute had passed.
    pub async fn make_events_due(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let past = now.as_millis() - 1;
        for row in self.scan_of_orders().await {
            if !row.contains_key("publish_at") {
                continue;
            }
            let update = self.server.table().client().update_item();
            update
                .table_name(dev_server::ORDER_TABLE)
                .key("pk", row["pk"].clone())
                .update_expression("SET publish_at = :past")
                .expression_attribute_values(":past", AttributeValue::N(past.to_string()))
                .send()
                .await
                .unwrap();
        }
    }

    async fn scan_of_orders(&self) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        let scan = self
            .server
            .table()
            .client()
            .scan()
            .table_name(dev_server::ORDER_TABLE)
            .consistent_read(true);
        scan.send().await.unwrap().items.unwrap_or_default()
    }

    /// The event with orders of this stack, and what Alipay says of them, in the places that it has for that. `events/README.md` lists
    /// them. Alipay's own notices are held back, so that nothing but the event changes an order.
    pub async fn with_orders(&self, event: Event) -> Event {
        const PLACES: [&str; 7] = [
            "events-open-order",
            "events-paid-order",
            "events-refunded-order",
            "events-client-result",
            "events-notice-base64",
            "events-notice",
            "events-message",
        ];
        let mut event = event;
        for place in PLACES {
            if event.text.contains(place) {
                self.simulator().hold_notices();
                event = event.with_text(place, &self.put_in(place).await);
            }
        }
        event
    }

    async fn put_in(&self, place: &str) -> String {
        let (simulator, app_id) = (self.simulator(), &self.app().app_id);
        if place == "events-message" {
            let fields = [
                ("notify_type", "open_app_auth_notify"),
                ("biz_content", r#"{"detail":{"app_auth_token":"canary"}}"#),
            ];
            return simulator.app_message(app_id, &fields, &NoticeOptions::default());
        }
        let order = self.place_order("12.50").await;
        if place == "events-open-order" {
            simulator.open_cashier(&order.value).unwrap();
            return order.out_trade_no;
        }
        let paid = simulator.pay(&order.value).unwrap();
        let notice =
            || simulator.trade_notice(app_id, &order.out_trade_no, &NoticeOptions::default());
        match place {
            "events-client-result" => {
                let told: Value = serde_json::from_str(&paid.client_result).unwrap();
                told["result"].as_str().unwrap().to_owned()
            }
            "events-notice-base64" => STANDARD.encode(notice()),
            "events-notice" => notice(),
            "events-refunded-order" => {
                let arguments = json!({
                    "out_trade_no": order.out_trade_no,
                    "refund_amount": "5.00",
                    "out_request_no": "events_refund",
                });
                let answer = self.pay_call("trade.refund", arguments).await;
                assert_eq!(answer["code"], 0, "{answer}");
                order.out_trade_no
            }
            _ => order.out_trade_no,
        }
    }
}
