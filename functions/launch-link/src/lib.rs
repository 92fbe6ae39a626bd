//! `urlscheme.generate` and `urllink.generate`: links that open the mini-program, at a page and with a query. Both names give both
//! links. They are made here, Alipay is not asked; they need no key and never expire.

mod input;
mod link;

use function_kit::{Access, Caller, Failure, Function, Success};
use serde::Serialize;

pub use input::Input;

/// The function.
#[derive(Debug, Clone, Copy)]
pub struct LaunchLink;

/// The links.
#[derive(Debug, Serialize)]
pub struct Fields {
    /// For other apps on the phone: `alipays://platformapi/startapp?…`.
    openlink: String,
    /// For browsers, messages and printed codes: an https address of Alipay's that leads to the same.
    url_link: String,
}

impl Function for LaunchLink {
    const NAME: &'static str = "launch-link";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let target = input.target()?;
        let home_page = caller.app.settings().home_page.as_deref();
        let page = target.path.as_deref().or(home_page);
        let openlink = link::scheme(caller.app.id(), page, target.query.as_deref());
        let url_link = link::web_address(&openlink);
        Ok(Success::new("ok", Fields { openlink, url_link }))
    }
}
