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
use crate::checked::OpenId;
use crate::input_limits::{MAX_BODY_BYTES, check_json, too_large};
use crate::signed_in::SignedIn;

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
    /// Who is signed in: always there in a function of [`Access::SignedIn`](crate::Access::SignedIn) that is called over HTTP, and
    /// never anywhere else.
    pub user: Option<SignedIn>,
    /// The path of an HTTP call, as it was written and without the stage; a custom domain may have put something before the
    /// route's own. `None` on the direct door. For a function that several routes lead to.
    pub path: Option<String>,
    pub(crate) origin: Origin,
}

impl Caller {
    /// Whom a call is about that names `openid`, or nobody: the user who is signed in, whom the arguments may name again but not
    /// replace. Without one (a direct invoke) whom they name.
    ///
    /// # Errors
    /// `forbidden` when another user is named than the one who is signed in.
    pub fn subject<'a>(
        &'a self,
        openid: Option<&'a OpenId>,
    ) -> Result<Option<&'a OpenId>, Failure> {
        match (&self.user, openid) {
            (Some(user), Some(named)) if *named != user.openid => Err(Failure::forbidden(
                "openid: is not that of the user who is signed in; leave openid out",
            )),
            (Some(user), _) => Ok(Some(&user.openid)),
            (None, named) => Ok(named),
        }
    }

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
    /// What API Gateway's authorizer established, where there is one.
    pub user: Option<SignedIn>,
    /// The path of an HTTP call, without the stage.
    pub path: Option<String>,
    /// The arguments as JSON text: within the size limits, an object, not yet looked into.
    pub arguments: Result<Cow<'a, str>, Failure>,
}

/// Where an event comes from.
pub(crate) enum Source<'a> {
    /// A direct invoke: the event is the arguments.
    Direct,
    /// An HTTP call.
    Http(HttpContext<'a>),
}

/// An HTTP call as API Gateway (or a function URL) describes it beside its contents.
pub(crate) struct HttpContext<'a> {
    pub payload: Payload,
    pub origin: Origin,
    pub authorizer: Option<&'a RawValue>,
    pub stage: Option<String>,
    pub method: String,
    /// The path with the stage before it, where the address has one.
    pub path: Option<String>,
    pub body: WrittenBody<'a>,
}

/// The two forms of API Gateway's events and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// 1.0: REST APIs, and HTTP APIs where they are told to.
    V1,
    /// 2.0: HTTP APIs and function URLs.
    V2,
}

/// What is read of an event, in one pass: the body, and the members by which events are told apart. Any of them may be null.
#[derive(Deserialize, Default)]
#[serde(default)]
struct WrittenEvent<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow, rename = "isBase64Encoded")]
    is_base64_encoded: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestContext")]
    request_context: Option<RequestContext<'a>>,
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

impl WrittenEvent<'_> {
    /// Whether the event has a member that neither of the two doors knows.
    fn is_of_another_trigger(&self) -> bool {
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
    #[serde(borrow, rename = "httpMethod")]
    http_method: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    identity: Option<&'a RawValue>,
    #[serde(borrow)]
    stage: Option<&'a RawValue>,
    #[serde(borrow)]
    authorizer: Option<&'a RawValue>,
}

/// `http` of payload 2.0; of payload 1.0 `identity`, which has the first two.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct WrittenCall {
    source_ip: Option<String>,
    user_agent: Option<String>,
    method: Option<String>,
    path: Option<String>,
}

/// The body of an HTTP call as it stands in the event.
#[derive(Clone, Copy)]
pub(crate) struct WrittenBody<'a> {
    text: Option<&'a RawValue>,
    is_base64_encoded: Option<&'a RawValue>,
}

/// Takes `event` apart. Never fails as a whole: the answer must know the door even when the arguments are wrong.
pub(crate) fn open(event: &str) -> Opened<'_> {
    let (context, arguments) = match source(event) {
        Ok(Source::Http(context)) => {
            let arguments = body_arguments(context.body).map(Cow::Owned);
            (Some(context), arguments)
        }
        Ok(Source::Direct) => (None, check_json(event).map(|()| Cow::Borrowed(event))),
        Err(failure) => (None, Err(failure)),
    };
    match context {
        Some(context) => Opened {
            door: Door::Http,
            user: context.authorizer.and_then(SignedIn::by),
            path: context
                .path
                .map(|path| without_stage(path, context.stage.as_deref())),
            origin: context.origin,
            arguments,
        },
        None => Opened {
            door: Door::Direct,
            user: None,
            path: None,
            origin: Origin::default(),
            arguments,
        },
    }
}

/// Tells where `event` comes from.
///
/// # Errors
/// When it is no object, or of a trigger that has no door here.
pub(crate) fn source(event: &str) -> Result<Source<'_>, Failure> {
    let not_an_object = || {
        Failure::invalid(
            "event",
            "must be a JSON object with the function's arguments",
        )
    };
    if !event.trim_start().starts_with('{') {
        return Err(not_an_object());
    }
    let written = match serde_json::from_str::<WrittenEvent<'_>>(event) {
        Ok(written) if written.is_of_another_trigger() => return Err(other_trigger()),
        Ok(written) => written,
        // An object with a requestContext that is none of API Gateway's.
        Err(_) if serde_json::from_str::<IgnoredAny>(event).is_ok() => return Err(other_trigger()),
        Err(_) => return Err(not_an_object()),
    };
    let body = WrittenBody {
        text: written.body,
        is_base64_encoded: written.is_base64_encoded,
    };
    match written.request_context {
        None => Ok(Source::Direct),
        Some(context) => http_context(context, body)
            .map(Source::Http)
            .ok_or_else(other_trigger),
    }
}

fn other_trigger() -> Failure {
    Failure::invalid(
        "event",
        "comes from a trigger that this function does not serve; invoke it directly with its arguments, or over an HTTP API",
    )
}

/// `None` when `context` is not that of an HTTP call. What cannot be read in it counts as unknown: by then the door is known, and
/// its form of answer.
fn http_context<'a>(context: RequestContext<'a>, body: WrittenBody<'a>) -> Option<HttpContext<'a>> {
    let payload = match (context.http, context.http_method) {
        (Some(_), _) => Payload::V2,
        (None, Some(_)) => Payload::V1,
        (None, None) => return None,
    };
    let text = |value: Option<&RawValue>| {
        value.and_then(|value| serde_json::from_str::<String>(value.get()).ok())
    };
    let call: WrittenCall = match payload {
        Payload::V2 => context.http,
        Payload::V1 => context.identity,
    }
    .and_then(|written| serde_json::from_str(written.get()).ok())
    .unwrap_or_default();
    let (method, path) = match payload {
        Payload::V2 => (call.method, call.path),
        Payload::V1 => (text(context.http_method), text(context.path)),
    };
    Some(HttpContext {
        payload,
        origin: Origin {
            address: call.source_ip.unwrap_or_default(),
            agent: call.user_agent.unwrap_or_default(),
        },
        authorizer: context.authorizer,
        stage: text(context.stage),
        method: method.unwrap_or_default(),
        path,
        body,
    })
}

/// `path` without the `stage` that an address of API Gateway's own has before it.
pub(crate) fn without_stage(path: String, stage: Option<&str>) -> String {
    let rest = stage
        .filter(|stage| !stage.is_empty() && *stage != "$default")
        .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    match rest {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path,
    }
}

/// Why an event has no body that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    NotText,
    TooLarge,
    NotBase64,
    NotUtf8,
}

impl From<BodyFault> for Failure {
    fn from(fault: BodyFault) -> Self {
        let rule = match fault {
            BodyFault::TooLarge => return too_large(),
            BodyFault::NotText => "must be a text",
            BodyFault::NotBase64 => "is marked as base64 but is not",
            BodyFault::NotUtf8 => "must be UTF-8",
        };
        Self::invalid("body", rule)
    }
}

impl WrittenBody<'_> {
    /// The body, decoded; empty where there is none.
    pub(crate) fn decoded(self) -> Result<String, BodyFault> {
        let body = self.text.map_or_else(
            || Ok(String::new()),
            |text| serde_json::from_str(text.get()).map_err(|_| BodyFault::NotText),
        )?;
        let (is_base64, longest) = match self.is_base64_encoded.map(RawValue::get) {
            None | Some("false") => (false, MAX_BODY_BYTES),
            Some("true") => (true, MAX_BODY_BYTES.div_ceil(3) * 4),
            Some(_) => return Err(BodyFault::NotText),
        };
        if body.len() > longest {
            return Err(BodyFault::TooLarge);
        }
        if !is_base64 {
            return Ok(body);
        }
        let bytes = STANDARD.decode(&body).map_err(|_| BodyFault::NotBase64)?;
        String::from_utf8(bytes).map_err(|_| BodyFault::NotUtf8)
    }
}

fn body_arguments(body: WrittenBody<'_>) -> Result<String, Failure> {
    let text = body.decoded()?;
    check_arguments(&text)?;
    Ok(text)
}

/// Checks that the body `text` is one JSON object within the limits.
pub(crate) fn check_arguments(text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(Failure::invalid(
            "body",
            "is empty; send the arguments as a JSON object",
        ));
    }
    check_json(text)
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
    fn the_path_of_an_http_call_is_known_without_its_stage() {
        let v2 = json!({"requestContext":{"http":{"path":"/dev/a/b"},"stage":"dev"},"body":"{}"});
        let v1 = json!({"requestContext":{"httpMethod":"POST","path":"/dev/a/b","stage":"dev"},"body":"{}"});
        for event in [v2, v1] {
            assert_eq!(open(&event.to_string()).path.as_deref(), Some("/a/b"));
        }
        let unnamed = json!({"requestContext":{"http":{}},"body":"{}"}).to_string();
        assert_eq!(open(&unnamed).path, None);
        assert_eq!(open(r#"{"path":"/a/b"}"#).path, None);
    }

    #[test]
    fn events_of_other_triggers_are_named_and_refused() {
        for event in [
            json!({"Records":[{"eventSource":"aws:sqs","body":"{}"}]}),
            json!({"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}),
            json!({"requestContext":{"elb":{"targetGroupArn":"a"}},"httpMethod":"POST","body":"{}"}),
            json!({"requestContext":{"connectionId":"c","eventType":"MESSAGE"},"body":"{}"}),
            json!({"requestContext":"x"}),
            json!({"requestContext":7}),
            json!({"requestContext":[]}),
            json!({"requestContext":{}}),
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
            (json!(null), json!(false)),
            (json!(""), json!(false)),
            (json!("  "), json!(false)),
            (json!("%"), json!(true)),
            (json!("/w=="), json!(true)),
            (json!("{"), json!(false)),
            (json!("[]"), json!(false)),
            (json!({}), json!(false)),
            (json!("{}"), json!("no")),
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
