//! `subscribeMessage.send`: one subscription message (订阅消息), by `alipay.open.app.mini.templatemessage.send`.
//!
//! Alipay documents no idempotency key, so a message is sent once and never tried again by itself. A caller who names an
//! `idempotencyKey` may repeat the request: the first answer comes back and nothing is sent.

mod input;

use alipay_gateway::GatewayError;
use alipay_gateway::methods::{Recipient, TemplateMessage};
use function_kit::checked::UserIdKind;
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::{Message, Tokens};
use serde::{Deserialize, Serialize};

pub use input::Input;

/// The function.
#[derive(Debug, Clone)]
pub struct SubscribeMessageSend {
    alipay: Alipay,
    tokens: Tokens,
}

/// Alipay's number for the call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl SubscribeMessageSend {
    /// Sends messages of the apps of `alipay`; answers to idempotency keys are kept in `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }

    async fn send(&self, input: &Input, caller: &Caller) -> Result<Fields, GatewayError> {
        let message = TemplateMessage {
            recipient: match input.recipient_kind() {
                UserIdKind::UserId => Recipient::UserId(&input.touser),
                UserIdKind::OpenId => Recipient::OpenId(&input.touser),
            },
            form_id: input.form_id.as_deref(),
            user_template_id: &input.template_id,
            page: input.page.as_deref(),
            data: input.data.as_str(),
        };
        let reply = self
            .alipay
            .call(&caller.app, &message.call()?, caller.deadline)
            .await?;
        Ok(Fields {
            trace_id: reply.trace_id().map(str::to_owned),
        })
    }
}

impl Function for SubscribeMessageSend {
    const NAME: &'static str = "subscribe-message-send";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let message = Message {
            function: Self::NAME,
            idempotency_key: input.idempotency_key.as_deref(),
            same: &[
                &input.touser,
                match input.recipient_kind() {
                    UserIdKind::UserId => "userId",
                    UserIdKind::OpenId => "openId",
                },
                &input.template_id,
                input.page.as_deref().unwrap_or(""),
                input.form_id.as_deref().unwrap_or(""),
                input.data.as_str(),
            ],
        };
        let send = self.send(&input, caller);
        let fields = self
            .tokens
            .send_once(&message, &self.alipay, caller, send)
            .await?;
        Ok(Success::new("发送成功", fields))
    }
}
