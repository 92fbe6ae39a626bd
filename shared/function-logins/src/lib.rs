#![doc = include_str!("../README.md")]

mod client_credentials;
mod code_challenge;
#[cfg(feature = "exchange")]
mod exchange;
mod failure;
mod logins;
mod one_access;
mod refusal_page;
#[cfg(feature = "exchange")]
mod web;

pub use client_credentials::ClientCredentials;
pub use code_challenge::CodeChallenge;
#[cfg(feature = "exchange")]
pub use exchange::LoggedIn;
pub use failure::{exchanged_without_account, identity_failure};
pub use identity::{
    ACCESS_TOKEN_LIFE, AccessTokenClaims, Account, Accounts, Begun, Client, Holder, IdentityError,
    Issuer, LinkedOpenIds, LoginDocument, LoginDocumentError, NewSession, OneTime, OpenIdOfUser,
    Purpose, Refusal, Session, Sessions, TokenRefused, Uid,
};
pub use logins::{IssuedToken, Logins, SignedInPerson};
pub use one_access::{CallError, SdkHeaders};
pub use refusal_page::login_refused;
pub use table_rows::{Clock, SystemClock, WallTime};
#[cfg(feature = "exchange")]
pub use web::{FinishedWebLogin, WebScope, forget_login};
