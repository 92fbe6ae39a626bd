//! `publish-events` on Lambda.

fn main() {}
