//! `subscribeMessage.send`: one subscription message (订阅消息), by `alipay.open.app.mini.templatemessage.send`.
//!
//! Alipay documents no idempotency key, so a message is sent once and never tried again by itself. A caller who names an
//! `idempotencyKey` may repeat the request: the first answer comes back and nothing is sent.

mod input;

use std::time::Duration;

use alipay_gateway::GatewayError;
use alipay_gateway::methods::{Recipient, TemplateMessage};
use function_kit::checked::UserIdKind;
use function_kit::{Alipay, Caller, Failure, Function, Success};
use function_tokens::{Begun, ClaimToken, Once, Tokens};
use serde::{Deserialize, Serialize};

pub use input::Input;

/// How long a repeat with the same idempotency key gets the first answer.
const REPEAT_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

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

    /// Sends by the one who holds the claim, and keeps the answer for repeats.
    async fn send_once(
        &self,
        input: &Input,
        caller: &Caller,
        claim: ClaimToken,
    ) -> Result<Fields, Failure> {
        let answer = match self.send(input, caller).await {
            // Nothing was sent to the user: after mending it, the same key may be used again. Of a "service unavailable" nobody
            // knows that.
            Err(error) if error.was_never_sent() || is_final_refusal(&error) => {
                self.tokens.release(claim).await;
                return Err(error.into());
            }
            answer => answer.map_err(Failure::from),
        };
        if let Err(error) = self.tokens.finish(claim, answer.as_ref()).await {
            tracing::error!(%error, "the answer to an idempotency key could not be kept; its repeats hear of a timeout");
        }
        answer
    }
}

impl Function for SubscribeMessageSend {
    const NAME: &'static str = "subscribe-message-send";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let fields = match input.idempotency_key.as_deref() {
            None => self.send(&input, caller).await?,
            Some(key) => {
                let once = Once {
                    function: Self::NAME,
                    key,
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
                    keep: REPEAT_WINDOW,
                    takeover: false,
                    mismatch: "idempotencyKey: was used for another message",
                };
                match self.tokens.begin(&once, &self.alipay, caller).await? {
                    Begun::First(claim) => self.send_once(&input, caller, claim).await?,
                    Begun::Repeat(answer) => answer?,
                }
            }
        };
        Ok(Success::new("发送成功", fields))
    }
}

fn is_final_refusal(error: &GatewayError) -> bool {
    matches!(error, GatewayError::Refused(refusal) if !refusal.is_transient())
}
