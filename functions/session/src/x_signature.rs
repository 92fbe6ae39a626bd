//! `X-signature`: a session token that the caller encrypts (OneAccess: "Signing a Session Token"), and what it needs for that.
//!
//! It is no signature. It is the text `session_token=<token>&timestamp=<milliseconds since 1970>&nonce=<text>`, encrypted with the public
//! key by RSA-OAEP with SHA-256, in standard base64. MGF1 uses SHA-256 too, as with the library of OneAccess' example (Bouncy Castle);
//! where a platform's own default is SHA-1 (the JDK, Android), it has to be set. Of the nonce OneAccess only says that it may be the
//! timestamp in hexadecimal: here it is up to 64 visible ASCII characters without `&`.

use std::time::Duration;

use function_kit::{Failure, Request, Response};
use function_logins::{SdkHeaders, WallTime};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::Session;

/// The header.
pub(crate) const X_SIGNATURE: &str = "X-signature";

/// How far the caller's clock may be from ours, and how long a signature is good for.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Longest nonce in bytes. What is longer does not fit a key of 2048 bits with all the rest.
const NONCE_BYTES: usize = 64;

#[derive(Serialize)]
struct PublicKey<'a> {
    /// In PEM.
    public_key: &'a str,
}

#[derive(Serialize)]
struct ServerDate {
    /// In milliseconds since 1970; a text, as OneAccess has it.
    timestamp: String,
}

/// What a header says that was made for us, a moment ago.
pub(crate) struct Opened {
    pub(crate) token: SecretString,
    pub(crate) nonce: SecretString,
    /// From when on the header is not taken any more.
    pub(crate) ends_at: WallTime,
}

/// What is wrong with a header: for the log, the caller learns no more than of a token that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("X-signature cannot be decrypted")]
    Encryption,
    #[error("X-signature does not hold session_token, timestamp and nonce")]
    Form,
    #[error("the timestamp in X-signature is more than five minutes from now")]
    Timestamp,
    #[error("the nonce in X-signature was used before")]
    Nonce,
}

impl Session {
    /// `GET /api/v2/sdk/public-key` (OneAccess: "Obtaining the Public Key"). All clients have the same.
    pub(crate) fn encryption_key(&self, request: &Request) -> Result<Response, Failure> {
        let Some(encryption) = self.logins.document().request_encryption() else {
            return Err(request.no_such_route());
        };
        SdkHeaders::of(request)?;
        let key = PublicKey {
            public_key: encryption.public_key(),
        };
        Ok(Response::json(200, &key))
    }

    /// `GET /api/v2/sdk/server-date` (OneAccess: "Obtaining the Server Time").
    pub(crate) fn server_date(&self, request: &Request) -> Result<Response, Failure> {
        if self.logins.document().request_encryption().is_none() {
            return Err(request.no_such_route());
        }
        SdkHeaders::of(request)?;
        let date = ServerDate {
            timestamp: self.now().as_millis().to_string(),
        };
        Ok(Response::json(200, &date))
    }
}

/// What `decrypted` says, if it was written within five minutes of `now`. `None` is what could not be decrypted.
pub(crate) fn opened(decrypted: Option<&SecretString>, now: WallTime) -> Result<Opened, Fault> {
    let text = decrypted.ok_or(Fault::Encryption)?.expose_secret();
    let (token, timestamp, nonce) = parts(text).ok_or(Fault::Form)?;
    let ends_at = timestamp.plus(WINDOW);
    if now >= ends_at || timestamp >= now.plus(WINDOW) {
        return Err(Fault::Timestamp);
    }
    Ok(Opened {
        token: token.into(),
        nonce: nonce.into(),
        ends_at,
    })
}

fn parts(text: &str) -> Option<(&str, WallTime, &str)> {
    let (token, rest) = text
        .strip_prefix("session_token=")?
        .split_once("&timestamp=")?;
    let (timestamp, nonce) = rest.split_once("&nonce=")?;
    let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let is_nonce = (1..=NONCE_BYTES).contains(&nonce.len())
        && nonce
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'&');
    if !is_number || !is_nonce {
        return None;
    }
    Some((token, WallTime::from_millis(timestamp.parse().ok()?), nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T10:00:00Z.
    const NOW: WallTime = WallTime::from_secs(1_795_341_600);

    fn read(text: &str) -> Result<Opened, Fault> {
        opened(Some(&text.into()), NOW)
    }

    fn fault(text: &str) -> Option<Fault> {
        read(text).err()
    }

    #[test]
    fn a_header_as_one_access_describes_it_is_read() {
        // The nonce is the timestamp in hexadecimal, as in its description.
        let opened = read("session_token=bts-abc&timestamp=1795341600000&nonce=1a20376d900").ok();
        let opened = opened.unwrap();
        assert_eq!(opened.token.expose_secret(), "bts-abc");
        assert_eq!(opened.nonce.expose_secret(), "1a20376d900");
        assert_eq!(opened.ends_at, NOW.plus(WINDOW));
    }

    #[test]
    fn every_other_form_is_refused() {
        let long = "a".repeat(NONCE_BYTES + 1);
        for wrong in [
            "",
            "bts-abc",
            "session_token=bts-abc",
            "session_token=bts-abc&timestamp=1795341600000",
            "session_token=bts-abc&nonce=1&timestamp=1795341600000",
            "timestamp=1795341600000&nonce=1&session_token=bts-abc",
            "Session_token=bts-abc&timestamp=1795341600000&nonce=1",
            " session_token=bts-abc&timestamp=1795341600000&nonce=1",
            "session_token=bts-abc&timestamp=&nonce=1",
            "session_token=bts-abc&timestamp=+1795341600000&nonce=1",
            "session_token=bts-abc&timestamp=-1&nonce=1",
            "session_token=bts-abc&timestamp=1795341600000.0&nonce=1",
            "session_token=bts-abc&timestamp=99999999999999999999&nonce=1",
            "session_token=bts-abc&timestamp=1795341600000&nonce=",
            "session_token=bts-abc&timestamp=1795341600000&nonce=a b",
            "session_token=bts-abc&timestamp=1795341600000&nonce=随机",
            "session_token=bts-abc&timestamp=1795341600000&nonce=1&nonce=2",
            &format!("session_token=bts-abc&timestamp=1795341600000&nonce={long}"),
        ] {
            assert_eq!(fault(wrong), Some(Fault::Form), "{wrong}");
        }
        assert_eq!(opened(None, NOW).err(), Some(Fault::Encryption));
    }

    #[test]
    fn a_timestamp_is_good_for_less_than_five_minutes_each_way() {
        let now = NOW.as_millis();
        let window = 300_000;
        let at = |timestamp: u64| {
            fault(&format!(
                "session_token=bts-abc&timestamp={timestamp}&nonce=1"
            ))
        };
        for timestamp in [now - window + 1, now, now + window - 1] {
            assert_eq!(at(timestamp), None, "{timestamp}");
        }
        // The last is the right moment in seconds.
        for timestamp in [0, now - window, now + window, u64::MAX, now / 1000] {
            assert_eq!(at(timestamp), Some(Fault::Timestamp), "{timestamp}");
        }
    }
}
