use serde::{Deserialize, Serialize};

use crate::{Call, GatewayError};

/// `alipay.open.app.qrcode.create`: a permanent code that opens a page of the mini-program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MiniCodeRequest<'a> {
    /// The page's path without a leading slash, at most 256 characters.
    pub url_param: &'a str,
    /// What the page receives as launch query, `k=v&k=v`, at most 256 characters. Required by Alipay.
    pub query_param: &'a str,
    /// Alipay's own note on the code, at most 32 characters, checked for forbidden content.
    pub describe: &'a str,
    /// Colour of the round codes, as `0x` and six hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<&'a str>,
    /// `s`, `m` or `l`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<&'a str>,
}

/// The addresses of the code's images. They do not expire while the mini-program is online.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MiniCode {
    /// The square code.
    pub qr_code_url: String,
    /// The round code on white; not every reply has it.
    pub qr_code_url_circle_white: Option<String>,
    /// The round code on blue; not every reply has it.
    pub qr_code_url_circle_blue: Option<String>,
}

impl MiniCodeRequest<'_> {
    /// As a call. Making the same code twice does no harm, so it is repeatable.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        Ok(Call::new("alipay.open.app.qrcode.create")
            .with_biz_content(super::biz_content(self)?)
            .repeatable())
    }
}
