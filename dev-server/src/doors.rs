//! The two doors: API Gateway's routes and AWS Lambda's Invoke API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_kit::{Handler, Invocation};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::functions::{FUNCTION_TIMEOUT, Functions};
use crate::routes::{ROUTES, Route, Who};

/// What Lambda takes as one event.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

const INVOKE: &str = "/2015-03-31/functions/{function}/invocations";

pub(crate) fn router(functions: Functions) -> Router {
    let functions = Arc::new(functions);
    let mut router = Router::new()
        .route(INVOKE, post(invoke).fallback(unknown))
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
        .with_state(functions)
}

/// A call through API Gateway, as payload 2.0.
async fn http(
    route: Route,
    State(functions): State<Arc<Functions>>,
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
    let answer = handler.handle(&event, invocation(request_id)).await;
    api_gateway_response(&answer)
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

/// AWS Lambda's Invoke API, as the AWS SDKs and `aws lambda invoke` call it.
async fn invoke(
    State(functions): State<Arc<Functions>>,
    Path(function): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A name, a partial ARN or an ARN, each perhaps with a qualifier.
    let name = function
        .split(':')
        .rfind(|part| functions.get(part).is_some())
        .unwrap_or(&function);
    let Some(handler) = functions.get(name) else {
        let known: Vec<_> = functions.names().collect();
        let message = format!(
            "Function not found: {function}; there are {}",
            known.join(", ")
        );
        return lambda_error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    let event = if body.is_empty() {
        "{}".into()
    } else {
        String::from_utf8_lossy(&body).into_owned()
    };
    if serde_json::from_str::<&RawValue>(&event).is_err() {
        return lambda_error(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            "The event is not JSON",
        );
    }
    let kind = headers
        .get("x-amz-invocation-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("RequestResponse");
    let executed = [("x-amz-executed-version", "$LATEST")];
    match kind {
        "DryRun" => StatusCode::NO_CONTENT.into_response(),
        "Event" => {
            let handler = Arc::clone(handler);
            tokio::spawn(async move { run(handler.as_ref(), &event).await });
            (StatusCode::ACCEPTED, executed).into_response()
        }
        _ => {
            let answer = run(handler.as_ref(), &event).await;
            let json = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::OK, executed, json, answer.get().to_owned()).into_response()
        }
    }
}

async fn run(handler: &dyn Handler, event: &str) -> Box<RawValue> {
    handler
        .handle(event, invocation(Uuid::new_v4().to_string()))
        .await
}

fn lambda_error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    (
        status,
        [("x-amzn-errortype", kind)],
        axum::Json(json!({"Type": "User", "Message": message})),
    )
        .into_response()
}

fn invocation(request_id: String) -> Invocation {
    // A millisecond less than the limit, as a runtime sees it after the event has travelled.
    let limit = FUNCTION_TIMEOUT.saturating_sub(Duration::from_millis(1));
    Invocation {
        request_id,
        deadline: Deadline::after(SystemTime::now(), limit),
    }
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
