//! What a front-end API of Alipay's (`my.getPhoneNumber` and its like) hands to the page: a ciphertext and its signature, never
//! a content that could be read there. Pure.
//!
//! The page is not trusted: it could send anything. What counts is that Alipay signed the ciphertext with the key that it keeps
//! for this app, and that the app's AES key opens it. Nothing in the content names the app, a time or the request, so the keys
//! are all that binds it, and the same data opens again whenever it comes.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::unique_json::{Members, check_unique, top_level_members};
use crate::{App, KeyNeeded, Refusal};

/// Longer codes and texts are no error of Alipay's. They come unsigned, and go into answers and logs.
const MAX_CODE_CHARACTERS: usize = 64;
const MAX_MESSAGE_CHARACTERS: usize = 256;

/// The answer of a front-end API, as the page passed it on: whole in `response`, or taken apart.
#[derive(Clone, Default)]
pub struct FrontEndData {
    /// The ciphertext in base64, or a JSON text in place of it: the error that the API met, or the whole answer, and then the
    /// other members here are not looked at.
    pub response: String,
    /// Alipay's signature over the ciphertext in double quotes, in base64.
    pub sign: Option<String>,
    /// `RSA2` or `RSA`; absent: the app's. It does not choose the algorithm, it only has to agree with the app's.
    pub sign_type: Option<String>,
    /// `AES` (absent: this) or `AES_V2`.
    pub encrypt_type: Option<String>,
    /// The charset of the content; absent: UTF-8.
    pub charset: Option<String>,
}

/// The content of front-end data: a JSON object that Alipay encrypted and signed for this app. It holds personal data, so `Debug`
/// shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct FrontEndContent(String);

/// Why front-end data is not taken. Never holds anything of a content.
#[derive(Debug, thiserror::Error)]
pub enum FrontEndDataError {
    /// A JSON text that is neither such an answer nor an error.
    #[error("the data is not the answer of a front-end API")]
    Misbuilt,
    /// A success in the clear. Alipay signs replies of the gateway in that form too, so it is not taken even with a signature.
    #[error("the data is not encrypted")]
    NotEncrypted,
    /// Nothing says that the data is Alipay's: the app's signing or encryption is not set up in the console.
    #[error("the data is not signed")]
    Unsigned,
    /// Signed with another algorithm than the app is configured for.
    #[error("the data states another sign_type than the app has")]
    OtherSignType,
    /// Neither `AES` nor `AES_V2`.
    #[error("the data states an unknown encrypt_type")]
    UnknownEncryptType,
    /// None of the protocol's charsets.
    #[error("the data states an unknown charset")]
    UnknownCharset,
    /// Not signed by Alipay for this app, changed on the way, or not to be opened with this app's AES key. Callers are told one
    /// thing for all of these; which of them it was is for the log.
    #[error("the data could not be verified and opened with this app's keys")]
    Unopenable(#[source] OpeningFault),
    /// The configured certificate of Alipay's, whose key the signature would have to be by, is out of date. Such data names no
    /// certificate, so no newer one can be fetched for it.
    #[error("alipayCert, the configured certificate of Alipay's, is not valid now")]
    CertificateOutOfDate,
    /// The app has no [`content_key`](App::content_key). The data is genuine.
    #[error("the app has no AES key")]
    NoContentKey,
    /// The front-end API met an error of Alipay's. In the clear it may come without a signature, and then anybody may have made
    /// it up: it can say no, and nothing else.
    #[error("the front-end API was refused: {0}")]
    Refused(Refusal),
}

/// What was wrong with data that could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpeningFault {
    /// Not Alipay's signature for this app over this ciphertext.
    #[error(
        "the signature is wrong: the data was changed or is another app's, or alipayPublicKey is not Alipay's key"
    )]
    Signature,
    /// Signed by Alipay for this app, and still not a JSON object under its AES key.
    #[error(
        "the signature is right, but the content is not: aesKey is not the key that the console has"
    )]
    Content,
}

#[derive(Clone, Copy)]
enum EncryptType {
    Aes,
    /// With the initialisation vector before the ciphertext.
    AesV2,
}

impl FrontEndData {
    /// Verifies at `now` and decrypts, in that order: CBC protects nothing against change.
    ///
    /// # Errors
    /// See [`FrontEndDataError`].
    pub fn open(&self, app: &App, now: SystemTime) -> Result<FrontEndContent, FrontEndDataError> {
        let data = self.taken_apart()?;
        if data.response.trim_start().starts_with('{') {
            return Err(refused_in_the_clear(&data.response));
        }
        let sign = data.sign.as_deref().ok_or(FrontEndDataError::Unsigned)?;
        data.check_sign_type(app.sign_type)?;
        let encrypt_type = data.encrypt_type()?;
        let charset = data.charset()?;
        let Ok(KeyNeeded::Configured(alipay_key)) = KeyNeeded::of_signed(app, None, now) else {
            return Err(FrontEndDataError::CertificateOutOfDate);
        };
        alipay_key
            .verify(
                app.sign_type,
                format!("\"{}\"", data.response).as_bytes(),
                sign,
            )
            .map_err(|_| FrontEndDataError::Unopenable(OpeningFault::Signature))?;
        let key = app
            .content_key
            .as_ref()
            .ok_or(FrontEndDataError::NoContentKey)?;
        let content = decrypted(key, encrypt_type, charset, &data.response)
            .ok_or(FrontEndDataError::Unopenable(OpeningFault::Content))?;
        succeeded(content)
    }

    /// The members of the whole answer, where `response` is that.
    fn taken_apart(&self) -> Result<Cow<'_, Self>, FrontEndDataError> {
        if !self.response.trim_start().starts_with('{') {
            return Ok(Cow::Borrowed(self));
        }
        let members = top_level_members(&self.response).map_err(|_| FrontEndDataError::Misbuilt)?;
        if !members.contains_key("response") {
            return Ok(Cow::Borrowed(self));
        }
        let member = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str::<Option<String>>(raw.get())
                .map(|text| text.filter(|text| !text.is_empty()))
                .map_err(|_| FrontEndDataError::Misbuilt),
        };
        Ok(Cow::Owned(Self {
            response: member("response")?.ok_or(FrontEndDataError::Misbuilt)?,
            sign: member("sign")?,
            sign_type: member("sign_type")?,
            encrypt_type: member("encrypt_type")?,
            charset: member("charset")?,
        }))
    }

    /// Whoever could choose the algorithm could choose the weaker one.
    fn check_sign_type(&self, configured: SignType) -> Result<(), FrontEndDataError> {
        match self.sign_type.as_deref().map(str::parse) {
            None => Ok(()),
            Some(Ok(stated)) if configured == stated => Ok(()),
            Some(_) => Err(FrontEndDataError::OtherSignType),
        }
    }

    /// The type is not signed. That is no loss: read as the other type, a ciphertext has lost its first block or gained one of
    /// noise, and is no JSON object any more.
    fn encrypt_type(&self) -> Result<EncryptType, FrontEndDataError> {
        match self.encrypt_type.as_deref() {
            None | Some("AES") => Ok(EncryptType::Aes),
            Some("AES_V2") => Ok(EncryptType::AesV2),
            Some(_) => Err(FrontEndDataError::UnknownEncryptType),
        }
    }

    fn charset(&self) -> Result<Charset, FrontEndDataError> {
        match self.charset.as_deref() {
            None => Ok(Charset::Utf8),
            Some(name) => name.parse().map_err(|_| FrontEndDataError::UnknownCharset),
        }
    }
}

/// Names only: the ciphertext and its signature are good for a repeat.
impl fmt::Debug for FrontEndData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FrontEndData")
            .field("has_sign", &self.sign.is_some())
            .finish_non_exhaustive()
    }
}

impl FrontEndContent {
    /// The object as Alipay wrote it. No member name in it stands twice in one object.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The object as Alipay wrote it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for FrontEndContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FrontEndContent")
            .finish_non_exhaustive()
    }
}

/// The JSON object in a verified ciphertext; `None` whatever is wrong with it, so that nothing can be learnt from the difference.
fn decrypted(
    key: &ContentKey,
    encrypt_type: EncryptType,
    charset: Charset,
    ciphertext: &str,
) -> Option<String> {
    let plaintext = match encrypt_type {
        EncryptType::Aes => key.decrypt(ciphertext),
        EncryptType::AesV2 => key.decrypt_with_leading_vector(ciphertext),
    }
    .ok()?;
    let text = charset.decode(&plaintext).ok()?;
    check_unique(&text).ok()?;
    top_level_members(&text).ok()?;
    Some(text.into_owned())
}

/// A content without `code` is a success, as in the gateway's replies.
fn succeeded(content: String) -> Result<FrontEndContent, FrontEndDataError> {
    let members = top_level_members(&content).map_err(|_| FrontEndDataError::Misbuilt)?;
    match refusal(&members) {
        Status::Success => Ok(FrontEndContent(content)),
        Status::Refused(refusal) => Err(FrontEndDataError::Refused(refusal)),
        Status::Unclear => Err(FrontEndDataError::Misbuilt),
    }
}

fn refused_in_the_clear(text: &str) -> FrontEndDataError {
    let Ok(members) = top_level_members(text) else {
        return FrontEndDataError::Misbuilt;
    };
    match refusal(&members) {
        Status::Refused(refusal) => FrontEndDataError::Refused(refusal),
        Status::Success => FrontEndDataError::NotEncrypted,
        Status::Unclear => FrontEndDataError::Misbuilt,
    }
}

enum Status {
    Success,
    Refused(Refusal),
    /// A code that is none of Alipay's.
    Unclear,
}

/// The members of errors are `subCode` and `subMsg` here; the gateway's own spelling is taken too.
fn refusal(members: &Members<'_>) -> Status {
    let text = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| text_or_number(members.get(*name)?))
    };
    let message = |names| {
        let text = text(names)?;
        let shown = text.chars().filter(|character| !character.is_control());
        Some(shown.take(MAX_MESSAGE_CHARACTERS).collect::<String>())
    };
    match text(["code"; 2]) {
        None if members.contains_key("code") => Status::Unclear,
        None => Status::Success,
        Some(code) if code == "10000" => Status::Success,
        Some(code) if !is_code(&code) => Status::Unclear,
        Some(code) => Status::Refused(Refusal {
            code,
            sub_code: text(["subCode", "sub_code"]).filter(|sub_code| is_code(sub_code)),
            msg: message(["msg"; 2]).unwrap_or_default(),
            sub_msg: message(["subMsg", "sub_msg"]),
            ..Refusal::default()
        }),
    }
}

fn is_code(text: &str) -> bool {
    text.len() <= MAX_CODE_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A text that is not empty, or a number as it is written.
fn text_or_number(raw: &RawValue) -> Option<String> {
    match serde_json::from_str(raw.get()).ok()? {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Number(_) => Some(raw.get().to_owned()),
        _ => None,
    }
}
