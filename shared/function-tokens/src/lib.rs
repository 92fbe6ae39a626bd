#![doc = include_str!("../README.md")]

mod failure;
mod once;
mod refresh;
mod tokens;

pub use failure::store_failure;
pub use once::{Begun, Once};
pub use token_store::{ClaimToken, Keyring, StoreError};
pub use tokens::{Login, Tokens};
