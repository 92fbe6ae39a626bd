//! What came of a refresh, for a person.

use std::fmt;

use function_tokens::RefreshOutcome;
use serde_json::Value;

use super::page::span;

/// What came of a refresh. As text its word and one sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed(pub(super) RefreshOutcome);

impl Refreshed {
    /// Whether the stored pair is as fresh as it can be.
    pub fn is_fresh(&self) -> bool {
        matches!(self.0, RefreshOutcome::Refreshed | RefreshOutcome::Fresh)
    }

    /// As JSON: `{"outcome":"backed_off","retry_after_ms":1500}`.
    pub fn json(&self) -> Value {
        serde_json::to_value(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Refreshed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.0.as_str())?;
        match self.0 {
            RefreshOutcome::Refreshed => formatter.write_str("a new pair of tokens is stored."),
            RefreshOutcome::Fresh => formatter.write_str(
                "nothing was to be done; there is no refresh token, or somebody else stored a new pair at the same time.",
            ),
            RefreshOutcome::Busy => formatter.write_str(
                "somebody else is refreshing this row just now; ask again in a few seconds.",
            ),
            RefreshOutcome::BackedOff { retry_after } => write!(
                formatter,
                "Alipay gave no answer about the token, now or a moment ago; the next try is allowed in {}.",
                span(retry_after)
            ),
            RefreshOutcome::Suspect { retry_after } => write!(
                formatter,
                "Alipay refused the refresh token; whether the grant is over is asked once more in {}, and until then the access token is served while it lasts.",
                span(retry_after)
            ),
            RefreshOutcome::Reauthorize => formatter.write_str(
                "the grant is over and cannot be refreshed; the user has to log in again, or the merchant to authorise again.",
            ),
            RefreshOutcome::Misconfigured { retry_after } => write!(
                formatter,
                "Alipay holds the app to be at fault, not the token; look at the document of apps with `dev-server doctor`, and try again in {}.",
                span(retry_after)
            ),
            RefreshOutcome::Rescued => formatter.write_str(
                "the new pair is safe in the rescue queue and is stored from there, because the table did not take it.",
            ),
            RefreshOutcome::Gone => formatter.write_str(
                "no such row is stored; compare the ids, --scope and --merchant with those of the login.",
            ),
        }
    }
}
