//! From a Lambda event to the arguments in it, whichever door it came through.

use std::borrow::Cow;
use std::fmt;

use alipay_gateway::Deadline;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::Failure;
use crate::alipay::SelectedApp;
use crate::input_limits::{MAX_BODY_BYTES, check_json, too_large};

/// How a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Invoked by something that IAM allows to: `sam local invoke`, an AWS SDK, another function.
    Direct,
    /// Over API Gateway or a function URL.
    Http,
}

/// Who calls, for which app, and until when they wait.
#[derive(Debug, Clone)]
pub struct Caller {
    /// How the call came in.
    pub door: Door,
    /// The configured app that the input's `appid` names, or the default one.
    pub app: SelectedApp,
    /// The invocation's deadline.
    pub deadline: Deadline,
    /// The invocation's id, which is in every log line.
    pub request_id: String,
    pub(crate) origin: Origin,
}

impl Caller {
    /// What tells one caller from another on a public route, as far as API Gateway itself knows it: address and user agent.
    /// Headers that a client may set to anything else take no part.
    pub fn fingerprint(&self) -> String {
        match self.door {
            Door::Direct => "direct".to_owned(),
            Door::Http => format!("http\n{}\n{}", self.origin.address, self.origin.agent),
        }
    }
}

/// Where an HTTP call came from, as API Gateway saw it. Empty on the direct door.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub address: String,
    pub agent: String,
}

/// Addresses are personal data and are not logged.
impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Origin")
    }
}

/// An event, taken apart.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    pub door: Door,
    pub origin: Origin,
    /// The arguments as JSON text: within the size limits, an object, not yet looked into.
    pub arguments: Result<Cow<'a, str>, Failure>,
}

/// The members by which events are told apart. Any of them may be null.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Marks<'a> {
    #[serde(borrow, rename = "requestContext")]
    request_context: Option<&'a RawValue>,
    /// S3, SNS, SQS, SES, DynamoDB streams, Kinesis.
    #[serde(rename = "Records")]
    records: Option<IgnoredAny>,
    /// EventBridge and its schedules.
    #[serde(rename = "detail-type")]
    detail_type: Option<IgnoredAny>,
    /// Kafka and Amazon MQ.
    #[serde(rename = "eventSource")]
    event_source: Option<IgnoredAny>,
    /// Firehose.
    #[serde(rename = "deliveryStreamArn")]
    delivery_stream: Option<IgnoredAny>,
    /// CloudWatch Logs.
    awslogs: Option<IgnoredAny>,
    /// Cognito.
    #[serde(rename = "triggerSource")]
    trigger_source: Option<IgnoredAny>,
    /// Lex.
    #[serde(rename = "invocationSource")]
    invocation_source: Option<IgnoredAny>,
    /// API Gateway asking an authorizer (REST API, and WebSocket API).
    #[serde(rename = "methodArn")]
    method: Option<IgnoredAny>,
    /// The same (HTTP API).
    #[serde(rename = "routeArn")]
    route: Option<IgnoredAny>,
}

impl Marks<'_> {
    /// Whether the event has a member that neither of the two doors knows.
    fn are_of_another_trigger(&self) -> bool {
        [
            &self.records,
            &self.detail_type,
            &self.event_source,
            &self.delivery_stream,
            &self.awslogs,
            &self.trigger_source,
            &self.invocation_source,
            &self.method,
            &self.route,
        ]
        .iter()
        .any(|mark| mark.is_some())
    }
}

/// Payload 2.0 has `http`; payload 1.0 has `httpMethod` and `identity`. A WebSocket API and a load balancer have neither.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RequestContext<'a> {
    #[serde(borrow)]
    http: Option<&'a RawValue>,
    #[serde(rename = "httpMethod")]
    http_method: Option<IgnoredAny>,
    #[serde(borrow)]
    identity: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct WrittenOrigin {
    source_ip: Option<String>,
    user_agent: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct WrittenBody {
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// Takes `event` apart. Never fails as a whole: the answer must know the door even when the arguments are wrong.
pub(crate) fn open(event: &str) -> Opened<'_> {
    let marks = match serde_json::from_str::<Marks<'_>>(event) {
        Ok(marks) if event.trim_start().starts_with('{') => marks,
        _ => {
            return direct(Err(Failure::invalid(
                "event",
                "must be a JSON object with the function's arguments",
            )));
        }
    };
    if marks.are_of_another_trigger() {
        return direct(Err(other_trigger()));
    }
    match marks.request_context {
        None => direct(check_json(event).map(|()| Cow::Borrowed(event))),
        Some(context) => match origin(context) {
            None => direct(Err(other_trigger())),
            Some(origin) => Opened {
                door: Door::Http,
                origin,
                arguments: body_text(event).map(Cow::Owned),
            },
        },
    }
}

fn direct(arguments: Result<Cow<'_, str>, Failure>) -> Opened<'_> {
    Opened {
        door: Door::Direct,
        origin: Origin::default(),
        arguments,
    }
}

fn other_trigger() -> Failure {
    Failure::invalid(
        "event",
        "comes from a trigger that this function does not serve; invoke it directly with its arguments, or over an HTTP API",
    )
}

/// Where the call came from; `None` when `context` is not that of an HTTP call. What cannot be read in it counts as unknown: by
/// then the door is known, and its form of answer.
fn origin(context: &RawValue) -> Option<Origin> {
    let context: RequestContext<'_> = serde_json::from_str(context.get()).ok()?;
    let written = match (context.http, context.http_method) {
        (Some(http), _) => Some(http),
        (None, Some(_)) => context.identity,
        (None, None) => return None,
    };
    let WrittenOrigin {
        source_ip,
        user_agent,
    } = written
        .and_then(|written| serde_json::from_str(written.get()).ok())
        .unwrap_or_default();
    Some(Origin {
        address: source_ip.unwrap_or_default(),
        agent: user_agent.unwrap_or_default(),
    })
}

fn body_text(event: &str) -> Result<String, Failure> {
    let written: WrittenBody = serde_json::from_str(event)
        .map_err(|_| Failure::invalid("body", "must be the arguments as JSON text"))?;
    let body = written.body.unwrap_or_default();
    let text = if written.is_base64_encoded == Some(true) {
        if body.len() > MAX_BODY_BYTES.div_ceil(3) * 4 {
            return Err(too_large());
        }
        let bytes = STANDARD
            .decode(&body)
            .map_err(|_| Failure::invalid("body", "is marked as base64 but is not"))?;
        String::from_utf8(bytes).map_err(|_| Failure::invalid("body", "must be UTF-8"))?
    } else {
        body
    };
    if text.trim().is_empty() {
        return Err(Failure::invalid(
            "body",
            "is empty; send the arguments as a JSON object",
        ));
    }
    check_json(&text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Outcome;

    use super::*;

    fn field(opened: &Opened<'_>) -> String {
        match opened.arguments.as_ref().unwrap_err().outcome() {
            Outcome::InvalidArgument { field, .. } => field.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_object_is_the_arguments_of_a_direct_invoke() {
        let opened = open(r#"{"code":"c"}"#);
        assert_eq!(opened.door, Door::Direct);
        assert_eq!(opened.arguments.unwrap(), r#"{"code":"c"}"#);
    }

    #[test]
    fn both_payload_versions_of_api_gateway_are_the_http_door() {
        let v2 = json!({"version":"2.0","requestContext":{"http":{"method":"POST","sourceIp":"192.0.2.1","userAgent":"a"}},"body":"{\"code\":\"c\"}","headers":null});
        let v1 = json!({"version":"1.0","requestContext":{"httpMethod":"POST","identity":{"sourceIp":"192.0.2.1","userAgent":"a"}},"body":"eyJjb2RlIjoiYyJ9","isBase64Encoded":true,"headers":{"A":"1"},"multiValueHeaders":{"A":["1","2"]}});
        for event in [v2, v1] {
            let event = event.to_string();
            let opened = open(&event);
            assert_eq!(opened.door, Door::Http);
            assert_eq!(
                (opened.origin.address.as_str(), opened.origin.agent.as_str()),
                ("192.0.2.1", "a")
            );
            assert_eq!(opened.arguments.unwrap(), r#"{"code":"c"}"#);
        }
    }

    #[test]
    fn events_of_other_triggers_are_named_and_refused() {
        for event in [
            json!({"Records":[{"eventSource":"aws:sqs","body":"{}"}]}),
            json!({"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}),
            json!({"requestContext":{"elb":{"targetGroupArn":"a"}},"httpMethod":"POST","body":"{}"}),
            json!({"requestContext":{"connectionId":"c","eventType":"MESSAGE"},"body":"{}"}),
            json!({"requestContext":"x"}),
        ] {
            let event = event.to_string();
            assert_eq!(field(&open(&event)), "event", "{event}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for event in ["null", "[]", "\"x\"", "1", "{", ""] {
            assert_eq!(field(&open(event)), "event", "{event}");
        }
    }

    #[test]
    fn a_missing_empty_or_undecodable_body_names_the_body() {
        for (body, base64) in [
            (json!(null), false),
            (json!(""), false),
            (json!("  "), false),
            (json!("%"), true),
            (json!("/w=="), true),
            (json!("{"), false),
            (json!("[]"), false),
        ] {
            let event = json!({"requestContext":{"http":{}},"body":body,"isBase64Encoded":base64})
                .to_string();
            let opened = open(&event);
            assert_eq!(
                (opened.door, field(&opened).as_str()),
                (Door::Http, "body"),
                "{event}"
            );
        }
    }
}
