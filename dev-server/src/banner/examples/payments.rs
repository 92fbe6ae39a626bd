//! Payments: what a server asks for, what the buyer does, and what comes of it.

use serde_json::json;
use simulator::{SimulatedUser, Simulator};

use super::{Example, curl, keeping, keeping_all, line, with_variables};
use crate::doors::LOCAL_EVENTS;
use crate::functions::PUBLISH_EVENTS;
use crate::server::{DevServer, Gateway};

/// Whose the orders are, in the caller's own words.
const OWNER: &str = "user-1";

/// In an order in which they work when pasted one after the other.
pub(super) fn examples(server: &DevServer, base: &str) -> Vec<Example> {
    let simulator = match server.gateway() {
        Gateway::Simulated(simulated) => Some(&simulated.0),
        Gateway::Configured => None,
    };
    let url = format!("{base}/2015-03-31/functions/app-pay/invocations");
    let mut lines = vec![Example::new(
        "app.getOrderStr: an order, and the string that pays it in Alipay's SDK in an app",
        keeping_all(
            &[("ORDER", "value"), ("NUMBER", "out_trade_no")],
            &curl(
                &url,
                &json!({"call": "app.getOrderStr", "total_amount": "12.50", "subject": "两杯咖啡", "owner": OWNER}),
            ),
        ),
    )];
    lines.extend(
        simulator
            .map(|simulator| paying(simulator, "?$ORDER", "ORDER"))
            .into_iter()
            .flatten(),
    );
    let query = json!({"call": "trade.query", "out_trade_no": "$NUMBER", "owner": OWNER});
    lines.push(Example::new(
        "trade.query: what Alipay says of the order, and what is recorded",
        line(with_variables(&url, &query)),
    ));
    lines.push(Example::new(
        "trade.create: the same for a mini-program, whose my.tradePay takes the trade_no",
        keeping(
            "TRADE",
            "trade_no",
            &curl(
                &url,
                &json!({"call": "trade.create", "total_amount": "3.00", "subject": "一杯茶", "owner": OWNER, "buyer_id": SimulatedUser::DEFAULT_USER_ID}),
            ),
        ),
    ));
    lines.extend(
        simulator
            .map(|simulator| paying(simulator, "?trade_no=$TRADE", "TRADE"))
            .into_iter()
            .flatten(),
    );
    lines.push(Example::new(
        "what was published of all this",
        line(format!("curl -s {base}{LOCAL_EVENTS}")),
    ));
    lines.push(Example::new(
        "what the schedule does every 10 seconds: publish what was recorded and did not get out",
        line(curl(
            &format!("{base}/2015-03-31/functions/{PUBLISH_EVENTS}/invocations"),
            &json!({}),
        )),
    ));
    let app_id = server.app_ids().first().map_or("", String::as_str);
    lines.push(Example::new(
        "what a notice gets that Alipay has not signed",
        line(format!(
            "curl -s {base}/notify/{app_id} -d 'trade_status=TRADE_SUCCESS'"
        )),
    ));
    lines
}

/// By hand in a browser, and without one.
fn paying(simulator: &Simulator, query: &str, variable: &str) -> [Example; 2] {
    let base = simulator.base_url();
    [
        Example::new(
            "Alipay's cashier: open the address in a browser and pay, cancel or leave",
            format!(r#"ADDRESS="{base}/cashier.htm{query}"; echo "$ADDRESS""#),
        ),
        Example::new(
            "or have it paid at once; the notice comes within a moment",
            line(with_variables(
                &format!("{base}/_simulator/payments"),
                &json!({"order": format!("${variable}")}),
            )),
        ),
    ]
}
