//! Logins over embedded DynamoDB, with the simulator as the gateway. The way over Alipay's page is tested with the function `h5-oauth`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod accounts;
mod bench;
mod codes;
mod settings;
mod web;
