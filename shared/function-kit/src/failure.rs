//! Failures as callers see them. Everything that goes wrong in a function becomes a [`Failure`] here, and the table in
//! [`Outcome::row`] is the only place where an outcome gets its slug and HTTP status.

use std::error::Error;
use std::fmt;

use alipay_gateway::{Call, GatewayError, Refusal, hint};
use serde::{Deserialize, Serialize};

/// Why a function did not do what was asked: what the caller reads, and apart from it the cause for the log.
#[derive(Debug)]
pub struct Failure {
    /// Boxed, because every `Result` on the way carries the space for it.
    outcome: Box<Outcome>,
    /// Whether the same call can be made again without harm.
    repeatable: bool,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What the caller can tell apart and act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An input breaks a rule.
    InvalidArgument {
        /// The field's name, or its path such as `data.keyword1`.
        field: String,
        /// The rule, never the value.
        rule: String,
    },
    /// Nobody, or not who they say.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden {
        /// What is not allowed, and who could change it.
        reason: String,
    },
    /// No app of this id is configured.
    UnknownApp,
    /// What the call is about does not exist.
    NotFound {
        /// What.
        what: String,
    },
    /// The same key was used for something else.
    Conflict {
        /// What collides.
        reason: String,
    },
    /// The input is over a size limit.
    TooLarge {
        /// The limit in words.
        limit: String,
    },
    /// Too many calls.
    RateLimited {
        /// Seconds after which a repeat makes sense.
        retry_after_seconds: u32,
    },
    /// Alipay said no.
    GatewayRefused(Refusal),
    /// The reply's signature is missing or wrong.
    GatewayUnverified,
    /// The gateway was not reached.
    GatewayUnreachable,
    /// The gateway did not answer in time.
    GatewayTimeout,
    /// Something of ours is down or busy.
    TemporarilyUnavailable {
        /// Seconds after which a repeat makes sense.
        retry_after_seconds: u32,
        /// What a repeat must take care of; may be empty.
        advice: String,
    },
    /// The user has to log in (authorise) again.
    Reauthorize,
    /// The merchant has to authorise the ISV's app, again or for the first time.
    MerchantReauthorize,
    /// A fault of ours.
    Internal,
}

/// One row of the error table.
pub(crate) struct Row {
    /// The stable name in the envelope's `error`.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
}

impl Outcome {
    /// The error table.
    pub(crate) fn row(&self) -> Row {
        let (slug, status) = match self {
            Self::InvalidArgument { .. } => ("invalid_argument", 400),
            Self::Unauthenticated => ("unauthenticated", 401),
            Self::Forbidden { .. } => ("forbidden", 403),
            Self::UnknownApp => ("unknown_app", 404),
            Self::NotFound { .. } => ("not_found", 404),
            Self::Conflict { .. } => ("conflict", 409),
            Self::TooLarge { .. } => ("too_large", 413),
            Self::RateLimited { .. } => ("rate_limited", 429),
            Self::GatewayRefused(refusal) if refusal.is_call_limit() => ("rate_limited", 429),
            Self::GatewayRefused(refusal) if refusal.caller_can_mend() => ("gateway_refused", 400),
            Self::GatewayRefused(_) => ("gateway_refused", 422),
            Self::GatewayUnverified => ("gateway_unverified", 502),
            Self::GatewayUnreachable => ("gateway_unreachable", 502),
            Self::GatewayTimeout => ("gateway_timeout", 504),
            Self::TemporarilyUnavailable { .. } => ("temporarily_unavailable", 503),
            Self::Reauthorize | Self::MerchantReauthorize => ("reauthorize", 401),
            Self::Internal => ("internal", 500),
        };
        Row { slug, status }
    }

    /// The sentence for the caller.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::InvalidArgument { field, rule } => format!("{field}: {rule}"),
            Self::Unauthenticated => "who calls could not be established".to_owned(),
            Self::Forbidden { reason } | Self::Conflict { reason } => reason.clone(),
            Self::UnknownApp => "appid: no such app is configured".to_owned(),
            Self::NotFound { what } => format!("{what} does not exist"),
            Self::TooLarge { limit } => format!("the input is too large: {limit}"),
            Self::RateLimited { .. } => "too many calls".to_owned(),
            Self::GatewayRefused(refusal) => refused_message(refusal),
            Self::GatewayUnverified => {
                "the gateway's reply could not be verified and was discarded".to_owned()
            }
            Self::GatewayUnreachable => "Alipay's gateway could not be reached".to_owned(),
            Self::GatewayTimeout => "Alipay's gateway did not answer in time".to_owned(),
            Self::TemporarilyUnavailable { .. } => {
                "the service is temporarily unavailable".to_owned()
            }
            Self::Reauthorize => "the user's authorisation has ended".to_owned(),
            Self::MerchantReauthorize => {
                "there is no authorisation of this merchant, or it has ended".to_owned()
            }
            Self::Internal => "an internal error; the log has it under this request_id".to_owned(),
        }
    }

    /// What to do about it, where there is something to say.
    fn hint(&self) -> Option<String> {
        match self {
            Self::GatewayRefused(refusal) => hint(refusal).map(str::to_owned),
            Self::GatewayUnverified => Some(
                "check alipayPublicKey of this app (in certificate mode alipayCert and alipayRootCert, for encrypted calls aesKey): it must be what the console shows now, and Alipay's, not the app's own; `dev-server doctor` tells which it is".to_owned(),
            ),
            Self::TemporarilyUnavailable { advice, .. } if !advice.is_empty() => Some(advice.clone()),
            Self::Reauthorize => Some("let the user log in again (my.getAuthCode, auth.code2Session); for the profile with the scope auth_user".to_owned()),
            Self::MerchantReauthorize => Some("let the merchant authorise the app again (isv.getAuthLink, isv.getAuthToken)".to_owned()),
            Self::Unauthenticated => Some("log in, and send the id_token that the login answers: Authorization: Bearer <token>".to_owned()),
            Self::UnknownApp => Some("appid must be one of the configured apps; leave it out for the default app".to_owned()),
            _ => None,
        }
    }

    /// Whether the cause may pass by itself.
    fn may_pass(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::TemporarilyUnavailable { .. } => true,
            Self::GatewayUnreachable | Self::GatewayTimeout => true,
            Self::GatewayRefused(refusal) => refusal.is_transient() || refusal.is_call_limit(),
            _ => false,
        }
    }

    /// Seconds for the `Retry-After` header.
    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::RateLimited {
                retry_after_seconds,
            }
            | Self::TemporarilyUnavailable {
                retry_after_seconds,
                ..
            } => Some(*retry_after_seconds),
            Self::GatewayRefused(refusal) if refusal.is_call_limit() => Some(1),
            _ => None,
        }
    }
}

/// Alipay's text for a refusal. Signature errors echo the whole signed request in `sub_msg`, so theirs is not passed on.
pub(crate) fn refused_message(refusal: &Refusal) -> String {
    [public_sub_msg(refusal), Some(refusal.msg.as_str())]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty())
        .unwrap_or("Alipay refused the call and did not say why")
        .to_owned()
}

pub(crate) fn public_sub_msg(refusal: &Refusal) -> Option<&str> {
    let of_signature_family = refusal
        .sub_code
        .as_deref()
        .is_some_and(|sub_code| sub_code.contains("signature"));
    refusal.sub_msg.as_deref().filter(|_| !of_signature_family)
}

impl Failure {
    /// A failure without a cause worth logging.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome: Box::new(outcome),
            repeatable: true,
            cause: None,
        }
    }

    /// A failure whose cause goes to the log, and only there.
    pub fn caused_by(outcome: Outcome, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            outcome: Box::new(outcome),
            repeatable: true,
            cause: Some(cause.into()),
        }
    }

    /// `field` breaks `rule`. The rule is a sentence for the caller; it never quotes the value.
    pub fn invalid(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::new(Outcome::InvalidArgument {
            field: field.into(),
            rule: rule.into(),
        })
    }

    /// Not allowed.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Forbidden {
            reason: reason.into(),
        })
    }

    /// A fault of ours.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused_by(Outcome::Internal, cause)
    }

    /// A code that works once is spent, and what came of it could not be kept: that must not look like a success, and the same call
    /// can never be made again. `may_pass` says whether the cause does by itself; `advice` then says how to come by a new code.
    pub fn spent_in_vain(
        may_pass: bool,
        advice: &str,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let outcome = if may_pass {
            Outcome::TemporarilyUnavailable {
                retry_after_seconds: 1,
                advice: advice.to_owned(),
            }
        } else {
            Outcome::Internal
        };
        Self::caused_by(outcome, cause).with_repeatable(false)
    }

    /// The failure of `call`. Unlike the plain conversion it knows whether the call may be repeated.
    pub fn of_call(error: GatewayError, call: &Call) -> Self {
        let failure = Self::from(error);
        let repeatable = failure.repeatable || call.repeatable;
        failure.with_repeatable(repeatable)
    }

    /// The same, marked by whether the same call can be made again without harm. Unmarked, it can.
    #[must_use]
    pub fn with_repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// Whether the same call can be made again without harm.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Whether the same call can be made again without harm and may then succeed.
    pub(crate) fn retryable(&self) -> bool {
        self.repeatable && self.outcome.may_pass()
    }

    /// What to do about it, where there is something to say.
    pub(crate) fn hint(&self) -> Option<String> {
        match &*self.outcome {
            Outcome::GatewayUnreachable | Outcome::GatewayTimeout => Some(
                if self.repeatable {
                    "the same call can be made again without harm"
                } else {
                    "it is not known whether Alipay executed the call; find out before it is made again, since a code or a message must not be sent twice"
                }
                .to_owned(),
            ),
            outcome => outcome.hint(),
        }
    }

    /// What the caller reads.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What the log keeps.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

/// An error with all its causes, for the log.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.outcome.row().slug)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        let repeatable = error.was_never_sent();
        let outcome = match &error {
            GatewayError::Refused(refusal) => Outcome::GatewayRefused(refusal.clone()),
            GatewayError::Unverified { .. } | GatewayError::Malformed { .. } => {
                Outcome::GatewayUnverified
            }
            GatewayError::Unreachable { .. } => Outcome::GatewayUnreachable,
            GatewayError::TimedOut => Outcome::GatewayTimeout,
            GatewayError::NoTimeLeft => Outcome::TemporarilyUnavailable {
                retry_after_seconds: 1,
                advice: "nothing was sent to Alipay; the function's time limit was nearly reached"
                    .to_owned(),
            },
            GatewayError::Unencodable(unmappable) => Outcome::InvalidArgument {
                field: "input".to_owned(),
                rule: unmappable.to_string(),
            },
            GatewayError::Unbuildable { reason } => Outcome::InvalidArgument {
                field: "input".to_owned(),
                rule: (*reason).to_owned(),
            },
            GatewayError::Signing(_) => Outcome::Internal,
        };
        Self::caused_by(outcome, error).with_repeatable(repeatable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, sub_code: &str) -> Refusal {
        Refusal {
            code: code.to_owned(),
            sub_code: Some(sub_code.to_owned()),
            msg: "m".to_owned(),
            sub_msg: Some("canary".to_owned()),
            ..Refusal::default()
        }
    }

    #[test]
    fn every_outcome_has_its_row_here_and_in_the_document() {
        let text = String::new;
        let rows = [
            (
                Outcome::InvalidArgument {
                    field: text(),
                    rule: text(),
                },
                "invalid_argument",
                400,
                false,
            ),
            (Outcome::Unauthenticated, "unauthenticated", 401, false),
            (
                Outcome::Forbidden { reason: text() },
                "forbidden",
                403,
                false,
            ),
            (Outcome::UnknownApp, "unknown_app", 404, false),
            (Outcome::NotFound { what: text() }, "not_found", 404, false),
            (Outcome::Conflict { reason: text() }, "conflict", 409, false),
            (Outcome::TooLarge { limit: text() }, "too_large", 413, false),
            (
                Outcome::RateLimited {
                    retry_after_seconds: 1,
                },
                "rate_limited",
                429,
                true,
            ),
            (
                Outcome::GatewayRefused(refusal("40002", "isv.code-invalid")),
                "gateway_refused",
                400,
                false,
            ),
            (
                Outcome::GatewayRefused(refusal("40006", "isv.insufficient-isv-permissions")),
                "gateway_refused",
                422,
                false,
            ),
            (
                Outcome::GatewayRefused(refusal("20000", "isp.unknow-error")),
                "gateway_refused",
                422,
                true,
            ),
            (
                Outcome::GatewayRefused(refusal("40005", "isv.call-limited")),
                "rate_limited",
                429,
                true,
            ),
            (Outcome::GatewayUnverified, "gateway_unverified", 502, false),
            (
                Outcome::GatewayUnreachable,
                "gateway_unreachable",
                502,
                true,
            ),
            (Outcome::GatewayTimeout, "gateway_timeout", 504, true),
            (
                Outcome::TemporarilyUnavailable {
                    retry_after_seconds: 1,
                    advice: text(),
                },
                "temporarily_unavailable",
                503,
                true,
            ),
            (Outcome::Reauthorize, "reauthorize", 401, false),
            (Outcome::MerchantReauthorize, "reauthorize", 401, false),
            (Outcome::Internal, "internal", 500, false),
        ];
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ERRORS.md");
        let document = std::fs::read_to_string(document).unwrap();
        for (outcome, slug, status, retryable) in rows {
            let word = if retryable { "yes" } else { "no" };
            let documented = document
                .lines()
                .filter_map(|line| line.strip_prefix(&format!("| `{slug}` | ")))
                .any(|cells| {
                    let mut cells = cells.split(" | ");
                    let mut has = |word: &str| {
                        cells
                            .next()
                            .is_some_and(|cell| cell.split(" / ").any(|one| one == word))
                    };
                    has(&status.to_string()) && has(word)
                });
            assert!(
                documented,
                "docs/ERRORS.md has no row for {slug} {status} {word}"
            );
            let row = outcome.row();
            assert_eq!(
                (row.slug, row.status, outcome.may_pass()),
                (slug, status, retryable),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn only_a_call_that_may_be_repeated_or_was_never_sent_is_retryable() {
        let unreachable = |sent| GatewayError::Unreachable {
            reason: "",
            sent,
            source: None,
        };
        let once = Call::new("alipay.system.oauth.token");
        let repeatable = Call::new("alipay.trade.query").repeatable();
        for (error, call, retryable) in [
            (unreachable(true), &once, false),
            (unreachable(false), &once, true),
            (unreachable(true), &repeatable, true),
            (GatewayError::TimedOut, &once, false),
            (GatewayError::TimedOut, &repeatable, true),
            (
                GatewayError::Refused(refusal("20000", "isp.unknow-error")),
                &once,
                false,
            ),
            (
                GatewayError::Refused(refusal("20000", "isp.unknow-error")),
                &repeatable,
                true,
            ),
        ] {
            let failure = Failure::of_call(error, call);
            assert_eq!(failure.retryable(), retryable, "{failure:?}");
            let warns = failure
                .hint()
                .is_some_and(|hint| hint.contains("must not be sent twice"));
            let silent = matches!(failure.outcome(), Outcome::GatewayRefused(_));
            assert_eq!(warns, !retryable && !silent, "{failure:?}");
        }
    }

    #[test]
    fn a_refusal_without_words_still_has_a_message() {
        let silent = Refusal {
            msg: String::new(),
            sub_msg: Some(String::new()),
            ..refusal("40004", "X")
        };
        assert!(refused_message(&silent).contains("did not say why"));
    }

    #[test]
    fn the_signed_text_that_a_signature_error_echoes_is_not_passed_on() {
        assert_eq!(
            refused_message(&refusal("40002", "isv.invalid-signature")),
            "m"
        );
        assert_eq!(
            refused_message(&refusal("40002", "isv.code-invalid")),
            "canary"
        );
    }
}
