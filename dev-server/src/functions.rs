use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use code2session::Code2Session;
use function_kit::{Alipay, Function, Handler, Service};
use function_tokens::Tokens;
use generic_request::GenericRequest;
use get_mini_code::GetMiniCode;
use subscribe_message_send::SubscribeMessageSend;

/// The timeout that `template.yaml` gives every function.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);

/// The functions by name: the same values that `main` of each runs on Lambda.
#[derive(Clone)]
pub struct Functions {
    by_name: BTreeMap<&'static str, Arc<dyn Handler>>,
}

impl Functions {
    /// All functions, for the apps of `alipay`, with their tokens in `tokens`.
    pub fn new(alipay: &Alipay, tokens: &Tokens) -> Self {
        let handlers = [
            service(Code2Session::new(alipay.clone(), tokens.clone()), alipay),
            service(GetMiniCode::new(alipay.clone()), alipay),
            service(
                SubscribeMessageSend::new(alipay.clone(), tokens.clone()),
                alipay,
            ),
            service(GenericRequest::new(alipay.clone(), tokens.clone()), alipay),
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
