//! What the calls of OneAccess' SDK API have in common: headers about the caller's device, and the form of a failure.

use function_kit::{Failure, Outcome, Request, Response};
use serde::Serialize;

/// The header that names the client.
const CLIENT_ID: &str = "X-client-id";
/// The header that says in which language a person reads errors: `zh…` is Chinese, all else English.
const LANGUAGE: &str = "X-L";

/// The headers that every call from a device has (OneAccess: "Logging In with Alipay").
///
/// None of them is proof of anything. `X-device-ip` may be sent and is not read: what limits callers is the address that API Gateway
/// sees. `X-tenant-id` may be sent and is not read either: a client belongs to one deployment.
#[derive(Debug, Clone, Copy)]
pub struct SdkHeaders<'a> {
    /// `X-client-id`: which client the device's app is.
    pub client_id: &'a str,
    /// `X-device-fingerprint`: what the app says of the device.
    pub fingerprint: &'a str,
}

impl<'a> SdkHeaders<'a> {
    /// Those of `request`.
    ///
    /// # Errors
    /// `invalid_argument` with the header's name when one is missing or too long.
    pub fn of(request: &'a Request) -> Result<Self, Failure> {
        let client_id = required(request, CLIENT_ID, 128)?;
        required(request, "X-operating-sys-version", 128)?;
        let fingerprint = required(request, "X-device-fingerprint", 256)?;
        required(request, "X-agent", 1024)?;
        Ok(Self {
            client_id,
            fingerprint,
        })
    }
}

fn required<'a>(
    request: &'a Request,
    name: &'static str,
    limit: usize,
) -> Result<&'a str, Failure> {
    let value = request.header(name).unwrap_or_default();
    if value.is_empty() {
        return Err(Failure::invalid(name, "is required"));
    }
    if value.len() > limit {
        let rule = format!("must have at most {limit} characters");
        return Err(Failure::invalid(name, rule));
    }
    Ok(value)
}

/// A failure as these calls say it: `{"error_code", "error_msg"}`, with the request id in the header `x-request-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The HTTP status.
    pub status: u16,
    /// Stable; programs go by it.
    pub code: String,
    /// For people who read English.
    pub english: String,
    /// For people who read Chinese.
    pub chinese: String,
    /// Whether the very same call may succeed soon.
    repeatable: bool,
}

impl CallError {
    /// One of these texts.
    pub fn new(
        status: u16,
        code: impl Into<String>,
        english: impl Into<String>,
        chinese: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            english: english.into(),
            chinese: chinese.into(),
            repeatable: false,
        }
    }

    fn repeatable(self) -> Self {
        Self {
            repeatable: true,
            ..self
        }
    }

    /// `failure`, with OneAccess' code where there is one (OneAccess: "Error Codes") and else one of `family`. What the caller can
    /// mend is a 400 as it is there; nothing is said of what only the operator can mend.
    pub fn of(failure: &Failure, family: &str) -> Self {
        let own = |status, name, english: &str, chinese: &str| {
            Self::new(status, format!("{family}.{name}"), english, chinese)
        };
        let ours = |status| {
            if failure.is_repeatable() {
                own(
                    status,
                    "UNAVAILABLE",
                    "The service is temporarily unavailable. Try again.",
                    "服务暂时不可用，请重试",
                )
                .repeatable()
            } else {
                own(
                    status,
                    "LOGIN_AGAIN",
                    "The login could not be finished. Log in again with a new code.",
                    "登录未能完成，请使用新的授权码重新登录",
                )
            }
        };
        match failure.outcome() {
            Outcome::UnknownApp => {
                Self::new(400, "APP.0001", "Application does not exist.", "应用不存在")
            }
            Outcome::InvalidArgument { field, .. } if field == CLIENT_ID => Self::new(
                400,
                "APP.0002",
                "Application ID required.",
                "应用ID不能为空",
            ),
            Outcome::InvalidArgument { field, rule } => own(
                400,
                "PARAMETER_INVALID",
                &format!("{field}: {rule}"),
                &format!("参数无效：{field}"),
            ),
            Outcome::TooLarge { limit } => own(
                400,
                "TOO_LARGE",
                &format!("The request is too large: {limit}."),
                "请求过大",
            ),
            Outcome::NotFound { .. } => {
                own(404, "NOT_FOUND", "There is no such call.", "接口不存在")
            }
            Outcome::Unauthenticated | Outcome::Reauthorize | Outcome::MerchantReauthorize => own(
                401,
                "UNAUTHENTICATED",
                "Who calls could not be established.",
                "身份验证失败",
            ),
            Outcome::Forbidden { .. } | Outcome::Conflict { .. } => {
                own(400, "REFUSED", "The call was refused.", "请求被拒绝")
            }
            Outcome::RateLimited { .. } => busy(&own),
            Outcome::GatewayRefused(refusal) if refusal.is_call_limit() => busy(&own),
            Outcome::GatewayRefused(refusal) if refusal.is_transient() => ours(503),
            Outcome::GatewayRefused(_) => own(
                502,
                "REFUSED",
                "Alipay refused the call of this application.",
                "支付宝拒绝了该应用的请求",
            ),
            Outcome::TemporarilyUnavailable { .. } => ours(503),
            Outcome::GatewayTimeout => ours(504),
            Outcome::GatewayUnreachable | Outcome::GatewayUnverified => ours(502),
            Outcome::Internal => own(500, "INTERNAL", "An internal error.", "内部错误"),
        }
    }

    /// The answer to `request`.
    pub fn response(&self, request: &Request) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error_code: &'a str,
            error_msg: &'a str,
        }
        let language = request.header(LANGUAGE).unwrap_or_default();
        let reads_chinese = language
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("zh"));
        let body = Body {
            error_code: &self.code,
            error_msg: if reads_chinese {
                &self.chinese
            } else {
                &self.english
            },
        };
        let response =
            Response::json(self.status, &body).with_header("x-request-id", request.request_id());
        if self.repeatable {
            response.with_header("retry-after", "1")
        } else {
            response
        }
    }
}

fn busy(own: &impl Fn(u16, &'static str, &str, &str) -> CallError) -> CallError {
    own(
        429,
        "BUSY",
        "Too many calls. Try again later.",
        "请求过于频繁，请稍后重试",
    )
    .repeatable()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(outcome: Outcome) -> (u16, String) {
        let error = CallError::of(&Failure::new(outcome), "TEST");
        assert!(!error.english.is_empty() && !error.chinese.is_ascii());
        (error.status, error.code)
    }

    fn refused(code: &str, sub_code: &str) -> Outcome {
        Outcome::GatewayRefused(alipay_gateway::Refusal {
            code: code.to_owned(),
            sub_code: Some(sub_code.to_owned()),
            sub_msg: Some("canary".to_owned()),
            ..alipay_gateway::Refusal::default()
        })
    }

    #[test]
    fn every_outcome_has_its_status_and_code() {
        let text = String::new;
        let invalid = |field: &str| Outcome::InvalidArgument {
            field: field.to_owned(),
            rule: text(),
        };
        let unavailable = Outcome::TemporarilyUnavailable {
            retry_after_seconds: 1,
            advice: text(),
        };
        let retry = Outcome::RateLimited {
            retry_after_seconds: 1,
        };
        for (outcome, status, code) in [
            (Outcome::UnknownApp, 400, "APP.0001"),
            (invalid("X-client-id"), 400, "APP.0002"),
            (invalid("X-agent"), 400, "TEST.PARAMETER_INVALID"),
            (Outcome::TooLarge { limit: text() }, 400, "TEST.TOO_LARGE"),
            (Outcome::NotFound { what: text() }, 404, "TEST.NOT_FOUND"),
            (Outcome::Unauthenticated, 401, "TEST.UNAUTHENTICATED"),
            (Outcome::Forbidden { reason: text() }, 400, "TEST.REFUSED"),
            (Outcome::Conflict { reason: text() }, 400, "TEST.REFUSED"),
            (retry, 429, "TEST.BUSY"),
            (refused("40005", "isv.call-limited"), 429, "TEST.BUSY"),
            (
                refused("20000", "isp.unknow-error"),
                503,
                "TEST.UNAVAILABLE",
            ),
            (
                refused("40002", "isv.invalid-signature"),
                502,
                "TEST.REFUSED",
            ),
            (unavailable, 503, "TEST.UNAVAILABLE"),
            (Outcome::GatewayTimeout, 504, "TEST.UNAVAILABLE"),
            (Outcome::GatewayUnreachable, 502, "TEST.UNAVAILABLE"),
            (Outcome::GatewayUnverified, 502, "TEST.UNAVAILABLE"),
            (Outcome::Internal, 500, "TEST.INTERNAL"),
        ] {
            assert_eq!(said(outcome), (status, code.to_owned()));
        }
    }

    #[test]
    fn what_must_not_be_repeated_asks_for_another_login() {
        for outcome in [Outcome::GatewayTimeout, Outcome::GatewayUnreachable] {
            let failure = Failure::new(outcome).with_repeatable(false);
            let error = CallError::of(&failure, "TEST");
            assert_eq!(
                (&*error.code, error.repeatable),
                ("TEST.LOGIN_AGAIN", false)
            );
        }
        let busy = Failure::new(refused("40005", "isv.call-limited"));
        assert!(CallError::of(&busy, "TEST").repeatable);
        let timeout = Failure::new(Outcome::GatewayTimeout);
        assert!(CallError::of(&timeout, "TEST").repeatable);
    }

    #[test]
    fn nothing_of_alipays_texts_is_passed_on() {
        let failure = Failure::new(refused("40002", "isv.invalid-signature"));
        let shown = format!("{:?}", CallError::of(&failure, "TEST"));
        assert!(!shown.contains("canary") && !shown.contains("isv."));
    }
}
