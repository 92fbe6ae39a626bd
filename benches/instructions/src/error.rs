use alipay_gateway::{FrontEndDataError, GatewayError, SetUpError};
use alipay_signing::KeyError;
use alipay_signing::content_encryption::ContentKeyError;
use function_kit::{AppsError, SettingError};

/// Why a case could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// Called with other arguments than it takes.
    #[error(
        "usage: instructions CASE REPETITIONS, as `benches/instructions/count` does; the cases: {0}"
    )]
    Usage(String),
    /// An answer is another than the case is for, so its count would say nothing.
    #[error("{0}")]
    WrongAnswer(String),
    /// The samples hold no address.
    #[error(transparent)]
    Address(#[from] url::ParseError),
    /// A key of the samples is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The AES key of the samples is none.
    #[error(transparent)]
    ContentKey(#[from] ContentKeyError),
    /// The document of apps.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// The gateway's client.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// A call could not be built, or its reply not be verified.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Front-end data could not be opened.
    #[error(transparent)]
    FrontEndData(#[from] FrontEndDataError),
}

/// The error of a function that is not meant to start.
pub fn never_started() -> SettingError {
    SettingError::new("instructions", "counts and ends")
}
