#![doc = include_str!("../README.md")]

mod failure;
mod merchants;
mod message;
mod once;
mod profile;
mod refresh;
mod refresh_function;
mod requests;
mod tokens;

pub use failure::{exchanged_but_not_kept, store_failure};
pub use merchants::{Authorization, is_refused_merchant_token};
pub use message::Message;
pub use once::{Begun, Once};
pub use refresh::Refreshing;
pub use refresh_function::RefreshFunction;
pub use requests::{RefreshMessage, RefreshRequest};
pub use token_store::{
    AccessToken, Because, ClaimToken, DueRow, DueShard, DueShards, Keyring, RefreshOutcome,
    RescueQueue, RescuedPair, Seen, StoreError, TokenKey, TokenKeys, TokenKind,
};
pub use tokens::{Login, Tokens, User, is_refused_user_token};
