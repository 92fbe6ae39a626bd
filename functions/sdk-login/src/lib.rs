//! OneAccess' SDK login over Alipay (OneAccess: "Logging In with Alipay"): an app on a device hands over the code that Alipay gave it,
//! and gets a session and an id_token.
//!
//! | | |
//! |---|---|
//! | calls | `POST /api/v3/sdk/login/alipay`, `/api/v2/sdk/login/alipay`, `/api/v2/sdk/login/alipay-miniprogram`: all the same |
//! | headers | required: `X-operating-sys-version`, `X-device-fingerprint`, `X-agent`, `X-client-id`; may be sent: `X-L` (`zh…`: errors in Chinese), `X-device-ip`, `X-tenant-id` |
//! | body | `{"code"}` |
//! | 200 | `{"status":"SUCCESS","session_token","id_token","expire"}`, `expire` in seconds |
//! | else | `{"error_code","error_msg"}`; `APP.0001` for an unknown and for a disabled client, `APP.0002` for none, `ALIPAY.*` for the rest |
//!
//! The session belongs to the client and to the device's fingerprint, of which a hash is stored. A code makes one session: a second
//! use, at the same time or later, is `ALIPAY.CODE_INVALID`. Where it is not known whether Alipay took the code, nothing is tried
//! again: `ALIPAY.LOGIN_AGAIN`. The tokens of the login stay on the server, in the token cache.

mod error;

use function_kit::checked::OneTimeCode;
use function_kit::{Alipay, Failure, HttpFunction, Outcome, Request, Response};
use function_logins::{
    Begun, Client, LoggedIn, Logins, NewSession, SdkHeaders, SignedInPerson,
    exchanged_without_account,
};
use function_tokens::Tokens;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use error::call_error;

/// The function.
#[derive(Debug, Clone)]
pub struct SdkLogin {
    alipay: Alipay,
    tokens: Tokens,
    logins: Logins,
}

/// The arguments.
#[derive(Deserialize)]
struct Input {
    code: OneTimeCode,
}

/// A login that succeeded. There are no other outcomes: whoever Alipay knows has an account here, and no second factor is asked for.
#[derive(Serialize)]
struct Success<'a> {
    status: &'static str,
    session_token: &'a str,
    id_token: &'a str,
    /// Seconds for which the session stands if it is not refreshed.
    expire: u64,
}

impl SdkLogin {
    /// Logs in users of the apps of `alipay`, keeps what is granted in `tokens`, and has accounts and sessions in `logins`.
    pub fn new(alipay: Alipay, tokens: Tokens, logins: Logins) -> Self {
        Self {
            alipay,
            tokens,
            logins,
        }
    }

    async fn log_in(&self, request: &Request) -> Result<Response, Failure> {
        let headers = SdkHeaders::of(request)?;
        let client = self
            .logins
            .document()
            .client(headers.client_id)
            .ok_or_else(|| Failure::new(Outcome::UnknownApp))?;
        let app = self.alipay.app(client.app_id.as_deref())?;
        let Input { code } = request.json()?;
        let caller = request.caller(app);
        let logged_in = self
            .logins
            .log_in(&self.alipay, &self.tokens, &caller, &code.into_secret())
            .await?;
        let Begun { token, session } = self
            .begin_session(client, &logged_in, headers.fingerprint)
            .await?;
        let person = SignedInPerson {
            uid: &session.uid,
            app_id: &session.app_id,
            openid: &session.openid,
            auth_app_id: None,
            nonce: None,
            logged_in_at: session.began_at.into(),
        };
        let id_token = self
            .logins
            .id_token(client, &person, self.alipay.now())?
            .token;
        let success = Success {
            status: "SUCCESS",
            session_token: token.expose_secret(),
            id_token: id_token.expose_secret(),
            expire: session.expires_at.since(session.began_at).as_secs(),
        };
        Ok(Response::json(200, &success))
    }

    async fn begin_session(
        &self,
        client: &Client,
        logged_in: &LoggedIn,
        fingerprint: &str,
    ) -> Result<Begun, Failure> {
        let new = NewSession {
            uid: &logged_in.account.uid,
            client_id: &client.id,
            app_id: &logged_in.app_id,
            openid: &logged_in.openid,
            fingerprint,
            life: client.session_life,
            longest_life: client.session_longest_life,
        };
        self.logins
            .sessions()
            .begin(&new, self.alipay.now().into())
            .await
            .map_err(|error| exchanged_without_account(error, "the code is spent"))
    }
}

impl HttpFunction for SdkLogin {
    const NAME: &'static str = "sdk-login";

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        match (request.method(), request.path()) {
            (
                "POST",
                "/api/v3/sdk/login/alipay"
                | "/api/v2/sdk/login/alipay"
                | "/api/v2/sdk/login/alipay-miniprogram",
            ) => self.log_in(request).await,
            _ => Err(request.no_such_route()),
        }
    }

    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        call_error(failure).response(request)
    }
}
