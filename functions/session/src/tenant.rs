//! Back ends of clients: who they are.

use function_kit::{Failure, Request, Response};
use function_logins::{
    ACCESS_TOKEN_LIFE, AccessTokenClaims, Client, ClientCredentials, identity_failure,
};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::Session;
use crate::refusal::{Credential, not_valid};

/// What an access token of a client permits.
const SCOPE: &str = "tenant";

/// An access token, as OAuth 2.0 answers one.
#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// In seconds.
    expires_in: u64,
    scope: &'static str,
}

impl Session {
    /// `POST /api/v2/tenant/token`.
    pub(crate) fn tenant_token(&self, request: &Request) -> Result<Response, Failure> {
        let form = request.form()?;
        if form.value("grant_type") != Some("client_credentials") {
            return Err(Failure::invalid("grant_type", "must be client_credentials"));
        }
        let presented = ClientCredentials::of(request, &form)?
            .ok_or_else(|| Failure::invalid("client_id", "is required"))?;
        let client = self.logins.authenticated(&presented).ok_or_else(|| {
            let client = self.name_of(&presented.id);
            not_valid(
                Credential::ClientSecret,
                client,
                "no such client and secret",
            )
        })?;
        let claims = AccessTokenClaims {
            subject: &client.id,
            audience: &self.audience(),
            client_id: &client.id,
            scope: SCOPE,
            app_id: None,
            openid: None,
            auth_app_id: None,
        };
        let issuer = self.logins.issuer();
        let token = issuer
            .access_token(&claims, self.now())
            .map_err(identity_failure)?;
        let granted = Granted {
            access_token: token.expose_secret(),
            token_type: "Bearer",
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            scope: SCOPE,
        };
        Ok(Response::json(200, &granted))
    }

    /// The client whose bearer token `request` has. One that was disabled since has none that is valid.
    pub(crate) fn calling_client(&self, request: &Request) -> Result<&Client, Failure> {
        let refused =
            |because: &'static str| not_valid(Credential::AccessToken, "somebody", because);
        let header = request
            .header("authorization")
            .ok_or_else(|| refused("there is none"))?;
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token)
            .ok_or_else(|| refused("it is no bearer token"))?;
        let claims = self
            .logins
            .issuer()
            .verify_access_token(token, &self.audience(), self.now())
            .map_err(|reason| not_valid(Credential::AccessToken, "somebody", reason))?;
        self.logins
            .document()
            .client(&claims.client_id)
            .ok_or_else(|| {
                let client = &claims.client_id;
                not_valid(Credential::AccessToken, client, "the client is disabled")
            })
    }

    /// What these access tokens open.
    fn audience(&self) -> String {
        format!("{}/api/v2/tenant", self.logins.issuer().url())
    }
}
