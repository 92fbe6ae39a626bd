//! Calls from the device itself, which has no secret: the session token is the credential.

use function_kit::{Failure, Request, Response};
use function_logins::{Holder, IdentityError, SdkHeaders, identity_failure};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Session;
use crate::refusal::{Credential, identity_refusal, not_valid};

/// In place of the body, for a `GET`.
const SESSION_TOKEN: &str = "X-session-token";

#[derive(Deserialize)]
struct Input {
    session_token: SecretString,
}

#[derive(Serialize)]
struct Refreshed<'a> {
    id_token: &'a str,
}

#[derive(Serialize)]
struct LoggedOut {
    status: &'static str,
}

impl Session {
    /// `POST /api/v2/sdk/session-token/refresh-id-token`. The session stays as it is.
    pub(crate) async fn refresh_id_token(&self, request: &Request) -> Result<Response, Failure> {
        let headers = SdkHeaders::of(request)?;
        let presented = session_token(request)?;
        let holder = Holder {
            client_id: headers.client_id,
            fingerprint: Some(headers.fingerprint),
        };
        // First the session: what an unknown client presents costs the same read and gets the same answer.
        let session = self
            .logins
            .sessions()
            .read(&presented, &holder, self.now())
            .await
            .map_err(|error| {
                let client = self.name_of(headers.client_id);
                identity_refusal(Credential::SessionToken, client, error)
            })?;
        let client = self
            .logins
            .document()
            .client(&session.client_id)
            .ok_or_else(|| {
                not_valid(
                    Credential::SessionToken,
                    &session.client_id,
                    "the client is disabled",
                )
            })?;
        let id_token = self.id_token(client, &session).await?;
        let refreshed = Refreshed {
            id_token: id_token.expose_secret(),
        };
        Ok(Response::json(200, &refreshed))
    }

    /// `POST` and `GET /api/v2/sdk/logout`: ends the session with all its tokens. There being none is answered alike, so that nobody
    /// learns here which tokens are good.
    pub(crate) async fn log_out(&self, request: &Request) -> Result<Response, Failure> {
        let headers = SdkHeaders::of(request)?;
        let presented = session_token(request)?;
        let ended = self
            .logins
            .sessions()
            .revoke(&presented, headers.client_id, self.now())
            .await;
        match ended {
            Ok(()) | Err(IdentityError::Refused(_)) => {
                Ok(Response::json(200, &LoggedOut { status: "SUCCESS" }))
            }
            Err(error) => Err(identity_failure(error)),
        }
    }
}

/// The session token, out of the header or the body.
fn session_token(request: &Request) -> Result<SecretString, Failure> {
    if let Some(token) = request.header(SESSION_TOKEN) {
        return Ok(token.into());
    }
    if request.body_text()?.is_empty() {
        return Err(Failure::invalid(
            "session_token",
            "is to be sent in the body, or in the header X-session-token; X-signature is not understood",
        ));
    }
    request.json().map(|input: Input| input.session_token)
}
