//! Which calls are refreshes of a pair of tokens, and how many of them came.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::received::{ReceivedCall, Verdict};

/// How many refreshes came, counted for an app or for a refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefreshCount {
    /// All that arrived, whatever became of them.
    pub received: u64,
    /// Those of them that made a new pair. The reply may have been lost all the same.
    pub done: u64,
}

impl RefreshCount {
    fn add(&mut self, verdict: &Verdict) {
        self.received += 1;
        self.done += u64::from(*verdict == Verdict::Done);
    }
}

/// The counts. Unlike the calls themselves they are all kept.
#[derive(Default, Serialize)]
pub(crate) struct Refreshes {
    by_app: BTreeMap<String, RefreshCount>,
    by_refresh_token: BTreeMap<String, RefreshCount>,
}

impl Refreshes {
    pub(crate) fn add(&mut self, call: &ReceivedCall) {
        let Some(token) = refresh_token(call.method.as_deref(), &call.parameters) else {
            return;
        };
        let app_id = call.app_id.clone().unwrap_or_default();
        self.by_app.entry(app_id).or_default().add(&call.verdict);
        self.by_refresh_token
            .entry(token)
            .or_default()
            .add(&call.verdict);
    }

    pub(crate) fn of_app(&self, app_id: &str) -> RefreshCount {
        self.by_app.get(app_id).copied().unwrap_or_default()
    }

    pub(crate) fn with_token(&self, refresh_token: &str) -> RefreshCount {
        self.by_refresh_token
            .get(refresh_token)
            .copied()
            .unwrap_or_default()
    }
}

/// The refresh token in a call that is a refresh, a user's or a merchant's. An encrypted call does not show what it is.
pub(crate) fn refresh_token(
    method: Option<&str>,
    parameters: &BTreeMap<String, String>,
) -> Option<String> {
    match method? {
        "alipay.system.oauth.token" => {
            let member = |name: &str| parameters.get(name).map(String::as_str);
            (member("grant_type")? == "refresh_token")
                .then(|| member("refresh_token").unwrap_or_default().to_owned())
        }
        "alipay.open.auth.token.app" => {
            let biz_content: Map<String, Value> =
                serde_json::from_str(parameters.get("biz_content")?).ok()?;
            let member = |name: &str| biz_content.get(name).and_then(Value::as_str);
            (member("grant_type")? == "refresh_token")
                .then(|| member("refresh_token").unwrap_or_default().to_owned())
        }
        _ => None,
    }
}
