//! subscribeMessage.batchSend: sends one message to a crowd of the console, on Lambda.

fn main() {}
