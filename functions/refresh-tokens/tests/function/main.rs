//! The function over the embedded DynamoDB, with the simulator as the gateway and a double of SQS.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod events;
mod http;
mod queue;
mod rescue;
mod secrets;
mod settings;
mod sqs;
mod sweep;
mod worker;
