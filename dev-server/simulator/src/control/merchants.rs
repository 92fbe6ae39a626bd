//! Merchants authorise an ISV app, and take it back.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Route, bad_request};
use crate::world::Shared;

pub(super) const ROUTES: &[Route] = &[
    (
        "POST",
        "/_simulator/merchant-authorizations",
        "merchants authorise an ISV app: {\"app_id\", \"auth_app_ids\"}; answers the app_auth_code",
    ),
    (
        "POST",
        "/_simulator/merchant-cancellations",
        "a merchant takes it back: {\"app_id\", \"auth_app_id\"}",
    ),
];

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/_simulator/merchant-authorizations", post(authorize))
        .route("/_simulator/merchant-cancellations", post(cancel))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    app_id: String,
    auth_app_ids: Vec<String>,
}

async fn authorize(
    State(shared): State<Shared>,
    Json(authorization): Json<Authorization>,
) -> Response {
    let mut world = shared.world();
    if !world.apps.contains_key(&authorization.app_id) {
        return bad_request("no app of this app_id");
    }
    if authorization.auth_app_ids.is_empty() {
        return bad_request("auth_app_ids is empty");
    }
    let merchants: Vec<&str> = authorization
        .auth_app_ids
        .iter()
        .map(String::as_str)
        .collect();
    let code = world.authorize_merchants(&authorization.app_id, &merchants);
    (StatusCode::CREATED, Json(json!({ "app_auth_code": code }))).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    app_id: String,
    auth_app_id: String,
}

async fn cancel(State(shared): State<Shared>, Json(of): Json<Cancellation>) -> Json<Value> {
    let ended = shared.world().cancel_merchant(&of.app_id, &of.auth_app_id);
    Json(json!({ "cancelled": ended }))
}
