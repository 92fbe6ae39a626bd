//! The refreshes that came, and the tokens that they left.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Route;
use crate::world::Shared;

pub(super) const ROUTES: &[Route] = &[
    (
        "GET",
        "/_simulator/refreshes",
        "how many refreshes came and how many made a new pair, by app and by refresh token",
    ),
    (
        "GET",
        "/_simulator/live-refresh-tokens/{app_id}/{user_id or auth_app_id}",
        "the refresh tokens of a user or a merchant that can be refreshed now",
    ),
];

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/_simulator/refreshes", get(refreshes))
        .route(
            "/_simulator/live-refresh-tokens/{app_id}/{subject}",
            get(live),
        )
}

async fn refreshes(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().received.refreshes()))
}

async fn live(
    State(shared): State<Shared>,
    Path((app_id, subject)): Path<(String, String)>,
) -> Json<Value> {
    let world = shared.world();
    let now = world.clock.now();
    // No user's id is an app's.
    let mut tokens = world.grants.live_refresh_tokens(&app_id, &subject, now);
    tokens.extend(world.merchants.live_refresh_token(&app_id, &subject, now));
    Json(json!({ "refresh_tokens": tokens }))
}
