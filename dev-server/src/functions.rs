use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app_auth::AppAuth;
use app_pay::AppPay;
use code2session::Code2Session;
use decrypt::Decrypt;
use function_kit::{Alipay, Function, Handler, HttpFunction, HttpService, Service};
use function_logins::Logins;
use function_payments::{NotifyUrl, Payments};
use function_tokens::Tokens;
use generic_request::GenericRequest;
use get_mini_code::GetMiniCode;
use get_temp_mini_code::GetTempMiniCode;
use h5_oauth::H5Oauth;
use img_sec_check::ImgSecCheck;
use isv_auth_link::IsvAuthLink;
use isv_auth_query::IsvAuthQuery;
use isv_auth_token::IsvAuthToken;
use launch_link::LaunchLink;
use link_open_ids::LinkOpenIds;
use msg_sec_check::MsgSecCheck;
use oidc::Oidc;
use pay_notify::PayNotify;
use publish_events::PublishEvents;
use refresh_tokens::{RefreshTokens, Settings as RefreshSettings};
use sdk_login::SdkLogin;
use session::Session;
use subscribe_message_batch_send::SubscribeMessageBatchSend;
use subscribe_message_query::SubscribeMessageQuery;
use subscribe_message_send::SubscribeMessageSend;
use user_info::UserInfo;

/// The timeout that `template.yaml` gives every function that has a route.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);

/// The function that refreshes tokens, for the schedule and for those that may not open refresh tokens.
pub const REFRESH_TOKENS: &str = refresh_tokens::NAME;

/// The function that publishes what was recorded and did not get out.
pub const PUBLISH_EVENTS: &str = publish_events::NAME;

/// A sweep works off many rows.
const REFRESH_TOKENS_TIMEOUT: Duration = Duration::from_secs(30);

/// So does a run that publishes what was left.
const PUBLISH_EVENTS_TIMEOUT: Duration = Duration::from_secs(30);

/// Nobody waits behind a gateway, and hundreds of users are worked off.
const LINK_OPEN_IDS_TIMEOUT: Duration = Duration::from_secs(55);

/// The timeout that `template.yaml` gives the function of that name.
pub fn timeout_of(function: &str) -> Duration {
    match function {
        REFRESH_TOKENS => REFRESH_TOKENS_TIMEOUT,
        PUBLISH_EVENTS => PUBLISH_EVENTS_TIMEOUT,
        LinkOpenIds::NAME => LINK_OPEN_IDS_TIMEOUT,
        _ => FUNCTION_TIMEOUT,
    }
}

/// The stored tokens as the functions have them on AWS: some store and refresh them, the others only read.
pub(crate) struct LocalTokens {
    pub keeping: Tokens,
    pub reading: Tokens,
}

/// The orders as the functions have them.
pub(crate) struct LocalPayments {
    pub payments: Payments,
    pub notify_url: NotifyUrl,
}

/// The functions by name: the same values that `main` of each runs on Lambda.
#[derive(Clone)]
pub struct Functions {
    by_name: BTreeMap<&'static str, Arc<dyn Handler>>,
}

impl Functions {
    /// All functions, for the apps of `alipay`, with their tokens in `tokens` and the accounts and sessions of `logins`, and
    /// the orders of `orders`.
    pub(crate) fn new(
        alipay: &Alipay,
        tokens: &LocalTokens,
        logins: &Logins,
        orders: &LocalPayments,
    ) -> Self {
        let (alipay_of, logins_of) = (|| alipay.clone(), || logins.clone());
        let payments_of = || orders.payments.clone();
        let (keeping, reading) = (|| tokens.keeping.clone(), || tokens.reading.clone());
        let handlers: [Arc<dyn Handler>; 25] = [
            service(
                Code2Session::new(alipay_of(), keeping(), logins_of()),
                alipay,
            ),
            service(AppAuth::new(alipay_of(), keeping(), logins_of()), alipay),
            http(SdkLogin::new(alipay_of(), keeping(), logins_of())),
            http(Session::new(logins_of())),
            http(H5Oauth::new(alipay_of(), keeping(), logins_of())),
            http(Oidc::new(alipay_of(), keeping(), logins_of())),
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
            service(
                LinkOpenIds::new(alipay_of(), logins.accounts().clone()),
                alipay,
            ),
            service(
                AppPay::new(alipay_of(), payments_of(), orders.notify_url.clone()),
                alipay,
            ),
            http(PayNotify::new(alipay_of(), payments_of())),
            Arc::new(PublishEvents::new(payments_of())),
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

fn http<F: HttpFunction>(function: F) -> Arc<dyn Handler> {
    Arc::new(HttpService::new(function))
}

fn service<F: Function>(function: F, alipay: &Alipay) -> Arc<dyn Handler> {
    Arc::new(Service::new(function, alipay.clone()))
}
