#![doc = include_str!("../README.md")]

mod app;
mod call;
mod client;
mod deadline;
mod error;
mod hints;
mod reply;
mod request;
mod unique_json;

pub mod methods;

pub use app::{
    App, AppCertificates, GatewayAddressError, PRODUCTION, Protocol, SANDBOX, gateway_address,
};
pub use call::Call;
pub use client::{Clock, Gateway, SetUpError};
pub use deadline::Deadline;
pub use error::{GatewayError, Refusal};
pub use hints::hint;
pub use reply::{Reply, verify_reply};
pub use request::{SignedRequest, signed_request, timestamp};
