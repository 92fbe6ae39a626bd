//! Runs the function on Lambda.
fn main() {}
