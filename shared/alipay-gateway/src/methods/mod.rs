//! Typed calls: names and types over [`crate::Gateway::call`].

mod app_auth_token;
mod batch_message;
mod content_check;
mod life;
mod mini_code;
mod oauth_token;
mod open_ids;
mod subscription;
mod template_message;
mod temporary_code;
mod trade;
mod user_info;

pub use app_auth_token::{
    AppAuthorization, MerchantGrant, exchange_app_auth_code, merchant_grants, query_app_auth_token,
    refresh_app_auth_token,
};
pub use batch_message::{BatchMessage, SentBatch};
pub use content_check::{
    AnalysisResult, ContentAnalysis, ContentVerdict, DetectedData, Judgement, Pending,
    SyncDetection, TextDetection,
};
pub use mini_code::{MiniCode, MiniCodeRequest};
pub use oauth_token::{UserGrant, exchange_code, refresh_token, refreshed_user_grant, user_grant};
pub use open_ids::{OPEN_ID_QUERY_LIMIT, OpenIdOf, OpenIdQuery, OpenIds};
pub use subscription::{SubscribeRelation, Subscriber, SubscriptionQuery, Subscriptions};
pub use template_message::{Recipient, TemplateMessage};
pub use temporary_code::{TemporaryCode, TemporaryCodeRequest};
pub use trade::{
    Buyer, ClosedTrade, CreatedTrade, FoundRefund, NewTrade, RefundQuery, RefundedTrade, Trade,
    TradeAppPay, TradeClose, TradeCreate, TradeQuery, TradeRefund,
};
pub use user_info::{UserInfo, user_info};

use serde::Serialize;

use crate::GatewayError;

fn biz_content(arguments: &impl Serialize) -> Result<String, GatewayError> {
    serde_json::to_string(arguments).map_err(|error| GatewayError::Malformed {
        reason: format!("biz_content: {error}"),
    })
}
