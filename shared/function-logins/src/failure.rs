use function_kit::{Failure, Outcome};
use identity::IdentityError;

/// The errors of `identity` as callers see them: whatever is wrong with what was presented, it is one answer.
pub fn identity_failure(error: IdentityError) -> Failure {
    let outcome = match &error {
        IdentityError::Refused(_) => Outcome::Unauthenticated,
        error if error.is_transient() => Outcome::TemporarilyUnavailable {
            retry_after_seconds: 1,
            advice: String::new(),
        },
        _ => Outcome::Internal,
    };
    Failure::caused_by(outcome, error)
}

/// The code was exchanged, but there is no account to log in to: that must not look like a login.
pub fn exchanged_without_account(error: IdentityError, advice: &str) -> Failure {
    Failure::spent_in_vain(error.is_transient(), advice, error)
}
