//! Runs everything locally.
fn main() {}
