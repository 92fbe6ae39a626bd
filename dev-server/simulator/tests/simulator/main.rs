//! The simulator over real HTTP, called by a client that signs with the `rsa` crate.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod caller;
mod cashier;
mod certificates;
mod checks;
mod content;
mod control;
mod control_of_methods;
mod deliveries;
mod encryption;
mod faults;
mod logins;
mod merchant_server;
mod merchants;
mod mini_codes;
mod notices;
mod open_ids;
mod payments;
mod refreshes;
mod subscriptions;
mod templates;
mod temporary_codes;
mod tokens;
mod trades;
mod v3;
