use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::Failure;
use crate::envelope::Answer;
use crate::event::Payload;

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// A page of ours loads nothing, runs nothing and stands in no frame.
const HTML_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An answer over HTTP. It is not cached unless it says so itself.
///
/// Header values and cookies are visible ASCII and spaces. A response that was given another (a line break out of a request, say)
/// is not sent: its place takes the failure `internal`.
#[derive(Clone)]
pub struct Response {
    status: u16,
    /// Each name once.
    headers: Vec<(&'static str, String)>,
    /// Values of `set-cookie`.
    cookies: Vec<String>,
    body: String,
    /// Why it cannot be sent.
    fault: Option<&'static str>,
}

/// Bodies, addresses and cookies may hold tokens and codes.
impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// `body` as JSON.
    pub fn json<T: Serialize + ?Sized>(status: u16, body: &T) -> Self {
        match serde_json::to_string(body) {
            Ok(text) => Self::json_text(status, &text),
            Err(_) => Self::empty(status).with_fault("a body that is no JSON"),
        }
    }

    pub(crate) fn json_text(status: u16, text: &str) -> Self {
        Self::with_body(status, JSON, text)
    }

    /// `text` as it is, and nothing after it.
    pub fn text(status: u16, text: &str) -> Self {
        Self::with_body(status, TEXT, text)
    }

    /// A page. What stands in it must have been escaped; it can load and run nothing.
    pub fn html(status: u16, page: &str) -> Self {
        Self::with_body(status, HTML, page)
            .with_header("content-security-policy", HTML_POLICY)
            .with_header("referrer-policy", "no-referrer")
            .with_header("x-content-type-options", "nosniff")
    }

    /// 302 to `location`. The address that was asked for, which may hold a code, does not go with it as referrer.
    pub fn redirect(location: impl Into<String>) -> Self {
        let location = location.into();
        let is_empty = location.is_empty();
        let redirect = Self::empty(302)
            .with_header("location", location)
            .with_header("referrer-policy", "no-referrer");
        if is_empty {
            return redirect.with_fault("a redirect to nowhere");
        }
        redirect
    }

    /// `failure` in the envelope that every [`Function`](crate::Function) has.
    pub fn envelope(failure: &Failure, request_id: &str) -> Self {
        Answer::failure(failure, request_id).response()
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: vec![("cache-control", "no-store".to_owned())],
            cookies: Vec::new(),
            body: String::new(),
            fault: None,
        }
    }

    fn with_body(status: u16, content_type: &'static str, body: &str) -> Self {
        let mut response = Self::empty(status);
        response
            .headers
            .insert(0, ("content-type", content_type.to_owned()));
        body.clone_into(&mut response.body);
        response
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with the status of `failure`, and with its `retry-after`: for a form of failures that is a function's own.
    #[must_use]
    pub fn with_status_of(self, failure: &Failure) -> Self {
        let row = failure.outcome().row();
        let response = self.with_status(row.status);
        match failure.outcome().retry_after_seconds() {
            Some(seconds) => response.with_header("retry-after", seconds.to_string()),
            None => response,
        }
    }

    /// The same with this header, in place of one of the same name. `name` is in small letters; cookies have
    /// [`with_cookie`](Self::with_cookie).
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !is_header_value(&value) {
            return self.with_fault("a header value with other characters than visible ASCII");
        }
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.headers.push((name, value)),
        }
        self
    }

    /// The same with a cookie for `life`, which is gone with a life of zero: for all of this host's paths, over TLS alone, out of
    /// scripts' reach, and not sent with another site's requests but where they lead here (`SameSite=Lax`).
    #[must_use]
    pub fn with_cookie(mut self, name: &str, value: &str, life: Duration) -> Self {
        if !is_cookie_name(name) || !value.bytes().all(is_cookie_octet) {
            return self.with_fault("a cookie with characters that no cookie may have");
        }
        let seconds = life.as_secs();
        self.cookies.push(format!(
            "{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"
        ));
        self
    }

    fn with_fault(mut self, fault: &'static str) -> Self {
        self.fault.get_or_insert(fault);
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of `set-cookie`.
    pub fn cookies(&self) -> &[String] {
        &self.cookies
    }

    /// The body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The response, if it can be sent.
    pub(crate) fn sendable(self) -> Result<Self, Failure> {
        match self.fault {
            Some(fault) => Err(Failure::internal(fault)),
            None => Ok(self),
        }
    }

    /// As API Gateway reads it. Payload 1.0 knows no `cookies`.
    pub(crate) fn written(&self, payload: Payload) -> Box<RawValue> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Written<'a> {
            status_code: u16,
            #[serde(serialize_with = "as_map")]
            headers: &'a [(&'static str, String)],
            #[serde(skip_serializing_if = "Option::is_none")]
            cookies: Option<&'a [String]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            multi_value_headers: Option<MultiValueHeaders<'a>>,
            body: &'a str,
            is_base64_encoded: bool,
        }
        #[derive(Serialize)]
        struct MultiValueHeaders<'a> {
            #[serde(rename = "set-cookie")]
            set_cookie: &'a [String],
        }
        let cookies = Some(self.cookies.as_slice()).filter(|cookies| !cookies.is_empty());
        let (cookies, set_cookie) = match payload {
            Payload::V2 => (cookies, None),
            Payload::V1 => (None, cookies),
        };
        // Texts and numbers always serialise.
        to_raw_value(&Written {
            status_code: self.status,
            headers: &self.headers,
            cookies,
            multi_value_headers: set_cookie.map(|set_cookie| MultiValueHeaders { set_cookie }),
            body: &self.body,
            is_base64_encoded: false,
        })
        .unwrap_or_default()
    }
}

fn as_map<S: Serializer>(
    headers: &&[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

fn is_header_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// The characters of a token (RFC 9110).
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 6265.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    #[test]
    fn a_form_of_ones_own_has_the_status_of_the_failure_and_says_when_to_come_back() {
        let busy = Failure::new(Outcome::TemporarilyUnavailable {
            retry_after_seconds: 7,
            advice: String::new(),
        });
        for (failure, expected) in [
            (busy, (503, Some("7"))),
            (Failure::invalid("code", "is missing"), (400, None)),
        ] {
            let response = Response::json(200, "own").with_status_of(&failure);
            assert_eq!(
                (response.status(), response.header("retry-after")),
                expected
            );
            assert_eq!(response.body(), "\"own\"");
        }
    }
}
