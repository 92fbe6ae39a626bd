//! `dev-server doctor` against the simulated gateway and an embedded DynamoDB: a right configuration, and wrong ones of which each
//! is named with its mend.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

mod apps;
mod bench;
mod login;
mod table;
