//! Failures in OAuth's words.

use std::error::Error;

use function_kit::{Failure, Outcome};

use crate::way_back::WayBack;

/// What OAuth (RFC 6749, sections 4.1.2.1 and 5.2; RFC 6750, section 3.1) and OpenID Connect (Core, section 3.1.2.6) call an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    AccessDenied,
    AccountSelectionRequired,
    ConsentRequired,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidToken,
    LoginRequired,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    ServerError,
    TemporarilyUnavailable,
    UnsupportedGrantType,
    UnsupportedResponseType,
}

impl ErrorCode {
    /// Its name in `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::ConsentRequired => "consent_required",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidToken => "invalid_token",
            Self::LoginRequired => "login_required",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The one of `failure`: its own, or what its outcome comes down to.
    pub fn of(failure: &Failure) -> Self {
        if let Some(refusal) = Refusal::of(failure) {
            return refusal.code;
        }
        match failure.outcome() {
            Outcome::InvalidArgument { .. }
            | Outcome::NotFound { .. }
            | Outcome::TooLarge { .. } => Self::InvalidRequest,
            Outcome::Unauthenticated | Outcome::Reauthorize => Self::InvalidToken,
            Outcome::RateLimited { .. }
            | Outcome::TemporarilyUnavailable { .. }
            | Outcome::GatewayUnreachable
            | Outcome::GatewayTimeout => Self::TemporarilyUnavailable,
            Outcome::GatewayRefused(refusal)
                if refusal.is_transient() || refusal.is_call_limit() =>
            {
                Self::TemporarilyUnavailable
            }
            _ => Self::ServerError,
        }
    }
}

/// The cause of a [`Failure`] that has a name of its own in OAuth, or that the client is told of through the browser.
#[derive(Debug, thiserror::Error)]
#[error("{}", code.name())]
pub(crate) struct Refusal {
    pub code: ErrorCode,
    /// Where the client is told: known once its address is trusted.
    pub way_back: Option<WayBack>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            way_back: None,
            source: None,
        }
    }

    /// The same with what it comes of, for the log.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(cause.into()),
            ..self
        }
    }

    /// The same, told to the client at `way_back`.
    pub fn told(self, way_back: WayBack) -> Self {
        Self {
            way_back: Some(way_back),
            ..self
        }
    }

    /// As a failure: `field` breaks `rule`.
    pub fn of_rule(self, field: &str, rule: &str) -> Failure {
        let outcome = Outcome::InvalidArgument {
            field: field.to_owned(),
            rule: rule.to_owned(),
        };
        Failure::caused_by(outcome, self)
    }

    /// As a failure: nobody, or not who they say.
    pub fn unauthenticated(self) -> Failure {
        Failure::caused_by(Outcome::Unauthenticated, self)
    }

    /// The one behind `failure`, where there is one.
    pub fn of(failure: &Failure) -> Option<&Self> {
        failure.source()?.downcast_ref()
    }
}

/// `code`, because `field` breaks `rule`.
pub(crate) fn refused(code: ErrorCode, field: &str, rule: &str) -> Failure {
    Refusal::new(code).of_rule(field, rule)
}

/// What `error_description` says: which rule is broken, for whoever builds the client. Quotes are not allowed in it.
pub(crate) fn description(failure: &Failure) -> Option<String> {
    let Outcome::InvalidArgument { field, rule } = failure.outcome() else {
        return None;
    };
    let is_allowed =
        |character: &char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
    Some(
        format!("{field}: {rule}")
            .chars()
            .filter(is_allowed)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_without_a_name_of_oauths_has_one_all_the_same() {
        let unavailable = Outcome::TemporarilyUnavailable {
            retry_after_seconds: 1,
            advice: String::new(),
        };
        for (failure, name) in [
            (Failure::invalid("scope", "is wrong"), "invalid_request"),
            (Failure::new(unavailable), "temporarily_unavailable"),
            (
                Failure::new(Outcome::GatewayTimeout),
                "temporarily_unavailable",
            ),
            (Failure::new(Outcome::Reauthorize), "invalid_token"),
            (Failure::new(Outcome::UnknownApp), "server_error"),
            (Failure::internal("x"), "server_error"),
            (
                refused(ErrorCode::InvalidScope, "scope", "x"),
                "invalid_scope",
            ),
            (
                Refusal::new(ErrorCode::InvalidClient).unauthenticated(),
                "invalid_client",
            ),
        ] {
            assert_eq!(ErrorCode::of(&failure).name(), name, "{failure:?}");
        }
    }

    #[test]
    fn a_description_has_the_characters_that_the_rfc_allows() {
        let said = description(&Failure::invalid("a", "\"b\\\n\u{e9}c"));
        assert_eq!(said.as_deref(), Some("a: bc"));
        assert_eq!(description(&Failure::internal("secret")), None);
    }
}
