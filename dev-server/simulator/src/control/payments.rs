//! Trades, payments and notices.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Route, bad_request};
use crate::cashier::CashierDecision;
use crate::notices::{NoticeOptions, delivery};
use crate::refusal::Refusal;
use crate::trades::{Number, Trade, fen};
use crate::users;
use crate::world::Shared;

/// Times that one request may have a notice repeated.
const MOST_REPEATS: usize = 1000;

pub(super) const ROUTES: &[Route] = &[
    (
        "GET",
        "/cashier.htm",
        "where a buyer pays: an order string as the query, or ?trade_no; its form comes back by POST: decision=pay|cancel|leave",
    ),
    ("GET", "/_simulator/trades", "the trades"),
    (
        "POST",
        "/_simulator/trades",
        "puts a trade there: {\"app_id\", \"out_trade_no\", \"trade_no\"?, \"trade_status\"?, \"total_amount\"?, \"buyer\"?, \"subject\"?, \"notify_url\"?, …}",
    ),
    (
        "POST",
        "/_simulator/payments",
        "a buyer decides at the cashier without a browser: {\"order\": an order string or a trade_no, \"decision\"?: \"pay\"|\"cancel\"|\"leave\", \"user_id\"?}; answers what the front end gets",
    ),
    (
        "POST",
        "/_simulator/finished-trades",
        "a paid trade takes no more refunds: {\"app_id\", \"number\"}",
    ),
    (
        "POST",
        "/_simulator/refunds",
        "the merchant gives money back in Alipay's console: {\"app_id\", \"number\", \"refund_amount\", \"out_request_no\"}",
    ),
    (
        "GET",
        "/_simulator/notices",
        "the notices, what was answered to each, and whether they are held",
    ),
    (
        "POST",
        "/_simulator/notices",
        "sends a notice about a trade as it stands: {\"app_id\", \"number\", \"options\"?: {\"fields\"?, \"without\"?, \"charset\"?, \"signed_text\"?, \"empty_values_unsigned\"?, \"forgery\"?: \"bad_signature\"|\"no_signature\"|\"foreign_key\"|\"sha1_signature\"|{\"signature\":…}|{\"changed_fields\":{…}}}}; answers its notify_id",
    ),
    (
        "POST",
        "/_simulator/notices/held",
        "whether notices wait for a release: {\"held\"}",
    ),
    (
        "POST",
        "/_simulator/notices/released",
        "sends waiting notices one after the other: {\"notify_ids\"}; answers once they are answered",
    ),
    (
        "POST",
        "/_simulator/notices/repeated",
        "sends a notice again, all at once: {\"notify_id\", \"times\"?}; answers what came back",
    ),
    (
        "POST",
        "/_simulator/messages-to-app",
        "sends a message to an app gateway: {\"url\", \"app_id\", \"fields\": {\"notify_type\", …}, \"options\"? as for notices}; answers its notify_id",
    ),
];

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/_simulator/trades", get(trades).post(add_trade))
        .route("/_simulator/payments", post(pay))
        .route("/_simulator/finished-trades", post(finish))
        .route("/_simulator/refunds", post(refund))
        .route("/_simulator/notices", get(notices).post(send_notice))
        .route("/_simulator/notices/held", post(hold))
        .route("/_simulator/notices/released", post(release))
        .route("/_simulator/notices/repeated", post(repeat))
        .route("/_simulator/messages-to-app", post(send_message))
}

async fn trades(State(shared): State<Shared>) -> Json<Value> {
    let mut world = shared.world();
    world.close_expired_trades();
    Json(json!(world.trades))
}

async fn add_trade(State(shared): State<Shared>, Json(trade): Json<Trade>) -> Response {
    let mut world = shared.world();
    world.trades.push(trade.clone());
    world.notices.changed();
    (StatusCode::CREATED, Json(trade)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    order: String,
    #[serde(default)]
    decision: CashierDecision,
    user_id: Option<String>,
}

async fn pay(State(shared): State<Shared>, Json(of): Json<Payment>) -> Response {
    let mut world = shared.world();
    let user_id = of.user_id.unwrap_or_else(|| world.visitor.clone());
    if !users::is_user_id(&user_id) {
        return bad_request("user_id has to be 16 digits that begin with 2088");
    }
    match world.at_cashier(&of.order, of.decision, &user_id, &shared.base_url) {
        Ok(outcome) => (StatusCode::CREATED, Json(outcome)).into_response(),
        Err(flaw) => bad_request(flaw),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    app_id: String,
    number: String,
}

async fn finish(State(shared): State<Shared>, Json(of): Json<Finish>) -> Response {
    let finished = (shared.world()).finish_trade(&of.app_id, &Number::Either(&of.number));
    trade_answer(finished)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    app_id: String,
    number: String,
    refund_amount: String,
    out_request_no: String,
}

async fn refund(State(shared): State<Shared>, Json(of): Json<RefundRequest>) -> Response {
    let Some(amount) = fen(&of.refund_amount).filter(|fen| *fen > 0) else {
        return bad_request("refund_amount has to be yuan such as \"1.00\"");
    };
    let number = Number::Either(&of.number);
    let mut world = shared.world();
    let refunded = world.refund_trade(&of.app_id, &number, amount, Some(&of.out_request_no));
    trade_answer(refunded.map(|(trade, _)| trade))
}

fn trade_answer(outcome: Result<Trade, Refusal>) -> Response {
    match outcome {
        Ok(trade) => (StatusCode::CREATED, Json(trade)).into_response(),
        Err(refusal) => bad_request(refusal.sub_code),
    }
}

async fn notices(State(shared): State<Shared>) -> Json<Value> {
    let world = shared.world();
    Json(json!({ "held": world.notices.is_held(), "notices": world.notices.all() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TradeNotice {
    app_id: String,
    number: String,
    #[serde(default)]
    options: NoticeOptions,
}

async fn send_notice(State(shared): State<Shared>, Json(of): Json<TradeNotice>) -> Response {
    let mut world = shared.world();
    let sent = world.send_trade_notice(&of.app_id, &of.number, &of.options);
    notify_id_answer(sent)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageToApp {
    url: String,
    app_id: String,
    fields: BTreeMap<String, String>,
    #[serde(default)]
    options: NoticeOptions,
}

async fn send_message(State(shared): State<Shared>, Json(of): Json<MessageToApp>) -> Response {
    let mut world = shared.world();
    let form = world.app_message(&of.app_id, of.fields, &of.options);
    notify_id_answer(form.map(|form| world.send_form(form, &of.app_id, None, of.url)))
}

fn notify_id_answer(sent: Result<String, &'static str>) -> Response {
    match sent {
        Ok(notify_id) => {
            let body = json!({ "notify_id": notify_id });
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Err(error) => bad_request(error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    held: bool,
}

async fn hold(State(shared): State<Shared>, Json(of): Json<Hold>) -> StatusCode {
    shared.world().notices.hold(of.held);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    notify_ids: Vec<String>,
}

async fn release(State(shared): State<Shared>, Json(of): Json<Release>) -> Json<Value> {
    for notify_id in &of.notify_ids {
        delivery::send_now(&shared, notify_id).await;
    }
    let mut notices = shared.world().notices.all();
    notices.retain(|notice| of.notify_ids.contains(&notice.notify_id));
    Json(json!({ "notices": notices }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    notify_id: String,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

async fn repeat(State(shared): State<Shared>, Json(of): Json<Repeat>) -> Response {
    if of.times > MOST_REPEATS {
        return bad_request("times is at most 1000");
    }
    let answers = delivery::repeat(&shared, &of.notify_id, of.times).await;
    Json(json!({ "answers": answers })).into_response()
}
