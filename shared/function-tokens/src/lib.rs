#![doc = include_str!("../README.md")]

mod failure;
mod merchants;
mod message;
mod once;
mod refresh;
mod tokens;

pub use failure::{exchanged_but_not_kept, store_failure};
pub use merchants::Authorization;
pub use message::Message;
pub use once::{Begun, Once};
pub use token_store::{ClaimToken, Keyring, StoreError};
pub use tokens::{Login, Merchant, Tokens};
