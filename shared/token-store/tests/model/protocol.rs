//! What can happen, step by step: the workers' steps in the order of the protocol, then the world.

use stateright::{Model, Property};

use crate::gateway::{Gateway, Pair};
use crate::row::{Committed, Committer, Lineage, Proof, Quarantine, Row, RowState};
use crate::rules::{self, Broken};
use crate::variant::{Kind, Variant};
use crate::worker::{Attempt, Worker};

pub const WORKERS: usize = 3;

/// A protocol, a kind of token, and how much may happen.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    pub variant: Variant,
    pub kind: Kind,
    /// Logins after the first one, which is already stored.
    pub logins: usize,
    /// Refreshes that the gateway carries out. After that it answers no more.
    pub refreshes: u8,
    /// Counts states once that differ only in which worker is which. A trace is easier to read without.
    pub merges_alike: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub gateway: Gateway,
    pub row: Row,
    pub workers: [Worker; WORKERS],
    /// The rescue queue, in order.
    pub rescue: Vec<(Lineage, Pair)>,
    /// A login whose code is exchanged and whose pair is not stored yet.
    pub login: Option<Login>,
    /// What a step broke, for the properties that speak of steps.
    pub broken: Option<Broken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    pub pair: Pair,
    /// The row that it saw: looked at, or handed back by a write that was refused. It may have changed since.
    pub seen: Option<Lineage>,
}

/// What becomes of one call of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Carried out or refused, and said so.
    Answer,
    /// Refused, naming the refresh token that took its place.
    NamesNextToken,
    /// Carried out; the reply is lost.
    Lost,
    /// Not carried out: no connection, an overloaded gateway.
    NotExecuted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Steps 0 to 2: read, take the lease.
    Acquire(usize),
    /// Step 3.
    Call(usize, Reply),
    /// Step 3: a token that the gateway named is saved as the sibling, and tried next.
    SaveNamedToken(usize),
    /// Steps 4 and 5.
    Commit(usize),
    /// Step 5, written, but the table's answer is lost: the worker will commit again.
    CommitUnanswered(usize),
    /// Step 5, three seconds later.
    GiveToRescue(usize),
    /// Step 5, when another pair was first.
    KeepAsSibling(usize),
    /// Step 6.
    Release(usize),
    /// Step 7.
    MarkRefused(usize),
    /// The process dies; another takes its place.
    Crash(usize),
    /// The oldest message of the rescue queue; `again`: the queue will deliver it once more.
    Rescue {
        again: bool,
    },
    /// Login, first half: the code is exchanged.
    ExchangeCode {
        withdraws_older_grant: bool,
    },
    /// Login: it looks what is there. It need not.
    Look,
    /// Login, second half: written if the row is the one it saw, else refused, and the row seen.
    /// `row_removed`: by its time to live or by hand, just before.
    StoreLogin {
        row_removed: bool,
    },
    /// A reader found the access token refused at use.
    AccessTokenRefused,
    /// Time.
    LeaseRunsOut,
    QuarantineEnds,
    GraceEnds {
        kept: Pair,
    },
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let lineage = Lineage {
            generation: 1,
            grant_id: 1,
        };
        vec![State {
            gateway: Gateway::after_first_login(),
            row: Row::of_login(Pair::of_login(1), lineage),
            workers: [Worker::Idle; WORKERS],
            rescue: Vec::new(),
            login: None,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for worker in 0..WORKERS {
            self.steps_of(worker, state, actions);
        }
        self.steps_of_the_world(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut after = before.clone();
        self.apply(&mut after, action);
        (after != *before).then(|| {
            if after.broken.is_none() {
                after.broken = rules::broken_by(self.kind, before, action, &after);
            }
            if self.merges_alike {
                after.with_workers_in_order()
            } else {
                after
            }
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        rules::properties()
    }
}

impl Protocol {
    fn steps_of(&self, worker: usize, state: &State, actions: &mut Vec<Action>) {
        match &state.workers[worker] {
            Worker::Idle => actions.push(Action::Acquire(worker)),
            Worker::Leased(attempt) => {
                actions.push(Action::Call(worker, Reply::NotExecuted));
                if !state.gateway.works(attempt.token) {
                    actions.push(Action::Call(worker, Reply::Answer));
                    if self.kind == Kind::UserToldTheNextToken {
                        actions.push(Action::Call(worker, Reply::NamesNextToken));
                    }
                } else if state.gateway.refreshes() < self.refreshes {
                    actions.push(Action::Call(worker, Reply::Answer));
                    actions.push(Action::Call(worker, Reply::Lost));
                }
            }
            Worker::Told { .. } => actions.push(Action::SaveNamedToken(worker)),
            Worker::Received { .. } => actions.extend([
                Action::Commit(worker),
                Action::CommitUnanswered(worker),
                Action::GiveToRescue(worker),
            ]),
            Worker::Overtaken { .. } => actions.push(Action::KeepAsSibling(worker)),
            Worker::Refused { .. } => actions.push(Action::MarkRefused(worker)),
            Worker::Failed => actions.push(Action::Release(worker)),
        }
        if state.workers[worker] != Worker::Idle {
            actions.push(Action::Crash(worker));
        }
    }

    fn steps_of_the_world(&self, state: &State, actions: &mut Vec<Action>) {
        if !state.rescue.is_empty() {
            actions.extend([false, true].map(|again| Action::Rescue { again }));
        }
        if let Some(login) = state.login {
            if login.seen.is_none() {
                actions.push(Action::Look);
            }
            actions.extend([false, true].map(|row_removed| Action::StoreLogin { row_removed }));
        } else if state.gateway.logins() <= self.logins {
            actions.extend(
                [false, true].map(|withdraws_older_grant| Action::ExchangeCode {
                    withdraws_older_grant,
                }),
            );
        }
        if state.row.state == RowState::Active {
            actions.push(Action::AccessTokenRefused);
        }
        if state.row.lease.is_some_and(|lease| lease.runs) {
            actions.push(Action::LeaseRunsOut);
        }
        if state.row.quarantine == Quarantine::Runs && self.quarantine_may_end(state) {
            actions.push(Action::QuarantineEnds);
        }
        if self.kind == Kind::Merchant {
            for grant in 1..=state.gateway.logins() {
                for kept in state.gateway.newest(grant as u8) {
                    actions.push(Action::GraceEnds { kept });
                }
            }
        }
    }

    /// The quarantine is longer than a worker lives and than a pair waits for rescue. Nobody begins
    /// in it, so whoever is at work began before.
    fn quarantine_may_end(&self, state: &State) -> bool {
        let nobody_at_work = state.workers.iter().all(|worker| *worker == Worker::Idle);
        (nobody_at_work && state.rescue.is_empty()) || self.variant == Variant::ShortQuarantine
    }

    fn apply(&self, state: &mut State, action: Action) {
        match action {
            Action::Acquire(worker) => self.acquire(state, worker),
            Action::Call(worker, reply) => self.call(state, worker, reply),
            Action::SaveNamedToken(worker) => save_named_token(state, worker),
            Action::Commit(worker) => self.commit(state, worker),
            Action::CommitUnanswered(worker) => {
                let unanswered = state.workers[worker];
                self.commit(state, worker);
                state.workers[worker] = unanswered;
            }
            Action::GiveToRescue(worker) => self.give_to_rescue(state, worker),
            Action::KeepAsSibling(worker) => keep_as_sibling(state, worker),
            Action::Release(worker) => {
                state.row.release(worker, self.variant);
                state.workers[worker] = Worker::Idle;
            }
            Action::MarkRefused(worker) => self.mark_refused(state, worker),
            Action::Crash(worker) => {
                if let Some(lease) = &mut state.row.lease
                    && lease.owner == Some(worker)
                {
                    lease.owner = None;
                }
                let died = std::mem::replace(&mut state.workers[worker], Worker::Idle);
                if let Some(pair) = died.in_hand()
                    && !rules::is_safe(state, pair)
                {
                    state.gateway.put_out_of_reach(pair);
                }
            }
            Action::Rescue { again } => self.rescue(state, again),
            Action::ExchangeCode {
                withdraws_older_grant,
            } => {
                if withdraws_older_grant {
                    state.gateway.withdraw(state.row.pair.grant);
                }
                state.login = Some(Login {
                    pair: state.gateway.log_in(),
                    seen: None,
                });
            }
            Action::Look => {
                if let Some(login) = &mut state.login {
                    login.seen = Some(state.row.lineage);
                }
            }
            Action::StoreLogin { row_removed } => self.store_login(state, row_removed),
            Action::AccessTokenRefused => state.row.mark_suspect(),
            Action::LeaseRunsOut => {
                if let Some(lease) = &mut state.row.lease {
                    lease.runs = false;
                }
            }
            Action::QuarantineEnds => state.row.quarantine = Quarantine::Over,
            Action::GraceEnds { kept } => state.gateway.end_grace(kept),
        }
    }

    fn acquire(&self, state: &mut State, worker: usize) {
        let row = &mut state.row;
        if row.acquire(worker, self.variant) {
            state.workers[worker] = Worker::Leased(Attempt {
                seen: row.lineage,
                token: row.pair,
                untried: row.sibling,
                proof: match row.quarantine {
                    Quarantine::None | Quarantine::Runs => Proof::Begins,
                    Quarantine::Over => Proof::Confirms,
                },
            });
        }
    }

    fn call(&self, state: &mut State, worker: usize, reply: Reply) {
        let Worker::Leased(attempt) = state.workers[worker] else {
            return;
        };
        let Attempt {
            seen,
            token,
            untried,
            proof,
        } = attempt;
        let works = state.gateway.works(token);
        state.workers[worker] = match reply {
            Reply::NotExecuted if self.variant == Variant::SilenceIsRefusal => {
                state.row.mark_refused(seen, worker, proof, self.variant);
                Worker::Idle
            }
            Reply::NotExecuted => Worker::Failed,
            Reply::Lost => {
                let pair = state.gateway.refresh(token, self.kind);
                state.gateway.put_out_of_reach(pair);
                Worker::Failed
            }
            Reply::Answer if works => Worker::Received {
                seen,
                pair: state.gateway.refresh(token, self.kind),
            },
            Reply::NamesNextToken if let Some(token) = state.gateway.successor(token) => {
                Worker::Told { attempt, token }
            }
            Reply::Answer | Reply::NamesNextToken => match untried {
                Some(sibling) => Worker::Leased(Attempt {
                    token: sibling,
                    untried: None,
                    ..attempt
                }),
                None => Worker::Refused { seen, proof },
            },
        };
    }

    fn commit(&self, state: &mut State, worker: usize) {
        let Worker::Received { seen, pair } = state.workers[worker] else {
            return;
        };
        let committer = Committer::Worker(worker);
        state.workers[worker] = match state.row.commit(seen, pair, committer, self.variant) {
            Committed::Overtaken if self.keeps_siblings() => Worker::Overtaken {
                found: state.row.lineage,
                pair,
            },
            _ => Worker::Idle,
        };
    }

    fn keeps_siblings(&self) -> bool {
        match self.variant {
            Variant::NoSibling => false,
            Variant::SiblingForMerchantsOnly => self.kind == Kind::Merchant,
            _ => true,
        }
    }

    fn give_to_rescue(&self, state: &mut State, worker: usize) {
        if let Worker::Received { seen, pair } = state.workers[worker] {
            if self.variant != Variant::NoRescue {
                state.rescue.push((seen, pair));
            }
            state.workers[worker] = Worker::Idle;
        }
    }

    fn rescue(&self, state: &mut State, again: bool) {
        let (seen, pair) = if again {
            state.rescue[0]
        } else {
            state.rescue.remove(0)
        };
        let committed = state
            .row
            .commit(seen, pair, Committer::Rescue, self.variant);
        if let Committed::Overtaken = committed
            && self.keeps_siblings()
        {
            state.row.keep_sibling(state.row.lineage, pair);
        }
    }

    fn mark_refused(&self, state: &mut State, worker: usize) {
        if let Worker::Refused { seen, proof } = state.workers[worker] {
            state.row.mark_refused(seen, worker, proof, self.variant);
            state.workers[worker] = Worker::Idle;
        }
    }

    fn store_login(&self, state: &mut State, row_removed: bool) {
        let Some(Login { pair, seen }) = state.login else {
            return;
        };
        let old = state.row.lineage;
        let generation = match seen {
            // A write that is refused because the row has gone is followed by one that is not.
            _ if row_removed => 1,
            Some(seen) if seen == old || self.variant == Variant::LoginTrustsWhatItSaw => {
                seen.generation + 1
            }
            _ => {
                state.login = Some(Login {
                    pair,
                    seen: Some(old),
                });
                return;
            }
        };
        let lineage = Lineage {
            generation,
            grant_id: if self.variant == Variant::LoginKeepsGrantId {
                old.grant_id
            } else {
                pair.grant
            },
        };
        state.login = None;
        state.row = Row::of_login(pair, lineage);
    }
}

fn save_named_token(state: &mut State, worker: usize) {
    let Worker::Told { attempt, token } = state.workers[worker] else {
        return;
    };
    state.workers[worker] = if state.row.keep_sibling(attempt.seen, token) {
        Worker::Leased(Attempt {
            token,
            untried: None,
            ..attempt
        })
    } else {
        Worker::Idle
    };
}

fn keep_as_sibling(state: &mut State, worker: usize) {
    let Worker::Overtaken { found, pair } = state.workers[worker] else {
        return;
    };
    let row = &mut state.row;
    let kept = row.keep_sibling(found, pair);
    state.workers[worker] = if kept || row.lineage.grant_id != found.grant_id {
        Worker::Idle
    } else {
        // Another commit again: for the generation found now.
        Worker::Overtaken {
            found: row.lineage,
            pair,
        }
    };
}

impl State {
    /// Workers are alike: of states that differ only in who is who, one stands for all.
    fn with_workers_in_order(mut self) -> Self {
        let owner = self.row.lease.and_then(|lease| lease.owner);
        let mut workers: Vec<(Worker, bool)> = (0..WORKERS)
            .map(|worker| (self.workers[worker], owner == Some(worker)))
            .collect();
        workers.sort_unstable();
        if let Some(lease) = &mut self.row.lease {
            lease.owner = workers
                .iter()
                .position(|(worker, owns)| *owns && *worker != Worker::Idle);
        }
        self.workers = std::array::from_fn(|place| workers[place].0);
        self
    }
}
