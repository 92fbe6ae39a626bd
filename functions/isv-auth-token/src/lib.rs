//! `isv.getAuthToken`: exchanges the `app_auth_code` of a merchant's authorisation for the tokens to act for the merchant's app,
//! by `alipay.open.auth.token.app`.
//!
//! The tokens stay on the server, in the token cache, one row for each ISV's app and merchant's app. A code can be exchanged once
//! only, so the exchange is claimed before it is made, as a login is.

mod input;

use std::time::Duration;

use alipay_gateway::methods::{MerchantGrant, exchange_app_auth_code, merchant_grants};
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::{Authorization, Begun, ClaimToken, Once, Tokens, exchanged_but_not_kept};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use input::Wish;

pub use input::Input;

/// How long a repeat of a request gets the first one's answer: a merchant may reload the page that the callback led to.
const REPLAY_WINDOW: Duration = Duration::from_secs(60);

/// What to do when the tokens of an exchange could not be kept.
const NOT_KEPT: &str = "the code is spent; let the merchant authorise again (isv.getAuthLink)";

/// The function.
#[derive(Debug, Clone)]
pub struct IsvAuthToken {
    alipay: Alipay,
    tokens: Tokens,
}

/// What was authorised.
#[derive(Serialize, Deserialize)]
pub struct Fields {
    /// One for each app of the merchant.
    authorizations: Vec<Granted>,
    replayed: bool,
}

/// One app of a merchant.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    auth_app_id: String,
    /// The merchant's partner id (PID).
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    re_expires_in: Option<u64>,
    /// Only for a caller that asked with `needKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_auth_token: Option<String>,
    /// Only for a caller that asked with `needKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_refresh_token: Option<String>,
}

impl IsvAuthToken {
    /// Exchanges codes for the apps of `alipay` and keeps what is granted in `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }

    async fn exchange_once(
        &self,
        code: &SecretString,
        need_key: bool,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let once = Once {
            function: Self::NAME,
            key: code.expose_secret(),
            same: &[&caller.fingerprint(), if need_key { "needKey" } else { "" }],
            keep: REPLAY_WINDOW,
            // Alipay takes a code once, so a second exchange can do no harm.
            takeover: true,
            mismatch: "app_auth_code: was used just now by another caller or with other arguments",
        };
        match self.tokens.begin(&once, &self.alipay, caller).await? {
            Begun::First(claim) => self.exchange(code, need_key, caller, claim).await,
            Begun::Repeat(answer) => Ok(Fields {
                replayed: true,
                ..answer?
            }),
        }
    }

    /// The exchange itself, by the one who holds the claim.
    async fn exchange(
        &self,
        code: &SecretString,
        need_key: bool,
        caller: &Caller,
        claim: ClaimToken,
    ) -> Result<Fields, Failure> {
        let asked_at = self.alipay.now();
        let call = exchange_app_auth_code(code)?;
        let exchanged = self
            .alipay
            .call(&caller.app, &call, caller.deadline)
            .await
            .and_then(|reply| merchant_grants(&reply));
        let granted = match exchanged {
            Ok(granted) => granted,
            Err(error) => return Err(self.tokens.exchange_failed(claim, error).await),
        };
        let fields = Fields {
            authorizations: granted
                .iter()
                .map(|granted| Granted::new(granted, need_key))
                .collect(),
            replayed: false,
        };
        let authorization = Authorization {
            app_id: caller.app.id(),
            granted: &granted,
            asked_at,
        };
        self.tokens
            .keep_authorization(&authorization, claim, &fields)
            .await
            .map_err(|error| exchanged_but_not_kept(error, NOT_KEPT))?;
        Ok(fields)
    }

    async fn refresh(
        &self,
        auth_app_id: &str,
        need_key: bool,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let token = self
            .tokens
            .refresh_merchant_token(&self.alipay, caller, auth_app_id)
            .await?;
        Ok(Fields {
            authorizations: vec![Granted {
                auth_app_id: auth_app_id.to_owned(),
                user_id: None,
                expires_in: None,
                re_expires_in: None,
                app_auth_token: need_key.then(|| token.token.expose_secret().to_owned()),
                app_refresh_token: None,
            }],
            replayed: false,
        })
    }
}

impl Granted {
    fn new(granted: &MerchantGrant, need_key: bool) -> Self {
        let revealed = |token: &SecretString| need_key.then(|| token.expose_secret().to_owned());
        Self {
            auth_app_id: granted.auth_app_id.clone(),
            user_id: granted.user_id.clone(),
            expires_in: granted.expires_in,
            re_expires_in: granted.re_expires_in,
            app_auth_token: revealed(&granted.app_auth_token),
            app_refresh_token: granted.app_refresh_token.as_ref().and_then(revealed),
        }
    }
}

impl Function for IsvAuthToken {
    const NAME: &'static str = "isv-auth-token";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        if input
            .app_id
            .as_deref()
            .is_some_and(|app_id| app_id != caller.app.id())
        {
            return Err(Failure::invalid(
                "app_id",
                "is another app than the one that the code is exchanged for; give it as appid too",
            ));
        }
        let fields = match &input.wish {
            Wish::Exchange(code) => self.exchange_once(code, input.need_key, caller).await?,
            Wish::Refresh(auth_app_id) => self.refresh(auth_app_id, input.need_key, caller).await?,
        };
        Ok(Success::new("ok", fields))
    }
}
