//! The JWT authorizer of API Gateway's HTTP APIs, before the routes of signed-in users.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use function_logins::Issuer;
use serde_json::{Map, Value, json};
use token_store::WallTime;

/// Lets through who has an id_token of `issuer` that is for one of `audience`.
#[derive(Clone)]
pub(crate) struct Authorizer {
    issuer: Issuer,
    audience: Arc<[String]>,
}

/// That somebody is not let through; the wording is API Gateway's.
pub(super) enum Unauthorized {
    NoToken,
    InvalidToken,
}

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        let challenge = match self {
            Self::NoToken => "Bearer",
            Self::InvalidToken => r#"Bearer scope="" error="invalid_token""#,
        };
        (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, challenge)],
            axum::Json(json!({"message": "Unauthorized"})),
        )
            .into_response()
    }
}

impl Authorizer {
    pub(crate) fn new(issuer: Issuer, audience: impl IntoIterator<Item = String>) -> Self {
        Self {
            issuer,
            audience: audience.into_iter().collect(),
        }
    }

    /// What a function finds in `requestContext.authorizer`.
    ///
    /// # Errors
    /// When `headers` have no valid token for this audience at `now`.
    pub(super) fn authorize(
        &self,
        headers: &HeaderMap,
        now: WallTime,
    ) -> Result<Value, Unauthorized> {
        let token = token(headers).ok_or(Unauthorized::NoToken)?;
        let audience: Vec<_> = self.audience.iter().map(String::as_str).collect();
        self.issuer
            .verify_id_token(token, &audience, now)
            .map_err(|refused| {
                tracing::warn!(%refused, "a bearer token was refused");
                Unauthorized::InvalidToken
            })?;
        let claims = claims(token).ok_or(Unauthorized::InvalidToken)?;
        Ok(json!({"jwt": {"claims": texts(claims), "scopes": null}}))
    }
}

/// The token of the one `Authorization`, with or without `Bearer` before it.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let value = value.to_str().ok()?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Some(token.trim()),
        Some(_) => None,
        None => Some(value).filter(|value| !value.is_empty()),
    }
}

/// All that a token says, also what the library has no use for. It has been verified before.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// API Gateway hands every claim over as a text.
fn texts(claims: Map<String, Value>) -> Map<String, Value> {
    claims
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(_) => (name, value),
            other => (name, other.to_string().into()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_with_and_without_its_scheme() {
        let token_of = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::AUTHORIZATION, line.parse().unwrap());
            }
            token(&headers).map(str::to_owned)
        };
        for line in ["Bearer a.b.c", "bearer a.b.c", "a.b.c"] {
            assert_eq!(token_of(&[line]).as_deref(), Some("a.b.c"), "{line}");
        }
        let none: [&[&str]; 4] = [&[], &[""], &["Basic a.b.c"], &["a.b.c", "d.e.f"]];
        for lines in none {
            assert_eq!(token_of(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn every_claim_becomes_a_text() {
        let claims = json!({"sub": "abc", "exp": 1_763_800_000, "new": true});
        let Value::Object(claims) = claims else {
            unreachable!("it is an object");
        };
        let expected = json!({"sub": "abc", "exp": "1763800000", "new": "true"});
        assert_eq!(Value::Object(texts(claims)), expected);
    }
}
