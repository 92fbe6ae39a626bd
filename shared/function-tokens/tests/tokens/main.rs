//! Tokens and first answers over the embedded DynamoDB, with the simulator as the gateway.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod merchants;
mod once;
mod settings;
mod user_tokens;
