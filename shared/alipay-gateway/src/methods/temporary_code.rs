use serde::{Deserialize, Serialize};

use crate::{Call, GatewayError};

/// `alipay.open.app.qrcode.temporary.create`: a code that opens a page of the mini-program for a limited time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemporaryCodeRequest<'a> {
    /// The page's path without a leading slash, at most 256 characters.
    pub url_param: &'a str,
    /// What the page receives as launch query, `k=v&k=v`, at most 256 characters.
    pub query_param: &'a str,
    /// How long the code works, in seconds: at most 86400, a day.
    pub timeout: u32,
    /// Alipay's name for the kind of code. Its values are not documented; left out, Alipay takes its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qrcode_type: Option<&'a str>,
    /// Colour of the round code, as `0x` and six hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<&'a str>,
}

/// The code and the address of its image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TemporaryCode {
    /// The text in the code; not every reply has it.
    pub qr_code: Option<String>,
    /// The address of its image.
    pub qr_code_url: String,
}

impl TemporaryCodeRequest<'_> {
    /// As a call. A second code does no harm, so it is repeatable.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        Ok(Call::new("alipay.open.app.qrcode.temporary.create")
            .with_biz_content(super::biz_content(self)?)
            .repeatable())
    }
}
