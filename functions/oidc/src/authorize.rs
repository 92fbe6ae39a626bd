//! `/authorize` and the way back from Alipay: from a client's request to an authorization code.

use std::time::{Duration, SystemTime};

use function_kit::{Failure, Outcome, Request, Response};
use function_logins::{
    Client, CodeChallenge, FinishedWebLogin, LoggedIn, Purpose, Uid, WallTime, forget_login,
    identity_failure,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::Oidc;
use crate::authorization_request::{AuthorizationRequest, STATE_BYTES, missing, opaque};
use crate::parameters::Parameters;
use crate::refusal::{ErrorCode, refused};
use crate::way_back::WayBack;

/// Where Alipay sends the browser.
pub(crate) const CALLBACK: &str = "/oidc/callback";

/// How long a code lives: a client exchanges it at once.
const CODE_LIFE: Duration = Duration::from_secs(60);

/// What is remembered while the user is on Alipay's page.
#[derive(Serialize, Deserialize)]
struct Pending {
    client_id: String,
    way_back: WayBack,
    profile: bool,
    nonce: Option<String>,
    code_challenge: Option<CodeChallenge>,
    expected_user: Option<Uid>,
}

/// What an authorization code stands for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Grant {
    pub client_id: String,
    pub redirect_uri: String,
    pub code_challenge: Option<CodeChallenge>,
    pub profile: bool,
    pub nonce: Option<String>,
    pub uid: Uid,
    pub app_id: String,
    pub openid: String,
    pub logged_in_at: SystemTime,
}

impl Oidc {
    /// `/authorize`: sends the browser to Alipay. Until the client and its address are certain a failure is told to nobody but the
    /// user, from then on to the client.
    pub(crate) async fn begin(&self, request: &Request) -> Result<Response, Failure> {
        let parameters = Parameters::of(request)?;
        let (client, mut way_back) = self.trusted(&parameters)?;
        let state = opaque(&parameters, "state", STATE_BYTES);
        way_back.state = state.map_err(|failure| way_back.tell(failure))?;
        self.send_to_alipay(client, &way_back, &parameters)
            .await
            .map_err(|failure| way_back.tell(failure))
    }

    /// The client, and the address of it that the request names. Unknown, disabled and unregistered are one answer.
    fn trusted(&self, parameters: &Parameters<'_>) -> Result<(&Client, WayBack), Failure> {
        let client_id = parameters
            .get("client_id")?
            .ok_or_else(|| missing("client_id"))?;
        let redirect_uri = parameters
            .get("redirect_uri")?
            .ok_or_else(|| missing("redirect_uri"))?;
        self.logins
            .document()
            .client(client_id)
            .and_then(|client| Some((client, WayBack::to(client, redirect_uri)?)))
            .ok_or_else(unregistered)
    }

    async fn send_to_alipay(
        &self,
        client: &Client,
        way_back: &WayBack,
        parameters: &Parameters<'_>,
    ) -> Result<Response, Failure> {
        let now = self.alipay.now();
        let issuer = self.logins.issuer();
        let wanted = AuthorizationRequest::read(parameters, client, issuer, WallTime::from(now))?;
        let pending = Pending {
            client_id: client.id.clone(),
            way_back: way_back.clone(),
            profile: wanted.profile,
            nonce: wanted.nonce,
            code_challenge: wanted.code_challenge,
            expected_user: wanted.expected_user,
        };
        let app = self.alipay.app(client.app_id.as_deref())?;
        self.logins
            .begin_web_login(
                Purpose::OidcState,
                &app,
                wanted.scope,
                CALLBACK,
                &pending,
                now,
            )
            .await
    }

    /// `/oidc/callback`: takes the browser back from Alipay and sends it on to the client, with a code or with what went wrong.
    pub(crate) async fn finish(&self, request: &Request) -> Result<Response, Failure> {
        let FinishedWebLogin {
            value: pending,
            login,
        } = self
            .logins
            .finish_web_login::<Pending>(Purpose::OidcState, request, &self.alipay, &self.tokens)
            .await?;
        // Between the two requests the document may have changed.
        self.logins
            .document()
            .client(&pending.client_id)
            .filter(|client| pending.way_back.is_of(client))
            .ok_or_else(unregistered)?;
        let way_back = pending.way_back.clone();
        let logged_in = login.map_err(|failure| match failure.outcome() {
            // The user did not agree, or the code is none that Alipay takes.
            Outcome::InvalidArgument { .. } => way_back.tell_as(ErrorCode::AccessDenied, failure),
            _ => way_back.tell(failure),
        })?;
        let response = self
            .send_to_client(pending, logged_in)
            .await
            .map_err(|failure| way_back.tell(failure))?;
        Ok(forget_login(request, response))
    }

    async fn send_to_client(
        &self,
        pending: Pending,
        logged_in: LoggedIn,
    ) -> Result<Response, Failure> {
        let uid = logged_in.account.uid;
        if pending
            .expected_user
            .is_some_and(|expected| expected != uid)
        {
            let rule = "is of another user than the one who is logged in at Alipay";
            return Err(refused(ErrorCode::LoginRequired, "id_token_hint", rule));
        }
        let now = self.alipay.now();
        let grant = Grant {
            client_id: pending.client_id,
            redirect_uri: pending.way_back.redirect_uri().to_owned(),
            code_challenge: pending.code_challenge,
            profile: pending.profile,
            nonce: pending.nonce,
            uid,
            app_id: logged_in.app_id,
            openid: logged_in.openid,
            logged_in_at: now,
        };
        let code = self
            .logins
            .one_time()
            .issue(
                Purpose::AuthorizationCode,
                &grant,
                CODE_LIFE,
                WallTime::from(now),
            )
            .await
            .map_err(identity_failure)?;
        pending
            .way_back
            .with_code(code.expose_secret(), self.logins.issuer().url())
    }
}

fn unregistered() -> Failure {
    let rule = "there is no such client, or redirect_uri is not, letter by letter, one of its redirectUris in the login document";
    refused(ErrorCode::InvalidRequest, "client_id", rule)
}
