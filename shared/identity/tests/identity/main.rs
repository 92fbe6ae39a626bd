//! Accounts, sessions and one-time values against a real DynamoDB over HTTP: the embedded one.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod accounts;
mod bench;
mod logs;
mod one_time;
mod sessions;
