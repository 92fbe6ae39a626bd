use serde::{Deserialize, Serialize};

use crate::{Call, GatewayError};

/// `alipay.open.app.mini.templatemessage.batchsend`: one message to everybody who subscribed to a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchMessage<'a> {
    /// The template's id, at most 64 characters.
    pub template_id: &'a str,
    /// JSON text of `{"keyword1":{"value":"…"},…}`, as for a single message.
    pub data: &'a str,
    /// The page that a tap opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<&'a str>,
    /// Narrows the subscribers to those who are also in this crowd of Alipay's crowd service (棋盘).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crowd_code: Option<&'a str>,
    /// When it is sent, `yyyy-MM-dd HH:mm:ss` in UTC+8 as far as is known; absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_send_time: Option<&'a str>,
}

/// Alipay's number for the sending.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SentBatch {
    /// Names this one sending.
    pub batch_msg_id: String,
}

impl BatchMessage<'_> {
    /// As a call. Never repeatable: a second sending is a second message to everybody.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        Ok(Call::new("alipay.open.app.mini.templatemessage.batchsend")
            .with_biz_content(super::biz_content(self)?))
    }
}
