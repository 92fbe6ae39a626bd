//! Published events, a line for each as it comes.

use std::io::{IsTerminal, Write, stdout};

use embedded_event_bus::PublishedEvent;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

/// Prints what is published, until nobody can publish any more.
pub async fn print(mut events: Receiver<PublishedEvent>) {
    let terminal = stdout().is_terminal();
    loop {
        let line = match events.recv().await {
            Ok(event) => line(&event, terminal),
            Err(RecvError::Lagged(missed)) => format!("… {missed} more events"),
            Err(RecvError::Closed) => return,
        };
        // Whoever closed the other end reads no more.
        let _ = writeln!(stdout(), "{line}");
    }
}

/// What happened, to what, and how much it is about.
fn line(event: &PublishedEvent, terminal: bool) -> String {
    let kind = &*event.detail_type;
    let text = |name: &str| plain(&event.detail[name]);
    let app_id = text("app_id");
    let more = match kind {
        "order.refunded" => format!(
            "{app_id}/{} {} of {} ({})",
            text("out_trade_no"),
            text("refund_amount"),
            text("total_amount"),
            text("out_request_no")
        ),
        "alipay.message" => {
            let what = [text("method"), text("notify_type")];
            let what = what.into_iter().find(|what| !what.is_empty());
            let id = text("notify_id");
            format!("{app_id}/{id} {}", what.unwrap_or_default())
        }
        _ => format!("{app_id}/{} {}", text("out_trade_no"), text("total_amount")),
    };
    let colour = match kind {
        "order.paid" => GREEN,
        "order.refunded" | "order.closed" => YELLOW,
        _ => CYAN,
    };
    match terminal {
        true => format!("{colour}{kind}{PLAIN} {more}"),
        false => format!("{kind} {more}"),
    }
}

/// A text without what a terminal would obey: some of it is of others.
fn plain(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.chars().filter(|char| !char.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(kind: &str, detail: Value) -> String {
        let event = PublishedEvent {
            bus: "events".to_owned(),
            source: "alipay-functions".to_owned(),
            detail_type: kind.to_owned(),
            detail,
        };
        line(&event, false)
    }

    #[test]
    fn a_line_says_what_happened_to_which_order_and_how_much_it_is_about() {
        let order = |more: Value| {
            let mut detail = json!({"app_id": "2021", "out_trade_no": "T1", "total_amount": "12.50", "owner": "u1"});
            let detail_members = detail.as_object_mut().unwrap();
            detail_members.extend(more.as_object().unwrap().clone());
            detail
        };
        assert_eq!(
            shown("order.paid", order(json!({}))),
            "order.paid 2021/T1 12.50"
        );
        assert_eq!(
            shown("order.closed", order(json!({}))),
            "order.closed 2021/T1 12.50"
        );
        let refund = json!({"out_request_no": "R1", "refund_amount": "5.00"});
        assert_eq!(
            shown("order.refunded", order(refund)),
            "order.refunded 2021/T1 5.00 of 12.50 (R1)"
        );
        let message =
            json!({"app_id": "2021", "notify_id": "n1", "notify_type": "open_app_auth_notify"});
        assert_eq!(
            shown("alipay.message", message),
            "alipay.message 2021/n1 open_app_auth_notify"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_left_out() {
        let detail = json!({"app_id": "2021", "notify_id": "\u{1b}[2Jn\r\n1", "method": "\u{9b}m"});
        assert_eq!(
            shown("alipay.message", detail),
            "alipay.message 2021/[2Jn1 m"
        );
    }

    #[test]
    fn a_terminal_gets_colours() {
        let event = PublishedEvent {
            bus: "events".to_owned(),
            source: "alipay-functions".to_owned(),
            detail_type: "order.paid".to_owned(),
            detail: json!({"app_id": "2021", "out_trade_no": "T1", "total_amount": "12.50"}),
        };
        assert_eq!(
            line(&event, true),
            "\u{1b}[32morder.paid\u{1b}[0m 2021/T1 12.50"
        );
    }
}
