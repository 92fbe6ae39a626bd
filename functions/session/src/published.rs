//! What everybody may read: who the issuer is, and its public keys.

use aws_lc_rs::digest::{SHA256, digest};
use function_kit::{Failure, Request, Response};
use serde::Serialize;

use crate::Session;

/// A key is published long before it signs, so nobody misses one by five minutes.
const CACHING: &str = "public, max-age=300";

impl Session {
    /// `GET /.well-known/openid-configuration`.
    pub(crate) fn configuration(&self, request: &Request) -> Result<Response, Failure> {
        Ok(published(request, &self.logins.issuer().configuration()))
    }

    /// `GET /.well-known/jwks.json`.
    pub(crate) fn public_keys(&self, request: &Request) -> Result<Response, Failure> {
        Ok(published(request, &self.logins.issuer().jwks()))
    }
}

/// `document`, or that it is still what the reader has.
fn published<T: Serialize>(request: &Request, document: &T) -> Response {
    let response = Response::json(200, document);
    let hash = digest(&SHA256, response.body().as_bytes());
    let tag = format!("\"{}\"", hex::encode(hash));
    let known = request.header("if-none-match").unwrap_or_default();
    let is_known = known
        .split(',')
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*");
    let response = if is_known {
        Response::empty(304)
    } else {
        response
    };
    response
        .with_header("cache-control", CACHING)
        .with_header("etag", tag)
}
