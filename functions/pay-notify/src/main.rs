//! `pay-notify` on Lambda.

fn main() {}
