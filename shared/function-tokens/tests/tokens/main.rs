//! Tokens and first answers over the embedded DynamoDB, with the simulator as the gateway.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod lambda;
mod merchants;
mod once;
mod reading;
mod refreshing;
mod refused_at_use;
mod settings;
mod user_tokens;
