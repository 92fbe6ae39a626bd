//! The simulator over real HTTP, called by a client that signs with the `rsa` crate.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod caller;
mod checks;
mod control;
mod faults;
mod mini_codes;
mod templates;
mod tokens;
mod trades;
