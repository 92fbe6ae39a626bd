use std::borrow::Cow;

use alipay_signing::Charset;

use crate::GatewayError;

/// The body as text, and the charset that turns a slice of the text back into the bytes that came.
///
/// Error replies may be GBK although UTF-8 was asked for (seen live). The header only helps to read such errors: it is not
/// signed, so it has no say in what a success means ([`is_as_asked`]).
pub(super) fn decode<'a>(
    asked: Charset,
    body: &'a [u8],
    content_type: Option<&str>,
) -> Result<(Cow<'a, str>, Charset), GatewayError> {
    let stated = content_type
        .and_then(|value| {
            value
                .split(';')
                .find_map(|part| part.trim().strip_prefix("charset="))
        })
        .and_then(|value| value.trim_matches('"').parse::<Charset>().ok());
    let order = match (asked, stated) {
        (Charset::Utf8, _) | (_, Some(Charset::Utf8)) => [Charset::Utf8, Charset::Gbk],
        _ => [Charset::Gbk, Charset::Utf8],
    };
    order
        .into_iter()
        .find_map(|charset| charset.decode(body).ok().map(|text| (text, charset)))
        .ok_or_else(|| GatewayError::unreachable("what came back is not text"))
}

/// The same bytes may be other words in another charset, and the signature is over bytes.
pub(super) fn is_as_asked(asked: Charset, came: Charset, text: &str) -> bool {
    (asked == Charset::Utf8) == (came == Charset::Utf8) || text.is_ascii()
}
