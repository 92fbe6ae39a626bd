//! The HTML of the cashier.
//!
//! For whoever drives a browser: `button[value=pay]`, `button[value=cancel]`, `button[value=leave]`, `#subject`, `#amount`, `#payee`
//! and `#user` on the question; `#result`, the JSON text that the front end gets, after a decision; `#paid` where the trade is paid;
//! `#error`, with the sub_code in `data-code`, where the order string or the trade is refused.

use axum::http::StatusCode;
use axum::response::Response;

use super::{CashierDecision, CashierFlaw, CashierOutcome};
use crate::page::{document, escaped};
use crate::trades::Trade;
use crate::users::SimulatedUser;

const TITLE: &str = "支付宝收银台（模拟器）";

/// The form's one member, and its values.
pub(super) const DECISION: &str = "decision";
pub(super) const PAY: &str = "pay";
pub(super) const CANCEL: &str = "cancel";
pub(super) const LEAVE: &str = "leave";

/// Asks the buyer. The form has no address of its own, so that it comes to that of the page, with the same query.
pub(super) fn question(trade: &Trade, payee: &str, user: &SimulatedUser) -> Response {
    let name = user.nick_name.as_deref().unwrap_or("（没有昵称）");
    let main = format!(
        r#"<h1>确认付款</h1>
<p id="subject">{subject}</p>
<p><b>¥<span id="amount">{amount}</span></b></p>
<p>收款方：<code id="payee">{payee}</code></p>
<p>订单号：<code id="out-trade-no">{out_trade_no}</code></p>
<p>付款用户：<b id="user">{name}</b> <code>{user_id}</code></p>
<form method="post">
<button name="{DECISION}" value="{PAY}">付款</button>
<button name="{DECISION}" value="{CANCEL}">取消</button>
<button name="{DECISION}" value="{LEAVE}">离开</button>
</form>"#,
        subject = escaped(&trade.subject),
        amount = escaped(&trade.total_amount),
        payee = escaped(payee),
        out_trade_no = escaped(&trade.out_trade_no),
        name = escaped(name),
        user_id = escaped(&user.user_id),
    );
    document(TITLE, StatusCode::OK, &main)
}

/// The trade was paid before the buyer came.
pub(super) fn paid(trade: &Trade) -> Response {
    let out_trade_no = escaped(&trade.out_trade_no);
    let main = format!(r#"<h1 id="paid">订单已支付</h1><p><code>{out_trade_no}</code></p>"#);
    document(TITLE, StatusCode::OK, &main)
}

/// After a decision: what the front end gets.
pub(super) fn decided(decision: CashierDecision, outcome: &CashierOutcome) -> Response {
    let heading = match decision {
        CashierDecision::Pay => r#"<h1 id="paid">支付成功</h1>"#,
        CashierDecision::Cancel => r#"<h1 id="cancelled">已取消付款</h1>"#,
        CashierDecision::Leave => r#"<h1 id="left">收银台已关闭</h1>"#,
    };
    let result = escaped(&outcome.client_result);
    let main = format!("{heading}\n<p>返回给应用的结果：</p>\n<pre id=\"result\">{result}</pre>");
    document(TITLE, StatusCode::OK, &main)
}

/// The order string or the trade is refused. Nothing of what came is shown but what the refusal says.
pub(super) fn rejected(flaw: &CashierFlaw) -> Response {
    let (code, message) = (escaped(&flaw.code), escaped(&flaw.message));
    let main = format!(
        r#"<h1>无法付款</h1><p id="error" data-code="{code}"><code>{code}</code>：{message}</p>"#
    );
    document(TITLE, StatusCode::BAD_REQUEST, &main)
}
