//! API Gateway's HTTP APIs: who is let through, a request as payload 2.0, and a function's answer as a response.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use token_store::WallTime;
use uuid::Uuid;

use super::Doors;
use crate::invocation::invoke;
use crate::routes::{Route, Who};

/// What stands in the places in braces of a route's path.
type Places = BTreeMap<String, String>;

/// A call of `route`.
pub(super) async fn call(
    route: Route,
    State(doors): State<Doors>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Path(places): Path<Places>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let authorizer = match route.who {
        Who::Public => None,
        Who::SignedIn => match doors
            .authorizer
            .authorize(&headers, WallTime::from(SystemTime::now()))
        {
            Ok(authorizer) => Some(authorizer),
            Err(unauthorized) => return unauthorized.into_response(),
        },
        Who::Iam => return refuse_unsigned(route, &request_id),
    };
    let Some(handler) = doors.functions.get(route.function) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "no such function").into_response();
    };
    let mut event = payload(route, address, &headers, &uri, &body, &request_id);
    with_places(&mut event, &places);
    if let Some(authorizer) = authorizer {
        event["requestContext"]["authorizer"] = authorizer;
    }
    match invoke(handler.clone(), event.to_string(), request_id).await {
        Ok(answer) => response(&answer),
        Err(_) => {
            let body = json!({"message": "Internal Server Error"});
            (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(body)).into_response()
        }
    }
}

/// Leaves the member out where the path has no places, as API Gateway does.
fn with_places(event: &mut Value, places: &Places) {
    if !places.is_empty() {
        event["pathParameters"] = json!(places);
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
    let agent = values(headers, header::USER_AGENT.as_str()).next();
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("{} {}", route.method, route.path),
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined(headers),
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
                "userAgent": agent.unwrap_or_default(),
            },
            "requestId": request_id,
            "routeKey": format!("{} {}", route.method, route.path),
            "stage": "$default",
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(headers);
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    match std::str::from_utf8(body) {
        Ok("") => {}
        Ok(text) => event["body"] = text.into(),
        Err(_) => {
            event["body"] = STANDARD.encode(body).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    event
}

/// The headers, of one name with a comma between them. Cookies stand elsewhere.
fn joined(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .keys()
        .filter(|name| **name != header::COOKIE)
        .map(|name| {
            let values: Vec<_> = values(headers, name.as_str()).collect();
            (name.to_string(), values.join(",").into())
        })
        .collect()
}

/// `name=value` of each cookie.
fn cookies(headers: &HeaderMap) -> Vec<String> {
    values(headers, header::COOKIE.as_str())
        .flat_map(|line| line.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

/// A function's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn response(answer: &RawValue) -> Response {
    let Ok(answer) = serde_json::from_str::<Answer>(answer.get()) else {
        return unusable("the function's answer is not in API Gateway's form");
    };
    let body = match answer.is_base64_encoded {
        false => answer.body.into_bytes(),
        true => match STANDARD.decode(&answer.body) {
            Ok(body) => body,
            Err(_) => return unusable("the function's answer has a body that is not base64"),
        },
    };
    let mut response = Response::builder().status(answer.status_code);
    for (name, value) in &answer.headers {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    for cookie in answer.cookies {
        response = response.header(header::SET_COOKIE, cookie);
    }
    response
        .body(Body::from(body))
        .unwrap_or_else(|_| unusable("the function's answer has a wrong header"))
}

fn unusable(problem: &'static str) -> Response {
    (StatusCode::BAD_GATEWAY, problem).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::ROUTES;

    fn payload_of(headers: &[(&'static str, &str)], body: &'static [u8]) -> Value {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let uri = "/h5/callback?state=a%20b&state=c".parse().unwrap();
        let body = Bytes::from_static(body);
        payload(ROUTES[0], address, &map, &uri, &body, "id")
    }

    #[test]
    fn headers_of_one_name_are_joined_and_cookies_stand_apart() {
        let event = payload_of(
            &[
                ("accept", "text/html"),
                ("accept", "*/*"),
                ("cookie", "a=1; b=2"),
                ("cookie", "c=3"),
            ],
            b"",
        );
        assert_eq!(event["headers"], json!({"accept": "text/html,*/*"}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2", "c=3"]));
        assert_eq!(event["rawQueryString"], "state=a%20b&state=c");
        assert!(payload_of(&[], b"")["cookies"].is_null());
    }

    #[test]
    fn a_body_is_a_text_where_it_can_be_one_and_left_out_where_there_is_none() {
        let body = |bytes| {
            let event = payload_of(&[], bytes);
            (event["body"].clone(), event["isBase64Encoded"].clone())
        };
        assert_eq!(body(b""), (Value::Null, false.into()));
        assert_eq!(body(b"{}"), ("{}".into(), false.into()));
        assert_eq!(body(b"\xff"), ("/w==".into(), true.into()));
    }

    #[test]
    fn what_stands_in_a_place_of_the_path_is_told_and_else_no_member() {
        let mut event = payload_of(&[], b"");
        with_places(&mut event, &Places::new());
        assert!(event.get("pathParameters").is_none());
        let places = [("appid".to_owned(), "2021".to_owned())];
        with_places(&mut event, &places.into());
        assert_eq!(event["pathParameters"], json!({"appid": "2021"}));
    }

    #[test]
    fn an_answer_may_set_several_cookies_and_have_no_body() {
        let answer = json!({
            "statusCode": 302,
            "headers": {"location": "https://example.com/"},
            "cookies": ["a=1; Secure", "b=2"],
        });
        let answer = RawValue::from_string(answer.to_string()).unwrap();
        let response = response(&answer);
        assert_eq!(response.status(), StatusCode::FOUND);
        assert_eq!(response.headers()["location"], "https://example.com/");
        let set: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(set, ["a=1; Secure", "b=2"]);
    }
}
