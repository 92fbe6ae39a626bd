//! `isv.queryAuth`: what a merchant's authorisation allows and whether it is valid, by `alipay.open.auth.token.app.query` with
//! the stored token.

use alipay_gateway::methods::{AppAuthorization, query_app_auth_token};
use function_kit::checked::Text;
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::Tokens;
use serde::Deserialize;

/// The function.
#[derive(Debug, Clone)]
pub struct IsvAuthQuery {
    alipay: Alipay,
    tokens: Tokens,
}

/// The arguments of `isv.queryAuth`.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The merchant's app.
    #[serde(rename = "authAppId")]
    auth_app_id: Text<32>,
}

impl IsvAuthQuery {
    /// Asks for the apps of `alipay`, with merchants' tokens from `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }
}

impl Function for IsvAuthQuery {
    const NAME: &'static str = "isv-auth-query";
    type Input = Input;
    type Fields = AppAuthorization;

    async fn call(
        &self,
        input: Input,
        caller: &Caller,
    ) -> Result<Success<AppAuthorization>, Failure> {
        let reply = self
            .tokens
            .answer_for_merchant(
                &self.alipay,
                caller,
                &input.auth_app_id,
                query_app_auth_token,
            )
            .await?;
        Ok(Success::new("ok", reply.parse()?))
    }
}
