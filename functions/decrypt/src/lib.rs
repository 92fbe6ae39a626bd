//! `decrypt.getPhoneNumber` and `decrypt.decryptData`: verifies and opens what `my.getPhoneNumber` and its like gave to the page.
//! Both names do the same, because Alipay has one form for all such data. Makes no call and stores nothing: Alipay's key and the
//! app's AES key are all it needs.

mod input;

use alipay_gateway::{FrontEndContent, FrontEndData, FrontEndDataError};
use function_kit::{Access, Alipay, Caller, Failure, Function, Outcome, Success};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use input::Input;

/// The function.
#[derive(Debug, Clone)]
pub struct Decrypt {
    alipay: Alipay,
}

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

impl Decrypt {
    /// Opens data with the keys of the apps of `alipay`.
    pub fn new(alipay: Alipay) -> Self {
        Self { alipay }
    }

    /// Data that does not fit the keys may be made for newer ones than were read when the function started.
    async fn open(
        &self,
        data: &FrontEndData,
        caller: &Caller,
    ) -> Result<FrontEndContent, FrontEndDataError> {
        let now = self.alipay.now();
        let opened = data.open(&caller.app.settings().app, now);
        if !opened.as_ref().is_err_and(is_about_our_keys) {
            return opened;
        }
        match self.alipay.read_again(&caller.app).await {
            Some(app) => data.open(&app.settings().app, now),
            None => opened,
        }
    }
}

impl Function for Decrypt {
    const NAME: &'static str = "decrypt";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let content = self.open(&input.data, caller).await.map_err(failure)?;
        Ok(Success::new("ok", fields(content)?))
    }
}

fn is_about_our_keys(error: &FrontEndDataError) -> bool {
    matches!(
        error,
        FrontEndDataError::Unopenable(_)
            | FrontEndDataError::OtherSignType
            | FrontEndDataError::CertificateOutOfDate
            | FrontEndDataError::NoContentKey
    )
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
        FrontEndDataError::CertificateOutOfDate => Outcome::Forbidden {
            reason: "alipayCert: this app's certificate of Alipay's is out of date, so nothing can be verified; download it anew \
                     from the console and replace it in the document of apps"
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
