use std::borrow::Cow;
use std::time::SystemTime;

use alipay_signing::{Charset, VerifyingKey};
use serde::de::DeserializeOwned;

use super::charset::{decode, is_as_asked};
use super::signature::verify_node;
use super::status::Status;
use super::{Reply, check_echo, decrypted};
use crate::key_needed::KeyNeeded;
use crate::unique_json::{Members, check_unique, top_level_members};
use crate::{App, Call, GatewayError};

/// A reply of the gateway, taken apart and not yet trusted: [`key_needed`](Self::key_needed) says with whose key it has to be
/// verified, [`verify`](Self::verify) does it and tells success from refusal.
pub struct UnverifiedReply {
    /// The node's text as it came: an object, or a ciphertext with its quotes.
    node: String,
    is_error_response: bool,
    /// `None` where the reply has none, or an empty one.
    sign: Option<String>,
    /// `alipay_cert_sn`, read in certificate mode only.
    serial_number: Option<String>,
    charset: Charset,
    is_in_charset_asked: bool,
    trace_id: Option<String>,
}

impl UnverifiedReply {
    /// Takes the reply to `call` apart. `content_type` and `trace_id` are the reply's headers of those names.
    ///
    /// # Errors
    /// [`GatewayError::Unreachable`] when the body is no reply of the gateway at all, [`GatewayError::Unverified`] when it is
    /// built so that what was signed is in doubt.
    pub fn read(
        app: &App,
        call: &Call,
        body: &[u8],
        content_type: Option<&str>,
        trace_id: Option<&str>,
    ) -> Result<Self, GatewayError> {
        let (text, charset) = decode(app.charset, body, content_type)?;
        let members = top_level_members(&text)?;
        let (node, is_error_response) = node_of(call, &members)?;
        // Error replies with an empty signature exist; they are unsigned like those without one.
        let sign = text_member(&members, "sign")
            .map_err(|()| GatewayError::unverified("the reply's signature is not a text"))?;
        let serial_number = match app.certificates {
            None => None,
            Some(_) => text_member(&members, "alipay_cert_sn")
                .map_err(|()| GatewayError::unverified("the reply's alipay_cert_sn is no text"))?,
        };
        Ok(Self {
            node: node.to_owned(),
            is_error_response,
            sign,
            serial_number,
            charset,
            is_in_charset_asked: is_as_asked(app.charset, charset, &text),
            trace_id: trace_id.map(str::to_owned),
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
        match self.sign {
            None => Ok(KeyNeeded::Configured(&app.alipay_key)),
            Some(_) => KeyNeeded::of_signed(app, self.serial_number.as_deref(), now),
        }
    }

    /// Verifies with `key`, decrypts, and tells success from refusal.
    ///
    /// # Errors
    /// [`GatewayError::Unverified`] when the reply's authenticity is in doubt, [`GatewayError::Refused`] when Alipay says no.
    pub fn verify(
        mut self,
        app: &App,
        call: &Call,
        key: &VerifyingKey,
    ) -> Result<Reply, GatewayError> {
        let trace_id = self.trace_id.take();
        let verified = match &self.sign {
            None => None,
            Some(sign) => Some(verify_node(
                key,
                app.sign_type,
                self.charset,
                &self.node,
                sign,
            )?),
        };
        let is_verified = verified.is_some();
        // From here on only the text that verified counts. An unsigned node may still say no, but not yes.
        let content = self.content(app, verified)?;
        check_unique(&content).map_err(GatewayError::unverified)?;
        let status = Status::of(&content)?;
        match status.code()? {
            Some(code) if code != "10000" => {
                let code = code.into_owned();
                let refusal = status.refusal(code, trace_id, is_verified);
                Err(GatewayError::Refused(
                    refusal.with_newer_refresh_token(call, &content),
                ))
            }
            None if self.is_error_response => {
                let refusal = status.refusal(String::new(), trace_id, is_verified);
                Err(GatewayError::Refused(
                    refusal.with_newer_refresh_token(call, &content),
                ))
            }
            Some(_) if self.is_error_response => Err(GatewayError::unverified(
                "an error that calls itself a success",
            )),
            _ => {
                self.check_success(app, call, is_verified)?;
                check_echo(call, &content)?;
                Ok(Reply::new(content.into_owned(), trace_id))
            }
        }
    }

    /// The node as a `T` without looking at the signature. Only for content that proves itself, as a certificate does by the
    /// chain to its root.
    pub(crate) fn without_signature<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.node).ok()
    }

    fn is_encrypted(&self) -> bool {
        self.node.starts_with('"')
    }

    /// The node as an object, out of its ciphertext where it came as one. What form it has only the reply tells: errors of the
    /// gateway come as they are, also to an encrypted request (seen live).
    fn content<'a>(
        &'a self,
        app: &App,
        verified: Option<Cow<'a, str>>,
    ) -> Result<Cow<'a, str>, GatewayError> {
        if !self.is_encrypted() {
            return Ok(verified.unwrap_or(Cow::Borrowed(&self.node)));
        }
        let quoted = verified
            .ok_or_else(|| GatewayError::unverified("an encrypted reply without a signature"))?;
        let ciphertext: String = serde_json::from_str(&quoted)
            .map_err(|_| GatewayError::unverified("the reply's node is no text"))?;
        decrypted(app, &ciphertext).map(Cow::Owned)
    }

    fn check_success(&self, app: &App, call: &Call, is_verified: bool) -> Result<(), GatewayError> {
        let broken = if !is_verified {
            "a success without a signature"
        } else if app.certificates.is_some() && self.serial_number.is_none() {
            "a success without the serial number of Alipay's certificate"
        } else if call.encrypted && !self.is_encrypted() {
            // Whoever asked for encryption relies on it: what is secret would have crossed every proxy in the clear.
            "a plain success to an encrypted request"
        } else if !self.is_in_charset_asked {
            "a success in another charset than was asked for"
        } else {
            return Ok(());
        };
        Err(GatewayError::unverified(broken))
    }
}

/// The one node that may stand in a reply to `call`, and whether it is the one for errors.
fn node_of<'a>(call: &Call, members: &Members<'a>) -> Result<(&'a str, bool), GatewayError> {
    let mut name = call.method.replace('.', "_");
    name.push_str("_response");
    let name = name.as_str();
    let (node, is_error_response) = match (members.get(name), members.get("error_response")) {
        (Some(node), None) => (node.get(), false),
        (None, Some(node)) => (node.get(), true),
        (Some(_), Some(_)) => {
            return Err(GatewayError::unverified(
                "the reply holds a result and an error",
            ));
        }
        (None, None) => {
            return Err(GatewayError::unverified(
                "the reply holds no node of the called method",
            ));
        }
    };
    // A longer name that only ends like the called method's is no node of any method.
    if members.keys().any(|member| {
        member.ends_with("_response") && !member.ends_with(name) && member != "error_response"
    }) {
        return Err(GatewayError::unverified(
            "the reply holds a node of another method",
        ));
    }
    if !node.starts_with(['{', '"']) {
        return Err(GatewayError::unverified(
            "the reply's node is neither an object nor a ciphertext",
        ));
    }
    Ok((node, is_error_response))
}

/// A member's text; `None` where it is absent or empty.
fn text_member(members: &Members<'_>, name: &str) -> Result<Option<String>, ()> {
    let Some(raw) = members.get(name) else {
        return Ok(None);
    };
    let text: String = serde_json::from_str(raw.get()).map_err(|_| ())?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}
