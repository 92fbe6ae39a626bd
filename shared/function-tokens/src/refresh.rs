use std::time::{Duration, SystemTime};

use alipay_gateway::methods::{UserGrant, refresh_token, user_grant};
use alipay_gateway::{Deadline, GatewayError, Refusal};
use function_kit::{Alipay, SelectedApp};
use secrecy::{ExposeSecret, SecretString};
use token_store::{Grant, RefreshFailure, Refresher, WallTime};

/// Permanent tokens are kept as living this long (ten years): the store knows expiries only.
const PERMANENT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The gateway as the store sees it, for users' tokens.
pub(crate) struct GatewayRefresher<'a> {
    pub alipay: &'a Alipay,
    pub app: SelectedApp,
    pub deadline: Deadline,
    /// For a user of a merchant's app: the token to act for the merchant.
    pub app_auth_token: Option<&'a SecretString>,
}

impl Refresher for GatewayRefresher<'_> {
    async fn refresh(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        let asked_at = self.alipay.now();
        let failed = |error| refresh_failure(error, refuses_the_refresh_token);
        let mut call = refresh_token(token);
        if let Some(token) = self.app_auth_token {
            call = call.with_field("app_auth_token", token.expose_secret());
        }
        let reply = self
            .alipay
            .call(&self.app, &call, self.deadline)
            .await
            .map_err(failed)?;
        let granted = user_grant(&reply).map_err(failed)?;
        Ok(stored_form(&granted, asked_at))
    }
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

/// A user's grant as it is stored.
pub(crate) fn stored_form(granted: &UserGrant, asked_at: SystemTime) -> Grant {
    GrantedLives {
        access: granted.expires_in,
        refresh: granted.re_expires_in,
    }
    .stored_form(
        &granted.access_token,
        granted.refresh_token.as_ref(),
        asked_at,
    )
}

/// What a failed refresh means for the grant. `refuses` tells the refusals of the token from those of the call.
pub(crate) fn refresh_failure(
    error: GatewayError,
    refuses: fn(&Refusal) -> bool,
) -> RefreshFailure {
    match &error {
        GatewayError::Refused(refusal) if refuses(refusal) => RefreshFailure::Refused,
        GatewayError::Refused(refusal) if refusal.is_transient() => {
            RefreshFailure::Transient("the gateway is unavailable")
        }
        GatewayError::Refused(_) => RefreshFailure::Misconfigured(
            "the gateway refused the refresh for a reason other than the token",
        ),
        GatewayError::Signing(_) | GatewayError::Unencodable(_) => {
            RefreshFailure::Misconfigured("the request could not be signed")
        }
        _ => RefreshFailure::Transient("the gateway gave no verified reply"),
    }
}

fn refuses_the_refresh_token(refusal: &Refusal) -> bool {
    // The last one names a token that was refreshed before: the newer one is not here, or it would have been sent.
    matches!(
        refusal.sub_code.as_deref(),
        Some(
            "isv.refresh-token-invalid"
                | "isv.refresh-token-time-out"
                | "isv.refreshed-token-invalid"
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(error: GatewayError) -> RefreshFailure {
        refresh_failure(error, refuses_the_refresh_token)
    }

    fn refused(code: &str, sub_code: &str) -> RefreshFailure {
        failure_of(GatewayError::Refused(Refusal {
            code: code.to_owned(),
            sub_code: Some(sub_code.to_owned()),
            ..Refusal::default()
        }))
    }

    #[test]
    fn only_alipays_word_on_the_refresh_token_ends_a_grant() {
        assert_eq!(
            refused("40002", "isv.refresh-token-invalid"),
            RefreshFailure::Refused
        );
        assert_eq!(
            refused("40002", "isv.refresh-token-time-out"),
            RefreshFailure::Refused
        );
        assert!(matches!(
            refused("20000", "isp.unknow-error"),
            RefreshFailure::Transient(_)
        ));
        assert!(matches!(
            refused("40002", "isv.unmatched-app-id"),
            RefreshFailure::Misconfigured(_)
        ));
        assert!(matches!(
            failure_of(GatewayError::TimedOut),
            RefreshFailure::Transient(_)
        ));
        assert!(matches!(
            failure_of(GatewayError::Unverified { reason: "" }),
            RefreshFailure::Transient(_)
        ));
    }
}
