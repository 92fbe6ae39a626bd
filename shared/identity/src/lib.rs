#![doc = include_str!("../README.md")]

mod accounts;
mod claims;
mod client;
mod discovery;
mod document;
mod error;
mod issuer;
mod jwks;
mod jwt;
mod one_time;
mod request_encryption;
mod row;
mod session_keys;
mod sessions;
mod signing_keys;
mod strict_json;
mod table;
mod uid;
#[cfg(test)]
mod wycheproof;

pub use accounts::{Account, Accounts, LinkedOpenIds, OpenIdOfUser, Person, StoredAccount, Union};
pub use claims::{AccessTokenClaims, AccessTokenClaimsOwned, IdTokenClaims, SignedInClaims};
pub use client::{
    Client, DEFAULT_ID_TOKEN_LIFE, DEFAULT_LONGEST_SESSION_LIFE, DEFAULT_SESSION_LIFE,
};
pub use discovery::OpenIdConfiguration;
pub use document::{LoginDocument, LoginDocumentError};
pub use error::{IdentityError, Refusal};
pub use issuer::{ACCESS_TOKEN_LIFE, Issuer};
pub use jwks::Jwks;
pub use jwt::TokenRefused;
pub use one_time::{OneTime, Purpose};
pub use request_encryption::RequestEncryption;
pub use session_keys::{SessionKeys, SessionKeysError};
pub use sessions::{Begun, Holder, NewSession, Session, Sessions};
pub use signing_keys::KeyTimes;
pub use table::{IDENTITY_TTL_ATTRIBUTE, IdentityTable, create_identity_table};
pub use uid::{NotAUid, Uid};
