//! Tests across crates, in one binary: functions in process over real HTTP to the simulated gateway and the embedded DynamoDB, and
//! the release binaries under AWS's emulator.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

mod app_login;
mod app_modes;
mod bad_input;
mod content_checks;
mod events;
mod everything_logged;
mod gateway_faults;
mod identity;
mod links;
mod merchants;
mod messages;
mod mini_codes;
mod oidc;
mod open_id_migration;
mod payments;
mod phone_numbers;
mod powers;
mod refresh_binaries;
mod requests;
mod routes;
mod sdk_login;
mod secrets;
mod sessions;
mod signed_in;
mod store_faults;
mod subscriptions;
mod temporary_codes;
mod token_refresh;
mod user_info;
mod x_signature;
