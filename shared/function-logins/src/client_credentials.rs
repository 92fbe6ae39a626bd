//! How a client says who it is, where it has a secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_kit::{Failure, Form, Request};
use identity::Client;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use crate::logins::Logins;

/// What a client presents with a form: `client_secret_basic`, `client_secret_post`, or its id alone (RFC 6749, section 2.3.1).
pub struct ClientCredentials {
    /// Who it says it is.
    pub id: String,
    /// What is to prove it; `None` where it sent no secret.
    pub secret: Option<SecretString>,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientCredentials")
            .finish_non_exhaustive()
    }
}

impl ClientCredentials {
    /// Those of `request`, whose body is `form`; `None` where there are none.
    ///
    /// # Errors
    /// `invalid_argument` for a header that is no `Basic` one, and for two ways at once.
    pub fn of(request: &Request, form: &Form) -> Result<Option<Self>, Failure> {
        let in_form = (form.value("client_id"), form.value("client_secret"));
        let Some(header) = request.header("authorization") else {
            return Ok(in_form.0.map(|id| Self {
                id: id.to_owned(),
                secret: in_form.1.map(SecretString::from),
            }));
        };
        let basic = basic(header).ok_or_else(|| {
            Failure::invalid(
                "Authorization",
                "must be Basic, with client id and secret in the form of RFC 6749",
            )
        })?;
        let is_repeated = in_form.0.is_none_or(|id| id == basic.id);
        if in_form.1.is_some() || !is_repeated {
            return Err(Failure::invalid(
                "client_secret",
                "comes in the header or in the body, not in both",
            ));
        }
        Ok(Some(basic))
    }
}

/// Both parts are form-encoded before they are joined.
fn basic(header: &str) -> Option<ClientCredentials> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = SecretString::from(String::from_utf8(decoded).ok()?);
    let (id, secret) = text.expose_secret().split_once(':')?;
    Some(ClientCredentials {
        id: form_decoded(id)?,
        secret: Some(form_decoded(secret)?.into()),
    })
}

fn form_decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

impl Logins {
    /// The client that `presented` proves to be. Unknown, disabled, without a secret and with a wrong one is all the same, in the
    /// answer and in the time that it takes.
    pub fn authenticated(&self, presented: &ClientCredentials) -> Option<&Client> {
        let nothing = SecretString::default();
        let secret = presented.secret.as_ref().unwrap_or(&nothing);
        self.document().authenticated(&presented.id, secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(header: &str) -> Option<(String, String)> {
        let basic = basic(header)?;
        let secret = basic.secret.unwrap_or_default();
        Some((basic.id, secret.expose_secret().to_owned()))
    }

    #[test]
    fn a_basic_header_has_both_parts_form_encoded() {
        let header = format!("basic {}", STANDARD.encode("a%3Ab+c:s%25:t"));
        let expected = ("a:b c".to_owned(), "s%:t".to_owned());
        assert_eq!(parts(&header), Some(expected));
    }

    #[test]
    fn what_is_no_basic_header_is_none() {
        for header in [
            "",
            "Basic",
            "Basic %",
            "Bearer YTpi",
            &format!("Basic {}", STANDARD.encode("no colon")),
            &format!("Basic {}", STANDARD.encode(b"a:\xff")),
            &format!("Basic {}", STANDARD.encode("a:%ff")),
        ] {
            assert_eq!(parts(header), None, "{header}");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let basic = basic(&format!("Basic {}", STANDARD.encode("id:canary"))).unwrap();
        assert!(!format!("{basic:?}").contains("canary"));
    }
}
