//! `request`: any OpenAPI method that the app's `requestMethods` allows, with the same signing and verification as every other
//! function. It is no open relay: what is not on the list is refused.

mod input;

use alipay_gateway::{Call, Reply};
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::Tokens;
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
    /// Calls methods for the apps of `alipay`, with users' tokens from `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }

    /// The call, with the stored token of the user where the caller names one.
    async fn prepare(&self, input: &Input, caller: &Caller) -> Result<Call, Failure> {
        let mut call = Call::new(&*input.method);
        call.biz_content.clone_from(&input.data.biz_content);
        call.fields.clone_from(&input.data.fields);
        call.repeatable = input.method.only_reads();
        if let Some(openid) = &input.openid {
            let token = self
                .tokens
                .user_access_token(&self.alipay, caller, openid, input.scope.as_deref())
                .await?;
            call.fields
                .insert("auth_token".to_owned(), token.expose_secret().to_owned());
        }
        Ok(call)
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
        let reply = self
            .alipay
            .call(&caller.app, &call, caller.deadline)
            .await
            .map_err(|error| Failure::of_call(error, &call))?;
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
