//! What the content checks object to.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Route;
use crate::methods::content::ContentRules;
use crate::world::Shared;

pub(super) const ROUTES: &[Route] = &[
    (
        "GET",
        "/_simulator/content-rules",
        "the texts that the content checks forbid or doubt",
    ),
    (
        "POST",
        "/_simulator/content-rules",
        "adds some: {\"forbid\"?: [\"…\"], \"doubt\"?: [\"…\"]}",
    ),
    (
        "DELETE",
        "/_simulator/content-rules",
        "leaves the built-in ones alone: simulator-reject is forbidden, simulator-review doubtful",
    ),
];

pub(super) fn router() -> Router<Shared> {
    Router::new().route(
        "/_simulator/content-rules",
        get(rules).post(add).delete(reset),
    )
}

async fn rules(State(shared): State<Shared>) -> Json<Value> {
    let world = shared.world();
    let (forbid, doubt) = world.content_rules.texts();
    Json(json!({ "forbid": forbid, "doubt": doubt }))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rules {
    forbid: Vec<String>,
    doubt: Vec<String>,
}

async fn add(State(shared): State<Shared>, Json(rules): Json<Rules>) -> StatusCode {
    let mut world = shared.world();
    for text in rules.forbid {
        world.content_rules.forbid(text);
    }
    for text in rules.doubt {
        world.content_rules.doubt(text);
    }
    StatusCode::NO_CONTENT
}

async fn reset(State(shared): State<Shared>) -> StatusCode {
    shared.world().content_rules = ContentRules::default();
    StatusCode::NO_CONTENT
}
