//! `acode.getTempMiniCode`: a code that opens a page of the mini-program for a limited time, by
//! `alipay.open.app.qrcode.temporary.create`. Stores nothing, so it links no DynamoDB client.

mod input;

use alipay_gateway::methods::{TemporaryCode, TemporaryCodeRequest};
use function_kit::{Access, Alipay, Caller, Failure, Function, Success};
use serde::Serialize;

pub use input::Input;

/// The launch query when the caller gives none: the one that `acode.getMiniCode` has from vk.
const DEFAULT_SCENE: &str = "miniCode=1";

/// The function.
#[derive(Debug, Clone)]
pub struct GetTempMiniCode {
    alipay: Alipay,
}

/// The code, and for how long it works.
#[derive(Debug, Serialize)]
pub struct Fields {
    qr_code_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_code: Option<String>,
    /// Seconds from the request.
    timeout: u32,
}

impl GetTempMiniCode {
    /// Makes codes for the apps of `alipay`.
    pub fn new(alipay: Alipay) -> Self {
        Self { alipay }
    }
}

impl Function for GetTempMiniCode {
    const NAME: &'static str = "get-temp-mini-code";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let page = caller.app.settings().page_or_home(input.page.as_deref())?;
        let timeout = input.timeout_seconds();
        let request = TemporaryCodeRequest {
            url_param: page,
            query_param: input.scene.as_deref().unwrap_or(DEFAULT_SCENE),
            timeout,
            qrcode_type: input.qrcode_type.as_deref(),
            color: input.line_color.as_deref(),
        };
        let call = request.call()?;
        let reply = self.alipay.answer_to(caller, &call).await?;
        let code: TemporaryCode = reply.parse()?;
        Ok(Success::new(
            "生成成功",
            Fields {
                qr_code_url: code.qr_code_url,
                qr_code: code.qr_code,
                timeout,
            },
        ))
    }
}
