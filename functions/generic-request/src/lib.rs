//! `request`: any OpenAPI method that the app's `requestMethods` allows, with the same signing and verification as every other
//! function. It is no open relay: what is not on the list is refused.

mod input;

use alipay_gateway::{Call, GatewayError, Refusal, Reply};
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::{Merchant, Tokens};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

pub use input::Input;

/// The parameter that makes a call one for a merchant.
const APP_AUTH_TOKEN: &str = "app_auth_token";

/// The function.
#[derive(Debug, Clone)]
pub struct GenericRequest {
    alipay: Alipay,
    tokens: Tokens,
}

/// The response node's members as they came (numbers keep every digit), without `code` and `msg`, which the envelope has.
#[derive(Debug)]
pub struct Fields {
    members: Vec<(String, Box<RawValue>)>,
    trace_id: Option<String>,
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        if let Some(trace_id) = &self.trace_id {
            map.serialize_entry("trace_id", trace_id)?;
        }
        map.end()
    }
}

impl GenericRequest {
    /// Calls methods for the apps of `alipay`, with users' and merchants' tokens from `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }

    /// The call, with the stored tokens of the merchant and the user where the caller names them.
    async fn prepare(&self, input: &Input, caller: &Caller) -> Result<Call, Failure> {
        let mut call = Call::new(&*input.method);
        call.biz_content.clone_from(&input.data.biz_content);
        call.fields.clone_from(&input.data.fields);
        call.repeatable = input.method.only_reads();
        let merchant_token = match &input.auth_app_id {
            None => None,
            Some(auth_app_id) => Some(
                self.tokens
                    .merchant_token(&self.alipay, caller, auth_app_id)
                    .await?,
            ),
        };
        if let Some(token) = self
            .user_token(input, caller, merchant_token.as_ref())
            .await?
        {
            call = call.with_field("auth_token", token.expose_secret());
        }
        if let Some(token) = &merchant_token {
            call = call.with_field(APP_AUTH_TOKEN, token.expose_secret());
        }
        Ok(call)
    }

    /// The token of the named user: of the merchant's app where the call is for one, else of the app itself.
    async fn user_token(
        &self,
        input: &Input,
        caller: &Caller,
        merchant_token: Option<&SecretString>,
    ) -> Result<Option<SecretString>, Failure> {
        let Some(openid) = &input.openid else {
            return Ok(None);
        };
        let scope = input.scope.as_deref();
        let token = match (&input.auth_app_id, merchant_token) {
            (Some(auth_app_id), Some(app_auth_token)) => {
                let merchant = Merchant {
                    auth_app_id,
                    app_auth_token,
                };
                self.tokens
                    .merchants_user_access_token(&self.alipay, caller, merchant, openid, scope)
                    .await?
            }
            _ => {
                self.tokens
                    .user_access_token(&self.alipay, caller, openid, scope)
                    .await?
            }
        };
        Ok(Some(token))
    }

    /// Makes the call. A merchant's stored token that Alipay does not accept is refreshed, and the call made once more: its time
    /// says little, and a call with a refused token was not executed.
    async fn send(&self, mut call: Call, input: &Input, caller: &Caller) -> Result<Reply, Failure> {
        let sent = self.alipay.call(&caller.app, &call, caller.deadline).await;
        let auth_app_id = match (&sent, &input.auth_app_id) {
            (Err(GatewayError::Refused(refusal)), Some(auth_app_id))
                if is_refused_merchant_token(refusal) =>
            {
                auth_app_id
            }
            _ => return sent.map_err(|error| Failure::of_call(error, &call)),
        };
        let refused = call.fields.get(APP_AUTH_TOKEN);
        let refused = refused.map(|token| SecretString::from(token.as_str()));
        let token = self
            .tokens
            .refresh_merchant_token(&self.alipay, caller, auth_app_id, refused.as_ref())
            .await?;
        call = call.with_field(APP_AUTH_TOKEN, token.expose_secret());
        self.alipay.answer_to(caller, &call).await
    }
}

impl Function for GenericRequest {
    const NAME: &'static str = "generic-request";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        if !caller.app.settings().allows(&input.method) {
            return Err(Failure::forbidden(format!(
                "method: {} is not on this app's requestMethods; add it to the document of apps to allow it",
                &*input.method
            )));
        }
        input.check_tokens()?;
        let call = self.prepare(&input, caller).await?;
        let reply = self.send(call, &input, caller).await?;
        Ok(Success::new(input.success_text(), fields(&reply)?))
    }
}

fn is_refused_merchant_token(refusal: &Refusal) -> bool {
    matches!(
        refusal.sub_code.as_deref(),
        Some("aop.invalid-app-auth-token" | "aop.app-auth-token-time-out")
    )
}

fn fields(reply: &Reply) -> Result<Fields, Failure> {
    let mut members = input::ordered_members(reply.node())
        .map_err(|_| Failure::internal("a verified node is no object"))?;
    members.retain(|(name, _)| !matches!(name.as_str(), "code" | "msg" | "trace_id"));
    Ok(Fields {
        members,
        trace_id: reply.trace_id().map(str::to_owned),
    })
}
