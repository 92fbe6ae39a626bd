use function_kit::{Failure, Outcome};
use token_store::StoreError;

/// The store's errors as callers see them.
pub fn store_failure(error: StoreError) -> Failure {
    let later = |seconds: u64| Outcome::TemporarilyUnavailable {
        retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        advice: String::new(),
    };
    let outcome = match &error {
        StoreError::NotFound | StoreError::Reauthorize => Outcome::Reauthorize,
        StoreError::Busy { retry_after } => later(retry_after.as_secs().max(1)),
        StoreError::Unavailable { .. }
        | StoreError::RefreshUnavailable(_)
        | StoreError::Conflict
        | StoreError::ClaimLost => later(1),
        // Permissions, a damaged row, a wrong app: nothing that a caller could mend.
        _ => Outcome::Internal,
    };
    Failure::caused_by(outcome, error)
}

/// An exchange succeeded, but its tokens are not kept: that must not look like a login or an authorisation. The code is spent, so
/// `advice` says how to come by a new one.
pub fn exchanged_but_not_kept(error: StoreError, advice: &str) -> Failure {
    Failure::spent_in_vain(error.is_transient(), advice, error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_user_without_a_live_token_has_to_log_in_and_a_busy_store_has_to_be_waited_for() {
        assert_eq!(
            *store_failure(StoreError::NotFound).outcome(),
            Outcome::Reauthorize
        );
        assert_eq!(
            *store_failure(StoreError::Reauthorize).outcome(),
            Outcome::Reauthorize
        );
        let busy = store_failure(StoreError::Busy {
            retry_after: Duration::from_secs(3),
        });
        assert!(matches!(
            busy.outcome(),
            Outcome::TemporarilyUnavailable {
                retry_after_seconds: 3,
                ..
            }
        ));
        assert_eq!(
            *store_failure(StoreError::Sealing).outcome(),
            Outcome::Internal
        );
    }
}
