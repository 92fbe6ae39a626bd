use std::pin::Pin;
use std::time::{Duration, SystemTime};

use alipay_gateway::methods::{
    MerchantGrant, UserGrant, merchant_grants, refresh_app_auth_token, refresh_token,
    refreshed_user_grant,
};
use alipay_gateway::{Deadline, GatewayError, Refusal};
use function_kit::checked::{OpenId, UserIdKind};
use function_kit::{Alipay, SelectedApp};
use secrecy::{ExposeSecret, SecretString};
use token_store::{
    AccessToken, Because, Grant, InProcess, NoRescueQueue, RefreshFailure, RefreshOutcome,
    RefreshWith, Refresher, Renewal, RescueQueue, StoreError, TokenKey, TokenKind, WallTime,
};

use crate::merchants::{is_refused_merchant_token, merchant_key};
use crate::tokens::clock;
use crate::{RefreshMessage, RefreshRequest, Tokens};

/// Permanent tokens are kept as living this long (ten years): the store knows expiries only.
const PERMANENT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Seconds that a user's token is taken to live at least; 300 are the shortest that Alipay is known to give.
const SHORTEST_LIFE: u64 = 60;

/// What a user's refresh needs after that of the merchant's token: 5 s for the call, 3 s for storing the pair, 1 s for the answer.
const KEPT_FOR_THE_USERS: Duration = Duration::from_secs(9);
/// From the beginning of a user's refresh, which is before its lease begins, until its call has to begin: that ends then 3 s before
/// the lease of 20 s.
const BEFORE_THE_USERS_CALL: Duration = Duration::from_secs(12);

impl Tokens {
    /// Refreshes the row that `request` names, if that is to be done, with the signing keys and refresh-token keys of this process.
    ///
    /// # Errors
    /// As [`TokenStore::refresh`](token_store::TokenStore::refresh).
    pub fn refresh<'a, Q: RescueQueue>(
        &'a self,
        alipay: &'a Alipay,
        request: &'a RefreshRequest,
        deadline: Deadline,
        rescue: &'a Q,
    ) -> Refreshing<'a> {
        // Behind a pointer, because the ways from a caller to the gateway are many futures deep.
        Box::pin(async move {
            let key = request.key();
            let clock = clock(alipay);
            let with = RefreshWith {
                clock: &clock,
                deadline: WallTime::from_millis(deadline.unix_millis()),
                gateway: &GatewayRefresher {
                    tokens: self,
                    alipay,
                    key: &key,
                    begun_at: clock(),
                    deadline,
                    rescue,
                },
                rescue,
            };
            self.store.refresh(&key, request.because, &with).await
        })
    }
}

/// A refresh on its way.
pub type Refreshing<'a> =
    Pin<Box<dyn Future<Output = Result<RefreshOutcome, StoreError>> + Send + 'a>>;

/// Has rows refreshed: in this process where it has the keys for it, else by the function that has them.
pub(crate) struct RenewalBy<'a> {
    pub tokens: &'a Tokens,
    pub alipay: &'a Alipay,
}

impl Renewal for RenewalBy<'_> {
    async fn renew(
        &self,
        key: &TokenKey,
        because: Because,
        deadline: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        let request = RefreshRequest::new(key.clone(), because);
        let now = self.alipay.now();
        match &self.tokens.refresh_function {
            // A user's token that is ageing lives: nobody has to wait. A merchant's may have ended by then.
            Some(function)
                if matches!(because, Because::Ageing(_)) && key.kind == TokenKind::User =>
            {
                let message = RefreshMessage::Refresh(request);
                function.hint(&message, deadline, now).await?;
                Ok(RefreshOutcome::Busy)
            }
            Some(function) => {
                let message = RefreshMessage::Refresh(request);
                let asked: Refreshing<'_> = Box::pin(function.refresh(&message, deadline, now));
                asked.await
            }
            None => {
                let deadline = Deadline::from_unix_millis(deadline.as_millis());
                self.tokens
                    .refresh(self.alipay, &request, deadline, &NoRescueQueue)
                    .await
            }
        }
    }
}

/// The gateway as the store sees it, for the token of one row.
struct GatewayRefresher<'a, Q> {
    tokens: &'a Tokens,
    alipay: &'a Alipay,
    key: &'a TokenKey,
    begun_at: WallTime,
    deadline: Deadline,
    rescue: &'a Q,
}

impl<Q: RescueQueue> GatewayRefresher<'_, Q> {
    fn app(&self, app_id: &str) -> Result<SelectedApp, RefreshFailure> {
        self.alipay
            .app_for_upkeep(app_id)
            .ok_or(RefreshFailure::Misconfigured(
                "the app is not in the document of apps",
            ))
    }

    async fn refresh_users(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        let (app_id, merchant) = match self.key.app_id.split_once('@') {
            Some((app_id, merchant)) => (app_id, Some(merchant)),
            None => (self.key.app_id.as_str(), None),
        };
        let app = self.app(app_id)?;
        let mut call = refresh_token(token);
        if let Some(auth_app_id) = merchant {
            let token = self.merchants_token(app_id, auth_app_id).await?;
            call = call.with_field("app_auth_token", token.token.expose_secret());
        }
        let asked_at = self.alipay.now();
        let failed = |error| refresh_failure(error, users_refusal);
        let reply = self
            .alipay
            .call(&app, &call, self.deadline)
            .await
            .map_err(failed)?;
        let granted = refreshed_user_grant(&reply).map_err(failed)?;
        if is_another_user(&granted, &self.key.subject) {
            // Never another user's token in this one's row.
            return Err(RefreshFailure::Misconfigured(
                "the gateway answered the refresh with another user's tokens",
            ));
        }
        Ok(stored_form(&granted, asked_at))
    }

    /// Tokens of a merchant's users are refreshed with the merchant's own token, which is refreshed first where it has to be.
    async fn merchants_token(
        &self,
        app_id: &str,
        auth_app_id: &str,
    ) -> Result<AccessToken, RefreshFailure> {
        let key = merchant_key(app_id, auth_app_id);
        let clock = clock(self.alipay);
        let renewal = InProcess {
            store: &self.tokens.store,
            clock: &clock,
            gateway: &MerchantRefresher(GatewayRefresher { key: &key, ..*self }),
            rescue: self.rescue,
        };
        // The user's refresh is cut off near its own deadline and near the end of its lease. A merchant's that ran inside it until
        // then could lose its pair.
        let deadline = WallTime::from_millis(self.deadline.unix_millis())
            .minus(KEPT_FOR_THE_USERS)
            .min(self.begun_at.plus(BEFORE_THE_USERS_CALL));
        let token = self
            .tokens
            .store
            .access_token(&key, &clock, deadline, &renewal);
        let token = Box::pin(token)
            .await
            .map_err(|error| {
                tracing::warn!(%error, "the merchant's token that a user's refresh needs is not to be had");
                RefreshFailure::Transient("the merchant's token is not to be had")
            })?;
        if clock() > deadline {
            // Cut off, the user's call would spend the refresh token and its pair be lost.
            let reason = "too little time is left after the merchant's refresh";
            return Err(RefreshFailure::Transient(reason));
        }
        Ok(token)
    }

    async fn refresh_merchants(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        let app = self.app(&self.key.app_id)?;
        let asked_at = self.alipay.now();
        let failed = |error| refresh_failure(error, merchants_refusal);
        let call = refresh_app_auth_token(token).map_err(failed)?;
        let reply = self
            .alipay
            .call(&app, &call, self.deadline)
            .await
            .map_err(failed)?;
        merchant_grants(&reply)
            .map_err(failed)?
            .iter()
            .find(|granted| granted.auth_app_id == self.key.subject)
            .map(|granted| merchants_stored_form(granted, asked_at))
            // Never another merchant's token in this one's row.
            .ok_or(RefreshFailure::Misconfigured(
                "the gateway answered the refresh with another merchant's tokens",
            ))
    }
}

impl<Q: RescueQueue> Refresher for GatewayRefresher<'_, Q> {
    async fn refresh(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        match self.key.kind {
            TokenKind::User => self.refresh_users(token).await,
            TokenKind::Isv => self.refresh_merchants(token).await,
        }
    }
}

/// For merchants' tokens alone, so that a user's refresh, which may need one, has an end.
struct MerchantRefresher<'a, Q>(GatewayRefresher<'a, Q>);

impl<Q: RescueQueue> Refresher for MerchantRefresher<'_, Q> {
    async fn refresh(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        self.0.refresh_merchants(token).await
    }
}

/// Whether what was granted is somebody else's than `subject`'s. Only an id of the same kind tells: an app that Alipay moved to
/// open ids is answered with one although the row is still under the user id.
fn is_another_user(granted: &UserGrant, subject: &str) -> bool {
    let Ok(known) = OpenId::try_from(subject.to_owned()) else {
        return false;
    };
    let named = match known.kind() {
        UserIdKind::UserId => &granted.user_id,
        UserIdKind::OpenId => &granted.open_id,
    };
    named.as_deref().is_some_and(|named| named != subject)
}

/// The lives of a pair in seconds from the request; `None` where there is no end.
pub(crate) struct GrantedLives {
    pub access: Option<u64>,
    pub refresh: Option<u64>,
}

impl GrantedLives {
    /// A pair with its lives turned into moments, counted from before the request was sent: the tokens can only live longer than
    /// is assumed, whatever the gateway's clock says.
    pub fn stored_form(
        &self,
        access_token: &SecretString,
        refresh_token: Option<&SecretString>,
        asked_at: SystemTime,
    ) -> Grant {
        let asked_at = WallTime::from(asked_at);
        let until = |seconds: u64| asked_at.plus(Duration::from_secs(seconds));
        Grant {
            access_token: access_token.clone(),
            refresh_token: refresh_token.cloned(),
            expires_at: self.access.map_or_else(|| asked_at.plus(PERMANENT), until),
            refresh_expires_at: self.refresh.map(until),
        }
    }
}

/// A user's grant as it is stored. Tokens that were given just now live, even where Alipay names no life for them or one of zero.
pub(crate) fn stored_form(granted: &UserGrant, asked_at: SystemTime) -> Grant {
    GrantedLives {
        access: granted.expires_in.map(|seconds| seconds.max(SHORTEST_LIFE)),
        refresh: granted.re_expires_in.filter(|seconds| *seconds > 0),
    }
    .stored_form(
        &granted.access_token,
        granted.refresh_token.as_ref(),
        asked_at,
    )
}

/// A merchant's grant as it is stored. Alipay names no life, or one of zero seconds, for what has no end.
pub(crate) fn merchants_stored_form(granted: &MerchantGrant, asked_at: SystemTime) -> Grant {
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

/// What a refusal says about the refresh token itself; `None` when it is about something else.
type ReadRefusal = fn(&Refusal) -> Option<RefreshFailure>;

/// What a failed refresh means for the grant.
fn refresh_failure(error: GatewayError, about_the_token: ReadRefusal) -> RefreshFailure {
    match &error {
        GatewayError::Refused(refusal) => about_the_token(refusal).unwrap_or_else(|| {
            if refusal.is_transient() {
                RefreshFailure::Transient("the gateway is unavailable")
            } else {
                RefreshFailure::Misconfigured(
                    "the gateway refused the refresh for a reason other than the token",
                )
            }
        }),
        GatewayError::Signing(_) | GatewayError::Unencodable(_) => {
            RefreshFailure::Misconfigured("the request could not be signed")
        }
        _ => RefreshFailure::Transient("the gateway gave no verified reply"),
    }
}

/// The sub_codes of Alipay's document of `alipay.system.oauth.token`.
fn users_refusal(refusal: &Refusal) -> Option<RefreshFailure> {
    match refusal.sub_code.as_deref()? {
        "isv.refresh-token-invalid" => Some(RefreshFailure::Refused),
        "isv.refresh-token-time-out" => Some(RefreshFailure::Ended),
        "isv.refreshed-token-invalid" => Some(superseded(refusal)),
        // It is about the merchant's token that went with it, and may be another by the next try.
        _ if is_refused_merchant_token(refusal) => Some(RefreshFailure::Transient(
            "Alipay did not accept the merchant's token",
        )),
        _ => None,
    }
}

/// Spellings of Alipay's list of errors of `alipay.open.auth.token.app`.
fn merchants_refusal(refusal: &Refusal) -> Option<RefreshFailure> {
    let sub_code = refusal.sub_code.as_deref()?;
    match sub_code.strip_prefix("isv.").unwrap_or(sub_code) {
        "REFRESH_TOKEN_NOT_VALID"
        | "REFRESH_TOKEN_NOT_EXIST"
        | "AUTH_TOKEN_NOT_FOUND"
        | "refresh-token-invalid" => Some(RefreshFailure::Refused),
        "REFRESH_TOKEN_TIME_OUT" | "refresh-token-time-out" => Some(RefreshFailure::Ended),
        "refreshed-token-invalid" => Some(superseded(refusal)),
        _ => None,
    }
}

/// Alipay refreshed the token before. Where it does not name the newer one, there is nothing else to try.
fn superseded(refusal: &Refusal) -> RefreshFailure {
    refusal
        .refresh_token
        .as_ref()
        .map_or(RefreshFailure::Refused, |token| {
            RefreshFailure::Superseded((**token).clone())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(sub_code: &str, code: &str, about: ReadRefusal) -> RefreshFailure {
        let refusal = Refusal {
            code: code.to_owned(),
            sub_code: Some(sub_code.to_owned()),
            ..Refusal::default()
        };
        refresh_failure(GatewayError::Refused(refusal), about)
    }

    #[test]
    fn only_alipays_word_on_the_refresh_token_is_about_the_grant() {
        use RefreshFailure::{Ended, Misconfigured, Refused, Transient};
        let user = |sub_code| failure(sub_code, "40002", users_refusal);
        assert!(matches!(user("isv.refresh-token-invalid"), Refused));
        assert!(matches!(user("isv.refreshed-token-invalid"), Refused));
        assert!(matches!(user("isv.refresh-token-time-out"), Ended));
        assert!(matches!(user("isv.unmatched-app-id"), Misconfigured(_)));
        let busy = failure("isp.unknow-error", "20000", users_refusal);
        assert!(matches!(busy, Transient(_)));
        let cancelled = failure("aop.invalid-app-auth-token", "20001", users_refusal);
        assert!(matches!(cancelled, Transient(_)));
        let unread = |error| refresh_failure(error, users_refusal);
        assert!(matches!(unread(GatewayError::TimedOut), Transient(_)));
        let unverified = GatewayError::Unverified { reason: "" };
        assert!(matches!(unread(unverified), Transient(_)));
    }

    #[test]
    fn only_alipays_word_on_the_refresh_token_is_about_an_authorisation() {
        use RefreshFailure::{Ended, Misconfigured, Refused, Transient};
        let merchant = |sub_code| failure(sub_code, "40004", merchants_refusal);
        for sub_code in [
            "REFRESH_TOKEN_NOT_VALID",
            "REFRESH_TOKEN_NOT_EXIST",
            "AUTH_TOKEN_NOT_FOUND",
        ] {
            assert!(matches!(merchant(sub_code), Refused), "{sub_code}");
        }
        assert!(matches!(merchant("REFRESH_TOKEN_TIME_OUT"), Ended));
        for sub_code in ["APP_NOT_ISV", "APP_ID_NOT_CONSISTENT"] {
            assert!(matches!(merchant(sub_code), Misconfigured(_)), "{sub_code}");
        }
        let busy = failure("isp.unknow-error", "20000", merchants_refusal);
        assert!(matches!(busy, Transient(_)));
    }

    #[test]
    fn a_refusal_that_names_a_newer_refresh_token_passes_it_on() {
        let refusal = Refusal {
            code: "40002".to_owned(),
            sub_code: Some("isv.refreshed-token-invalid".to_owned()),
            refresh_token: Some(Box::new("newer".to_owned().into())),
            ..Refusal::default()
        };
        match refresh_failure(GatewayError::Refused(refusal), users_refusal) {
            RefreshFailure::Superseded(token) => assert_eq!(token.expose_secret(), "newer"),
            other => panic!("{other:?}"),
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
        let stored_form = |expires_in| merchants_stored_form(&granted(expires_in), now);
        let long = stored_form(None);
        assert_eq!(long.expires_at, stored_form(Some(0)).expires_at);
        assert!(long.expires_at > stored_form(Some(31_536_000)).expires_at);
        assert_eq!(long.refresh_expires_at, None);
    }
}
