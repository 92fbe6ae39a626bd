use table_rows::{TableError, WrongAttribute};

/// What can come of a call to this crate instead of a result.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The table did not do what was asked.
    #[error(transparent)]
    Table(#[from] TableError),
    /// What was presented is not valid. Callers answer every [`Refusal`] alike; which one it was is for the log.
    #[error("what was presented is not valid: {0}")]
    Refused(#[from] Refusal),
    /// A stored row lacks what it must have, or others kept changing it.
    #[error("a stored record is damaged: {field}")]
    Corrupt {
        /// The attribute in question.
        field: &'static str,
    },
    /// Others kept changing the same rows while this call tried to; nothing was written by it.
    #[error("the rows changed at the same time")]
    Conflict,
    /// A value is too long to be stored.
    #[error("{field}: is longer than {limit} bytes")]
    TooLarge {
        /// What is too long.
        field: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The operating system gave no randomness, or a signature could not be made. Not expected in practice.
    #[error("a token could not be made")]
    Signing,
}

impl From<WrongAttribute> for IdentityError {
    fn from(WrongAttribute { field }: WrongAttribute) -> Self {
        Self::Corrupt { field }
    }
}

impl IdentityError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Table(error) => error.is_transient(),
            Self::Conflict => true,
            Self::Refused(_) | Self::Corrupt { .. } | Self::TooLarge { .. } | Self::Signing => {
                false
            }
        }
    }
}

/// Why a session token or a one-time value is not valid. For the log and for metrics: whoever presented it learns nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is none of ours.
    #[error("malformed")]
    Malformed,
    /// It has the form of one of ours, and there is nothing under it.
    #[error("unknown")]
    Unknown,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It was used before.
    #[error("spent")]
    Spent,
    /// Somebody logged out, or the family was burnt.
    #[error("revoked")]
    Revoked,
    /// A session token came back that had been replaced: somebody has a copy. The family is burnt.
    #[error("reused")]
    Reused,
    /// It was issued to another client.
    #[error("other client")]
    OtherClient,
    /// It was issued to another device.
    #[error("other device")]
    OtherDevice,
}
