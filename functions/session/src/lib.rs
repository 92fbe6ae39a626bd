//! OneAccess' session API, and the keys that id_tokens are verified with.
//!
//! | call | with | answers |
//! |---|---|---|
//! | `POST /api/v2/tenant/token` | form: `grant_type=client_credentials`, `client_id` and `client_secret` (or both as `Basic`) | `{"access_token","token_type":"Bearer","expires_in","scope"}` |
//! | `POST /api/v2/tenant/sso/session-token/sso-ticket` | bearer; `{"session_token","operating_sys_version","device_fingerprint","device_ip","agent"?,"client_id"?}` | `{"expire","sso_ticket"}` |
//! | `POST /api/v2/tenant/sso/sso-ticket/verify` | bearer; the same with `sso_ticket` | `{"code":"200","message","data":{"user":{"id","userName","name","mobile","email"}}}` |
//! | `POST /api/v2/tenant/sso/session-token/refresh` | bearer; the same with `session_token` | `{"session_token","id_token","expire"}` |
//! | `POST /api/v2/sdk/session-token/refresh-id-token` | SDK headers; `{"session_token"}` | `{"id_token"}` |
//! | `POST` and `GET /api/v2/sdk/logout` | SDK headers; `{"session_token"}` | `{"status":"SUCCESS"}` |
//! | `GET /api/v2/sdk/public-key` | SDK headers | `{"public_key"}` in PEM, for `X-signature` |
//! | `GET /api/v2/sdk/server-date` | SDK headers | `{"timestamp"}`: milliseconds since 1970, in a text |
//! | `GET /.well-known/openid-configuration`, `/.well-known/jwks.json` | | the discovery document, the public keys |
//!
//! (OneAccess: "Obtaining an Access Credential", "Obtaining sso_ticket Using session_token", "Obtaining User Information Using
//! sso_ticket", "Refreshing session_token", "Generating id_token Using session_token", "Logging Out", "Obtaining the Public Key",
//! "Obtaining the Server Time".)
//!
//! The two calls with SDK headers and a session token take it in one of three places, the first of these that is there: encrypted in the
//! header `X-signature` (OneAccess: "Signing a Session Token"), in the header `X-session-token`, in the body. A header `X-signature` is good
//! for five minutes from its timestamp and gets one id_token. Without `requestEncryption` in the login document there is no key for it:
//! then the header is not read, and `public-key` and `server-date` are no calls (404).
//!
//! A failure is `{"error_code","error_msg"}`. Whatever is wrong with a credential (unknown, expired, spent, revoked, another client's,
//! another device's, its client disabled) is one 401 for each kind of credential; the log knows which it was.
//!
//! In three places this is not what OneAccess does. Its calls from a device take a session token in `X-signature` alone; here it may be
//! sent as it is, which TLS protects, and which is no use to anybody without the client and device it belongs to. It has a key for each
//! application, here all clients have one. And of a person it knows name, mobile and e-mail address, which Alipay tells no login: they
//! are empty texts.
//!
//! This function has no business with Alipay: it has neither its keys nor the tokens.

mod device;
mod published;
mod refusal;
mod sso;
mod tenant;
mod x_signature;

use std::fmt;
use std::sync::Arc;

use function_kit::{Failure, HttpFunction, Request, Response};
use function_logins::{
    Client, Clock, Logins, Session as StoredSession, SignedInPerson, SystemClock, WallTime,
    identity_failure,
};
use secrecy::SecretString;

use refusal::{Credential, call_error, challenge, not_valid};

/// The function.
#[derive(Clone)]
pub struct Session {
    logins: Logins,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("logins", &self.logins)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The sessions of `logins`, by the machine's clock.
    pub fn new(logins: Logins) -> Self {
        Self::with_clock(logins, SystemClock)
    }

    /// The sessions of `logins`, by `clock`.
    pub fn with_clock(logins: Logins, clock: impl Clock + 'static) -> Self {
        Self {
            logins,
            clock: Arc::new(clock),
        }
    }

    fn now(&self) -> WallTime {
        self.clock.now()
    }

    /// A client's id for the log, where anything may have been sent as one.
    fn name_of<'a>(&self, client_id: &'a str) -> &'a str {
        match self.logins.document().client(client_id) {
            Some(_) => client_id,
            None => "an unknown client",
        }
    }

    /// A fresh id_token of `session` for `client`.
    ///
    /// The account may have been merged into another since the session began; one that was deleted has no sessions.
    async fn id_token(
        &self,
        client: &Client,
        session: &StoredSession,
    ) -> Result<SecretString, Failure> {
        let account = self
            .logins
            .accounts()
            .get(&session.uid)
            .await
            .map_err(identity_failure)?
            .ok_or_else(|| {
                not_valid(Credential::SessionToken, &client.id, "its account is gone")
            })?;
        let person = SignedInPerson {
            uid: &account.uid,
            app_id: &session.app_id,
            openid: &session.openid,
            auth_app_id: None,
            nonce: None,
            logged_in_at: session.began_at.into(),
        };
        let issued = self.logins.id_token(client, &person, self.now().into())?;
        Ok(issued.token)
    }
}

impl HttpFunction for Session {
    const NAME: &'static str = "session";

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        match (request.method(), request.path()) {
            ("POST", "/api/v2/tenant/token") => self.tenant_token(request),
            ("POST", "/api/v2/tenant/sso/session-token/sso-ticket") => {
                self.sso_ticket(request).await
            }
            ("POST", "/api/v2/tenant/sso/sso-ticket/verify") => self.verify_ticket(request).await,
            ("POST", "/api/v2/tenant/sso/session-token/refresh") => self.refresh(request).await,
            ("POST", "/api/v2/sdk/session-token/refresh-id-token") => {
                self.refresh_id_token(request).await
            }
            ("POST" | "GET", "/api/v2/sdk/logout") => self.log_out(request).await,
            ("GET", "/api/v2/sdk/public-key") => self.encryption_key(request),
            ("GET", "/api/v2/sdk/server-date") => self.server_date(request),
            ("GET", "/.well-known/openid-configuration") => self.configuration(request),
            ("GET", "/.well-known/jwks.json") => self.public_keys(request),
            _ => Err(request.no_such_route()),
        }
    }

    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        let response = call_error(failure).response(request);
        match challenge(failure, request) {
            Some(challenge) => response.with_header("www-authenticate", challenge),
            None => response,
        }
    }
}
