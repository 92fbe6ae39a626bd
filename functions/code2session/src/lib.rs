//! `auth.code2Session`: exchanges the code of `my.getAuthCode` for the identity of the user, by `alipay.system.oauth.token`.
//!
//! The tokens that come with it stay on the server, in the token cache. A code can be exchanged once only, so the exchange is
//! claimed before it is made: of two equal requests one is sent, and the other gets its answer.
//!
//! The answer carries an id_token too, so that the mini-program can call the routes for signed-in users.

mod input;

use std::time::{Duration, SystemTime};

use alipay_gateway::Call;
use alipay_gateway::methods::{UserGrant, exchange_code, user_grant};
use function_kit::checked::UserIdKind;
use function_kit::{Access, Alipay, Caller, Failure, Function, Success};
use function_logins::{Logins, SignedInPerson};
use function_tokens::{Begun, ClaimToken, Login, Once, Tokens, exchanged_but_not_kept};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub use input::Input;

/// How long a repeat of a request gets the first one's answer.
const REPLAY_WINDOW: Duration = Duration::from_secs(60);

/// What to do when the tokens of an exchange could not be kept.
const NOT_KEPT: &str = "the code is spent; call my.getAuthCode again and repeat with the new code";

/// The function.
#[derive(Debug, Clone)]
pub struct Code2Session {
    alipay: Alipay,
    tokens: Tokens,
    logins: Logins,
}

/// The identity, in vk's names. Alipay has no session key, so there is none here.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    /// The app that the ids below belong to: a merchant's, where the user logged in to one.
    appid: String,
    platform: String,
    /// The account: the same in all apps that Alipay says are the same person's.
    uid: String,
    /// An id_token, as `Authorization: Bearer …` for the routes of signed-in users.
    token: String,
    /// When it ends, in milliseconds since 1970, as vk counts.
    token_expired: u64,
    openid: String,
    openid_type: UserIdKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    union_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    re_expires_in: Option<u64>,
    /// Only for a caller that asked with `needKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Only for a caller that asked with `needKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    replayed: bool,
}

impl Code2Session {
    /// Exchanges codes of the apps of `alipay`, keeps what is granted in `tokens`, and finds the account in `logins`.
    pub fn new(alipay: Alipay, tokens: Tokens, logins: Logins) -> Self {
        Self {
            alipay,
            tokens,
            logins,
        }
    }

    /// The call; for a user of a merchant's app with the merchant's stored token.
    async fn prepare(&self, input: &Input, caller: &Caller) -> Result<Call, Failure> {
        let call = exchange_code(input.code());
        let Some(auth_app_id) = input.auth_app_id.as_deref() else {
            return Ok(call);
        };
        let token = self
            .tokens
            .merchant_token(&self.alipay, caller, auth_app_id)
            .await?;
        Ok(call.with_field("app_auth_token", token.token.expose_secret()))
    }

    /// The exchange itself, by the one who holds the claim.
    async fn exchange(
        &self,
        input: &Input,
        caller: &Caller,
        claim: ClaimToken,
    ) -> Result<Fields, Failure> {
        let call = match self.prepare(input, caller).await {
            Ok(call) => call,
            Err(failure) => {
                self.tokens.release(claim).await;
                return Err(failure);
            }
        };
        let asked_at = self.alipay.now();
        let exchanged = self
            .alipay
            .call(&caller.app, &call, caller.deadline)
            .await
            .and_then(|reply| user_grant(&reply));
        let granted = match exchanged {
            Ok(granted) => granted,
            Err(error) => return Err(self.tokens.exchange_failed(claim, error).await),
        };
        let login = Login {
            app_id: caller.app.id(),
            auth_app_id: input.auth_app_id.as_deref(),
            scope: input.scope.as_deref(),
            granted: &granted,
            asked_at,
        };
        let (fields, seen) = tokio::join!(
            self.fields(input, caller, &granted, asked_at),
            self.tokens.look(&login)
        );
        let fields = match fields {
            Ok(fields) => fields,
            // The code is spent all the same.
            Err(failure) => return Err(self.tokens.failed(claim, failure).await),
        };
        self.tokens
            .keep_login(&login, seen, claim, &fields)
            .await
            .map_err(|error| exchanged_but_not_kept(error, NOT_KEPT))?;
        Ok(fields)
    }

    /// The answer: who it is, by Alipay's ids and by ours.
    async fn fields(
        &self,
        input: &Input,
        caller: &Caller,
        granted: &UserGrant,
        asked_at: SystemTime,
    ) -> Result<Fields, Failure> {
        let auth_app_id = input.auth_app_id.as_deref();
        let (openid, openid_type) = openid(granted)?;
        let account = self
            .logins
            .account_of(&caller.app, auth_app_id, granted, asked_at)
            .await?;
        let person = SignedInPerson {
            uid: &account.uid,
            app_id: caller.app.id(),
            openid,
            auth_app_id,
            nonce: None,
            logged_in_at: asked_at,
        };
        let client = self.logins.document().client_of_app(caller.app.id());
        let issued = self.logins.id_token(&client, &person, self.alipay.now())?;
        let revealed =
            |token: &SecretString| input.need_key.then(|| token.expose_secret().to_owned());
        Ok(Fields {
            appid: auth_app_id.unwrap_or(caller.app.id()).to_owned(),
            platform: "mp-alipay".to_owned(),
            uid: account.uid.to_string(),
            token: issued.token.expose_secret().to_owned(),
            token_expired: issued.expires_at.as_millis(),
            openid: openid.to_owned(),
            openid_type,
            user_id: granted.user_id.clone(),
            open_id: granted.open_id.clone(),
            union_id: granted.union_id.clone(),
            auth_start: granted.auth_start.clone(),
            expires_in: granted.expires_in,
            re_expires_in: granted.re_expires_in,
            access_token: revealed(&granted.access_token),
            refresh_token: granted.refresh_token.as_ref().and_then(revealed),
            replayed: false,
        })
    }
}

/// The user's id for the app: vk's `openid`.
fn openid(granted: &UserGrant) -> Result<(&str, UserIdKind), Failure> {
    match (&granted.user_id, &granted.open_id) {
        (Some(user_id), _) => Ok((user_id, UserIdKind::UserId)),
        (None, Some(open_id)) => Ok((open_id, UserIdKind::OpenId)),
        (None, None) => Err(Failure::internal("a grant without an owner")),
    }
}

impl Function for Code2Session {
    const NAME: &'static str = "code2session";
    const ACCESS: Access = Access::Public;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let once = Once {
            function: Self::NAME,
            key: input.code().expose_secret(),
            same: &[
                &caller.fingerprint(),
                if input.need_key { "needKey" } else { "" },
                input.scope.as_deref().unwrap_or(""),
                input.auth_app_id.as_deref().unwrap_or(""),
            ],
            keep: REPLAY_WINDOW,
            // Alipay takes a code once, so a second exchange can do no harm.
            takeover: true,
            mismatch: "code: was used just now by another caller or with other arguments; call my.getAuthCode again",
        };
        let fields = match self.tokens.begin(&once, &self.alipay, caller).await? {
            Begun::First(claim) => self.exchange(&input, caller, claim).await?,
            Begun::Repeat(answer) => Fields {
                replayed: true,
                ..answer?
            },
        };
        Ok(Success::new("ok", fields))
    }
}
