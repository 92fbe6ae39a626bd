use std::borrow::Cow;
use std::time::SystemTime;

use alipay_signing::v3::response_text;
use alipay_signing::{SignType, VerifyingKey};

use super::error_names::refusal;
use crate::key_needed::KeyNeeded;
use crate::reply::{check_echo, decrypted, text_or_number};
use crate::unique_json::{check_unique, top_level_members};
use crate::{App, Call, GatewayError, Reply};

/// The headers of a V3 reply that say something about its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplyHeaders<'a> {
    /// `alipay-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `alipay-nonce`.
    pub nonce: Option<&'a str>,
    /// `alipay-signature`.
    pub signature: Option<&'a str>,
    /// `alipay-sn`: the serial number of Alipay's certificate, in certificate mode.
    pub serial_number: Option<&'a str>,
    /// `alipay-trace-id`.
    pub trace_id: Option<&'a str>,
}

/// A V3 reply, taken apart and not yet trusted; as [`crate::UnverifiedReply`] is for V2.
pub struct UnverifiedReply {
    status: u16,
    body: String,
    signed: Option<Signed>,
    serial_number: Option<String>,
    trace_id: Option<String>,
}

/// What a signature is over, and the signature.
struct Signed {
    text: String,
    signature: String,
}

impl UnverifiedReply {
    /// Takes a reply apart. `status` is its HTTP status.
    ///
    /// # Errors
    /// [`GatewayError::Unreachable`] when it is no reply of the gateway at all, [`GatewayError::Unverified`] when its signature
    /// lacks what it is over.
    pub fn read(
        app: &App,
        status: u16,
        headers: ReplyHeaders<'_>,
        body: &[u8],
    ) -> Result<Self, GatewayError> {
        if !matches!(status, 200..=299 | 400..) {
            return Err(http_error());
        }
        let body = std::str::from_utf8(body)
            .map_err(|_| GatewayError::unreachable("what came back is not text"))?;
        // An unsigned error says `null` (Alipay's PHP SDK).
        let signature = present(headers.signature).filter(|signature| *signature != "null");
        let signed = match (signature, headers.timestamp, headers.nonce) {
            (None, _, _) => None,
            (Some(signature), Some(timestamp), Some(nonce)) => Some(Signed {
                text: response_text(timestamp, nonce, body),
                signature: signature.to_owned(),
            }),
            (Some(_), _, _) => {
                return Err(GatewayError::unverified(
                    "a signature without its timestamp or nonce",
                ));
            }
        };
        let serial_number = present(headers.serial_number).filter(|_| app.certificates.is_some());
        Ok(Self {
            status,
            body: body.to_owned(),
            signed,
            serial_number: serial_number.map(str::to_owned),
            trace_id: headers.trace_id.map(str::to_owned),
        })
    }

    /// The key to verify with at `now`. An unsigned reply needs none, and gets the configured one.
    ///
    /// # Errors
    /// [`GatewayError::Unverified`] when the configured certificate is not valid at `now`, or the reply names no certificate.
    pub fn key_needed<'a>(
        &'a self,
        app: &'a App,
        now: SystemTime,
    ) -> Result<KeyNeeded<'a>, GatewayError> {
        match self.signed {
            None => Ok(KeyNeeded::Configured(&app.alipay_key)),
            Some(_) => KeyNeeded::of_signed(app, self.serial_number.as_deref(), now),
        }
    }

    /// Verifies with `key`, decrypts, and tells success from refusal.
    ///
    /// # Errors
    /// [`GatewayError::Unverified`] when the reply's authenticity is in doubt, [`GatewayError::Refused`] when Alipay says no,
    /// [`GatewayError::Unreachable`] when the body is nothing that the gateway answers.
    pub fn verify(
        mut self,
        app: &App,
        call: &Call,
        key: &VerifyingKey,
    ) -> Result<Reply, GatewayError> {
        let trace_id = self.trace_id.take();
        if let Some(signed) = &self.signed {
            key.verify(SignType::Rsa2, signed.text.as_bytes(), &signed.signature)
                .map_err(|_| GatewayError::unverified("the reply's signature is wrong"))?;
        }
        let content = self.content(app, call)?;
        let error = error_of(&content)?;
        if !self.is_success() {
            let (code, message) = error.ok_or_else(http_error)?;
            let is_verified = self.signed.is_some();
            let refusal = refusal(&code, message, self.status, trace_id, is_verified);
            return Err(GatewayError::Refused(
                refusal.with_newer_refresh_token(call, &content),
            ));
        }
        self.check_success(app, call)?;
        // The status is not signed, so an error is told by its body too.
        if error.is_some() {
            return Err(GatewayError::unverified(
                "an error with the status of a success",
            ));
        }
        check_echo(call, &content)?;
        Ok(Reply::new(content.into_owned(), trace_id))
    }

    fn is_success(&self) -> bool {
        self.status < 300
    }

    fn is_encrypted(&self) -> bool {
        !self.body.is_empty() && !self.body.trim_start().starts_with('{')
    }

    /// The body as JSON text, out of its ciphertext where it came as one. What it is only the body tells, as in V2.
    fn content(&self, app: &App, call: &Call) -> Result<Cow<'_, str>, GatewayError> {
        match (self.is_encrypted(), &self.signed) {
            (true, Some(_)) => decrypted(app, &self.body).map(Cow::Owned),
            (true, None) if self.is_success() && call.encrypted => Err(GatewayError::unverified(
                "an encrypted reply without a signature",
            )),
            // A proxy's page.
            (true, None) => Err(http_error()),
            // A success that has nothing to say.
            (false, Some(_)) if self.body.is_empty() => Ok(Cow::Borrowed("{}")),
            (false, _) => Ok(Cow::Borrowed(&self.body)),
        }
    }

    fn check_success(&self, app: &App, call: &Call) -> Result<(), GatewayError> {
        let broken = if self.signed.is_none() {
            "a success without a signature"
        } else if app.certificates.is_some() && self.serial_number.is_none() {
            "a success without the serial number of Alipay's certificate"
        } else if call.encrypted && !self.is_encrypted() {
            "a plain success to an encrypted request"
        } else {
            return Ok(());
        };
        Err(GatewayError::unverified(broken))
    }
}

/// Code and message where `content` is an error of the gateway's: `{"code":…,"message":…,"links":[…]}`.
fn error_of(content: &str) -> Result<Option<(String, Option<String>)>, GatewayError> {
    let members = top_level_members(content)?;
    check_unique(content).map_err(GatewayError::unverified)?;
    let text = |name: &str| {
        let raw = members.get(name)?.get();
        Some(text_or_number(raw)?.into_owned())
    };
    Ok(match (text("code"), members.contains_key("message")) {
        (Some(code), true) => Some((code, text("message"))),
        _ => None,
    })
}

fn http_error() -> GatewayError {
    GatewayError::unreachable("the gateway answered with an HTTP error")
}

fn present(header: Option<&str>) -> Option<&str> {
    header.filter(|value| !value.is_empty())
}
