//! The row in the table. Every write here is one conditional write in DynamoDB, and so atomic.

use crate::gateway::Pair;
use crate::variant::Variant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowState {
    Active,
    Suspect,
    Reauthorize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// Stands for the random `lease_owner`: a worker has one attempt at a time. None: that attempt is
    /// over and did not give its lease back.
    pub owner: Option<usize>,
    /// `lease_until` (and the clocks' skew after it) has not passed.
    pub runs: bool,
}

/// `refused_since` with `not_before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quarantine {
    /// The refresh token was not refused.
    None,
    /// Refused; nobody may try again yet.
    Runs,
    /// Its time has passed: one more call is due.
    Over,
}

/// What a later write is conditional on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lineage {
    pub generation: u8,
    pub grant_id: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    pub lineage: Lineage,
    /// Its identity also stands for `commit_id`: one pair is committed by one worker.
    pub pair: Pair,
    pub sibling: Option<Pair>,
    pub state: RowState,
    pub quarantine: Quarantine,
    pub lease: Option<Lease>,
}

/// What a commit came to.
pub enum Committed {
    Stored,
    /// Our own `commit_id` is there: an earlier answer was lost.
    Already,
    /// Another pair of the same grant was stored first.
    Overtaken,
    /// A login was stored meanwhile (or a wrong variant's condition failed): the pair is dropped.
    Refused,
}

impl Row {
    /// Login: the whole row.
    pub fn of_login(pair: Pair, lineage: Lineage) -> Self {
        Self {
            lineage,
            pair,
            sibling: None,
            state: RowState::Active,
            quarantine: Quarantine::None,
            lease: None,
        }
    }

    /// Step 2: take the lease. Taken over from somebody who never told how the attempt after the
    /// quarantine ended, it begins the quarantine again: that one may hold a pair.
    pub fn acquire(&mut self, owner: usize, variant: Variant) -> bool {
        let free = !self.lease.is_some_and(|lease| lease.runs) || variant == Variant::NoLease;
        let allowed =
            self.state != RowState::Reauthorize && free && self.quarantine != Quarantine::Runs;
        if allowed {
            let taken_over = self.lease.is_some() && variant != Variant::TakeoverConfirms;
            if taken_over && self.quarantine == Quarantine::Over {
                self.quarantine = Quarantine::Runs;
            }
            self.lease = Some(Lease {
                owner: Some(owner),
                runs: true,
            });
        }
        allowed
    }

    /// Step 5: store a pair by lineage, whoever has the lease by now, and in every state.
    pub fn commit(
        &mut self,
        seen: Lineage,
        pair: Pair,
        committer: Committer,
        variant: Variant,
    ) -> Committed {
        let same_lineage = self.lineage == seen;
        let allowed = match (variant, committer) {
            (Variant::NaiveWrite, _) => true,
            (Variant::LeaseFencedWrite, Committer::Worker(worker)) => {
                self.lease
                    == Some(Lease {
                        owner: Some(worker),
                        runs: true,
                    })
            }
            (Variant::CommitFromActiveOnly, _) => same_lineage && self.state == RowState::Active,
            _ => same_lineage,
        };
        if allowed {
            *self = Self {
                lineage: Lineage {
                    generation: seen.generation + 1,
                    grant_id: seen.grant_id,
                },
                pair,
                sibling: None,
                state: RowState::Active,
                quarantine: Quarantine::None,
                lease: None,
            };
            Committed::Stored
        } else if self.pair == pair {
            Committed::Already
        } else if self.lineage.grant_id == seen.grant_id && !same_lineage {
            Committed::Overtaken
        } else {
            Committed::Refused
        }
    }

    /// One more refresh token for this generation. The generation does not move for it.
    pub fn keep_sibling(&mut self, seen: Lineage, sibling: Pair) -> bool {
        let allowed = self.lineage == seen;
        if allowed {
            self.sibling = Some(sibling);
        }
        allowed
    }

    /// Step 6: give the lease back. State and generation stay.
    pub fn release(&mut self, owner: usize, variant: Variant) {
        let own = self.lease.is_some_and(|lease| lease.owner == Some(owner));
        if own || variant == Variant::BlindRelease {
            self.lease = None;
        }
    }

    /// Step 7: the refresh token was refused, and its sibling where there was one.
    pub fn mark_refused(&mut self, seen: Lineage, worker: usize, proof: Proof, variant: Variant) {
        match proof {
            _ if variant == Variant::NoQuarantine => self.reauthorize(seen, worker, variant),
            Proof::Confirms => self.reauthorize(seen, worker, variant),
            Proof::Begins => {
                if self.lineage == seen && self.state != RowState::Reauthorize {
                    self.state = RowState::Suspect;
                    if self.quarantine == Quarantine::None {
                        self.quarantine = Quarantine::Runs;
                    }
                }
            }
        }
        self.release(worker, variant);
    }

    /// Only from the lineage that was refused, and under the own lease: whoever took it over may have
    /// got a pair with a token that the gateway named.
    fn reauthorize(&mut self, seen: Lineage, worker: usize, variant: Variant) {
        let same_lineage = self.lineage == seen;
        let own_lease = self.lease.is_some_and(|lease| lease.owner == Some(worker));
        let allowed = match variant {
            Variant::UnconditionalReauthorize => true,
            Variant::ConfirmWithoutLease | Variant::NoQuarantine => same_lineage,
            _ => same_lineage && own_lease,
        };
        if allowed {
            self.state = RowState::Reauthorize;
        }
    }

    /// Alipay refused the access token at use. That says nothing about the refresh token: no
    /// quarantine.
    pub fn mark_suspect(&mut self) {
        self.state = RowState::Suspect;
    }
}

#[derive(Clone, Copy)]
pub enum Committer {
    Worker(usize),
    Rescue,
}

/// What a refusal says, by what the worker found when it took the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// The first refusal: the quarantine begins.
    Begins,
    /// A refusal after the quarantine: the grant is over.
    Confirms,
}
