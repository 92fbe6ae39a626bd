//! isv.getAuthToken: exchanges a merchant's authorisation and keeps its token, on Lambda.

fn main() {}
