//! A worker: one process that refreshes this row. It may pause, for any time, at each of these.

use crate::gateway::Pair;
use crate::row::{Lineage, Proof};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worker {
    Idle,
    /// Has the lease, calls the gateway next.
    Leased(Attempt),
    /// The gateway refused and named another refresh token, which is saved next.
    Told {
        attempt: Attempt,
        token: Pair,
    },
    /// Has a new pair, commits next.
    Received {
        seen: Lineage,
        pair: Pair,
    },
    /// The commit found another pair of the same grant: keeps its own as the sibling next.
    Overtaken {
        found: Lineage,
        pair: Pair,
    },
    /// Every refresh token of the row was refused: notes that next.
    Refused {
        seen: Lineage,
        proof: Proof,
    },
    /// No answer, or one that may pass: gives the lease back next.
    Failed,
}

/// What a worker knows from the row it took the lease of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    pub seen: Lineage,
    /// The refresh token to send next.
    pub token: Pair,
    /// The sibling, until it is tried.
    pub untried: Option<Pair>,
    /// What a refusal will say.
    pub proof: Proof,
}

impl Worker {
    /// The pair that this worker received, or whose refresh token was named to it.
    pub fn in_hand(&self) -> Option<Pair> {
        match self {
            Self::Told { token: pair, .. }
            | Self::Received { pair, .. }
            | Self::Overtaken { pair, .. } => Some(*pair),
            Self::Idle | Self::Leased(_) | Self::Refused { .. } | Self::Failed => None,
        }
    }
}
