//! What the Alipay client hands to a native app after a payment: the reply to `alipay.trade.app.pay`, signed. Pure.
//!
//! The app is not trusted: it could hand on anything, and the result of an older order too. A right signature says that Alipay once
//! wrote this, and no more; whether the order is paid, the query tells.

use std::fmt;
use std::time::SystemTime;

use serde_json::value::RawValue;

use crate::reply::{text_or_number, verify_node};
use crate::unique_json::{check_unique, top_level_members};
use crate::{App, KeyNeeded};

const NODE: &str = "alipay_trade_app_pay_response";
const MAX_BYTES: usize = 64 * 1024;

/// The result of a payment in a native app, signed by Alipay for the app. Where `code` is `10000`, every other member is there.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientResult {
    /// The gateway's code; `10000` where the client went through with it.
    pub code: String,
    /// The order's number.
    pub out_trade_no: Option<String>,
    /// Alipay's number of the trade.
    pub trade_no: Option<String>,
    /// The trade's amount in yuan, as written.
    pub total_amount: Option<String>,
    /// The merchant whose trade it is, as a PID.
    pub seller_id: Option<String>,
}

/// Why a client's result is not taken. Never holds anything of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientResultError {
    /// More than 64 KiB.
    #[error("the result is longer than 64 KiB")]
    TooLong,
    /// No JSON of such a result, or JSON that readers may differ on.
    #[error("the result is not that of alipay.trade.app.pay: {0}")]
    Misbuilt(&'static str),
    /// `sign` is absent or empty.
    #[error("the result is not signed")]
    Unsigned,
    /// Signed with another algorithm than the app is configured for.
    #[error("the result states another sign_type than the app has")]
    OtherSignType,
    /// The certificate that it was signed with is not the configured one, or that is out of date.
    #[error("the result is not signed with alipayCert, the configured certificate of Alipay's")]
    OtherCertificate,
    /// Not Alipay's signature over this result.
    #[error(
        "the signature is wrong: the result was changed or forged, or alipayPublicKey is not Alipay's key"
    )]
    WrongSignature,
    /// Genuine, and for another app.
    #[error("the result is of another app")]
    OfAnotherApp,
}

/// Reads `text`, the `result` that the Alipay client hands to a native app, and verifies at `now` that Alipay signed it for `app`. At
/// most 64 KiB.
///
/// # Errors
/// See [`ClientResultError`].
pub fn verify_client_result(
    app: &App,
    text: &str,
    now: SystemTime,
) -> Result<ClientResult, ClientResultError> {
    if text.len() > MAX_BYTES {
        return Err(ClientResultError::TooLong);
    }
    let members = top_level_members(text)
        .map_err(|_| ClientResultError::Misbuilt("no JSON object, or a name stands twice"))?;
    let text_of = |name: &str| member(members.get(name).copied());
    let node = members
        .get(NODE)
        .map(|node| node.get())
        .filter(|node| node.starts_with('{'))
        .ok_or(ClientResultError::Misbuilt("it has no node of that method"))?;
    let sign = text_of("sign").ok_or(ClientResultError::Unsigned)?;
    if text_of("sign_type").is_some_and(|stated| stated != app.sign_type.as_str()) {
        return Err(ClientResultError::OtherSignType);
    }
    let serial_number = text_of("alipay_cert_sn");
    let Ok(KeyNeeded::Configured(key)) = KeyNeeded::of_signed(app, serial_number.as_deref(), now)
    else {
        return Err(ClientResultError::OtherCertificate);
    };
    let verified = verify_node(key, app.sign_type, app.charset, node, &sign)
        .map_err(|_| ClientResultError::WrongSignature)?;
    read(app, &verified)
}

/// Reads exactly the text that verified.
fn read(app: &App, node: &str) -> Result<ClientResult, ClientResultError> {
    check_unique(node).map_err(ClientResultError::Misbuilt)?;
    let members = top_level_members(node)
        .map_err(|_| ClientResultError::Misbuilt("its node is no JSON object"))?;
    let text_of = |name: &str| member(members.get(name).copied());
    let code = text_of("code").ok_or(ClientResultError::Misbuilt("its node has no code"))?;
    let app_id = text_of("app_id");
    if app_id.as_deref().is_some_and(|named| named != app.app_id) {
        return Err(ClientResultError::OfAnotherApp);
    }
    let result = ClientResult {
        code,
        out_trade_no: text_of("out_trade_no"),
        trade_no: text_of("trade_no"),
        total_amount: text_of("total_amount"),
        seller_id: text_of("seller_id"),
    };
    let is_whole = [
        &app_id,
        &result.out_trade_no,
        &result.trade_no,
        &result.total_amount,
        &result.seller_id,
    ]
    .iter()
    .all(|member| member.is_some());
    if result.code == "10000" && !is_whole {
        return Err(ClientResultError::Misbuilt(
            "a success lacks a member that every one has",
        ));
    }
    Ok(result)
}

/// A text that is not empty, or a number as it is written.
fn member(raw: Option<&RawValue>) -> Option<String> {
    text_or_number(raw?.get())
        .filter(|text| !text.is_empty())
        .map(|text| text.into_owned())
}

/// Nothing of the trade but how it went.
impl fmt::Debug for ClientResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientResult")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}
