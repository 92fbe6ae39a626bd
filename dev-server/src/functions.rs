use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use code2session::Code2Session;
use decrypt::Decrypt;
use function_kit::{Alipay, Function, Handler, Service};
use function_tokens::Tokens;
use generic_request::GenericRequest;
use get_mini_code::GetMiniCode;
use get_temp_mini_code::GetTempMiniCode;
use img_sec_check::ImgSecCheck;
use isv_auth_link::IsvAuthLink;
use isv_auth_query::IsvAuthQuery;
use isv_auth_token::IsvAuthToken;
use launch_link::LaunchLink;
use msg_sec_check::MsgSecCheck;
use refresh_tokens::{RefreshTokens, Settings as RefreshSettings};
use subscribe_message_batch_send::SubscribeMessageBatchSend;
use subscribe_message_query::SubscribeMessageQuery;
use subscribe_message_send::SubscribeMessageSend;
use user_info::UserInfo;

/// The timeout that `template.yaml` gives every function but [`REFRESH_TOKENS`].
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);

/// The function that refreshes tokens, for the schedule and for those that may not open refresh tokens.
pub const REFRESH_TOKENS: &str = refresh_tokens::NAME;

/// A sweep works off many rows.
const REFRESH_TOKENS_TIMEOUT: Duration = Duration::from_secs(30);

/// The timeout that `template.yaml` gives the function of that name.
pub fn timeout_of(function: &str) -> Duration {
    match function {
        REFRESH_TOKENS => REFRESH_TOKENS_TIMEOUT,
        _ => FUNCTION_TIMEOUT,
    }
}

/// The stored tokens as the functions have them on AWS: some store and refresh them, the others only read.
pub(crate) struct LocalTokens {
    pub keeping: Tokens,
    pub reading: Tokens,
}

/// The functions by name: the same values that `main` of each runs on Lambda.
#[derive(Clone)]
pub struct Functions {
    by_name: BTreeMap<&'static str, Arc<dyn Handler>>,
}

impl Functions {
    /// All functions, for the apps of `alipay`, with their tokens in `tokens`.
    pub(crate) fn new(alipay: &Alipay, tokens: &LocalTokens) -> Self {
        let alipay_of = || alipay.clone();
        let (keeping, reading) = (|| tokens.keeping.clone(), || tokens.reading.clone());
        let handlers = [
            service(Code2Session::new(alipay_of(), keeping()), alipay),
            service(GetMiniCode::new(alipay_of()), alipay),
            service(GetTempMiniCode::new(alipay_of()), alipay),
            service(SubscribeMessageSend::new(alipay_of(), reading()), alipay),
            service(
                SubscribeMessageBatchSend::new(alipay_of(), reading()),
                alipay,
            ),
            service(SubscribeMessageQuery::new(alipay_of()), alipay),
            service(GenericRequest::new(alipay_of(), reading()), alipay),
            service(MsgSecCheck::new(alipay_of()), alipay),
            service(ImgSecCheck::new(alipay_of()), alipay),
            service(Decrypt::new(alipay_of()), alipay),
            service(LaunchLink, alipay),
            service(UserInfo::new(alipay_of(), reading()), alipay),
            service(IsvAuthLink, alipay),
            service(IsvAuthToken::new(alipay_of(), keeping()), alipay),
            service(IsvAuthQuery::new(alipay_of(), reading()), alipay),
            Arc::new(RefreshTokens::new(
                alipay_of(),
                keeping(),
                RefreshSettings::default(),
            )),
        ];
        Self {
            by_name: handlers
                .into_iter()
                .map(|handler| (handler.name(), handler))
                .collect(),
        }
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Handler>> {
        self.by_name.get(name)
    }

    /// The functions' names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }
}

fn service<F: Function>(function: F, alipay: &Alipay) -> Arc<dyn Handler> {
    Arc::new(Service::new(function, alipay.clone()))
}
