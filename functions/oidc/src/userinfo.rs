//! `/userinfo`: who the access token is about (OpenID Connect Core, section 5.3; RFC 6750).

use std::error::Error;

use alipay_gateway::methods::UserInfo;
use function_kit::{Failure, Outcome, Request, Response};
use function_logins::{Issuer, WallTime};
use function_tokens::User;
use serde::Serialize;

use crate::Oidc;
use crate::exchange::ErrorBody;
use crate::refusal::{ErrorCode, Refusal, refused};

pub(crate) const PATH: &str = "/userinfo";

/// What access tokens for it have as `aud`.
pub(crate) fn audience(issuer: &Issuer) -> String {
    format!("{}{PATH}", issuer.url())
}

/// The claims. What Alipay does not send is left out. Personal, so there is no `Debug`.
#[derive(Default, Serialize)]
struct Claims {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
}

/// In Chinese, as Alipay has it.
#[derive(Serialize)]
struct Address {
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locality: Option<String>,
}

impl Oidc {
    /// `/userinfo`. For the scope `profile` Alipay is asked, with the token that is stored for the user.
    pub(crate) async fn userinfo(&self, request: &Request) -> Result<Response, Failure> {
        let token = bearer(request)?;
        let issuer = self.logins.issuer();
        let now = WallTime::from(self.alipay.now());
        let claims = issuer
            .verify_access_token(&token, &audience(issuer), now)
            .map_err(wrong_token)?;
        if self.logins.document().client(&claims.client_id).is_none() {
            return Err(wrong_token("the client is gone"));
        }
        let (Some(app_id), Some(openid)) = (&claims.app_id, &claims.openid) else {
            return Err(wrong_token("no user of an app"));
        };
        if !claims.scope.split(' ').any(|word| word == "profile") {
            let sub = claims.subject;
            return Ok(Response::json(
                200,
                &Claims {
                    sub,
                    ..Claims::default()
                },
            ));
        }
        let caller = request.caller(self.alipay.app(Some(app_id))?);
        let user = User {
            openid,
            scope: None,
            auth_app_id: claims.auth_app_id.as_deref(),
        };
        let profile = self.tokens.profile_of(&self.alipay, &caller, &user).await?;
        Ok(Response::json(200, &claims_of(claims.subject, profile)))
    }
}

/// Whatever is wrong with a token, it is one answer.
fn wrong_token(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    Refusal::new(ErrorCode::InvalidToken)
        .because(cause)
        .unauthenticated()
}

/// The token in the header or, of a `POST`, in the form (RFC 6750, sections 2.1 and 2.2); never one in the query, which is logged on
/// the way.
fn bearer(request: &Request) -> Result<String, Failure> {
    let in_form = match request.method() {
        "POST" if is_form(request) => request.form()?.value("access_token").map(str::to_owned),
        _ => None,
    };
    match (request.header("authorization"), in_form) {
        (Some(_), Some(_)) => {
            let rule = "comes in the header or in the body, not in both";
            Err(refused(ErrorCode::InvalidRequest, "access_token", rule))
        }
        (Some(header), None) => match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.to_owned()),
            _ => Err(Failure::new(Outcome::Unauthenticated)),
        },
        (None, Some(token)) => Ok(token),
        (None, None) => Err(Failure::new(Outcome::Unauthenticated)),
    }
}

/// A `POST` need not have a body.
fn is_form(request: &Request) -> bool {
    request.header("content-type").is_some_and(|media_type| {
        media_type
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    })
}

fn claims_of(sub: String, profile: UserInfo) -> Claims {
    let address = Address {
        region: profile.province,
        locality: profile.city,
    };
    let is_known = address.region.is_some() || address.locality.is_some();
    Claims {
        sub,
        name: profile.nick_name,
        picture: profile.avatar,
        gender: profile.gender.as_deref().and_then(gender),
        address: is_known.then_some(address),
    }
}

/// OpenID Connect's word for Alipay's letter.
fn gender(letter: &str) -> Option<&'static str> {
    match letter {
        "F" | "f" => Some("female"),
        "M" | "m" => Some("male"),
        _ => None,
    }
}

/// The failure with the challenge of RFC 6750. Who sent no token at all is told of no error.
pub(crate) fn refused_response(failure: &Failure) -> Response {
    if matches!(failure.outcome(), Outcome::Unauthenticated) && Refusal::of(failure).is_none() {
        return Response::empty(401).with_header("www-authenticate", "Bearer");
    }
    let response = Response::json(400, &ErrorBody::of(failure)).with_status_of(failure);
    if !matches!(response.status(), 400 | 401) {
        return response;
    }
    let challenge = format!("Bearer error=\"{}\"", ErrorCode::of(failure).name());
    response.with_header("www-authenticate", challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(gender: Option<&str>, province: Option<&str>) -> UserInfo {
        UserInfo {
            user_id: Some("2088000000000001".to_owned()),
            open_id: None,
            nick_name: None,
            avatar: None,
            gender: gender.map(str::to_owned),
            province: province.map(str::to_owned),
            city: None,
        }
    }

    #[test]
    fn what_alipay_does_not_send_is_left_out() {
        for (profile, expected) in [
            (profile(None, None), r#"{"sub":"u"}"#),
            (profile(Some("F"), None), r#"{"sub":"u","gender":"female"}"#),
            (profile(Some("M"), None), r#"{"sub":"u","gender":"male"}"#),
            (profile(Some("X"), None), r#"{"sub":"u"}"#),
            (
                profile(None, Some("浙江省")),
                r#"{"sub":"u","address":{"region":"浙江省"}}"#,
            ),
        ] {
            let text = serde_json::to_string(&claims_of("u".to_owned(), profile)).unwrap();
            assert_eq!(text, expected);
        }
    }
}
