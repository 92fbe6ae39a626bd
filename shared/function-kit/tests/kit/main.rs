//! The kit from outside: the document of apps, events of both doors, functions of HTTP itself, the user who is signed in, the
//! reload of changed keys, and whole processes with what they log.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod apps;
mod bench;
mod certificates;
mod encryption;
mod events;
mod http;
mod keys;
mod process;
mod reload;
mod service;
mod signed_in;
mod stub;
