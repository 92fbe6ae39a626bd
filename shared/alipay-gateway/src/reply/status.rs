use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::text_or_number;
use crate::{GatewayError, Refusal, TraceId};

/// The members that the two kinds of node share. Documented as strings; numbers have been seen.
#[derive(Deserialize)]
pub(super) struct Status<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sub_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sub_msg: Option<Cow<'a, str>>,
}

impl<'a> Status<'a> {
    pub fn of(node: &'a str) -> Result<Self, GatewayError> {
        serde_json::from_str(node)
            .map_err(|_| GatewayError::unverified("the node's status members are not texts"))
    }

    /// The code as text; `None` where the node has none, as a successful `alipay.system.oauth.token` has.
    pub fn code(&self) -> Result<Option<Cow<'_, str>>, GatewayError> {
        match self.code.map(RawValue::get) {
            None | Some("null") => Ok(None),
            Some(raw) => text_or_number(raw)
                .map(Some)
                .ok_or_else(|| GatewayError::unverified("the node's code is not a text")),
        }
    }

    pub fn refusal(&self, code: String, trace_id: Option<String>, verified: bool) -> Refusal {
        let owned = |text: &Option<Cow<'_, str>>| {
            text.as_deref()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Refusal {
            code,
            sub_code: owned(&self.sub_code),
            msg: owned(&self.msg).unwrap_or_default(),
            sub_msg: owned(&self.sub_msg),
            trace_id: trace_id.map(TraceId::from),
            verified,
            refresh_token: None,
        }
    }
}
