//! isv.queryAuth: what a merchant's stored authorisation allows and whether it is valid, on Lambda.

fn main() {}
