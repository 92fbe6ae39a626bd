use std::time::{Duration, SystemTime};

use alipay_gateway::methods::{UserGrant, refresh_token, user_grant};
use alipay_gateway::{Deadline, GatewayError};
use function_kit::{Alipay, SelectedApp};
use secrecy::SecretString;
use token_store::{Grant, RefreshFailure, Refresher, WallTime};

/// Permanent tokens are kept as living this long (ten years): the store knows expiries only.
const PERMANENT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The gateway as the store sees it.
pub(crate) struct GatewayRefresher<'a> {
    pub alipay: &'a Alipay,
    pub app: &'a SelectedApp,
    pub deadline: Deadline,
}

impl Refresher for GatewayRefresher<'_> {
    async fn refresh(&self, token: &SecretString) -> Result<Grant, RefreshFailure> {
        let asked_at = self.alipay.now();
        let reply = self
            .alipay
            .call(self.app, &refresh_token(token), self.deadline)
            .await
            .map_err(refresh_failure)?;
        let granted = user_grant(&reply).map_err(refresh_failure)?;
        Ok(stored_form(&granted, asked_at))
    }
}

/// A grant with its lives turned into moments, counted from before the request was sent: the tokens can only live longer than
/// is assumed, whatever the gateway's clock says.
pub(crate) fn stored_form(granted: &UserGrant, asked_at: SystemTime) -> Grant {
    let asked_at = WallTime::from(asked_at);
    let until = |seconds: u64| asked_at.plus(Duration::from_secs(seconds));
    Grant {
        access_token: granted.access_token.clone(),
        refresh_token: granted.refresh_token.clone(),
        expires_at: granted
            .expires_in
            .map_or_else(|| asked_at.plus(PERMANENT), until),
        refresh_expires_at: granted.re_expires_in.map(until),
    }
}

fn refresh_failure(error: GatewayError) -> RefreshFailure {
    match &error {
        GatewayError::Refused(refusal) => match refusal.sub_code.as_deref() {
            // The last one names a token that was refreshed before: the newer one is not here, or it would have been sent.
            Some(
                "isv.refresh-token-invalid"
                | "isv.refresh-token-time-out"
                | "isv.refreshed-token-invalid",
            ) => RefreshFailure::Refused,
            _ if refusal.is_transient() => RefreshFailure::Transient("the gateway is unavailable"),
            _ => RefreshFailure::Misconfigured(
                "the gateway refused the refresh for a reason other than the token",
            ),
        },
        GatewayError::Signing(_) | GatewayError::Unencodable(_) => {
            RefreshFailure::Misconfigured("the request could not be signed")
        }
        _ => RefreshFailure::Transient("the gateway gave no verified reply"),
    }
}

#[cfg(test)]
mod tests {
    use alipay_gateway::Refusal;

    use super::*;

    fn refused(code: &str, sub_code: &str) -> RefreshFailure {
        refresh_failure(GatewayError::Refused(Refusal {
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
            refresh_failure(GatewayError::TimedOut),
            RefreshFailure::Transient(_)
        ));
        assert!(matches!(
            refresh_failure(GatewayError::Unverified { reason: "" }),
            RefreshFailure::Transient(_)
        ));
    }
}
