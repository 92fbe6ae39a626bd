//! The text that a native app hands to Alipay's SDK to log its user in: `login({value})`.

use alipay_signing::{Charset, canonical_string, form_encode};

use crate::{App, GatewayError};

/// Alipay's limits: characters.
const MAX_APP_ID: usize = 16;
const MAX_TARGET_ID: usize = 32;

/// The text for one login in a native app (Alipay's document of the App login, "kuaijie").
///
/// `pid` is the merchant's own id at Alipay, 16 digits that begin with 2088. `target_id` names this one login and comes back with
/// its result: at most 32 letters and digits, used once. The text says no time at which it ends, so whoever hands it out keeps
/// one with the `target_id`. What comes back is a code for [`exchange_code`](crate::methods::exchange_code), of the same app.
///
/// The signature is over the sorted pairs as they are, `sign_type` among them; only the signature itself is percent-encoded.
///
/// # Errors
/// [`GatewayError::Unbuildable`] when the app's id, `pid` or `target_id` is not of the form that Alipay takes;
/// [`GatewayError::Signing`] when the key cannot sign.
pub fn login_string(app: &App, pid: &str, target_id: &str) -> Result<String, GatewayError> {
    if !is_plain(&app.app_id, MAX_APP_ID) {
        return Err(GatewayError::unbuildable(
            "the app id must be 1 to 16 letters and digits in a login string",
        ));
    }
    if !is_merchant_id(pid) {
        return Err(GatewayError::unbuildable(
            "pid must be 16 digits that begin with 2088",
        ));
    }
    if !is_plain(target_id, MAX_TARGET_ID) {
        return Err(GatewayError::unbuildable(
            "target_id must be 1 to 32 letters and digits",
        ));
    }
    let signed = canonical_string([
        ("apiname", "com.alipay.account.auth"),
        ("app_id", app.app_id.as_str()),
        ("app_name", "mc"),
        ("auth_type", "AUTHACCOUNT"),
        ("biz_type", "openservice"),
        ("method", "alipay.open.auth.sdk.code.get"),
        ("pid", pid),
        ("product_id", "APP_FAST_LOGIN"),
        ("scope", "kuaijie"),
        ("sign_type", app.sign_type.as_str()),
        ("target_id", target_id),
    ]);
    // ASCII throughout, so that the app's charset makes no difference.
    let sign = app.signing_key.sign(app.sign_type, signed.as_bytes())?;
    let sign = form_encode([("sign", sign.as_str())], Charset::Utf8)?;
    Ok(format!("{signed}&{sign}"))
}

/// Nothing that would have to be encoded, so that the text is what was signed.
fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_merchant_id(text: &str) -> bool {
    text.len() == 16 && text.starts_with("2088") && text.bytes().all(|byte| byte.is_ascii_digit())
}
