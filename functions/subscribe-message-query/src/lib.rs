//! `subscribeMessage.query`: which message templates a user subscribed to, by `alipay.open.app.messagetemplate.subscribe.query`.
//! Stores nothing, so it links no DynamoDB client.

mod input;

use alipay_gateway::methods::{SubscribeRelation, Subscriber, SubscriptionQuery, Subscriptions};
use function_kit::checked::UserIdKind;
use function_kit::{Alipay, Caller, Failure, Function, Success};
use serde::Serialize;

pub use input::Input;

/// The function.
#[derive(Debug, Clone)]
pub struct SubscribeMessageQuery {
    alipay: Alipay,
}

/// Alipay's answer. Of a user who subscribed to none of the templates the list is empty.
#[derive(Debug, Serialize)]
pub struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    show_component: Option<bool>,
    subscribe_relations: Vec<SubscribeRelation>,
}

impl SubscribeMessageQuery {
    /// Asks for the apps of `alipay`.
    pub fn new(alipay: Alipay) -> Self {
        Self { alipay }
    }
}

impl Function for SubscribeMessageQuery {
    const NAME: &'static str = "subscribe-message-query";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let query = SubscriptionQuery {
            subscriber: match input.user_kind {
                UserIdKind::UserId => Subscriber::UserId(&input.user),
                UserIdKind::OpenId => Subscriber::OpenId(&input.user),
            },
            template_id_list: input.template_ids.iter().map(|id| &**id).collect(),
        };
        let call = query.call()?;
        let reply = self.alipay.answer_to(caller, &call).await?;
        let found: Subscriptions = reply.parse()?;
        Ok(Success::new(
            "ok",
            Fields {
                show_component: found.show_component,
                subscribe_relations: found.subscribe_relations,
            },
        ))
    }
}
