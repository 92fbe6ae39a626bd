//! The exchange of a code for a login whose tokens are kept.

use std::time::Duration;

use alipay_gateway::GatewayError;
use alipay_gateway::methods::{UserGrant, exchange_code, user_grant};
use function_kit::{Alipay, Caller, Failure, StartUpError};
use function_tokens::{Begun, ClaimToken, Login, Once, Tokens, exchanged_but_not_kept};
use identity::Account;
use secrecy::{ExposeSecret, SecretString};

use crate::logins::{LOG_IN_AGAIN, Logins};

/// How long a second use of a code is known for one here. Alipay refuses it in any case.
const CODE_MEMORY: Duration = Duration::from_secs(60);

/// Who logged in, and what Alipay granted. Personal, so there is no `Debug`.
pub struct LoggedIn {
    /// The account.
    pub account: Account,
    /// The app that was logged in to.
    pub app_id: String,
    /// The user's id for that app: the user id where there is one, else the open id.
    pub openid: String,
    /// Ids and tokens as Alipay sent them. The tokens are stored already.
    pub granted: UserGrant,
}

impl Logins {
    /// From the environment, with the tokens that a login is kept with: the powers of a function that logs users in.
    ///
    /// # Errors
    /// As [`Tokens::keeping_from_environment`] and [`Logins::from_environment`].
    pub async fn keeping_from_environment() -> Result<(Tokens, Self), StartUpError> {
        tokio::try_join!(Tokens::keeping_from_environment(), Self::from_environment())
    }

    /// Exchanges `code` for the app of `caller`, once, keeps the tokens and finds the account. A second use of a code, at the same
    /// time or later, is refused: a code makes one session.
    ///
    /// # Errors
    /// `conflict` for a second use here, `gateway_refused` when Alipay refuses the code; `temporarily_unavailable` when nothing was
    /// sent, or when the code is spent and the login could not be kept (not repeatable then).
    pub async fn log_in(
        &self,
        alipay: &Alipay,
        tokens: &Tokens,
        caller: &Caller,
        code: &SecretString,
    ) -> Result<LoggedIn, Failure> {
        self.log_in_to_row(None, alipay, tokens, caller, code).await
    }

    /// [`Logins::log_in`] with the tokens in the row of that name, `None` for the default one.
    pub(crate) async fn log_in_to_row(
        &self,
        row: Option<&str>,
        alipay: &Alipay,
        tokens: &Tokens,
        caller: &Caller,
        code: &SecretString,
    ) -> Result<LoggedIn, Failure> {
        let once = Once {
            function: "login",
            key: code.expose_secret(),
            // No other invocation is a repeat of this one.
            same: &[&caller.request_id],
            keep: CODE_MEMORY,
            takeover: true,
            mismatch: "code: was used just now; begin the login again",
        };
        match tokens.begin::<()>(&once, alipay, caller).await? {
            Begun::First(claim) => {
                self.exchange(row, alipay, tokens, caller, code, claim)
                    .await
            }
            Begun::Repeat(answer) => {
                answer?;
                Err(Failure::internal("an invocation came twice"))
            }
        }
    }

    async fn exchange(
        &self,
        row: Option<&str>,
        alipay: &Alipay,
        tokens: &Tokens,
        caller: &Caller,
        code: &SecretString,
        claim: ClaimToken,
    ) -> Result<LoggedIn, Failure> {
        let asked_at = alipay.now();
        let exchanged = alipay
            .call(&caller.app, &exchange_code(code), caller.deadline)
            .await
            .and_then(|reply| user_grant(&reply));
        let granted = match exchanged {
            Ok(granted) => granted,
            Err(error) => {
                if is_code_of_another_app(&error) {
                    tracing::warn!("somebody brought a code that Alipay gave to another app");
                }
                return Err(tokens.exchange_failed(claim, error).await);
            }
        };
        let openid = granted
            .openid()
            .ok_or_else(|| Failure::internal("a grant without an owner"))?
            .to_owned();
        let login = Login {
            app_id: caller.app.id(),
            auth_app_id: None,
            scope: row,
            granted: &granted,
            asked_at,
        };
        let keep = async {
            let seen = tokens.look(&login).await;
            tokens.keep_login(&login, seen, claim, &()).await
        };
        // The account is no reason for the tokens to wait: the user's earlier ones may have ended with the exchange.
        let (kept, account) =
            tokio::join!(keep, self.account_of(&caller.app, None, &granted, asked_at));
        kept.map_err(|error| exchanged_but_not_kept(error, LOG_IN_AGAIN))?;
        Ok(LoggedIn {
            account: account?,
            app_id: caller.app.id().to_owned(),
            openid,
            granted,
        })
    }
}

fn is_code_of_another_app(error: &GatewayError) -> bool {
    matches!(error, GatewayError::Refused(refusal) if refusal.sub_code.as_deref() == Some("isv.unmatched-app-id"))
}
