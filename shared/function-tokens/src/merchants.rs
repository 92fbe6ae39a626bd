use std::time::SystemTime;

use alipay_gateway::methods::MerchantGrant;
use alipay_gateway::{Call, GatewayError, Refusal, Reply};
use function_kit::{Alipay, Caller, Failure, Outcome};
use secrecy::SecretString;
use serde::Serialize;
use token_store::{AccessToken, ClaimToken, Seen, StoreError, TokenKey, TokenKind, WallTime};

use crate::Tokens;
use crate::failure::store_failure;
use crate::refresh::{RenewalBy, merchants_stored_form};
use crate::tokens::{clock, deadline};

/// What merchants granted to an ISV's app, to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Authorization<'a> {
    /// The ISV's app.
    pub app_id: &'a str,
    /// One for each app that was authorised.
    pub granted: &'a [MerchantGrant],
    /// The moment before the exchange was sent, from which the tokens' lives are counted.
    pub asked_at: SystemTime,
}

impl Tokens {
    /// Keeps what merchants granted, and with the last of it `answer` as the first answer of `claim`. Of several some may be kept
    /// and others not, when the store fails in between; then the claim has no answer.
    ///
    /// # Errors
    /// As [`Tokens::keep_login`]. After [`StoreError::Unavailable`] the authorisation must not be answered as if it were stored.
    pub async fn keep_authorization<T: Serialize>(
        &self,
        authorization: &Authorization<'_>,
        claim: ClaimToken,
        answer: &T,
    ) -> Result<(), StoreError> {
        let Authorization {
            app_id,
            granted,
            asked_at,
        } = *authorization;
        let now = WallTime::from(asked_at);
        // Nobody looks first: nothing else is waited for, and a merchant seldom authorises twice.
        let Some((last, others)) = granted.split_last() else {
            return Err(StoreError::NotFound);
        };
        for granted in others {
            let key = merchant_key(app_id, &granted.auth_app_id);
            let grant = merchants_stored_form(granted, asked_at);
            self.store
                .put_login(&key, Seen::NOTHING, &grant, now, None)
                .await?;
        }
        let key = merchant_key(app_id, &last.auth_app_id);
        let grant = merchants_stored_form(last, asked_at);
        self.keep(&key, Seen::NOTHING, &grant, now, claim, answer)
            .await
    }

    /// The token to act for a merchant's app, refreshed first where its time is over.
    ///
    /// # Errors
    /// `reauthorize` when the merchant has to authorise (again); `temporarily_unavailable` when the store is down.
    pub async fn merchant_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        auth_app_id: &str,
    ) -> Result<AccessToken, Failure> {
        let key = merchant_key(caller.app.id(), auth_app_id);
        self.live(&key, alipay, caller)
            .await
            .map_err(merchant_failure)
    }

    /// A new pair for a merchant's app, although the stored token may look good.
    ///
    /// # Errors
    /// As [`Tokens::merchant_token`]; `temporarily_unavailable` also while another refresh runs.
    pub async fn refresh_merchant_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        auth_app_id: &str,
    ) -> Result<AccessToken, Failure> {
        let key = merchant_key(caller.app.id(), auth_app_id);
        let renewal = RenewalBy {
            tokens: self,
            alipay,
        };
        self.store
            .renew_now(&key, &clock(alipay), deadline(caller), &renewal)
            .await
            .map_err(merchant_failure)
    }

    /// Makes a call for a merchant's app, with the stored token; once more with another where Alipay did not accept that one, which
    /// it says of calls that it did not execute.
    ///
    /// # Errors
    /// As [`Tokens::merchant_token`]; what the call itself ends with.
    pub async fn answer_for_merchant(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        auth_app_id: &str,
        call_with: impl Fn(&SecretString) -> Result<Call, GatewayError> + Send + Sync,
    ) -> Result<Reply, Failure> {
        let token = self.merchant_token(alipay, caller, auth_app_id).await?;
        let call = call_with(&token.token)?;
        match alipay.call(&caller.app, &call, caller.deadline).await {
            Err(GatewayError::Refused(refusal)) if is_refused_merchant_token(&refusal) => {
                let token = self
                    .replaced_merchant_token(alipay, caller, auth_app_id, &token)
                    .await?;
                let call = call_with(&token.token)?;
                match alipay.call(&caller.app, &call, caller.deadline).await {
                    // There is no third call, but what Alipay says is told and noted.
                    Err(GatewayError::Refused(refusal)) if is_refused_merchant_token(&refusal) => {
                        self.replaced_merchant_token(alipay, caller, auth_app_id, &token)
                            .await?;
                        Err(GatewayError::Refused(refusal).into())
                    }
                    answer => answer.map_err(|error| Failure::of_call(error, &call)),
                }
            }
            answer => answer.map_err(|error| Failure::of_call(error, &call)),
        }
    }

    /// Another token in place of `refused`, which Alipay did not accept for a merchant's app ([`is_refused_merchant_token`]). The
    /// call may be made once more with it.
    ///
    /// # Errors
    /// As [`Tokens::merchant_token`]: `reauthorize` when there is no other.
    pub async fn replaced_merchant_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        auth_app_id: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, Failure> {
        let key = merchant_key(caller.app.id(), auth_app_id);
        self.replaced(&key, alipay, caller, refused)
            .await
            .map_err(merchant_failure)
    }
}

/// Whether Alipay refused the `app_auth_token` of a call, which it then did not execute.
pub fn is_refused_merchant_token(refusal: &Refusal) -> bool {
    matches!(
        refusal.sub_code.as_deref(),
        Some("aop.invalid-app-auth-token" | "aop.app-auth-token-time-out")
    )
}

/// The store's errors as callers see them, where the token is a merchant's.
fn merchant_failure(error: StoreError) -> Failure {
    match error {
        StoreError::NotFound | StoreError::Reauthorize => {
            Failure::caused_by(Outcome::MerchantReauthorize, error)
        }
        _ => store_failure(error),
    }
}

pub(crate) fn merchant_key(app_id: &str, auth_app_id: &str) -> TokenKey {
    TokenKey {
        app_id: app_id.to_owned(),
        kind: TokenKind::Isv,
        subject: auth_app_id.to_owned(),
        // An authorisation has no scopes; what it allows is asked of Alipay.
        scopes: String::new(),
    }
}
