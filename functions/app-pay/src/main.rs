//! `app-pay` on Lambda.

fn main() {}
