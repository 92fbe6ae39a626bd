#![doc = include_str!("../README.md")]

mod app;
mod authorization_page;
mod call;
mod certificate_download;
mod client;
mod client_result;
mod deadline;
mod error;
mod front_end_data;
mod hints;
mod key_needed;
mod login_string;
mod notice;
mod order_string;
mod reply;
mod request;
mod server_time;
mod transport;
mod unique_json;

pub mod methods;
pub mod v3;

pub use app::{
    App, AppCertificates, GatewayAddressError, PRODUCTION, Protocol, SANDBOX, gateway_address,
};
pub use authorization_page::{AuthorizationPage, authorization_page};
pub use call::Call;
pub use client::{Clock, Gateway};
pub use client_result::{ClientResult, ClientResultError, verify_client_result};
pub use deadline::Deadline;
pub use error::{GatewayError, Refusal, TraceId};
pub use front_end_data::{FrontEndContent, FrontEndData, FrontEndDataError, OpeningFault};
pub use hints::hint;
pub use https_client::SetUpError;
pub use key_needed::KeyNeeded;
pub use login_string::login_string;
pub use notice::{MessageNotice, Notice, NoticeError, TradeNotice, UnverifiedNotice};
pub use order_string::order_string;
pub use reply::{Reply, UnverifiedReply};
pub use request::{SignedRequest, signed_request, timestamp};
