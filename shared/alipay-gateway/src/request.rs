//! From a call to the signed text that goes over the wire. Pure: the time is an argument.

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
const IN_QUERY: [&str; 10] = [
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
/// [`GatewayError::Unencodable`] when an argument cannot be expressed in the app's charset; [`GatewayError::Signing`] when the
/// key cannot sign.
pub fn signed_request(
    app: &App,
    call: &Call,
    now: SystemTime,
) -> Result<SignedRequest, GatewayError> {
    let timestamp = timestamp(now);
    // The protocol's own names are inserted last: an argument can never replace one.
    let mut parameters: BTreeMap<&str, &str> = call
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if let Some(biz_content) = &call.biz_content {
        parameters.insert("biz_content", biz_content);
    }
    parameters.extend([
        ("app_id", app.app_id.as_str()),
        ("charset", app.charset.as_str()),
        ("format", "JSON"),
        ("method", call.method.as_str()),
        ("sign_type", app.sign_type.as_str()),
        ("timestamp", timestamp.as_str()),
        ("version", "1.0"),
    ]);

    // Empty pairs are left out of what is signed and of what is sent, by the same rule of alipay-signing.
    let canonical = canonical_string(parameters.iter().map(|(name, value)| (*name, *value)));
    let sign = app
        .signing_key
        .sign(app.sign_type, &app.charset.encode(&canonical)?)?;
    parameters.insert("sign", &sign);

    let (query, body): (Vec<_>, Vec<_>) = parameters
        .iter()
        .map(|(name, value)| (*name, *value))
        .partition(|(name, _)| IN_QUERY.contains(name));
    Ok(SignedRequest {
        query: form_encode(query, app.charset)?,
        body: form_encode(body, app.charset)?,
    })
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
