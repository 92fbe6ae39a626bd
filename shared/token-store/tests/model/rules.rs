//! What must always hold, and what must be able to happen.

use stateright::Property;

use crate::gateway::Pair;
use crate::protocol::{Action, Protocol, Reply, State};
use crate::row::{Lineage, Quarantine, RowState};
use crate::variant::Kind;
use crate::worker::Worker;

pub const GENERATION: &str = "the generation grows by one with each stored pair";
pub const LINEAGE: &str = "a refreshed pair came from a refresh token of the generation before it";
pub const NEVER_BACK: &str = "the row never goes back to an older pair";
pub const LOGIN_STAYS: &str = "a login is never overwritten by an older grant's refresh";
pub const SILENCE: &str = "a transient error changes neither generation nor state";
pub const NO_FALSE_REAUTHORIZE: &str = "nobody is sent to log in while the grant is recoverable";
pub const NOTHING_LOST: &str = "no received pair is lost";
pub const ONE_LEASE: &str = "a running lease is neither taken nor given back by anybody else";

/// What one step broke. Noted by comparing the state before it with the state after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    Generation,
    Lineage,
    NeverBack,
    LoginStays,
    Silence,
    OneLease,
}

pub fn broken_by(kind: Kind, before: &State, action: Action, after: &State) -> Option<Broken> {
    let (old, new) = (&before.row, &after.row);
    if let Action::StoreLogin { row_removed } = action {
        let stored = new.pair != old.pair;
        let follows = new.lineage.generation == old.lineage.generation + 1;
        return (stored && !follows && !row_removed).then_some(Broken::Generation);
    }
    if let Action::Call(_, Reply::NotExecuted | Reply::Lost) | Action::Release(_) = action
        && (old.lineage, old.state, old.pair) != (new.lineage, new.state, new.pair)
    {
        return Some(Broken::Silence);
    }
    if let Action::Acquire(worker) | Action::Release(worker) | Action::MarkRefused(worker) = action
        && let Some(lease) = old.lease
        && lease.runs
        && lease.owner != Some(worker)
        && new.lease != old.lease
    {
        return Some(Broken::OneLease);
    }
    if old.pair == new.pair {
        return (old.lineage != new.lineage).then_some(Broken::Generation);
    }
    if new.pair.grant < old.pair.grant {
        return Some(Broken::LoginStays);
    }
    if new.pair.grant == old.pair.grant && new.pair.number < old.pair.number {
        return Some(Broken::NeverBack);
    }
    let spent = |token: Pair| (token.grant, token.number) == (new.pair.grant, new.pair.from);
    let was_named = kind == Kind::UserToldTheNextToken && new.pair.from > old.pair.number;
    if !spent(old.pair) && !old.sibling.is_some_and(spent) && !was_named {
        return Some(Broken::Lineage);
    }
    (new.lineage.generation != old.lineage.generation + 1).then_some(Broken::Generation)
}

/// It is stored as the row's own or waits for rescue, so its worker may die.
pub fn is_safe(state: &State, pair: Pair) -> bool {
    state.row.pair == pair || state.rescue.iter().any(|(_, waiting)| *waiting == pair)
}

/// The row has it, or its refresh token as the sibling; or the rescue queue; or a worker that lives.
fn is_in_hand(state: &State, pair: Pair) -> bool {
    let workers = &state.workers;
    is_safe(state, pair)
        || state.row.sibling == Some(pair)
        || workers.iter().any(|worker| worker.in_hand() == Some(pair))
}

/// Some pair of the row's grant works and is in hand.
fn is_recoverable(state: &State) -> bool {
    let grant = state.row.pair.grant;
    state
        .gateway
        .usable(grant)
        .any(|pair| is_in_hand(state, pair))
}

/// Some pair of the row's grant works, and neither a lost reply nor a crash took it.
fn is_owed(state: &State) -> bool {
    state.gateway.owed(state.row.pair.grant).next().is_some()
}

/// Pairs that workers are about to commit.
fn under_way(state: &State) -> impl Iterator<Item = (Lineage, Pair)> {
    state.workers.iter().filter_map(|worker| match worker {
        Worker::Received { seen, pair } => Some((*seen, *pair)),
        _ => None,
    })
}

pub fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always(GENERATION, |_, state: &State| {
            state.broken != Some(Broken::Generation)
        }),
        Property::always(LINEAGE, |_, state: &State| {
            state.broken != Some(Broken::Lineage)
        }),
        Property::always(NEVER_BACK, |_, state: &State| {
            state.broken != Some(Broken::NeverBack)
        }),
        Property::always(LOGIN_STAYS, |_, state: &State| {
            state.broken != Some(Broken::LoginStays)
        }),
        Property::always(SILENCE, |_, state: &State| {
            state.broken != Some(Broken::Silence)
        }),
        Property::always(NO_FALSE_REAUTHORIZE, |_, state: &State| {
            state.row.state != RowState::Reauthorize || !is_recoverable(state)
        }),
        Property::always(NOTHING_LOST, |_, state: &State| {
            is_recoverable(state) || !is_owed(state)
        }),
        Property::always(ONE_LEASE, |_, state: &State| {
            state.broken != Some(Broken::OneLease)
        }),
        Property::sometimes(
            "two workers are at work for the same pair",
            |_, state: &State| {
                let begun = |worker: &&Worker| matches!(worker, Worker::Leased(attempt) if attempt.seen == state.row.lineage);
                state.workers.iter().filter(begun).count() > 1
            },
        ),
        Property::sometimes("a late commit heals a suspect row", |_, state: &State| {
            state.row.state == RowState::Suspect
                && state.row.quarantine == Quarantine::Runs
                && under_way(state).any(|(seen, _)| seen == state.row.lineage)
        }),
        Property::sometimes("a rescued pair is stored", |_, state: &State| {
            state
                .rescue
                .first()
                .is_some_and(|(seen, _)| *seen == state.row.lineage)
        }),
        Property::sometimes(
            "a grant is over and its user is sent to log in",
            |_, state: &State| state.row.state == RowState::Reauthorize,
        ),
    ]
}
