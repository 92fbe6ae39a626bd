//! Tests across crates, in one binary: functions in process over real HTTP to the simulated gateway and the embedded DynamoDB, and
//! the release binaries under AWS's emulator.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

mod bad_input;
mod events;
mod gateway_faults;
mod identity;
mod messages;
mod mini_codes;
mod requests;
mod routes;
mod secrets;
mod store_faults;
