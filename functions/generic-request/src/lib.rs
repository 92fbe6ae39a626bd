//! `request`: any OpenAPI method that the app's `requestMethods` allows, with the same signing and verification as every other
//! function. It is no open relay: what is not on the list is refused.

mod input;

use alipay_gateway::{Call, GatewayError, Refusal, Reply};
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::{
    AccessToken, Tokens, User, is_refused_merchant_token, is_refused_user_token,
};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

pub use input::Input;

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

    /// The stored tokens that the caller names: of a merchant, of a user (of the merchant's app where the call is for one), of both.
    async fn stored_tokens(&self, input: &Input, caller: &Caller) -> Result<Stored, Failure> {
        let merchant = match &input.auth_app_id {
            None => None,
            Some(auth_app_id) => Some(
                self.tokens
                    .merchant_token(&self.alipay, caller, auth_app_id)
                    .await?,
            ),
        };
        let user = match input.user() {
            None => None,
            Some(user) => Some(
                self.tokens
                    .user_access_token(&self.alipay, caller, &user)
                    .await?,
            ),
        };
        Ok(Stored { merchant, user })
    }

    /// Another token in place of the one that Alipay did not accept; `None` when the refusal is about none of the stored ones.
    async fn replaced(
        &self,
        stored: &Stored,
        refusal: &Refusal,
        input: &Input,
        caller: &Caller,
    ) -> Result<Option<Stored>, Failure> {
        if let (Some(refused), Some(auth_app_id)) = (&stored.merchant, &input.auth_app_id)
            && is_refused_merchant_token(refusal)
        {
            let merchant = self
                .tokens
                .replaced_merchant_token(&self.alipay, caller, auth_app_id, refused)
                .await?;
            return Ok(Some(Stored {
                merchant: Some(merchant),
                user: stored.user.clone(),
            }));
        }
        if let (Some(refused), Some(user)) = (&stored.user, input.user())
            && is_refused_user_token(refusal)
        {
            let user = self
                .tokens
                .replaced_user_token(&self.alipay, caller, &user, refused)
                .await?;
            return Ok(Some(Stored {
                merchant: stored.merchant.clone(),
                user: Some(user),
            }));
        }
        Ok(None)
    }

    /// Makes the call. With a stored token that Alipay did not accept it was not executed, and is made once more with another.
    async fn send(&self, input: &Input, caller: &Caller) -> Result<Reply, Failure> {
        let stored = self.stored_tokens(input, caller).await?;
        match self.send_with(&stored, input, caller).await? {
            Ok(reply) => Ok(reply),
            // There is no third call, but what Alipay says of the other token is told and noted too.
            Err((other, _)) => self
                .send_with(&other, input, caller)
                .await?
                .map_err(|(_, refused)| refused),
        }
    }

    /// Makes the call once. Where a stored token was not accepted and there is another: the other, and the refusal.
    async fn send_with(
        &self,
        stored: &Stored,
        input: &Input,
        caller: &Caller,
    ) -> Result<Result<Reply, (Stored, Failure)>, Failure> {
        let call = input.call(stored);
        let error = match self.alipay.call(&caller.app, &call, caller.deadline).await {
            Ok(reply) => return Ok(Ok(reply)),
            Err(error) => error,
        };
        let replaced = match &error {
            GatewayError::Refused(refusal) => self.replaced(stored, refusal, input, caller).await?,
            _ => None,
        };
        let refused = Failure::of_call(error, &call);
        match replaced {
            Some(other) => Ok(Err((other, refused))),
            None => Err(refused),
        }
    }
}

/// The stored tokens that go with a call.
struct Stored {
    merchant: Option<AccessToken>,
    user: Option<AccessToken>,
}

impl Input {
    /// The user whose token goes with the call.
    fn user(&self) -> Option<User<'_>> {
        self.openid.as_deref().map(|openid| User {
            openid,
            scope: self.scope.as_deref(),
            auth_app_id: self.auth_app_id.as_deref(),
        })
    }

    fn call(&self, stored: &Stored) -> Call {
        let mut call = Call::new(&*self.method);
        call.biz_content.clone_from(&self.data.biz_content);
        call.fields.clone_from(&self.data.fields);
        call.repeatable = self.method.only_reads();
        if let Some(token) = &stored.user {
            call = call.with_field("auth_token", token.token.expose_secret());
        }
        if let Some(token) = &stored.merchant {
            call = call.with_field("app_auth_token", token.token.expose_secret());
        }
        call
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
        let reply = self.send(&input, caller).await?;
        Ok(Success::new(input.success_text(), fields(&reply)?))
    }
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
