//! `subscribeMessage.batchSend`: one message to everybody who subscribed to a template, or to those of them who are in a crowd,
//! by `alipay.open.app.mini.templatemessage.batchsend`.
//!
//! Sent once and never tried again by itself; an `idempotencyKey` makes a repeat harmless, as in `subscribeMessage.send`.

mod input;

use alipay_gateway::GatewayError;
use alipay_gateway::methods::{BatchMessage, SentBatch};
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::{Message, Tokens};
use serde::{Deserialize, Serialize};

pub use input::Input;

/// The function.
#[derive(Debug, Clone)]
pub struct SubscribeMessageBatchSend {
    alipay: Alipay,
    tokens: Tokens,
}

/// Alipay's numbers for the sending and for the call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fields {
    batch_msg_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl SubscribeMessageBatchSend {
    /// Sends messages of the apps of `alipay`; answers to idempotency keys are kept in `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }

    async fn send(&self, input: &Input, caller: &Caller) -> Result<Fields, GatewayError> {
        let message = BatchMessage {
            template_id: &input.template_id,
            data: input.data.as_str(),
            page: input.page.as_deref(),
            crowd_code: input.crowd_code.as_deref(),
            schedule_send_time: input.schedule_send_time.as_deref(),
        };
        let reply = self
            .alipay
            .call(&caller.app, &message.call()?, caller.deadline)
            .await?;
        let sent: SentBatch = reply.parse()?;
        Ok(Fields {
            batch_msg_id: sent.batch_msg_id,
            trace_id: reply.trace_id().map(str::to_owned),
        })
    }
}

impl Function for SubscribeMessageBatchSend {
    const NAME: &'static str = "subscribe-message-batch-send";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let message = Message {
            function: Self::NAME,
            idempotency_key: input.idempotency_key.as_deref(),
            same: &[
                &input.template_id,
                input.data.as_str(),
                input.page.as_deref().unwrap_or(""),
                input.crowd_code.as_deref().unwrap_or(""),
                input.schedule_send_time.as_deref().unwrap_or(""),
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
