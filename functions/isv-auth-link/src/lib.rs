//! `isv.getAuthLink`: the link to the page on which a merchant authorises an ISV's app (第三方应用). Made here, without a call.

mod input;

use alipay_gateway::authorization_page;
use function_kit::{Caller, Failure, Function, Success};
use serde::Serialize;

pub use input::Input;

/// The page for one app of the merchant, and the one for several.
const ONE_APP: &str = "appToAppAuth.htm";
const SEVERAL_APPS: &str = "appToAppBatchAuth.htm";

/// The function. It needs nothing but the app of the invocation.
#[derive(Debug, Clone)]
pub struct IsvAuthLink;

/// The link.
#[derive(Debug, Serialize)]
pub struct Fields {
    url: String,
    /// Which of Alipay's environments the link belongs to.
    environment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl Function for IsvAuthLink {
    const NAME: &'static str = "isv-auth-link";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let types: Vec<&str> = input
            .application_types()
            .iter()
            .map(|name| &**name)
            .collect();
        let types = types.join(",");
        let mut arguments = vec![
            ("app_id", caller.app.id()),
            ("redirect_uri", &*input.redirect_uri),
        ];
        if let Some(state) = input.state.as_deref() {
            arguments.push(("state", state));
        }
        if !types.is_empty() {
            arguments.push(("application_type", &types));
        }
        let page = authorization_page(&caller.app.settings().app.gateway);
        let name = if input.is_batch() {
            SEVERAL_APPS
        } else {
            ONE_APP
        };
        Ok(Success::new(
            "ok",
            Fields {
                url: page.merchant_link(name, &arguments),
                environment: page.environment,
                note: (!page.is_known).then_some(
                    "the app's gateway is none of Alipay's known ones, so this is the link of production",
                ),
            },
        ))
    }
}
