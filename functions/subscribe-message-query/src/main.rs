//! subscribeMessage.query: which message templates a user subscribed to, on Lambda.

fn main() {}
