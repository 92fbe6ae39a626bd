//! Calls from the device itself, which has no secret: the session token is the credential.

use function_kit::{Failure, Request, Response};
use function_logins::{Holder, IdentityError, Refusal, SdkHeaders, WallTime, identity_failure};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Session;
use crate::refusal::{Credential, identity_refusal, not_valid};
use crate::x_signature::{Fault, Opened, X_SIGNATURE, opened};

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
        // One moment for all: a nonce must be remembered for as long as its header is taken.
        let now = self.now();
        let presented = self.presented(request, &headers, now)?;
        let holder = Holder {
            client_id: headers.client_id,
            fingerprint: Some(headers.fingerprint),
        };
        // First the session: what an unknown client presents costs the same read and gets the same answer.
        let session = self
            .logins
            .sessions()
            .read(presented.token(), &holder, now)
            .await
            .map_err(|error| {
                let client = self.name_of(headers.client_id);
                identity_refusal(Credential::SessionToken, client, error)
            })?;
        // Then the nonce: only who has a session can have one remembered.
        if let Presented::Encrypted(opened) = &presented {
            self.use_nonce(opened, &session.client_id, now).await?;
        }
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
    /// learns here which tokens are good. (What cannot be decrypted, or is old, is refused: it ended nothing, and says nothing of a token.)
    ///
    /// No nonce is remembered: all that a header can do that is sent again is to end its session.
    pub(crate) async fn log_out(&self, request: &Request) -> Result<Response, Failure> {
        let headers = SdkHeaders::of(request)?;
        let now = self.now();
        let presented = self.presented(request, &headers, now)?;
        let ended = self
            .logins
            .sessions()
            .revoke(presented.token(), headers.client_id, now)
            .await;
        match ended {
            Ok(()) | Err(IdentityError::Refused(_)) => {
                Ok(Response::json(200, &LoggedOut { status: "SUCCESS" }))
            }
            Err(error) => Err(identity_failure(error)),
        }
    }
}

/// What a device shows.
enum Presented {
    Plain(SecretString),
    Encrypted(Opened),
}

impl Presented {
    fn token(&self) -> &SecretString {
        match self {
            Self::Plain(token) => token,
            Self::Encrypted(opened) => &opened.token,
        }
    }
}

impl Session {
    /// The session token, encrypted in a header where it can be decrypted, or else as it is in a header or in the body.
    fn presented(
        &self,
        request: &Request,
        headers: &SdkHeaders<'_>,
        now: WallTime,
    ) -> Result<Presented, Failure> {
        let encryption = self.logins.document().request_encryption();
        if let Some(encryption) = encryption
            && let Some(encrypted) = request.header(X_SIGNATURE)
        {
            return opened(encryption.decrypt(encrypted).as_ref(), now)
                .map(Presented::Encrypted)
                .map_err(|fault| {
                    let client = self.name_of(headers.client_id);
                    not_valid(Credential::SessionToken, client, fault)
                });
        }
        if let Some(token) = request.header(SESSION_TOKEN) {
            return Ok(Presented::Plain(token.into()));
        }
        if request.body_text()?.is_empty() {
            let rule = match encryption {
                Some(_) => {
                    "is to be sent in the body, or in the header X-session-token, or encrypted in X-signature"
                }
                None => {
                    "is to be sent in the body, or in the header X-session-token; X-signature is not understood"
                }
            };
            return Err(Failure::invalid("session_token", rule));
        }
        let input: Input = request.json()?;
        Ok(Presented::Plain(input.session_token))
    }

    async fn use_nonce(
        &self,
        opened: &Opened,
        client_id: &str,
        now: WallTime,
    ) -> Result<(), Failure> {
        self.logins
            .one_time()
            .use_nonce(&opened.token, &opened.nonce, opened.ends_at, now)
            .await
            .map_err(|error| match error {
                IdentityError::Refused(Refusal::Spent) => {
                    not_valid(Credential::SessionToken, client_id, Fault::Nonce)
                }
                error => identity_refusal(Credential::SessionToken, client_id, error),
            })
    }
}
