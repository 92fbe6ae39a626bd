//! `/token`: a client exchanges the authorization code for tokens.

use std::error::Error;

use function_kit::{Failure, Form, Request, Response};
use function_logins::{
    ACCESS_TOKEN_LIFE, AccessTokenClaims, Client, ClientCredentials, CodeChallenge, IdentityError,
    Purpose, SignedInPerson, WallTime, identity_failure,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::Oidc;
use crate::authorization_request::missing;
use crate::authorize::Grant;
use crate::refusal::{ErrorCode, Refusal, description, refused};
use crate::userinfo;

pub(crate) const PATH: &str = "/token";

const CODE_RULE: &str = "is none that this client was issued for this redirect_uri within the last minute and has not used yet; begin the login again";

/// RFC 6749, section 5.1.
#[derive(Serialize)]
struct Issued<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    scope: &'a str,
    id_token: &'a str,
}

/// RFC 6749, section 5.2.
#[derive(Serialize)]
pub(crate) struct ErrorBody {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
}

impl ErrorBody {
    pub fn of(failure: &Failure) -> Self {
        Self {
            error: ErrorCode::of(failure).name(),
            error_description: description(failure),
        }
    }
}

impl Oidc {
    /// `/token`.
    pub(crate) async fn exchange(&self, request: &Request) -> Result<Response, Failure> {
        let form = request.form()?;
        let client = self.client(request, &form)?;
        match value(&form, "grant_type") {
            Some("authorization_code") => {}
            None => return Err(missing("grant_type")),
            Some(_) => {
                let code = ErrorCode::UnsupportedGrantType;
                return Err(refused(code, "grant_type", "must be authorization_code"));
            }
        }
        let grant = self.redeemed(client, &form).await?;
        self.issued(client, &grant)
    }

    /// The client that calls, by `client_secret_basic`, `client_secret_post` or, where it has no secret, by its id alone.
    fn client(&self, request: &Request, form: &Form) -> Result<&Client, Failure> {
        let presented = ClientCredentials::of(request, form)?;
        let presented = presented.ok_or_else(wrong_client)?;
        let is_silent = match &presented.secret {
            None => true,
            Some(secret) => secret.expose_secret().is_empty(),
        };
        let client = if is_silent {
            let client = self.logins.document().client(&presented.id);
            client.filter(|client| !client.has_secret())
        } else {
            self.logins.authenticated(&presented)
        };
        client.ok_or_else(wrong_client)
    }

    /// What the code stands for. A code is spent before it is looked at, whoever brings it and with whatever: a second attempt with
    /// another verifier is none, and a code that a wrong client has is worth nothing to the right one either. One that comes back is
    /// an error in the log; the tokens that were issued for it live on until they expire, since they are in no table.
    async fn redeemed(&self, client: &Client, form: &Form) -> Result<Grant, Failure> {
        let code = value(form, "code").ok_or_else(|| missing("code"))?;
        let redirect_uri = value(form, "redirect_uri").ok_or_else(|| missing("redirect_uri"))?;
        let now = WallTime::from(self.alipay.now());
        let grant: Grant = self
            .logins
            .one_time()
            .redeem(Purpose::AuthorizationCode, &SecretString::from(code), now)
            .await
            .map_err(|error| match error {
                IdentityError::Refused(refusal) => wrong_code(refusal),
                error => identity_failure(error),
            })?;
        if grant.client_id != client.id || grant.redirect_uri != redirect_uri {
            return Err(wrong_code(
                "a code of another client or another redirect_uri",
            ));
        }
        let verifier = value(form, "code_verifier");
        if !CodeChallenge::is_answered(grant.code_challenge.as_ref(), verifier) {
            let rule = "does not go with the code_challenge that the login was begun with";
            return Err(refused(ErrorCode::InvalidGrant, "code_verifier", rule));
        }
        Ok(grant)
    }

    fn issued(&self, client: &Client, grant: &Grant) -> Result<Response, Failure> {
        let now = self.alipay.now();
        let person = SignedInPerson {
            uid: &grant.uid,
            app_id: &grant.app_id,
            openid: &grant.openid,
            auth_app_id: None,
            nonce: grant.nonce.as_deref(),
            logged_in_at: grant.logged_in_at,
        };
        let id_token = self.logins.id_token(client, &person, now)?;
        let issuer = self.logins.issuer();
        let scope = if grant.profile {
            "openid profile"
        } else {
            "openid"
        };
        let claims = AccessTokenClaims {
            subject: grant.uid.as_str(),
            audience: &userinfo::audience(issuer),
            client_id: &client.id,
            scope,
            app_id: Some(&grant.app_id),
            openid: Some(&grant.openid),
            auth_app_id: None,
        };
        let access_token = issuer
            .access_token(&claims, WallTime::from(now))
            .map_err(identity_failure)?;
        let issued = Issued {
            access_token: access_token.expose_secret(),
            token_type: "Bearer",
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            scope,
            id_token: id_token.token.expose_secret(),
        };
        Ok(Response::json(200, &issued).with_header("pragma", "no-cache"))
    }
}

fn wrong_client() -> Failure {
    Refusal::new(ErrorCode::InvalidClient).unauthenticated()
}

/// Whatever is wrong with a code, it is one answer.
fn wrong_code(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    Refusal::new(ErrorCode::InvalidGrant)
        .because(cause)
        .of_rule("code", CODE_RULE)
}

/// A value of the form. An empty one is none (RFC 6749, section 3.2).
fn value<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.value(name).filter(|value| !value.is_empty())
}

/// The failure as JSON. A client that used the header is told which scheme there is.
pub(crate) fn refused_response(request: &Request, failure: &Failure) -> Response {
    let response = Response::json(400, &ErrorBody::of(failure)).with_status_of(failure);
    let is_challenged = response.status() == 401 && request.header("authorization").is_some();
    if is_challenged {
        response.with_header("www-authenticate", "Basic realm=\"token\"")
    } else {
        response
    }
}
