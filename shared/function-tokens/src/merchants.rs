use std::time::SystemTime;

use alipay_gateway::methods::{MerchantGrant, merchant_grants, refresh_app_auth_token};
use alipay_gateway::{Deadline, Refusal};
use function_kit::{Alipay, Caller, Failure, Outcome, SelectedApp};
use secrecy::SecretString;
use serde::Serialize;
use token_store::{
    ClaimToken, Grant, RefreshFailure, Refresher, StoreError, TokenKey, TokenKind, WallTime,
};

use crate::Tokens;
use crate::failure::store_failure;
use crate::refresh::{GrantedLives, refresh_failure};

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
        let Some((last, others)) = granted.split_last() else {
            return Err(StoreError::NotFound);
        };
        for granted in others {
            let key = merchant_key(app_id, &granted.auth_app_id);
            let grant = stored_form(granted, asked_at);
            self.store.put_login(&key, &grant, now, None).await?;
        }
        let key = merchant_key(app_id, &last.auth_app_id);
        let grant = stored_form(last, asked_at);
        self.keep(&key, &grant, now, claim, answer).await
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
    ) -> Result<SecretString, Failure> {
        let key = merchant_key(caller.app.id(), auth_app_id);
        let access = self
            .store
            .access_token(
                &key,
                &|| WallTime::from(alipay.now()),
                WallTime::from_millis(caller.deadline.unix_millis()),
                &MerchantRefresher::new(alipay, caller, auth_app_id),
            )
            .await
            .map_err(merchant_failure)?;
        Ok(access.token)
    }

    /// A new pair for a merchant's app, although the stored token may look good. With `refused`, the token that Alipay did not
    /// accept, only that one is replaced; another that is stored by now is given as it is.
    ///
    /// # Errors
    /// As [`Tokens::merchant_token`]; `temporarily_unavailable` also while another refresh runs.
    pub async fn refresh_merchant_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        auth_app_id: &str,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, Failure> {
        let key = merchant_key(caller.app.id(), auth_app_id);
        let access = self
            .store
            .refresh_now(
                &key,
                refused,
                &|| WallTime::from(alipay.now()),
                WallTime::from_millis(caller.deadline.unix_millis()),
                &MerchantRefresher::new(alipay, caller, auth_app_id),
            )
            .await
            .map_err(merchant_failure)?;
        Ok(access.token)
    }
}

/// The gateway as the store sees it, for one merchant's app.
struct MerchantRefresher<'a> {
    alipay: &'a Alipay,
    app: SelectedApp,
    auth_app_id: &'a str,
    deadline: Deadline,
}

impl<'a> MerchantRefresher<'a> {
    fn new(alipay: &'a Alipay, caller: &Caller, auth_app_id: &'a str) -> Self {
        Self {
            alipay,
            app: caller.app.for_upkeep(),
            auth_app_id,
            deadline: caller.deadline,
        }
    }
}

impl Refresher for MerchantRefresher<'_> {
    async fn refresh(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        let asked_at = self.alipay.now();
        let failed = |error| refresh_failure(error, refuses_the_refresh_token);
        let call = refresh_app_auth_token(token).map_err(failed)?;
        let reply = self
            .alipay
            .call(&self.app, &call, self.deadline)
            .await
            .map_err(failed)?;
        merchant_grants(&reply)
            .map_err(failed)?
            .iter()
            .find(|granted| granted.auth_app_id == self.auth_app_id)
            .map(|granted| stored_form(granted, asked_at))
            // Never another merchant's token in this one's row.
            .ok_or(RefreshFailure::Misconfigured(
                "the gateway answered the refresh with another merchant's tokens",
            ))
    }
}

/// Alipay names no life, or one of zero seconds, for what has no end.
fn stored_form(granted: &MerchantGrant, asked_at: SystemTime) -> Grant {
    let named = |seconds: Option<u64>| seconds.filter(|seconds| *seconds > 0);
    GrantedLives {
        access: named(granted.expires_in),
        refresh: named(granted.re_expires_in),
    }
    .stored_form(
        &granted.app_auth_token,
        granted.app_refresh_token.as_ref(),
        asked_at,
    )
}

/// Spellings of Alipay's list of errors of `alipay.open.auth.token.app`.
fn refuses_the_refresh_token(refusal: &Refusal) -> bool {
    let Some(sub_code) = refusal.sub_code.as_deref() else {
        return false;
    };
    matches!(
        sub_code.strip_prefix("isv.").unwrap_or(sub_code),
        "REFRESH_TOKEN_NOT_VALID"
            | "REFRESH_TOKEN_NOT_EXIST"
            | "REFRESH_TOKEN_TIME_OUT"
            | "AUTH_TOKEN_NOT_FOUND"
            | "refresh-token-invalid"
            | "refresh-token-time-out"
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

fn merchant_key(app_id: &str, auth_app_id: &str) -> TokenKey {
    TokenKey {
        app_id: app_id.to_owned(),
        kind: TokenKind::Isv,
        subject: auth_app_id.to_owned(),
        // An authorisation has no scopes; what it allows is asked of Alipay.
        scopes: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use alipay_gateway::GatewayError;

    use super::*;

    #[test]
    fn only_alipays_word_on_the_refresh_token_ends_an_authorisation() {
        let failure = |code: &str, sub_code: &str| {
            let refusal = Refusal {
                code: code.to_owned(),
                sub_code: Some(sub_code.to_owned()),
                ..Refusal::default()
            };
            refresh_failure(GatewayError::Refused(refusal), refuses_the_refresh_token)
        };
        for sub_code in [
            "REFRESH_TOKEN_NOT_VALID",
            "REFRESH_TOKEN_NOT_EXIST",
            "REFRESH_TOKEN_TIME_OUT",
            "AUTH_TOKEN_NOT_FOUND",
        ] {
            assert_eq!(failure("40004", sub_code), RefreshFailure::Refused);
        }
        assert!(matches!(
            failure("20000", "isp.unknow-error"),
            RefreshFailure::Transient(_)
        ));
        for sub_code in ["APP_NOT_ISV", "APP_ID_NOT_CONSISTENT"] {
            assert!(matches!(
                failure("40004", sub_code),
                RefreshFailure::Misconfigured(_)
            ));
        }
    }

    #[test]
    fn a_life_that_alipay_does_not_name_has_no_end() {
        let granted = |expires_in| MerchantGrant {
            auth_app_id: "2021".to_owned(),
            user_id: None,
            app_auth_token: "a".to_owned().into(),
            app_refresh_token: None,
            expires_in,
            re_expires_in: expires_in,
        };
        let now = SystemTime::now();
        let long = stored_form(&granted(None), now);
        assert_eq!(
            long.expires_at,
            stored_form(&granted(Some(0)), now).expires_at
        );
        assert!(long.expires_at > stored_form(&granted(Some(31_536_000)), now).expires_at);
        assert_eq!(long.refresh_expires_at, None);
    }
}
