//! The methods that the gateway knows.

mod app_auth_token;
pub(crate) mod batch_message;
mod certificate_download;
pub(crate) mod content;
pub(crate) mod mini_code;
mod oauth_token;
pub(crate) mod open_ids;
mod subscription_query;
pub(crate) mod template_message;
mod temporary_code;
pub(crate) mod trade;
mod user_info;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::world::World;

/// A call that passed the gateway's own checks.
pub(crate) struct Call<'a> {
    /// The app that it acts for: the caller's own, or the merchant's whose `app_auth_token` came with it.
    pub(crate) app_id: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) base_url: &'a str,
}

impl Call<'_> {
    /// A parameter, where it is there and not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// `biz_content`, which has to be a JSON object.
    pub(crate) fn biz_content(&self) -> Result<Map<String, Value>, BizContentUnreadable> {
        serde_json::from_str(self.parameter("biz_content").unwrap_or_default())
            .map_err(|_| BizContentUnreadable)
    }
}

/// `biz_content` is absent, or not a JSON object.
pub(crate) struct BizContentUnreadable;

/// What a method answers: the members of its node.
pub(crate) type Answer = Result<Map<String, Value>, Refusal>;

/// One method.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut World, &Call<'_>) -> Answer,
    /// Whether its failures stand under `error_response`.
    pub(crate) fails_under_error_response: bool,
}

/// Whether the method's parameters stand in `biz_content`; only such a call can be encrypted.
pub(crate) fn takes_biz_content(name: &str) -> bool {
    !matches!(name, "alipay.system.oauth.token" | "alipay.user.info.share")
}

/// Every method that the gateway knows.
pub(crate) const METHODS: &[Method] = &[
    Method {
        name: "alipay.open.app.alipaycert.download",
        run: certificate_download::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.system.oauth.token",
        run: oauth_token::run,
        fails_under_error_response: true,
    },
    Method {
        name: "alipay.open.app.qrcode.create",
        run: mini_code::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.app.mini.templatemessage.send",
        run: template_message::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.user.info.share",
        run: user_info::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.app.qrcode.temporary.create",
        run: temporary_code::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.app.mini.templatemessage.batchsend",
        run: batch_message::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.app.messagetemplate.subscribe.query",
        run: subscription_query::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.app.openid.batchquery",
        run: open_ids::of_order,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.app.openid.uidtoopenid.batchquery",
        run: open_ids::of_users,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.auth.token.app",
        run: app_auth_token::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.open.auth.token.app.query",
        run: app_auth_token::query,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.security.risk.content.detect",
        run: content::detect::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.security.risk.content.sync.detect",
        run: content::sync_detect::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.security.risk.content.analyze",
        run: content::analyze::analyze,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.security.risk.content.result.get",
        run: content::analyze::result_get,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.trade.create",
        run: trade::create::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.trade.query",
        run: trade::query::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.trade.close",
        run: trade::close,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.trade.refund",
        run: trade::refund::run,
        fails_under_error_response: false,
    },
    Method {
        name: "alipay.trade.fastpay.refund.query",
        run: trade::refund::query,
        fails_under_error_response: false,
    },
];

pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// A member of `biz_content` that is text and not empty.
pub(crate) fn text<'a>(biz_content: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    biz_content
        .get(name)
        .and_then(Value::as_str)
        .filter(|value| !value.is_empty())
}
