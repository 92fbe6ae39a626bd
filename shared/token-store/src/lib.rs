#![doc = include_str!("../README.md")]

mod address;
mod dynamo;
mod error;
mod first_answer;
mod keyring;
mod record;
mod round_trip;
mod sealed_table;
mod table;
mod tokens;
mod wall_time;

pub use address::{TokenKey, TokenKind};
pub use error::StoreError;
pub use first_answer::{Claim, ClaimToken, Completion, FirstAnswers, MAX_ANSWER_BYTES, Waited};
pub use keyring::{Keyring, KeyringError};
pub use record::{Generation, State};
pub use round_trip::prove_round_trip;
pub use table::{TTL_ATTRIBUTE, create_table};
pub use tokens::{AccessToken, Grant, RefreshFailure, Refresher, TokenStore};
pub use wall_time::{Clock, SystemClock, WallTime};
