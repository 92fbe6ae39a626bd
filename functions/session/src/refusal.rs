//! How this function says no.

use std::error::Error;

use function_kit::{Failure, Outcome, Request};
use function_logins::{CallError, IdentityError, identity_failure};

/// What the errors begin with that OneAccess has no code for.
const FAMILY: &str = "SESSION";

/// What somebody has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A client's id and secret.
    ClientSecret,
    /// The bearer token of `/api/v2/tenant/token`.
    AccessToken,
    /// A session's token.
    SessionToken,
    /// A one-time ticket.
    SsoTicket,
}

/// A credential that is not valid. The caller learns which one; whose it is and what is wrong with it is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{credential:?}, shown by {client}, is not valid")]
struct NotValid {
    credential: Credential,
    client: String,
    source: Box<dyn Error + Send + Sync>,
}

/// That the `credential` which `client` showed is not valid, `because` of what only the log says.
pub(crate) fn not_valid(
    credential: Credential,
    client: &str,
    because: impl Into<Box<dyn Error + Send + Sync>>,
) -> Failure {
    let cause = NotValid {
        credential,
        client: client.to_owned(),
        source: because.into(),
    };
    Failure::caused_by(Outcome::Unauthenticated, cause)
}

/// What came of a call of `identity` with the `credential` that `client` showed.
pub(crate) fn identity_refusal(
    credential: Credential,
    client: &str,
    error: IdentityError,
) -> Failure {
    match error {
        IdentityError::Refused(refusal) => not_valid(credential, client, refusal),
        error => identity_failure(error),
    }
}

fn refused_credential(failure: &Failure) -> Option<Credential> {
    let cause = failure.source()?;
    let cause: &NotValid = cause.downcast_ref()?;
    Some(cause.credential)
}

/// `failure` as this API says it.
pub(crate) fn call_error(failure: &Failure) -> CallError {
    if let Some(credential) = refused_credential(failure) {
        return credential.refused();
    }
    match failure.outcome() {
        Outcome::InvalidArgument { field, rule } if field == "session_token" => {
            required("PARAM.0005", "Token", rule)
        }
        Outcome::InvalidArgument { field, rule } if field == "sso_ticket" => {
            required("PARAM.0031", "SSO ticket", rule)
        }
        _ => CallError::of(failure, FAMILY),
    }
}

/// OneAccess' codes of the two arguments that everything is about (OneAccess: "Error Codes"); `rule` is what the argument breaks.
fn required(code: &str, name: &str, rule: &str) -> CallError {
    let english = match rule {
        "is required" => format!("{name} required."),
        _ => format!("{name} required: it {rule}."),
    };
    CallError::new(400, code, english, format!("{name}不能为空"))
}

/// `WWW-Authenticate`, which goes with a 401 for who showed, or should have shown, something in `Authorization` (RFC 6750, RFC 6749).
pub(crate) fn challenge(failure: &Failure, request: &Request) -> Option<&'static str> {
    let sent = request.header("authorization").is_some();
    match refused_credential(failure)? {
        Credential::AccessToken if sent => Some(r#"Bearer error="invalid_token""#),
        Credential::AccessToken => Some("Bearer"),
        Credential::ClientSecret => Some(r#"Basic realm="tenant""#),
        Credential::SessionToken | Credential::SsoTicket => None,
    }
}

impl Credential {
    fn refused(self) -> CallError {
        let (name, english, chinese) = match self {
            Self::ClientSecret => (
                "CLIENT_INVALID",
                "The client is unknown, or its secret is wrong.",
                "应用不存在或密钥错误",
            ),
            Self::AccessToken => (
                "ACCESS_TOKEN_INVALID",
                "The access token is missing, not valid, or has expired. Get a new one.",
                "访问凭据缺失、无效或已过期，请重新获取",
            ),
            Self::SessionToken => (
                "SESSION_TOKEN_INVALID",
                "The session is not valid, or has ended. Log in again.",
                "会话无效或已结束，请重新登录",
            ),
            Self::SsoTicket => (
                "SSO_TICKET_INVALID",
                "The ticket is not valid, has expired, or was used. Get a new one.",
                "票据无效、已过期或已被使用，请重新获取",
            ),
        };
        CallError::new(401, format!("{FAMILY}.{name}"), english, chinese)
    }
}

#[cfg(test)]
mod tests {
    use function_logins::Refusal;

    use super::*;

    #[test]
    fn all_that_can_be_wrong_with_a_session_is_one_answer() {
        let expected = Credential::SessionToken.refused();
        assert_eq!(expected.status, 401);
        for refusal in [
            Refusal::Malformed,
            Refusal::Unknown,
            Refusal::Expired,
            Refusal::Revoked,
            Refusal::Reused,
            Refusal::OtherClient,
            Refusal::OtherDevice,
        ] {
            let failure = identity_refusal(Credential::SessionToken, "shop", refusal.into());
            assert_eq!(call_error(&failure), expected, "{refusal}");
        }
    }

    #[test]
    fn a_fault_of_ours_is_not_taken_for_one_of_the_credential() {
        let conflict = identity_refusal(Credential::SessionToken, "shop", IdentityError::Conflict);
        assert_eq!(call_error(&conflict).code, "SESSION.UNAVAILABLE");
        let corrupt = IdentityError::Corrupt { field: "uid" };
        let corrupt = identity_refusal(Credential::SessionToken, "shop", corrupt);
        assert_eq!(call_error(&corrupt).status, 500);
    }

    #[test]
    fn what_is_missing_has_the_code_of_one_access() {
        for (field, code) in [
            ("session_token", "PARAM.0005"),
            ("sso_ticket", "PARAM.0031"),
            ("X-client-id", "APP.0002"),
            ("device_ip", "SESSION.PARAMETER_INVALID"),
        ] {
            let error = call_error(&Failure::invalid(field, "is required"));
            assert_eq!((error.status, &*error.code), (400, code));
        }
    }
}
