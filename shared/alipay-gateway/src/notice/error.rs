/// Why a notice is not taken. Names the rule that it breaks, never a value in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// More than 64 KiB.
    #[error("the body is longer than 64 KiB")]
    TooLong,
    /// More than 200.
    #[error("the body has more than 200 fields")]
    TooManyFields,
    /// A field without `=`, an empty one between two `&` among them.
    #[error("the body is no form: a field has no =")]
    NoEquals,
    /// A character that a form has percent-encoded.
    #[error("the body is no form: it holds a character that has to be percent-encoded")]
    BareCharacter,
    /// `%` without two hexadecimal digits.
    #[error("the body is no form: a percent escape is broken")]
    BrokenEscape,
    /// A field without a name.
    #[error("a field has no name")]
    NoName,
    /// Readers disagree on which of two equal names counts.
    #[error("a name stands twice")]
    RepeatedName,
    /// None of the protocol's charsets.
    #[error("the notice states an unknown charset")]
    UnknownCharset,
    /// Bytes that are no text in the charset of the notice.
    #[error("the bytes are no text in the charset that the notice states")]
    NotInCharset,
    /// `sign` is absent or empty.
    #[error("the notice is not signed")]
    Unsigned,
    /// `sign_type` is absent or empty.
    #[error("the notice states no sign_type")]
    NoSignType,
    /// Signed with another algorithm than the app is configured for.
    #[error("the notice states another sign_type than the app has")]
    OtherSignType,
    /// The configured certificate of Alipay's, whose key the signature would have to be by, is out of date. A notice names no
    /// certificate, so no newer one can be fetched for it.
    #[error("alipayCert, the configured certificate of Alipay's, is not valid now")]
    CertificateOutOfDate,
    /// Not Alipay's signature over this notice.
    #[error(
        "the signature is wrong: the notice was changed or forged, or alipayPublicKey is not Alipay's key"
    )]
    WrongSignature,
    /// Genuine, and for another app.
    #[error("the notice is of another app")]
    OfAnotherApp,
    /// A field that every notice of the kind has.
    #[error("the notice has no {0}")]
    Missing(&'static str),
    /// A field that is an id or the name of a method, and holds anything else than one.
    #[error("the field {0} is not of the form that Alipay writes")]
    NotPlain(&'static str),
}

impl NoticeError {
    /// Whether the signature does not fit the configured key. It was forged, or the key has changed: then newer settings may take the
    /// same notice.
    pub fn is_signature(&self) -> bool {
        matches!(self, Self::WrongSignature | Self::CertificateOutOfDate)
    }

    /// Whether the notice is genuine and was sent for another app: the address was configured, or copied, wrongly.
    pub fn is_of_another_app(&self) -> bool {
        *self == Self::OfAnotherApp
    }
}
