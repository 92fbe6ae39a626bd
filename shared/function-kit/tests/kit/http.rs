//! Functions whose interface is HTTP itself: what they see of a request, and what becomes of their answers (security cases L-01 to
//! L-04, L-09).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_kit::{Failure, Handler, HttpFunction, HttpService, Request, Response};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bench::{REQUEST_ID, invocation};
use crate::events::{any_json, cases, other_triggers};

const DAY: Duration = Duration::from_secs(86_400);

/// Says what it sees, by path.
#[derive(Default)]
pub struct Mirror {
    /// Whether failures are said in a form of its own, and a header of that form.
    own_refusal: Option<&'static str>,
}

#[derive(Deserialize)]
struct Input {
    list: Vec<u8>,
}

impl HttpFunction for Mirror {
    const NAME: &'static str = "mirror";

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        let value = |name| {
            request
                .query_value(name)
                .map(|value| value.unwrap_or_default())
        };
        match (request.method(), request.path()) {
            ("GET", "/seen") => Ok(Response::json(
                200,
                &json!({
                    "query": request.query(), "x": request.query_value("x")?, "cookie": request.cookie("a"),
                    "header": request.header("X-One"), "address": request.source_address(), "request_id": request.request_id(),
                }),
            )),
            ("POST", "/text") => Ok(Response::json(200, request.body_text()?)),
            ("POST", "/json") => Ok(Response::json(200, &request.json::<Input>()?.list)),
            ("POST", "/form") => {
                let form = request.form()?;
                Ok(Response::json(200, &[form.value("a"), form.value("b")]))
            }
            ("GET", "/away") => Ok(Response::redirect(value("to")?)
                .with_cookie("__Host-a", "1", DAY)
                .with_cookie("b", "", Duration::ZERO)),
            ("GET", "/cookie") => {
                Ok(Response::empty(204).with_cookie(value("name")?, value("value")?, DAY))
            }
            ("GET", "/page") => Ok(Response::html(200, "<p>页面</p>")),
            ("GET", "/words") => Ok(Response::text(200, "success")),
            ("GET", "/kept") => Ok(Response::json(200, &json!({}))
                .with_header("cache-control", "public, max-age=300")
                .with_status(203)),
            ("GET", "/unavailable") => Ok(Response::json(503, &json!({"error": "own"}))),
            ("GET", "/fails") => Err(Failure::internal("canarycause")),
            _ => Err(request.no_such_route()),
        }
    }

    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        match self.own_refusal {
            Some(header) => {
                Response::json(400, &json!({"error_code": "OWN"})).with_header("x-own", header)
            }
            None => Response::envelope(failure, request.request_id()),
        }
    }
}

/// An event of payload 2.0.
pub fn event(method: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": {"host": "api.example.com", "x-forwarded-for": "198.51.100.9"},
        "requestContext": {
            "stage": "$default", "requestId": "r",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1", "userAgent": "agent"},
        },
        "isBase64Encoded": false,
    })
}

/// The same request in payload 1.0; its query has to be decoded by the caller.
fn event_1(method: &str, path: &str, query: &Value) -> Value {
    json!({
        "version": "1.0", "path": path, "httpMethod": method,
        "headers": {}, "multiValueHeaders": {}, "multiValueQueryStringParameters": query,
        "requestContext": {
            "stage": "$default", "httpMethod": method, "path": path,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "agent"},
        },
        "isBase64Encoded": false,
    })
}

fn with(mut event: Value, member: &str, value: impl Into<Value>) -> Value {
    event[member] = value.into();
    event
}

async fn answer_of(mirror: Mirror, event: &str) -> Value {
    let service = HttpService::new(mirror);
    let answer = service.handle(event, invocation()).await;
    serde_json::from_str(answer.get()).unwrap()
}

async fn answer(event: &Value) -> Value {
    answer_of(Mirror::default(), &event.to_string()).await
}

fn status_and_body(answer: &Value) -> (u64, Value) {
    let body = answer["body"].as_str().expect("a body");
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (answer["statusCode"].as_u64().expect("a status"), body)
}

async fn seen(event: &Value) -> (u64, Value) {
    status_and_body(&answer(event).await)
}

/// Status, slug and message of a refusal in the envelope.
async fn refused(event: &Value) -> (u64, String, String) {
    let (status, body) = seen(event).await;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (status, text("error"), text("msg"))
}

fn said(status: u64, error: &str, message: &str) -> (u64, String, String) {
    (status, error.to_owned(), message.to_owned())
}

#[tokio::test]
async fn both_payload_versions_say_the_same_of_a_request() {
    let mut two = event("GET", "/seen", "x=%E5%9B%BE+1%26&y=");
    two["headers"]["x-one"] = json!("1,2");
    two["cookies"] = json!(["a=b", "c=d=e"]);
    let mut one = event_1("GET", "/seen", &json!({"x": ["图 1&"], "y": [""]}));
    one["headers"] = json!({"X-One": "2", "Cookie": "a=b; c=d=e"});
    one["multiValueHeaders"] = json!({"X-One": ["1", "2"], "Cookie": ["a=b; c=d=e"]});
    for event in [two, one] {
        let expected = json!({
            "query": [["x", "图 1&"], ["y", ""]], "x": "图 1&", "cookie": "b", "header": "1,2", "address": "192.0.2.1",
            "request_id": REQUEST_ID,
        });
        assert_eq!(seen(&event).await, (200, expected), "{event}");
    }
}

#[tokio::test]
async fn a_header_is_found_in_whatever_letters_it_was_sent() {
    for headers in [
        json!({"x-one": "1"}),
        json!({"X-ONE": "1"}),
        json!({"X-One": "1"}),
    ] {
        let event = with(event("GET", "/seen", ""), "headers", headers);
        assert_eq!(seen(&event).await.1["header"], "1");
    }
    let both = with(
        event("GET", "/seen", ""),
        "headers",
        json!({"X-One": "1", "x-one": "2"}),
    );
    assert_eq!(seen(&both).await.1["header"], "1,2");
    for absent in [json!(null), json!({}), json!({"x-one": null})] {
        let event = with(event("GET", "/seen", ""), "headers", absent);
        assert_eq!(seen(&event).await.1["header"], Value::Null);
    }
}

#[test]
fn a_media_type_is_accepted_where_accept_names_it() {
    let accepts = |accept: &str, media_type: &str| {
        let event = with(
            event("GET", "/seen", ""),
            "headers",
            json!({"Accept": accept}),
        );
        let request = Request::from_event(&event.to_string(), invocation()).unwrap();
        request.accepts(media_type)
    };
    let browser = "text/html,application/xhtml+xml, application/xml;q=0.9,*/*;q=0.8";
    assert!(accepts(browser, "text/html") && accepts(browser, "application/xml"));
    assert!(accepts(
        "Application/JSON; charset=utf-8",
        "application/json"
    ));
    for accept in ["", "*/*", "text/*", "text/html5", "application/json"] {
        assert!(!accepts(accept, "text/html"), "{accept}");
    }
}

#[tokio::test]
async fn a_name_that_stands_twice_in_the_query_is_refused_where_it_is_read() {
    let twice = said(400, "invalid_argument", "x: stands twice");
    for query in ["x=1&x=2", "x=1&x=1", "x&y=3&%78="] {
        assert_eq!(
            refused(&event("GET", "/seen", query)).await,
            twice,
            "{query}"
        );
    }
    let one = event_1("GET", "/seen", &json!({"x": ["1", "2"]}));
    assert_eq!(refused(&one).await, twice);
    assert_eq!(seen(&event("GET", "/seen", "y=1&y=2&x=3")).await.0, 200);
}

#[tokio::test]
async fn a_cookie_that_is_sent_twice_counts_as_absent() {
    for (cookies, found) in [
        (json!(["a=1"]), json!("1")),
        (json!(["b=2", "a=1"]), json!("1")),
        (json!(["b=2; a=1"]), json!("1")),
        (json!(["a=1", "a=2"]), json!(null)),
        (json!(["a=1; a=1"]), json!(null)),
        (json!(["A=1"]), json!(null)),
        (json!(["a", "=1", ""]), json!(null)),
        (json!([]), json!(null)),
    ] {
        let event = with(event("GET", "/seen", ""), "cookies", cookies.clone());
        assert_eq!(seen(&event).await.1["cookie"], found, "{cookies}");
    }
    let header = with(
        event("GET", "/seen", ""),
        "headers",
        json!({"cookie": "b=2; a=1"}),
    );
    assert_eq!(seen(&header).await.1["cookie"], "1");
    let several = json!({"Cookie": ["b=2", "a=1"]});
    let one = with(
        event_1("GET", "/seen", &json!(null)),
        "multiValueHeaders",
        several,
    );
    assert_eq!(seen(&one).await.1["cookie"], "1");
}

#[tokio::test]
async fn the_path_is_without_the_stage_and_otherwise_as_it_was_written() {
    for (stage, path, status) in [
        ("$default", "/seen", 200),
        ("dev", "/dev/seen", 200),
        ("dev", "/seen", 200),
        ("dev", "/developers/seen", 404),
        ("dev", "/dev", 404),
        ("dev", "/dev/dev/seen", 404),
        ("$default", "/dev/seen", 404),
        ("", "/seen", 200),
        ("$default", "//seen", 404),
        ("$default", "/./seen", 404),
        ("$default", "/x/%2e%2e/seen", 404),
        ("$default", "/x/../seen", 404),
        ("$default", "/%73een", 404),
        ("$default", "/seen/", 404),
        ("$default", "/SEEN", 404),
        ("$default", "", 404),
    ] {
        let mut two = event("GET", path, "");
        two["requestContext"]["stage"] = json!(stage);
        let mut one = event_1("GET", path, &json!({}));
        one["requestContext"]["stage"] = json!(stage);
        for event in [two, one] {
            assert_eq!(seen(&event).await.0, status, "{event}");
        }
    }
    for (path, kept) in [("/dev", "/"), ("/developers", "/developers")] {
        let mut event = event("GET", path, "");
        event["requestContext"]["stage"] = json!("dev");
        let request = Request::from_event(&event.to_string(), invocation()).unwrap();
        assert_eq!(request.path(), kept);
    }
    // A REST API's `path` lacks the stage that its context has.
    let mut rest = event_1("GET", "/prod/seen", &json!({}));
    rest["requestContext"]["stage"] = json!("prod");
    rest["path"] = json!("/seen");
    assert_eq!(seen(&rest).await.0, 200);
    assert_eq!(
        refused(&event("POST", "/seen", "")).await,
        said(
            404,
            "not_found",
            "this path, with this method, does not exist"
        )
    );
}

#[tokio::test]
async fn a_body_is_read_as_it_is_or_out_of_base64() {
    let long = "x".repeat(1024 * 1024);
    let limit = |text: &str| said(413, "too_large", text);
    let too_large = limit("the input is too large: 1 MiB at most");
    let text = event("POST", "/text", "");
    for (body, encoded, expected) in [
        (json!("é"), json!(false), json!("é")),
        (json!("é"), json!(null), json!("é")),
        (json!(STANDARD.encode("é")), json!(true), json!("é")),
        (json!(null), json!(false), json!("")),
        (json!(long), json!(false), json!(long)),
        (json!(STANDARD.encode(&long)), json!(true), json!(long)),
    ] {
        let event = with(
            with(text.clone(), "body", body),
            "isBase64Encoded",
            encoded.clone(),
        );
        assert!(seen(&event).await == (200, expected), "{encoded}");
    }
    for (body, encoded, expected) in [
        (
            json!("%"),
            json!(true),
            said(
                400,
                "invalid_argument",
                "body: is marked as base64 but is not",
            ),
        ),
        (
            json!("/w=="),
            json!(true),
            said(400, "invalid_argument", "body: must be UTF-8"),
        ),
        (
            json!(7),
            json!(false),
            said(400, "invalid_argument", "body: must be a text"),
        ),
        (
            json!("a"),
            json!("yes"),
            said(400, "invalid_argument", "body: must be a text"),
        ),
        (
            json!("\u{1f600}".repeat(1024 * 1024)),
            json!(false),
            too_large.clone(),
        ),
        (json!(format!("{long}x")), json!(false), too_large.clone()),
        (
            json!(STANDARD.encode(format!("{long}xxxx"))),
            json!(true),
            too_large.clone(),
        ),
        (
            json!("x".repeat(10 * 1024 * 1024)),
            json!(false),
            too_large.clone(),
        ),
    ] {
        let event = with(with(text.clone(), "body", body), "isBase64Encoded", encoded);
        assert_eq!(refused(&event).await, expected);
    }
}

#[tokio::test]
async fn a_body_of_json_has_its_limits_and_what_is_wrong_is_named() {
    let post = |body: &str| with(event("POST", "/json", ""), "body", body);
    assert_eq!(seen(&post(r#"{"list":[1,2]}"#)).await, (200, json!([1, 2])));
    let deep = format!(r#"{{"list":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let many = format!(r#"{{"list":[{}]}}"#, vec!["1"; 10_000].join(","));
    for (body, message) in [
        ("", "body: is empty; send the arguments as a JSON object"),
        ("[]", "body: must be a JSON object"),
        ("a=1", "body: must be a JSON object"),
        (
            r#"{"list":"\ud800"}"#,
            "list: is not JSON (line 1, column 16)",
        ),
        (
            r#"{"list":["canary"]}"#,
            "list[0]: must be a whole number from 0 to 255",
        ),
        ("{}", "list: is required"),
        (r#"{"list":[],"list":[1]}"#, "list: stands twice"),
        (&deep, "body: is nested deeper than 64 levels"),
        (&many, "body: has more than 10,000 members"),
    ] {
        assert_eq!(
            refused(&post(body)).await,
            said(400, "invalid_argument", message)
        );
    }
}

#[tokio::test]
async fn a_form_is_one_by_its_type_and_has_each_name_once() {
    let post = |content_type: &str, body: &str| {
        let mut event = with(event("POST", "/form", ""), "body", STANDARD.encode(body));
        event["isBase64Encoded"] = json!(true);
        event["headers"] = json!({"Content-Type": content_type});
        event
    };
    let form = "application/x-www-form-urlencoded";
    for content_type in [
        form,
        "application/x-www-form-urlencoded; charset=utf-8",
        "APPLICATION/X-WWW-FORM-URLENCODED",
    ] {
        let event = post(content_type, "a=%E5%9B%BE+1&c=d");
        assert_eq!(seen(&event).await, (200, json!(["图 1", null])));
    }
    let other = said(
        400,
        "invalid_argument",
        "content-type: must be application/x-www-form-urlencoded",
    );
    for content_type in [
        "",
        "application/json",
        "multipart/form-data",
        "text/plain, application/x-www-form-urlencoded",
    ] {
        assert_eq!(refused(&post(content_type, "a=1")).await, other);
    }
    for body in ["a=1&a=2", "a=1&b=2&%61="] {
        assert_eq!(
            refused(&post(form, body)).await,
            said(
                400,
                "invalid_argument",
                "body: has a name that stands twice"
            )
        );
    }
    let many: Vec<String> = (0..100_000).map(|index| format!("n{index}=")).collect();
    assert_eq!(seen(&post(form, &many.join("&"))).await.0, 200);
}

#[tokio::test]
async fn a_head_over_its_limit_is_refused_and_one_within_it_is_read() {
    let many = |count: usize| -> Value {
        let headers: serde_json::Map<String, Value> = (0..count)
            .map(|index| (format!("x-{index:05}"), json!("v")))
            .collect();
        headers.into()
    };
    let long = "x".repeat(64 * 1024);
    let seen_event = event("GET", "/seen", "");
    assert_eq!(
        seen(&with(seen_event.clone(), "headers", many(5_000)))
            .await
            .0,
        200
    );
    let lists = json!({"X-One": vec!["v"; 65_000]});
    for event in [
        with(seen_event.clone(), "headers", many(10_000)),
        with(seen_event.clone(), "headers", json!({ "x-one": long })),
        with(seen_event.clone(), "rawQueryString", format!("x={long}")),
        with(seen_event.clone(), "rawPath", format!("/{long}")),
        with(seen_event.clone(), "cookies", json!([format!("a={long}")])),
        with(
            event_1("GET", "/seen", &json!({})),
            "multiValueHeaders",
            lists,
        ),
        event_1("GET", "/seen", &json!({ "x": [long] })),
    ] {
        assert_eq!(
            refused(&event).await,
            said(
                413,
                "too_large",
                "the input is too large: path, query and headers of 64 KiB at most"
            )
        );
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_in_the_functions_own_form() {
    for (member, value) in [
        ("rawPath", json!(7)),
        ("rawQueryString", json!({})),
        ("headers", json!([])),
        ("headers", json!({"x": 1})),
        ("cookies", json!("a=1")),
    ] {
        let event = with(event("GET", "/seen", ""), member, value);
        let (status, slug, message) = refused(&event).await;
        assert_eq!((status, slug.as_str()), (400, "invalid_argument"));
        assert!(message.contains("cannot be read"), "{message}");

        let own = Mirror {
            own_refusal: Some("1"),
        };
        let answer = answer_of(own, &event.to_string()).await;
        assert_eq!(
            status_and_body(&answer),
            (400, json!({"error_code": "OWN"}))
        );
    }
    let surrogate = event("GET", "/seen", "")
        .to_string()
        .replace("api.example.com", "\\udfff");
    let answer = answer_of(Mirror::default(), &surrogate).await;
    assert_eq!(answer["statusCode"], 400);
}

#[tokio::test]
async fn who_does_not_speak_http_gets_the_envelope_and_no_panic() {
    for (trigger, event) in other_triggers() {
        let answer = answer(&event).await;
        assert_eq!(answer["error"], "invalid_argument", "{trigger}: {answer}");
        let message = answer["msg"].as_str().unwrap();
        assert!(message.contains("trigger"), "{trigger}: {message}");
    }
    for event in ["{}", r#"{"code":"c"}"#, r#"{"requestContext":null}"#] {
        let answer = answer_of(Mirror::default(), event).await;
        assert_eq!(answer["error"], "invalid_argument", "{event}");
        let message = answer["msg"].as_str().unwrap();
        assert!(message.contains("HTTP API"), "{event}: {message}");
    }
    for event in ["null", "[]", "{", "", "\"x\""] {
        let answer = answer_of(Mirror::default(), event).await;
        assert_eq!(answer["error"], "invalid_argument", "{event}");
    }
}

#[tokio::test]
async fn nulls_everywhere_are_read_as_absent() {
    let two = json!({
        "version": "2.0", "rawPath": null, "rawQueryString": null, "headers": null, "cookies": null, "body": null,
        "requestContext": {"stage": null, "http": {"method": null, "path": null, "sourceIp": null}},
    });
    let one = json!({
        "path": null, "headers": null, "multiValueHeaders": null, "multiValueQueryStringParameters": null,
        "requestContext": {"httpMethod": "GET", "identity": null},
    });
    for event in [two, one] {
        assert_eq!(seen(&event).await.0, 404);
    }
    let mut one = event_1("GET", "/seen", &json!({ "x": null }));
    one["multiValueHeaders"] = json!({ "x-one": null });
    assert_eq!(seen(&one).await.0, 200);
}

#[tokio::test]
async fn cookies_are_written_as_the_payload_version_has_them() {
    let first = "__Host-a=1; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax";
    let second = "b=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";
    let to = "https://app.example.com/?ticket=1";
    let two = answer(&event(
        "GET",
        "/away",
        &format!("to={}", to.replace('?', "%3F")),
    ))
    .await;
    assert_eq!(
        two,
        json!({
            "statusCode": 302,
            "headers": {"cache-control": "no-store", "location": to, "referrer-policy": "no-referrer"},
            "cookies": [first, second],
            "body": "", "isBase64Encoded": false,
        })
    );
    let one = answer(&event_1("GET", "/away", &json!({ "to": [to] }))).await;
    assert_eq!(
        one,
        json!({
            "statusCode": 302,
            "headers": {"cache-control": "no-store", "location": to, "referrer-policy": "no-referrer"},
            "multiValueHeaders": {"set-cookie": [first, second]},
            "body": "", "isBase64Encoded": false,
        })
    );
}

#[tokio::test]
async fn what_would_break_out_of_a_header_is_not_sent() {
    for to in [
        "https://app.example.com/%0d%0aset-cookie:a=1",
        "https://app.example.com/%0a",
        "https://app.example.com/%00",
        "https://app.example.com/%09",
        "https://app.example.com/%E5%9B%BE",
        "https://app.example.com/%7F",
        "",
    ] {
        let answer = answer(&event("GET", "/away", &format!("to={to}"))).await;
        let (status, body) = status_and_body(&answer);
        assert_eq!((status, &body["error"]), (500, &json!("internal")), "{to}");
        assert_eq!(answer["headers"].get("location"), None, "{to}");
        assert_eq!(answer.get("cookies"), None, "{to}");
    }
    for (name, value) in [
        ("", "1"),
        ("a b", "1"),
        ("a=", "1"),
        ("a;", "1"),
        ("a", "1;Domain=example.com"),
        ("a", "1\r\nx: y"),
        ("a", "1 2"),
        ("a", "1,2"),
        ("a", "图"),
    ] {
        let query = json!({"name": [name], "value": [value]});
        let answer = answer(&event_1("GET", "/cookie", &query)).await;
        assert_eq!(answer["statusCode"], 500, "{name}={value}");
        assert_eq!(answer.get("multiValueHeaders"), None, "{name}={value}");
    }
}

#[tokio::test]
async fn nothing_is_cached_unless_it_says_so_and_a_page_can_do_nothing() {
    let page = answer(&event("GET", "/page", "")).await;
    assert_eq!(
        page["headers"],
        json!({
            "content-type": "text/html; charset=utf-8", "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer", "x-content-type-options": "nosniff",
        })
    );
    assert_eq!(page["body"], "<p>页面</p>");
    let words = answer(&event("GET", "/words", "")).await;
    assert_eq!(
        (&words["headers"], &words["body"]),
        (
            &json!({"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}),
            &json!("success")
        )
    );
    let kept = answer(&event("GET", "/kept", "")).await;
    assert_eq!(
        kept["headers"],
        json!({"content-type": "application/json; charset=utf-8", "cache-control": "public, max-age=300"})
    );
    assert_eq!(kept["statusCode"], 203);
}

#[tokio::test]
async fn a_failure_is_said_in_the_envelope_or_in_the_functions_own_form() {
    let fails = event("GET", "/fails", "");
    let (status, body) = seen(&fails).await;
    assert_eq!(
        (status, &body["error"], &body["request_id"]),
        (500, &json!("internal"), &json!(REQUEST_ID))
    );
    assert!(!body.to_string().contains("canary"), "{body}");

    let own = |header| Mirror {
        own_refusal: Some(header),
    };
    let answer = answer_of(own("1"), &fails.to_string()).await;
    assert_eq!(
        status_and_body(&answer),
        (400, json!({"error_code": "OWN"}))
    );
    let unsendable = answer_of(own("1\r\n2"), &fails.to_string()).await;
    let (status, body) = status_and_body(&unsendable);
    assert_eq!((status, &body["error"]), (500, &json!("internal")));
    assert_eq!(unsendable["headers"].get("x-own"), None);
}

#[tokio::test]
async fn debug_shows_nothing_of_a_request_or_an_answer_but_method_path_and_status() {
    let mut event = event("POST", "/form", "code=canary");
    event["headers"] =
        json!({"content-type": "application/x-www-form-urlencoded", "authorization": "canary"});
    event["cookies"] = json!(["a=canary"]);
    event["body"] = json!("a=canary");
    event["requestContext"]["http"]["sourceIp"] = json!("canary");
    let request = Request::from_event(&event.to_string(), invocation()).unwrap();
    assert_eq!(
        format!("{request:?}"),
        r#"Request { method: "POST", path: "/form", .. }"#
    );
    let form = request.form().unwrap();
    assert_eq!(form.value("a"), Some("canary"));
    assert_eq!(format!("{form:?}"), "Form");
    let response = Response::redirect("https://canary")
        .with_cookie("a", "canary", DAY)
        .with_header("x", "canary");
    assert_eq!(format!("{response:?}"), "Response { status: 302, .. }");
    assert_eq!(response.header("Location"), Some("https://canary"));
    assert_eq!(response.cookies().len(), 1);
}

#[tokio::test]
async fn an_event_of_another_kind_is_no_request() {
    for event in ["{}", "[]", r#"{"Records":[]}"#] {
        let failure = Request::from_event(event, invocation()).unwrap_err();
        assert_eq!(failure.to_string(), "invalid_argument", "{event}");
    }
}

#[test]
fn any_event_gets_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answered = |event: &str| {
        let answer = runtime.block_on(answer_of(Mirror::default(), event));
        answer["statusCode"].is_u64() || (answer["code"] == -1 && answer["error"].is_string())
    };
    proptest!(cases(512), |(event in any_json())| {
        prop_assert!(answered(&event.to_string()));
    });
    proptest!(cases(512), |(written in any_json(), cookies in any_json(), headers in any_json(), method in "GET|POST|\\PC{0,4}",
                            path in "/(seen|text|json|form|away|cookie)|\\PC*", query in "([xa]?=?[%&+a-f0-9]{0,6}){0,4}|\\PC*")| {
        let mut event = event(&method, &path, &query);
        if let Value::Object(members) = written {
            event.as_object_mut().unwrap().extend(members.into_iter().filter(|(name, _)| name == "body" || name == "isBase64Encoded"));
        }
        event["cookies"] = cookies;
        event["headers"] = headers;
        let answer = runtime.block_on(answer_of(Mirror::default(), &event.to_string()));
        prop_assert!(answer["statusCode"].is_u64(), "{answer}");
    });
}
