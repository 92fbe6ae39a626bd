//! The text that an app hands to the Alipay client to have an order paid: `alipay.trade.app.pay` is never called, its request is signed
//! here and carried there by the app.

use std::time::SystemTime;

use alipay_signing::form_encode;

use crate::request::signed_parameters;
use crate::{App, Call, GatewayError};

/// The order string of `call`, signed at `now`: every parameter as `name=value`, percent-encoded in the app's charset (a space as `%20`),
/// sorted, the signature last.
///
/// Always as in protocol V2; V3 has no such text. Whoever has it can have the order paid, and it says no time at which it ends but
/// that in its contents (`time_expire`).
///
/// # Errors
/// As [`signed_request`](crate::signed_request).
pub fn order_string(app: &App, call: &Call, now: SystemTime) -> Result<String, GatewayError> {
    let parameters = signed_parameters(app, call, now)?;
    let (sign, others): (Vec<_>, Vec<_>) = parameters
        .iter()
        .map(|(name, value)| (*name, &**value))
        .partition(|(name, _)| *name == "sign");
    let pairs = others.into_iter().chain(sign);
    Ok(form_encode(pairs, app.charset)?)
}
