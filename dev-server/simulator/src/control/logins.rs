//! Who visits the page for users, and which identifiers an app gets of them: of logins, and of users whose ids are converted.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Route, bad_request};
use crate::apps::Identifiers;
use crate::users;
use crate::world::Shared;

pub(super) const ROUTES: &[Route] = &[
    (
        "GET",
        "/oauth2/publicAppAuthorize.htm",
        "the page on which a user logs in to an app: ?app_id&scope&redirect_uri&state; its form comes back by POST: decision=agree|refuse",
    ),
    (
        "GET",
        "/_simulator/visitor",
        "the user who is logged in to Alipay in the browser that visits the page",
    ),
    (
        "POST",
        "/_simulator/visitor",
        "from now on it is this one: {\"user_id\"}",
    ),
    (
        "POST",
        "/_simulator/identifiers",
        "moves an app from one kind of identifiers to another: {\"app_id\", \"identifiers\": \"user_id_only\"|\"both\"|\"open_id_only\"}",
    ),
    (
        "POST",
        "/_simulator/conversion-orders",
        "Alipay approves an order to convert these users' ids: {\"app_id\", \"user_ids\"}; answers the order_id",
    ),
    (
        "GET",
        "/_simulator/page-visits",
        "the visits to the page; DELETE /_simulator/received forgets them too",
    ),
];

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/_simulator/visitor", get(visitor).post(change_visitor))
        .route("/_simulator/identifiers", post(change_identifiers))
        .route("/_simulator/conversion-orders", post(approve_conversion))
        .route("/_simulator/page-visits", get(page_visits))
}

async fn visitor(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "user_id": shared.world().visitor }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Visitor {
    user_id: String,
}

async fn change_visitor(State(shared): State<Shared>, Json(visitor): Json<Visitor>) -> Response {
    if !users::is_user_id(&visitor.user_id) {
        return bad_request("user_id has to be 16 digits that begin with 2088");
    }
    shared.world().change_visitor(&visitor.user_id);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    app_id: String,
    identifiers: Identifiers,
}

async fn change_identifiers(State(shared): State<Shared>, Json(to): Json<Move>) -> Response {
    let changed = shared
        .world()
        .change_identifiers(&to.app_id, to.identifiers);
    match changed {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => bad_request(error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversion {
    app_id: String,
    user_ids: Vec<String>,
}

async fn approve_conversion(State(shared): State<Shared>, Json(of): Json<Conversion>) -> Response {
    let mut world = shared.world();
    if !world.apps.contains_key(&of.app_id) {
        return bad_request("no app of this app_id");
    }
    if !of.user_ids.iter().all(|user_id| users::is_user_id(user_id)) {
        return bad_request("user_ids have to be 16 digits that begin with 2088");
    }
    let user_ids: Vec<&str> = of.user_ids.iter().map(String::as_str).collect();
    let order_id = world.approve_conversion(&of.app_id, &user_ids);
    (StatusCode::CREATED, Json(json!({ "order_id": order_id }))).into_response()
}

async fn page_visits(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().received.page_visits()))
}
