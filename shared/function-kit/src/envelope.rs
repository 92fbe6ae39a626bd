use std::borrow::Cow;

use alipay_gateway::Refusal;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::event::{Door, Payload};
use crate::failure::{public_sub_msg, refused_message};
use crate::http::Response;
use crate::{Failure, Outcome};

/// vk's and WeChat's code of a content that must not be published.
const RISKY_CONTENT: u32 = 87_014;

/// An answer that is no failure: `code` 0 (or that of a verdict), a message, and the function's own fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Success<Fields> {
    code: u32,
    msg: Cow<'static, str>,
    #[serde(flatten)]
    fields: Fields,
}

impl<Fields> Success<Fields> {
    /// A success with `msg`, in vk's words where vk has some.
    pub fn new(msg: impl Into<Cow<'static, str>>, fields: Fields) -> Self {
        Self {
            code: 0,
            msg: msg.into(),
            fields,
        }
    }

    /// The verdict that a content must not be published: the check itself succeeded, so it has no `error` and the status 200, but
    /// vk's code 87014, which no caller takes for a pass.
    pub fn risky_content(msg: impl Into<Cow<'static, str>>, fields: Fields) -> Self {
        Self {
            code: RISKY_CONTENT,
            ..Self::new(msg, fields)
        }
    }
}

/// The envelope of a failure.
#[derive(Serialize)]
struct FailureEnvelope<'a> {
    code: Code<'a>,
    msg: String,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_msg: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    retryable: bool,
}

/// vk's rule: Alipay's own code is a text, a failure of ours is the number -1.
#[derive(Serialize)]
#[serde(untagged)]
enum Code<'a> {
    Alipay(&'a str),
    Own(i8),
}

/// Alipay's code of a refusal. A text that is empty or begins with 0 is none of Alipay's, and callers who compare by `==` in
/// JavaScript would take it for the 0 of a success.
fn code_of(refusal: &Refusal) -> Option<&str> {
    let is_code = |code: &&str| {
        code.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '1'..='9'))
    };
    let sub_code = refusal.sub_code.as_deref().filter(is_code);
    sub_code.or_else(|| Some(refusal.code.as_str()).filter(is_code))
}

/// An envelope on its way to one of the doors.
pub(crate) struct Answer {
    status: u16,
    retry_after_seconds: Option<u32>,
    body: Box<RawValue>,
}

impl Answer {
    pub(crate) fn success<Fields: Serialize>(success: &Success<Fields>) -> Result<Self, Failure> {
        let body = to_raw_value(success).map_err(Failure::internal)?;
        Ok(Self {
            status: 200,
            retry_after_seconds: None,
            body,
        })
    }

    pub(crate) fn failure(failure: &Failure, request_id: &str) -> Self {
        let outcome = failure.outcome();
        let row = outcome.row();
        let refusal = match outcome {
            Outcome::GatewayRefused(refusal) => Some(refusal),
            _ => None,
        };
        let envelope = FailureEnvelope {
            code: refusal
                .and_then(code_of)
                .map_or(Code::Own(-1), Code::Alipay),
            msg: refusal.map_or_else(|| outcome.message(), refused_message),
            error: row.slug,
            gateway_code: refusal.map(|refusal| refusal.code.as_str()),
            sub_code: refusal.and_then(|refusal| refusal.sub_code.as_deref()),
            sub_msg: refusal.and_then(public_sub_msg),
            trace_id: refusal.and_then(|refusal| refusal.trace_id.as_deref()),
            request_id,
            hint: failure.hint(),
            retryable: failure.retryable(),
        };
        // Texts, a number and a boolean always serialise.
        let body = to_raw_value(&envelope).unwrap_or_default();
        Self {
            status: row.status,
            retry_after_seconds: outcome.retry_after_seconds(),
            body,
        }
    }

    /// The answer in the form that `door` expects.
    pub(crate) fn through(self, door: Door) -> Box<RawValue> {
        match door {
            Door::Direct => self.body,
            // Without cookies both payload versions are written alike.
            Door::Http => self.response().written(Payload::V2),
        }
    }

    /// The answer as one of HTTP.
    pub(crate) fn response(self) -> Response {
        let response = Response::json_text(self.status, self.body.get());
        match self.retry_after_seconds {
            Some(seconds) => response.with_header("retry-after", seconds.to_string()),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(answer: Answer) -> Value {
        serde_json::from_str(answer.through(Door::Direct).get()).unwrap()
    }

    #[test]
    fn a_refusal_carries_alipays_codes_and_what_to_mend() {
        let refusal = Refusal {
            code: "40002".to_owned(),
            sub_code: Some("isv.code-invalid".to_owned()),
            msg: "Invalid Arguments".to_owned(),
            sub_msg: Some("授权码code无效".to_owned()),
            trace_id: Some("t-1".into()),
            ..Refusal::default()
        };
        assert_eq!(
            body(Answer::failure(
                &Failure::new(Outcome::GatewayRefused(refusal)),
                "r-1"
            )),
            json!({
                "code": "isv.code-invalid", "msg": "授权码code无效", "error": "gateway_refused", "gateway_code": "40002",
                "sub_code": "isv.code-invalid", "sub_msg": "授权码code无效", "trace_id": "t-1", "request_id": "r-1",
                "hint": "the code was used, has expired, or belongs to another appid or environment; call my.getAuthCode again",
                "retryable": false,
            })
        );
    }

    #[test]
    fn no_code_of_a_refusal_can_be_taken_for_the_zero_of_a_success() {
        for (code, sub_code, expected) in [
            ("0", None, json!(-1)),
            ("", None, json!(-1)),
            (" ", Some(""), json!(-1)),
            ("0x0", Some("00"), json!(-1)),
            ("40004", Some("0"), json!("40004")),
            ("40004", Some(""), json!("40004")),
            (
                "40004",
                Some("ACQ.TRADE_NOT_EXIST"),
                json!("ACQ.TRADE_NOT_EXIST"),
            ),
        ] {
            let refusal = Refusal {
                code: code.to_owned(),
                sub_code: sub_code.map(str::to_owned),
                ..Refusal::default()
            };
            let failure = Failure::new(Outcome::GatewayRefused(refusal));
            let answer = body(Answer::failure(&failure, "r-1"));
            assert_eq!(answer["code"], expected, "{code:?} {sub_code:?}");
        }
    }

    #[test]
    fn a_failure_of_ours_has_the_number_minus_one() {
        let answer = body(Answer::failure(&Failure::new(Outcome::Internal), "r-1"));
        assert_eq!(answer["code"], json!(-1));
        assert_eq!(answer["error"], "internal");
        assert_eq!(answer["request_id"], "r-1");
    }

    #[test]
    fn the_http_door_gets_status_headers_and_the_same_body() {
        let outcome = Failure::new(Outcome::TemporarilyUnavailable {
            retry_after_seconds: 2,
            advice: String::new(),
        });
        let direct = body(Answer::failure(&outcome, "r-1"));
        let http: Value =
            serde_json::from_str(Answer::failure(&outcome, "r-1").through(Door::Http).get())
                .unwrap();
        assert_eq!(http["statusCode"], 503);
        assert_eq!(http["headers"]["retry-after"], "2");
        assert_eq!(
            http["headers"]["content-type"],
            "application/json; charset=utf-8"
        );
        assert_eq!(
            serde_json::from_str::<Value>(http["body"].as_str().unwrap()).unwrap(),
            direct
        );
    }

    #[test]
    fn a_risky_content_is_an_answer_and_no_error() {
        let verdict = || Success::risky_content("违规", json!({"result": {"suggest": "risky"}}));
        let answer = Answer::success(&verdict()).unwrap();
        assert_eq!(
            answer.through(Door::Direct).get(),
            r#"{"code":87014,"msg":"违规","result":{"suggest":"risky"}}"#
        );
        let http = Answer::success(&verdict()).unwrap().through(Door::Http);
        let http: Value = serde_json::from_str(http.get()).unwrap();
        assert_eq!(http["statusCode"], 200);
    }

    #[test]
    fn a_success_begins_with_code_and_msg() {
        let answer = Answer::success(&Success::new("ok", json!({"appid": "1"}))).unwrap();
        assert_eq!(
            answer.through(Door::Direct).get(),
            r#"{"code":0,"msg":"ok","appid":"1"}"#
        );
    }
}
