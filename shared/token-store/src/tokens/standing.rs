//! What may be done with a row at a given moment. Pure: the record and the time decide.

use std::time::Duration;

use super::because::Because;
use crate::address::TokenKind;
use crate::record::{State, TokenRecord};
use table_rows::WallTime;

/// A token with less life than this is refreshed when it is read.
pub(super) const REFRESH_MARGIN: Duration = Duration::from_secs(180);
/// The most of a token's whole life that the margin may be: a token that lives a minute is not
/// refreshed by everybody who reads it.
const REFRESH_MARGIN_PART: u32 = 5;
/// A token with less life than this is not served: it could end on its way to the gateway.
pub(super) const SERVE_MARGIN: Duration = Duration::from_secs(5);
/// How far the clocks of two machines may differ.
pub(super) const SKEW: Duration = Duration::from_secs(2);
/// How long after its first refusal a refresh token is tried once more. Longer than any worker can hold a pair that it has
/// received and not stored: the function's timeout, the lease and the skew together.
pub(crate) const QUARANTINE: Duration = Duration::from_secs(120);
/// A merchant's token that is refused at its use is refreshed, but not again so soon after the last refresh: Alipay then
/// refuses something else than its age.
const REFRESHED_LATELY: Duration = Duration::from_secs(60);

/// What a reader may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Serve the access token.
    Fresh,
    /// Serve it, but try to have it refreshed first.
    Ageing,
    /// Have it refreshed, then serve.
    Expired,
    /// Over, and no refresh is allowed before this moment: the last one brought no answer, or the refresh token is in quarantine.
    Blocked { until: WallTime },
    /// Neither can be done: the user has to log in again.
    Spent,
}

pub(super) fn standing(record: &TokenRecord, now: WallTime) -> Standing {
    if matches!(record.state, State::Reauthorize | State::Revoked) {
        return Standing::Spent;
    }
    let lives_longer_than = |margin| now.plus(margin) < record.expires_at;
    // What Alipay has not refused for good is served although its time is over, where the time is no certain end.
    let servable = lives_longer_than(SERVE_MARGIN) || !record.ends_with_its_time();
    let refreshable = record.is_refreshable_at(now);
    let blocked = blocked_at(record, now);
    match (servable, refreshable, blocked) {
        (true, _, _) if lives_longer_than(refresh_margin(record)) => Standing::Fresh,
        (true, true, None) => Standing::Ageing,
        (true, _, _) => Standing::Fresh,
        (false, true, Some(until)) => Standing::Blocked { until },
        (false, true, None) => Standing::Expired,
        (false, false, _) => Standing::Spent,
    }
}

/// From this long before its end on a reader has the token refreshed.
pub(super) fn refresh_margin(record: &TokenRecord) -> Duration {
    let whole_life = record.expires_at.since(record.committed_at);
    REFRESH_MARGIN.min(whole_life / REFRESH_MARGIN_PART)
}

/// Until when no refresh is allowed, where one is not allowed now.
fn blocked_at(record: &TokenRecord, now: WallTime) -> Option<WallTime> {
    let waiting = record.not_before.filter(|until| now < *until);
    quarantine_at(record, now).max(waiting)
}

/// The end of the quarantine that a refused refresh token is in.
pub(super) fn quarantine_at(record: &TokenRecord, now: WallTime) -> Option<WallTime> {
    let end = record.refused_since?.plus(QUARANTINE);
    (now < end).then_some(end)
}

/// Whether somebody may still be refreshing this row.
pub(super) fn lease_runs_at(record: &TokenRecord, now: WallTime) -> bool {
    record
        .lease_until
        .is_some_and(|until| until >= now.minus(SKEW))
}

/// What a worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Call the gateway.
    Refresh,
    /// Alipay refused the access token at its use: note the doubt, for the schedule to settle.
    Suspect,
    /// Nothing: it is not due, or somebody else has refreshed it.
    Nothing,
    /// Nothing before this moment: the last refresh brought no answer.
    Wait { until: WallTime },
    /// Nothing before this moment: the refresh token was refused and is in quarantine.
    Doubt { until: WallTime },
    /// Nothing any more: the user has to log in again.
    Spent,
}

pub(super) fn task(record: &TokenRecord, because: Because, now: WallTime) -> Task {
    if matches!(record.state, State::Reauthorize | State::Revoked) {
        return Task::Spent;
    }
    if because
        .generation()
        .is_some_and(|seen| seen != record.generation)
    {
        return Task::Nothing;
    }
    if !record.is_refreshable_at(now) {
        let lives = now < record.expires_at && because != Because::Asked;
        return if lives { Task::Nothing } else { Task::Spent };
    }
    let wanted = match because {
        Because::Due => record.due_at().is_some_and(|due| due <= now),
        Because::Ageing(_) | Because::Expired(_) => now.plus(REFRESH_MARGIN) >= record.expires_at,
        Because::Refused(_) => match record.address.kind {
            Some(TokenKind::Isv) => record.committed_at.plus(REFRESHED_LATELY) <= now,
            // Near its end it has just ended, on its way or by Alipay's clock, and that says nothing about the grant.
            _ if now.plus(refresh_margin(record)) >= record.expires_at => true,
            _ if record.state == State::Active => return Task::Suspect,
            // Not at every use: a method that this token is not good for is refused in the same words.
            _ => match record.suspect_since.map(|since| since.plus(QUARANTINE)) {
                Some(until) if now < until => return Task::Doubt { until },
                _ => true,
            },
        },
        Because::Asked => true,
    };
    if !wanted {
        return Task::Nothing;
    }
    if let Some(until) = quarantine_at(record, now) {
        return Task::Doubt { until };
    }
    match record.not_before {
        Some(until) if now < until => Task::Wait { until },
        _ => Task::Refresh,
    }
}
