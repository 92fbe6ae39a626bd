//! `decrypt.getPhoneNumber` and `decrypt.decryptData`: verifies and opens what `my.getPhoneNumber` and its like gave to the page.
//! Both names do the same, because Alipay has one form for all such data. Calls nobody and stores nothing: Alipay's key and the
//! app's AES key are all it needs.

mod input;

use alipay_gateway::{App, FrontEndContent, FrontEndData, FrontEndDataError};
use function_kit::{Caller, Failure, Function, Outcome, Success};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use input::Input;

/// The function.
#[derive(Debug, Clone, Copy)]
pub struct Decrypt;

/// What was in the data. Personal, so there is no `Debug`.
#[derive(Serialize)]
pub struct Fields {
    /// The phone number where there is one: 11 digits for China's mainland, `1-5550100` with the country's number for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The same under Alipay's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<String>,
    /// All that Alipay encrypted, as it came.
    data: Box<RawValue>,
}

impl Function for Decrypt {
    const NAME: &'static str = "decrypt";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let fields = open(input.data, &caller.app.settings().app)?;
        Ok(Success::new("ok", fields))
    }
}

/// The story without the doors: `data` opened with the keys of `app`.
///
/// # Errors
/// `invalid_argument` for data that Alipay did not make for this app, `forbidden` for an app without AES key, `gateway_refused`
/// for Alipay's own errors.
pub fn open(data: FrontEndData, app: &App) -> Result<Fields, Failure> {
    data.open(app).map_err(failure).and_then(fields)
}

fn fields(content: FrontEndContent) -> Result<Fields, Failure> {
    #[derive(Deserialize)]
    struct Phone {
        #[serde(default)]
        mobile: Option<serde_json::Value>,
    }
    let phone: Phone = serde_json::from_str(content.as_str())
        .map_err(|_| Failure::internal("an opened content is no object"))?;
    // Alipay may send it empty; another type than text would be news, and stays in `data`.
    let mobile = phone
        .mobile
        .as_ref()
        .and_then(|mobile| mobile.as_str())
        .filter(|mobile| !mobile.is_empty())
        .map(str::to_owned);
    let data = RawValue::from_string(content.into_string())
        .map_err(|_| Failure::internal("an opened content is no JSON"))?;
    Ok(Fields {
        phone: mobile.clone(),
        mobile,
        data,
    })
}

/// The same data never opens differently a second time, whatever was the matter.
fn failure(error: FrontEndDataError) -> Failure {
    let outcome = match &error {
        FrontEndDataError::Refused(refusal) => Outcome::GatewayRefused(refusal.clone()),
        FrontEndDataError::NoContentKey => Outcome::Forbidden {
            reason: "aesKey: this app has none, so nothing can be decrypted; add it to the document of apps as the console \
                     shows it (接口内容加密方式)"
                .to_owned(),
        },
        error => {
            let (field, rule) = broken_rule(error);
            Outcome::InvalidArgument {
                field: field.to_owned(),
                rule: rule.to_owned(),
            }
        }
    };
    Failure::caused_by(outcome, error).with_repeatable(false)
}

fn broken_rule(error: &FrontEndDataError) -> (&'static str, &'static str) {
    match error {
        FrontEndDataError::Unsigned => (
            "sign",
            "is missing, so nothing says that the data is Alipay's; set up 接口加签方式, 接口内容加密方式 and 应用网关 for this \
             appid in Alipay's console, and call my.getPhoneNumber again",
        ),
        FrontEndDataError::NotEncrypted => (
            "response",
            "is not encrypted; set up 接口内容加密方式 for this appid in Alipay's console, and call my.getPhoneNumber again",
        ),
        FrontEndDataError::OtherSignType => (
            "sign_type",
            "is not the one that this app is configured for (signType)",
        ),
        FrontEndDataError::UnknownEncryptType => ("encrypt_type", "must be AES or AES_V2"),
        FrontEndDataError::UnknownCharset => ("charset", "must be utf-8, GBK or GB2312"),
        FrontEndDataError::Unopenable(_) => (
            "response",
            "could not be verified and opened with this app's keys; it must be passed on unchanged, and to the appid that it \
             was made for",
        ),
        _ => (
            "response",
            "must be the text that my.getPhoneNumber gave, or the member response of it",
        ),
    }
}
