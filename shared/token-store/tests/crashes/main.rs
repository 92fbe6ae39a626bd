//! Workers that die: at every point at which they can, in schedules drawn by chance, and for good (SIGKILL).
//!
//! A schedule runs one worker at a time, from one point to the next, so that its seed decides everything but the length of the
//! pauses that the store prescribes after a failure:
//!
//! - `CRASH_SCHEDULES=1000` tries that many schedules for each point instead of 20.
//! - `CRASH_SEED=17` tries that one alone, and prints what happens in it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod gateway;
mod killed;
mod matrix;
mod points;
mod schedule;
mod schedules;
mod wrong;
