//! Asking, recording and publishing, over the simulated gateway, an embedded table and an embedded event bus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod asking;
mod bench;
mod notify_url;
mod publishing;
mod settings;
