//! The two doors: API Gateway's routes and AWS Lambda's Invoke API.

mod invoke_api;

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRef, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::functions::Functions;
use crate::invocation::invoke;
use crate::local_table::TableAddress;
use crate::routes::{ROUTES, Route, Who};

use invoke_api::{INVOKE, invocations};

/// What Lambda takes as one event.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Where the token table is. No route of the project: nothing like it is deployed.
pub(crate) const LOCAL_TABLE: &str = "/_local/table";

/// What the routes answer from.
#[derive(Clone)]
pub(crate) struct Doors {
    pub functions: Functions,
    pub table: TableAddress,
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
        .route("/", get(list));
    for route in ROUTES {
        let filter = MethodFilter::try_from(
            Method::from_bytes(route.method.as_bytes()).unwrap_or(Method::POST),
        )
        .unwrap_or(MethodFilter::POST);
        let call = move |state, connection, headers, uri, body| {
            http(route, state, connection, headers, uri, body)
        };
        router = router.route(route.path, on(filter, call).fallback(unknown));
    }
    router
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_EVENT_BYTES))
        .with_state(doors)
}

/// A call through API Gateway, as payload 2.0.
async fn http(
    route: Route,
    State(functions): State<Functions>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    if route.who == Who::Iam {
        return refuse_unsigned(route, &request_id);
    }
    let Some(handler) = functions.get(route.function) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "no such function").into_response();
    };
    let event = payload(route, address, &headers, &uri, &body, &request_id).to_string();
    match invoke(handler.clone(), event, request_id).await {
        Ok(answer) => api_gateway_response(&answer),
        Err(_) => {
            let body = json!({"message": "Internal Server Error"});
            (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(body)).into_response()
        }
    }
}

/// API Gateway lets only IAM-signed requests through to these routes, and there is no IAM here.
fn refuse_unsigned(route: Route, request_id: &str) -> Response {
    let body = json!({
        "code": -1,
        "msg": "this route is for the server side: it takes IAM-signed requests only",
        "error": "forbidden",
        "request_id": request_id,
        "hint": format!(
            "locally, invoke the function directly: POST /2015-03-31/functions/{}/invocations with the same JSON", route.function
        ),
        "retryable": false,
    });
    (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
}

fn payload(
    route: Route,
    address: SocketAddr,
    headers: &HeaderMap,
    uri: &Uri,
    body: &Bytes,
    request_id: &str,
) -> Value {
    let text = std::str::from_utf8(body);
    let mut joined = serde_json::Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        joined.insert(name.to_string(), values.join(",").into());
    }
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    json!({
        "version": "2.0",
        "routeKey": format!("{} {}", route.method, route.path),
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "local",
            "http": {
                "method": route.method,
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": address.ip().to_string(),
                "userAgent": agent,
            },
            "requestId": request_id,
            "routeKey": format!("{} {}", route.method, route.path),
            "stage": "$default",
        },
        "body": text.map_or_else(|_| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_err(),
    })
}

/// An answer in API Gateway's form as an HTTP response.
fn api_gateway_response(answer: &RawValue) -> Response {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        status_code: u16,
        headers: serde_json::Map<String, Value>,
        body: String,
    }
    let Ok(answer) = serde_json::from_str::<Answer>(answer.get()) else {
        return (
            StatusCode::BAD_GATEWAY,
            "the function's answer is not in API Gateway's form",
        )
            .into_response();
    };
    let mut response = Response::builder().status(answer.status_code);
    for (name, value) in &answer.headers {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    response.body(Body::from(answer.body)).unwrap_or_else(|_| {
        (
            StatusCode::BAD_GATEWAY,
            "the function's answer has a wrong header",
        )
            .into_response()
    })
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
