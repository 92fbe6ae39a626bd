//! Who subscribed to which template, crowds, and the batches that were sent.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Route, bad_request};
use crate::subscriptions::{Subscription, SubscriptionKind};
use crate::users::{SimulatedUser, is_user_id};
use crate::world::Shared;

pub(super) const ROUTES: &[Route] = &[
    (
        "POST",
        "/_simulator/subscriptions",
        "a user subscribes to a template: {\"app_id\", \"template_id\", \"user_id\"?, \"kind\"?: \"one_time\"|\"long_term\", \"kept\"?}",
    ),
    (
        "POST",
        "/_simulator/crowds",
        "names a crowd for batches of messages: {\"crowd_code\", \"user_ids\"}",
    ),
    (
        "GET",
        "/_simulator/batches",
        "the batches of messages that were sent, with their receivers",
    ),
];

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/_simulator/subscriptions", post(subscribe))
        .route("/_simulator/crowds", post(add_crowd))
        .route("/_simulator/batches", get(batches))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionRequest {
    app_id: String,
    template_id: String,
    user_id: Option<String>,
    #[serde(default)]
    kind: SubscriptionKind,
    #[serde(default)]
    kept: bool,
}

async fn subscribe(
    State(shared): State<Shared>,
    Json(request): Json<SubscriptionRequest>,
) -> Response {
    let user_id = request
        .user_id
        .unwrap_or_else(|| SimulatedUser::DEFAULT_USER_ID.to_owned());
    if !is_user_id(&user_id) {
        return bad_request("user_id has to be 16 digits that begin with 2088");
    }
    let mut world = shared.world();
    if !world.apps.contains_key(&request.app_id) {
        return bad_request("no app of this app_id");
    }
    let subscription = Subscription {
        kind: request.kind,
        kept: request.kept,
    };
    world.subscribe(
        &request.app_id,
        &user_id,
        &request.template_id,
        subscription,
    );
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crowd {
    crowd_code: String,
    user_ids: BTreeSet<String>,
}

async fn add_crowd(State(shared): State<Shared>, Json(crowd): Json<Crowd>) -> StatusCode {
    shared
        .world()
        .subscriptions
        .add_crowd(crowd.crowd_code, crowd.user_ids);
    StatusCode::NO_CONTENT
}

async fn batches(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().batches))
}
