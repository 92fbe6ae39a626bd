#![doc = include_str!("../README.md")]

mod address;
mod change;
mod crash_points;
mod due;
mod dynamo;
mod error;
mod first_answer;
mod keyring;
mod keys;
mod record;
mod round_trip;
mod sealed_pair;
mod sealed_table;
mod survey;
mod table;
mod tokens;

pub use address::{NotATokenRow, TokenKey, TokenKind};
pub use due::{DueShard, DueShards, DueShardsError};
pub use error::StoreError;
pub use first_answer::{Claim, ClaimToken, Completion, FirstAnswers, MAX_ANSWER_BYTES, Waited};
pub use keyring::{Keyring, KeyringError};
pub use keys::TokenKeys;
pub use record::{Generation, State};
pub use round_trip::prove_round_trip;
pub use survey::{AppSurvey, Counts, Survey, survey};
pub use table::{DUE_INDEX, TTL_ATTRIBUTE, create_table};
pub use table_rows::{Clock, SystemClock, WallTime};
pub use tokens::{
    AccessToken, Because, DuePage, DuePosition, DueRow, Grant, InProcess, NoRescueQueue,
    RefreshFailure, RefreshOutcome, RefreshWith, Refresher, Renewal, Replacement, RescueQueue,
    RescuedPair, Seen, TokenStore,
};
