//! The stand-in for Alipay's gateway: one reply for each of the two methods, signed before the run starts.

use std::io::{Read, Write};

use alipay_signing::{SignType, SigningKey};
use serde_json::json;

use crate::BenchError;
use crate::http::{Connection, Request, prepared};
use crate::stub::Replies;

/// What [`Job::GetMiniCode`](crate::Job::GetMiniCode) must answer with.
pub const QR_CODE_URL: &str = "https://mobilecodec.alipay.com/show.htm?code=s4x0123456789abcdef";
/// Whom [`Job::Code2Session`](crate::Job::Code2Session) must answer with: as long as Alipay's.
pub const OPEN_ID: &str = "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKL";

const OAUTH_TOKEN: &[u8] = b"alipay.system.oauth.token";
const REFRESH: &[u8] = b"grant_type=refresh_token";

/// The replies, each a whole response.
pub struct GatewayReplies {
    mini_code: Vec<u8>,
    oauth_token: Vec<u8>,
    refreshed: Vec<u8>,
    head: Vec<u8>,
}

impl GatewayReplies {
    /// Signed with `key`, Alipay's in this run.
    ///
    /// # Errors
    /// [`BenchError::Keys`] when the key makes no signature.
    pub fn signed_with(key: &SigningKey) -> Result<Self, BenchError> {
        let mini_code = json!({
            "code": "10000",
            "msg": "Success",
            "qr_code_url": QR_CODE_URL,
            "qr_code_url_circle_white": format!("{QR_CODE_URL}&circle=white"),
            "qr_code_url_circle_blue": format!("{QR_CODE_URL}&circle=blue"),
        });
        // Of many users: a reply to a refresh need not say whose tokens it has.
        let refreshed = json!({
            "access_token": "authusrB0123456789abcdef0123456789abcV20",
            "refresh_token": "authusrB0123456789abcdef0123456789abcW20",
            "expires_in": 1_296_000,
            "re_expires_in": 2_592_000,
        });
        let oauth_token = json!({
            "open_id": OPEN_ID,
            "access_token": "authusrB0123456789abcdef0123456789abcX20",
            "refresh_token": "authusrB0123456789abcdef0123456789abcY20",
            "expires_in": 1_296_000,
            "re_expires_in": 2_592_000,
            "auth_start": "2026-11-22 10:00:00",
        });
        Ok(Self {
            mini_code: signed(
                key,
                "alipay_open_app_qrcode_create_response",
                &mini_code.to_string(),
            )?,
            oauth_token: signed(
                key,
                "alipay_system_oauth_token_response",
                &oauth_token.to_string(),
            )?,
            refreshed: signed(
                key,
                "alipay_system_oauth_token_response",
                &refreshed.to_string(),
            )?,
            head: prepared("200 OK", &[("Connection", "keep-alive")], b""),
        })
    }
}

fn signed(key: &SigningKey, name: &str, node: &str) -> Result<Vec<u8>, BenchError> {
    let sign = key
        .sign(SignType::Rsa2, node.as_bytes())
        .map_err(|error| BenchError::Keys(error.to_string()))?;
    let body = format!(r#"{{"{name}":{node},"sign":"{sign}"}}"#);
    let headers = [
        ("Content-Type", "application/json;charset=utf-8"),
        ("Connection", "keep-alive"),
        ("trace_id", "0123456789abcdef0123456789abcdef"),
    ];
    Ok(prepared("200 OK", &headers, body.as_bytes()))
}

impl Replies for GatewayReplies {
    fn reply<S: Read + Write>(&self, connection: &Connection<S>, request: &Request) -> &[u8] {
        let (target, body) = (
            connection.bytes(&request.target),
            connection.bytes(&request.body),
        );
        // The query has the method; only where there is none is the form looked at.
        let place = if target.contains(&b'?') { target } else { body };
        if request.is_head {
            &self.head
        } else if !contains(place, OAUTH_TOKEN) {
            &self.mini_code
        } else if contains(body, REFRESH) {
            &self.refreshed
        } else {
            &self.oauth_token
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
