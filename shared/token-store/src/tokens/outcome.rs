//! What came of a refresh.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a call of [`TokenStore::refresh`](super::TokenStore::refresh) came to. As JSON: `{"outcome":"backed_off","retry_after_ms":1500}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RefreshOutcome {
    /// A new pair is stored.
    Refreshed,
    /// Nothing had to be done, or somebody else had done it.
    Fresh,
    /// Somebody else is refreshing the row.
    Busy,
    /// No answer about the token, now or a moment ago.
    BackedOff {
        /// When the next try is allowed.
        #[serde(rename = "retry_after_ms", with = "milliseconds")]
        retry_after: Duration,
    },
    /// The gateway holds the app to be at fault, not the token (`isv.unmatched-app-id`, a wrong key).
    Misconfigured {
        /// When the next try is allowed.
        #[serde(rename = "retry_after_ms", with = "milliseconds")]
        retry_after: Duration,
    },
    /// The token is in doubt; it will be settled.
    Suspect {
        /// When.
        #[serde(rename = "retry_after_ms", with = "milliseconds")]
        retry_after: Duration,
    },
    /// The user has to log in again.
    Reauthorize,
    /// The table did not take the new pair; it is in the rescue queue and will be stored from there.
    Rescued,
    /// There is no such row.
    Gone,
}

impl RefreshOutcome {
    /// As it stands in JSON and in logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Fresh => "fresh",
            Self::Busy => "busy",
            Self::BackedOff { .. } => "backed_off",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Suspect { .. } => "suspect",
            Self::Reauthorize => "reauthorize",
            Self::Rescued => "rescued",
            Self::Gone => "gone",
        }
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
