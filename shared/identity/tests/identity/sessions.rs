//! Sessions. Which test stands for which row of the project's list of cases of session tokens (S):
//!
//! | row | the case | tests |
//! |---|---|---|
//! | S-01 | a dump of the table | all of `stored` |
//! | S-02 | what is no token, or somebody else's | all of `refusals` |
//! | S-20 | a rotated token at once again | `rotation::a_token_used_again_within_ten_seconds_gets_the_same_successor`, `rotation::a_token_just_replaced_still_reads` |
//! | S-21 | the token before the last | `rotation::the_token_before_the_last_ends_the_session_also_within_the_ten_seconds` |
//! | S-22 | a rotated token later | `rotation::a_rotated_token_that_comes_back_later_ends_the_session_and_rings_the_alarm` |
//! | S-23 | revoked during a rotation | `races::a_rotation_that_is_overtaken_by_a_logout_gives_nothing`, `races::after_a_logout_among_rotations_no_token_lives` |
//! | S-24 | 64 rotations at once | `races::sixty_four_rotations_at_once_make_one_generation_and_give_one_token` |
//! | S-25 | two rotations in one moment | `rotation::rotations_in_one_moment_are_told_apart_by_their_count`, `rotation::a_clock_that_runs_back_changes_no_order` |
//! | S-26 | the absolute end | all of `ends` |
//! | S-27 | a lost reply | all of `lost_replies` |
//! | S-28 | another device | all of `devices` |
//!
//! `chains` compares random histories with a model in memory. S-29 is the functions'.

use std::collections::BTreeMap;
use std::time::Duration;

use identity::{
    Begun, Holder, IdentityError, NewSession, Refusal, Session, SessionKeys, Sessions, Uid,
};
use secrecy::{ExposeSecret, SecretString};
use table_rows::WallTime;

use crate::bench::{Bench, Item, START};

mod chains;
mod devices;
mod ends;
mod keys;
mod lost_replies;
mod races;
mod refusals;
mod rotation;
mod stored;

const CLIENT: &str = "client-1";
const DEVICE: &str = "iPhone 17 · 3f2a";
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
const LONGEST_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// The rightful holder of every session here.
const HOLDER: Holder<'static> = Holder {
    client_id: CLIENT,
    fingerprint: Some(DEVICE),
};

fn sessions(bench: &Bench) -> Sessions {
    Sessions::new(bench.table(), keys("2026-11"))
}

/// Two keys, of which `active` makes tokens.
fn keys(active: &str) -> SessionKeys {
    some_keys(active, &["2026-10", "2026-11"])
}

/// Those of two keys whose ids are named.
fn some_keys(active: &str, ids: &[&str]) -> SessionKeys {
    let key = |id: &&str| -> SecretString {
        match *id {
            "2026-10" => format!("{}=", "A".repeat(43)).into(),
            _ => format!("{}A=", "B".repeat(42)).into(),
        }
    };
    let keys: BTreeMap<_, _> = ids.iter().map(|id| ((*id).to_owned(), key(id))).collect();
    SessionKeys::new(active.to_owned(), keys).unwrap()
}

fn uid() -> Uid {
    Uid::try_from("0123456789abcdef".repeat(2)).unwrap()
}

fn new_session(uid: &Uid) -> NewSession<'_> {
    NewSession {
        uid,
        client_id: CLIENT,
        app_id: "2021000000000001",
        openid: "2088000000000001",
        fingerprint: DEVICE,
        life: LIFE,
        longest_life: LONGEST_LIFE,
    }
}

/// A session that begins at [`START`].
async fn begin(sessions: &Sessions) -> Begun {
    sessions.begin(&new_session(&uid()), START).await.unwrap()
}

async fn read(
    sessions: &Sessions,
    token: &SecretString,
    now: WallTime,
) -> Result<Session, IdentityError> {
    sessions.read(token, &HOLDER, now).await
}

async fn rotate(
    sessions: &Sessions,
    token: &SecretString,
    now: WallTime,
) -> Result<Begun, IdentityError> {
    sessions.rotate(token, &HOLDER, now).await
}

/// Why it was refused; anything else ends the test.
fn refusal<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> Refusal {
    match result {
        Err(IdentityError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

/// The only row of the table.
async fn row(bench: &Bench) -> Item {
    let mut items = bench.items().await;
    assert_eq!(items.len(), 1);
    items.remove(0)
}
