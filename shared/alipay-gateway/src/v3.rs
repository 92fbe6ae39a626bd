//! Protocol V3: JSON to a path of the method's own, signatures in headers. Pure; [`crate::Gateway::call`] speaks it for an app
//! whose [`protocol`](crate::App::protocol) says so.
//!
//! A [`Call`](crate::Call) is the same in both protocols. Here its `biz_content` is the body, the arguments beside it become
//! members of the body, `auth_token` stands in the query and `app_auth_token` in a header. (Alipay's document of the V3 protocol,
//! and its official SDKs.)

mod error_names;
mod reply;
mod request;

pub(crate) use request::is_asked_by_get;

pub use reply::{ReplyHeaders, UnverifiedReply};
pub use request::{SignedRequest, signed_request};
