//! V2: from a call to the signed text that goes over the wire. Pure: the time is an argument.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use alipay_signing::{canonical_string, form_encode};
use time::macros::{format_description, offset};
use time::{OffsetDateTime, format_description::BorrowedFormatItem};

use crate::{App, Call, GatewayError};

const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Names that go into the URL's query. `charset` must be there, because the gateway needs it to decode the body; access tokens
/// (`auth_token`, `app_auth_token`) are public parameters too but go into the body, as URLs end up in logs.
const IN_QUERY: [&str; 12] = [
    "alipay_root_cert_sn",
    "app_cert_sn",
    "app_id",
    "charset",
    "format",
    "method",
    "notify_url",
    "return_url",
    "sign",
    "sign_type",
    "timestamp",
    "version",
];

/// The protocol's own names that not every request has. An argument of such a name is not sent either.
const OPTIONAL: [&str; 3] = ["alipay_root_cert_sn", "app_cert_sn", "encrypt_type"];

/// A request as it goes over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The URL's query, percent-encoded.
    pub query: String,
    /// The body, `application/x-www-form-urlencoded` in the app's charset.
    pub body: String,
}

/// The protocol's timestamp of a moment: `yyyy-MM-dd HH:mm:ss` in UTC+8, whatever zone the process runs in.
pub fn timestamp(now: SystemTime) -> String {
    OffsetDateTime::from(now)
        .to_offset(offset!(+8))
        .format(TIMESTAMP)
        .unwrap_or_default()
}

/// Builds and signs the request of `call` as sent at `now`.
///
/// # Errors
/// [`GatewayError::Unbuildable`] when the call is to be encrypted and cannot be; [`GatewayError::Unencodable`] when an argument
/// cannot be expressed in the app's charset; [`GatewayError::Signing`] when the key cannot sign.
pub fn signed_request(
    app: &App,
    call: &Call,
    now: SystemTime,
) -> Result<SignedRequest, GatewayError> {
    let parameters = signed_parameters(app, call, now)?;
    let (query, body): (Vec<_>, Vec<_>) = parameters
        .iter()
        .map(|(name, value)| (*name, &**value))
        .partition(|(name, _)| IN_QUERY.contains(name));
    Ok(SignedRequest {
        query: form_encode(query, app.charset)?,
        body: form_encode(body, app.charset)?,
    })
}

/// All parameters of `call` as signed at `now`, `sign` among them.
///
/// # Errors
/// As [`signed_request`].
pub(crate) fn signed_parameters<'a>(
    app: &'a App,
    call: &'a Call,
    now: SystemTime,
) -> Result<BTreeMap<&'a str, Cow<'a, str>>, GatewayError> {
    // The protocol's own names are inserted last: an argument can never replace one.
    let mut parameters: BTreeMap<&str, Cow<'_, str>> = call
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), Cow::from(value)))
        .filter(|(name, _)| !OPTIONAL.contains(name))
        .collect();
    if let Some(biz_content) = biz_content(app, call)? {
        parameters.insert("biz_content", biz_content);
    }
    if call.encrypted {
        parameters.insert("encrypt_type", "AES".into());
    }
    if let Some(certificates) = &app.certificates {
        let roots = certificates.roots.serial_numbers();
        parameters.insert("app_cert_sn", (&certificates.app_serial_number).into());
        parameters.insert("alipay_root_cert_sn", roots.into());
    }
    parameters.extend([
        ("app_id", Cow::from(&app.app_id)),
        ("charset", app.charset.as_str().into()),
        ("format", "JSON".into()),
        ("method", (&call.method).into()),
        ("sign_type", app.sign_type.as_str().into()),
        ("timestamp", timestamp(now).into()),
        ("version", "1.0".into()),
    ]);

    // Empty pairs are left out of what is signed and of what is sent, by the same rule of alipay-signing.
    let canonical = canonical_string(parameters.iter().map(|(name, value)| (*name, &**value)));
    let sign = app
        .signing_key
        .sign(app.sign_type, &app.charset.encode(&canonical)?)?;
    parameters.insert("sign", sign.into());
    Ok(parameters)
}

/// The call's `biz_content`, as its ciphertext where it is to be encrypted. What is signed is the ciphertext.
fn biz_content<'a>(app: &App, call: &'a Call) -> Result<Option<Cow<'a, str>>, GatewayError> {
    if !call.encrypted {
        return Ok(call.biz_content.as_deref().map(Cow::Borrowed));
    }
    let plaintext = call.biz_content.as_deref().filter(|text| !text.is_empty());
    let plaintext = plaintext.ok_or_else(|| {
        GatewayError::unbuildable("a call without biz_content has nothing to encrypt")
    })?;
    encrypted(app, plaintext).map(|text| Some(Cow::Owned(text)))
}

/// The ciphertext of `plaintext` in the app's charset.
pub(crate) fn encrypted(app: &App, plaintext: &str) -> Result<String, GatewayError> {
    let key = app.content_key.as_ref().ok_or_else(|| {
        GatewayError::unbuildable("encryption is asked for and the app has no aesKey")
    })?;
    key.encrypt(&app.charset.encode(plaintext)?)
        .map_err(|_| GatewayError::unbuildable("the content could not be encrypted"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_timestamp_is_in_china_standard_time_whatever_the_zone() {
        // 2026-11-21T16:30:05Z is already the 22nd in China.
        assert_eq!(
            timestamp(UNIX_EPOCH + Duration::from_secs(1_795_278_605)),
            "2026-11-22 00:30:05"
        );
        assert_eq!(timestamp(UNIX_EPOCH), "1970-01-01 08:00:00");
    }
}
