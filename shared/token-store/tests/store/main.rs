//! The store against a real DynamoDB over HTTP: the embedded one, or the one named by
//! `TOKEN_STORE_TEST_ENDPOINT`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod claims;
mod faults;
mod harness;
mod login;
mod merchants;
mod proxy;
mod refresh;
mod sealing;
