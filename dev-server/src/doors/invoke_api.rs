//! AWS Lambda's Invoke API, as the AWS SDKs and `aws lambda invoke` call it.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::functions::Functions;
use crate::invocation::{Crash, invoke};

pub(super) const INVOKE: &str = "/2015-03-31/functions/{function}/invocations";

/// What the caller wants to wait for.
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

impl InvocationType {
    /// From `X-Amz-Invocation-Type`; `None` for another word.
    fn of(headers: &HeaderMap) -> Option<Self> {
        match headers.get("x-amz-invocation-type") {
            None => Some(Self::RequestResponse),
            Some(word) => match word.as_bytes() {
                b"RequestResponse" => Some(Self::RequestResponse),
                b"Event" => Some(Self::Event),
                b"DryRun" => Some(Self::DryRun),
                _ => None,
            },
        }
    }
}

/// `POST /2015-03-31/functions/NAME/invocations`; axum has undone the percent-encoding of the name.
pub(super) async fn invocations(
    State(functions): State<Functions>,
    Path(named): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if is_of_a_page(&headers) {
        return error(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            "A page in a browser may invoke nothing directly; it has the routes",
        );
    }
    let request_id = Uuid::new_v4().to_string();
    let mut response = answer(&functions, &named, &headers, &body, &request_id).await;
    if let Ok(value) = request_id.parse() {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

/// Whether a browser sends it for a page. Nobody proves here who they are, as IAM has them do on AWS, and any page that the developer
/// looks at can post to this address, or have a name of its own lead here.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

async fn answer(
    functions: &Functions,
    named: &str,
    headers: &HeaderMap,
    body: &Bytes,
    request_id: &str,
) -> Response {
    let Some(handler) = function_name(named).and_then(|name| functions.get(name)) else {
        let known: Vec<_> = functions.names().collect();
        let message = format!(
            "Function not found: {named}; there are {}",
            known.join(", ")
        );
        return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    let Some(kind) = InvocationType::of(headers) else {
        return error(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            "X-Amz-Invocation-Type must be RequestResponse, Event or DryRun",
        );
    };
    let event = match std::str::from_utf8(body) {
        Ok("") => "{}",
        Ok(text) if serde_json::from_str::<&RawValue>(text).is_ok() => text,
        _ => {
            return error(
                StatusCode::BAD_REQUEST,
                "InvalidRequestContentException",
                "The event is not JSON",
            );
        }
    };
    let executed = [("x-amz-executed-version", "$LATEST")];
    let invocation = invoke(handler.clone(), event.to_owned(), request_id.to_owned());
    match kind {
        InvocationType::DryRun => (StatusCode::NO_CONTENT, executed).into_response(),
        InvocationType::Event => {
            tokio::spawn(invocation);
            (StatusCode::ACCEPTED, executed).into_response()
        }
        InvocationType::RequestResponse => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            match invocation.await {
                Ok(answer) => (executed, json, answer.get().to_owned()).into_response(),
                Err(crash) => {
                    let unhandled = [("x-amz-function-error", "Unhandled")];
                    let account = account_of(&crash, request_id).to_string();
                    (executed, unhandled, json, account).into_response()
                }
            }
        }
    }
}

/// The name in `name`, `ACCOUNT:function:name` or `arn:aws:lambda:REGION:ACCOUNT:function:name`, each perhaps with a version or an
/// alias after it: here all of them are the code at hand.
fn function_name(named: &str) -> Option<&str> {
    let parts: Vec<&str> = named.split(':').collect();
    match parts.as_slice() {
        [name]
        | [name, _]
        | [_, "function", name]
        | [_, "function", name, _]
        | ["arn", _, "lambda", _, _, "function", name]
        | ["arn", _, "lambda", _, _, "function", name, _] => Some(name),
        _ => None,
    }
}

/// What Lambda says of a function that ended without an answer.
fn account_of(crash: &Crash, request_id: &str) -> serde_json::Value {
    match crash {
        Crash::TimedOut(limit) => json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!(
                "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                limit.as_secs_f64()
            ),
        }),
        Crash::Panicked => json!({
            "errorType": "Runtime.ExitError",
            "errorMessage": format!("RequestId: {request_id} Error: Runtime exited with error: exit status 101"),
        }),
    }
}

/// Lambda's error document, with the header by which the SDKs tell errors apart.
fn error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    (
        status,
        [("x-amzn-errortype", kind)],
        axum::Json(json!({"Type": "User", "Message": message})),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_every_form_that_lambda_takes() {
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:refresh-tokens";
        for named in [
            "refresh-tokens",
            "refresh-tokens:$LATEST",
            "123456789012:function:refresh-tokens",
            "123456789012:function:refresh-tokens:live",
            arn,
            &format!("{arn}:$LATEST"),
        ] {
            assert_eq!(function_name(named), Some("refresh-tokens"), "{named}");
        }
        for named in [
            "arn:aws:s3:::refresh-tokens",
            "a:b:refresh-tokens",
            "arn:aws:lambda:x:y:layer:z",
        ] {
            assert_eq!(function_name(named), None, "{named}");
        }
    }
}
