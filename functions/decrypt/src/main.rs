//! decrypt.getPhoneNumber, decrypt.decryptData: verifies and opens what my.getPhoneNumber gave to the front end, on Lambda.

fn main() {}
