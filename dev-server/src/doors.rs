//! The two doors: API Gateway's routes and AWS Lambda's Invoke API.

mod api_gateway;
mod authorizer;
mod invoke_api;
mod landing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRef, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, post};
use embedded_event_bus::EmbeddedEventBus;
use serde_json::json;

use crate::functions::Functions;
use crate::local_table::TableAddress;
use crate::routes::{ROUTES, Route, Who};

pub(crate) use authorizer::Authorizer;
use invoke_api::{INVOKE, invocations};
pub(crate) use landing::LANDING;
use landing::landing;

/// What Lambda takes as one event.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Where the token table is. No route of the project: nothing like it is deployed.
pub(crate) const LOCAL_TABLE: &str = "/_local/table";

/// What was published. No route of the project either.
pub(crate) const LOCAL_EVENTS: &str = "/_local/events";

/// So many of the newest events are shown.
const EVENTS_SHOWN: usize = 100;

/// What the routes answer from.
#[derive(Clone)]
pub(crate) struct Doors {
    pub functions: Functions,
    pub authorizer: Authorizer,
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    pub table: TableAddress,
    pub events: Arc<EmbeddedEventBus>,
}

impl FromRef<Doors> for Functions {
    fn from_ref(doors: &Doors) -> Self {
        doors.functions.clone()
    }
}

pub(crate) fn router(doors: Doors) -> Router {
    let mut router = Router::new()
        .route(INVOKE, post(invocations).fallback(unknown))
        .route(LOCAL_TABLE, get(local_table).fallback(unknown))
        .route(LOCAL_EVENTS, get(local_events).fallback(unknown))
        .route(LANDING, get(landing).fallback(unknown))
        .route("/", get(list));
    for (path, methods) in routes_by_path() {
        router = router.route(path, methods.fallback(unknown));
    }
    router
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_EVENT_BYTES))
        .with_state(doors)
}

fn routes_by_path() -> BTreeMap<&'static str, MethodRouter<Doors>> {
    let mut by_path = BTreeMap::new();
    for route in ROUTES {
        let methods: MethodRouter<Doors> = by_path.remove(route.path).unwrap_or_default();
        let call = move |state, connection, places, headers, uri, body| {
            api_gateway::call(route, state, connection, places, headers, uri, body)
        };
        let methods = match route.method {
            // API Gateway does not take HEAD for GET.
            "GET" => methods
                .on(MethodFilter::GET, call)
                .on(MethodFilter::HEAD, unknown),
            _ => methods.on(MethodFilter::POST, call),
        };
        by_path.insert(route.path, methods);
    }
    by_path
}

/// Where the token table is, for `dev-server tokens` on the same machine.
async fn local_table(
    State(doors): State<Doors>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
) -> Response {
    if !address.ip().is_loopback() {
        return StatusCode::FORBIDDEN.into_response();
    }
    axum::Json(doors.table).into_response()
}

/// The newest events, in the order in which they were published.
async fn local_events(
    State(doors): State<Doors>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
) -> Response {
    if !address.ip().is_loopback() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let events = doors.events.events();
    let shown = &events[events.len().saturating_sub(EVENTS_SHOWN)..];
    axum::Json(json!({ "events": shown })).into_response()
}

async fn list() -> Response {
    axum::Json(json!({"routes": described()})).into_response()
}

async fn unknown(method: Method, uri: Uri) -> Response {
    let body = json!({
        "code": -1,
        "msg": format!("{method} {} is no route", uri.path()),
        "error": "not_found",
        "routes": described(),
    });
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}

fn described() -> Vec<String> {
    let who = |route: &Route| match route.who {
        Who::Public => "public",
        Who::SignedIn => "with an id_token as bearer",
        Who::Iam => "IAM-signed requests only",
    };
    let mut lines: Vec<_> = ROUTES
        .iter()
        .map(|route| {
            format!(
                "{} {} ({}, {})",
                route.method,
                route.path,
                route.function,
                who(route)
            )
        })
        .collect();
    lines.push(format!("POST {INVOKE} (direct invoke of any function)"));
    lines
}
