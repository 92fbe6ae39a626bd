//! The refresh protocol of `TokenStore` as a model that stateright explores completely: every order
//! of steps of three workers, with a pause, a crash or a lost answer at any of them. The steps
//! (`protocol.rs`) have the numbers that stand on `TokenStore`; the writes (`row.rs`) have its
//! conditions.
//!
//! # What is modelled
//!
//! - One row, three workers, the rescue queue (which may deliver twice), one more login, which may look first at any time before it
//!   is stored, and so at a row that has changed by then.
//! - Alipay's rules for a used refresh token, by kind (`variant.rs`): dead at once (users); dead, but a
//!   refusal may name the token that took its place; good for a grace, after which the gateway keeps one of
//!   the newest pairs, whichever is worse for us (merchants). Older grants live on after a login or are
//!   withdrawn: both.
//! - Gateway: a reply arrives, is lost after the refresh was carried out, or the call was never carried
//!   out. Table: a commit is written and its answer lost, or it cannot be written and goes to the rescue queue.
//!   The row may be removed just before a login is stored.
//! - Time as phases: a lease runs or has run out, the quarantine runs or is over. A pause is a worker that does not
//!   take its next step while all else goes on, for as long as it likes.
//!
//! # What must hold (`rules.rs`)
//!
//! - *Nobody is sent to log in while the grant is recoverable*: in `reauthorize`, no pair of the grant that still works
//!   at the gateway is in the row, its sibling, the rescue queue, or with a worker that lives.
//! - *No received pair is lost*: if a pair of the row's grant works at the gateway, and neither a lost reply nor the crash of
//!   its worker took it, then a working one is in one of these places.
//! - Generations grow by one, pairs descend from the generation before, nothing older comes back, no refresh of an
//!   older grant overwrites a login, a transient error changes neither generation nor state, a running lease is its
//!   owner's.
//!
//! That a takeover, a late commit that heals, a rescue and a deserved `reauthorize` do happen is checked too.
//!
//! # What is not
//!
//! - The quarantine outlasts every worker that began before it and every message of the rescue queue: an assumption,
//!   and `ShortQuarantine` is what happens without it. A rescue that comes later than the quarantine finds
//!   `reauthorize` and heals it.
//! - One sibling has a place: three refreshes of one merchant's token that all succeed in its grace are one too many (two
//!   takeovers in a row). If the gateway then keeps the one in the middle, its pair is lost.
//! - A gateway that refuses a token that works; the end of a refresh token by age; pauses between tries, which only make
//!   fewer things happen; the index; several rows or regions; a reader's copies.
//! - A lost answer when the lease is taken (the worker knows it by its owner and goes on), or when a refusal is noted or the
//!   lease given back (as if it crashed just after).
//!
//! # Results
//!
//! The protocol, no violation:
//!
//! | kind | more logins | refreshes | states |
//! |---|---|---|---|
//! | user | 1 | 2 | 259,022 |
//! | user | 0 | 3 | 94,944 |
//! | user, told the next token | 0 | 2 | 321,821 |
//! | user, told the next token | 1 | 1 | 129,310 |
//! | merchant | 0 | 2 | 52,051 |
//! | merchant | 1 | 1 | 36,652 |
//!
//! States that differ only in which worker is which count once. Wrong variants, with the length of the shortest trace:
//!
//! | variant | what breaks | steps |
//! |---|---|---|
//! | `NaiveWrite` | a login is overwritten | 5 |
//! | `NaiveWrite` | an older pair comes back | 7 |
//! | `LeaseFencedWrite` | a received pair is lost | 4 |
//! | `CommitFromActiveOnly` | a received pair is lost | 4 |
//! | `NoRescue` | a received pair is lost | 3 |
//! | `NoQuarantine` | sent to log in for nothing | 6 |
//! | `ShortQuarantine` | sent to log in for nothing | 10 |
//! | `UnconditionalReauthorize` | sent to log in for nothing | 9 |
//! | `TakeoverConfirms` (told the next token) | sent to log in for nothing | 13 |
//! | `ConfirmWithoutLease` (told the next token) | sent to log in for nothing | 13 |
//! | `SiblingForMerchantsOnly` (told the next token) | a received pair is lost | 9 |
//! | `NoSibling` (merchant) | a received pair is lost | 8 |
//! | `NoLease` | a running lease is taken | 2 |
//! | `BlindRelease` | a running lease is given back | 5 |
//! | `SilenceIsRefusal` | a transient error changes the state | 2 |
//! | `LoginKeepsGrantId` (row removed) | a login is overwritten | 5 |
//! | `LoginTrustsWhatItSaw` | a generation is given twice | 6 |
//!
//! `cargo test -p token-store --test model -- --nocapture` prints these numbers and the traces.

#![allow(
    clippy::expect_used,
    reason = "a test ends where what it needs is missing"
)]
#![allow(clippy::print_stdout, reason = "what was counted is the result")]

mod gateway;
mod protocol;
mod row;
mod rules;
mod variant;
mod worker;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::protocol::Protocol;
use crate::rules::{
    GENERATION, LOGIN_STAYS, NEVER_BACK, NO_FALSE_REAUTHORIZE, NOTHING_LOST, ONE_LEASE, SILENCE,
};
use crate::variant::{Kind, Variant};

/// More steps than any counter-example here needs.
const DEEPEST: usize = 24;

fn explore_completely(kind: Kind, logins: usize, refreshes: u8) {
    let protocol = Protocol {
        variant: Variant::Recommended,
        kind,
        logins,
        refreshes,
        merges_alike: true,
    };
    let checker = protocol.checker().threads(2).spawn_dfs().join();
    assert!(checker.is_done());
    println!(
        "{kind:?}, more logins: {logins}, refreshes: {refreshes}: {} states, no violation",
        checker.unique_state_count()
    );
    checker.assert_properties();
}

/// The shortest way to break `property`, found by looking ever deeper.
fn expect_violation(variant: Variant, kind: Kind, logins: usize, property: &'static str) {
    let protocol = Protocol {
        variant,
        kind,
        logins,
        refreshes: 2,
        merges_alike: false,
    };
    assert_eq!(protocol.property(property).expectation, Expectation::Always);
    let trace = (2..DEEPEST)
        .find_map(|depth| {
            protocol
                .checker()
                .target_max_depth(depth)
                .finish_when(HasDiscoveries::AllOf([property].into()))
                .spawn_bfs()
                .join()
                .discovery(property)
        })
        .expect("the wrong variant breaks the property")
        .into_actions();
    println!(
        "{variant:?} breaks \"{property}\" in {} steps:",
        trace.len()
    );
    for step in trace {
        println!("    {step:?}");
    }
}

#[test]
fn the_protocol_keeps_a_users_pairs_through_refreshes_and_a_login() {
    explore_completely(Kind::User, 1, 2);
}

#[test]
fn the_protocol_keeps_a_users_pairs_through_three_refreshes() {
    explore_completely(Kind::User, 0, 3);
}

#[test]
fn the_protocol_keeps_a_users_pairs_where_a_refusal_names_the_next_token() {
    explore_completely(Kind::UserToldTheNextToken, 0, 2);
}

#[test]
fn the_protocol_keeps_a_users_pairs_where_a_refusal_names_the_next_token_and_through_a_login() {
    explore_completely(Kind::UserToldTheNextToken, 1, 1);
}

#[test]
fn the_protocol_keeps_a_merchants_pairs_of_two_refreshes() {
    explore_completely(Kind::Merchant, 0, 2);
}

#[test]
fn the_protocol_keeps_a_merchants_pairs_through_a_login() {
    explore_completely(Kind::Merchant, 1, 1);
}

#[test]
fn a_commit_without_a_condition_overwrites_a_login() {
    expect_violation(Variant::NaiveWrite, Kind::User, 1, LOGIN_STAYS);
}

#[test]
fn a_commit_without_a_condition_puts_an_older_pair_back() {
    expect_violation(Variant::NaiveWrite, Kind::User, 0, NEVER_BACK);
}

#[test]
fn a_commit_under_the_lease_alone_loses_the_pair_of_a_paused_worker() {
    expect_violation(Variant::LeaseFencedWrite, Kind::User, 0, NOTHING_LOST);
}

#[test]
fn a_commit_into_active_rows_alone_loses_the_pair_that_would_heal_a_suspect_one() {
    expect_violation(Variant::CommitFromActiveOnly, Kind::User, 0, NOTHING_LOST);
}

#[test]
fn without_a_quarantine_a_paused_workers_user_is_sent_to_log_in() {
    expect_violation(Variant::NoQuarantine, Kind::User, 0, NO_FALSE_REAUTHORIZE);
}

#[test]
fn a_quarantine_shorter_than_a_pause_sends_a_paused_workers_user_to_log_in() {
    expect_violation(
        Variant::ShortQuarantine,
        Kind::User,
        0,
        NO_FALSE_REAUTHORIZE,
    );
}

#[test]
fn after_a_takeover_a_refusal_proves_nothing() {
    let kind = Kind::UserToldTheNextToken;
    expect_violation(Variant::TakeoverConfirms, kind, 0, NO_FALSE_REAUTHORIZE);
}

#[test]
fn a_refusal_proves_nothing_once_somebody_else_has_the_lease() {
    let kind = Kind::UserToldTheNextToken;
    expect_violation(Variant::ConfirmWithoutLease, kind, 0, NO_FALSE_REAUTHORIZE);
}

#[test]
fn reauthorize_without_a_condition_hits_a_new_login() {
    let variant = Variant::UnconditionalReauthorize;
    expect_violation(variant, Kind::User, 1, NO_FALSE_REAUTHORIZE);
}

#[test]
fn without_a_lease_two_workers_send_one_token() {
    expect_violation(Variant::NoLease, Kind::User, 0, ONE_LEASE);
}

#[test]
fn a_lease_given_back_blindly_is_somebody_elses() {
    expect_violation(Variant::BlindRelease, Kind::User, 0, ONE_LEASE);
}

#[test]
fn silence_taken_for_a_refusal_changes_the_state() {
    expect_violation(Variant::SilenceIsRefusal, Kind::User, 0, SILENCE);
}

#[test]
fn without_the_rescue_queue_a_pair_is_lost_with_the_table() {
    expect_violation(Variant::NoRescue, Kind::User, 0, NOTHING_LOST);
}

#[test]
fn a_login_under_the_old_grant_id_is_overwritten_where_the_row_was_removed() {
    expect_violation(Variant::LoginKeepsGrantId, Kind::User, 1, LOGIN_STAYS);
}

#[test]
fn a_login_that_trusts_what_it_saw_gives_a_generation_twice() {
    expect_violation(Variant::LoginTrustsWhatItSaw, Kind::User, 1, GENERATION);
}

#[test]
fn without_a_sibling_the_pair_that_outlives_the_grace_is_lost() {
    expect_violation(Variant::NoSibling, Kind::Merchant, 0, NOTHING_LOST);
}

#[test]
fn a_users_second_pair_needs_the_sibling_too_where_a_refusal_names_the_next_token() {
    let variant = Variant::SiblingForMerchantsOnly;
    expect_violation(variant, Kind::UserToldTheNextToken, 0, NOTHING_LOST);
}
