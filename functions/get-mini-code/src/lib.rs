//! `acode.getMiniCode`: a permanent code (小程序码) that opens a page of the mini-program, by
//! `alipay.open.app.qrcode.create`. Stores nothing, so it links no DynamoDB client.

mod input;

use alipay_gateway::methods::{MiniCode, MiniCodeRequest};
use function_kit::{Access, Alipay, Caller, Failure, Function, Success};
use serde::Serialize;

pub use input::Input;

/// What Alipay shows in its console when the caller describes nothing: vk's word.
const DEFAULT_DESCRIPTION: &str = "推广";
/// Alipay requires a launch query; this is vk's.
const DEFAULT_SCENE: &str = "miniCode=1";

/// The function.
#[derive(Debug, Clone)]
pub struct GetMiniCode {
    alipay: Alipay,
}

/// The addresses of the code's images.
#[derive(Debug, Serialize)]
pub struct Fields {
    qr_code_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_code_url_circle_white: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_code_url_circle_blue: Option<String>,
}

impl GetMiniCode {
    /// Makes codes for the apps of `alipay`.
    pub fn new(alipay: Alipay) -> Self {
        Self { alipay }
    }
}

impl Function for GetMiniCode {
    const NAME: &'static str = "get-mini-code";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let page = caller.app.settings().page_or_home(input.page.as_deref())?;
        let request = MiniCodeRequest {
            url_param: page,
            query_param: input.scene.as_deref().unwrap_or(DEFAULT_SCENE),
            describe: input.describe.as_deref().unwrap_or(DEFAULT_DESCRIPTION),
            color: input.line_color.as_deref(),
            size: input.size.map(|size| size.as_str()),
        };
        let call = request.call()?;
        let reply = self.alipay.answer_to(caller, &call).await?;
        let code: MiniCode = reply.parse()?;
        Ok(Success::new(
            "生成成功",
            Fields {
                qr_code_url: code.qr_code_url,
                qr_code_url_circle_white: code.qr_code_url_circle_white,
                qr_code_url_circle_blue: code.qr_code_url_circle_blue,
            },
        ))
    }
}
