//! A form, decoded strictly.

use std::collections::BTreeMap;

use alipay_signing::Charset;

use super::NoticeError;

const MAX_BYTES: usize = 64 * 1024;
const MAX_FIELDS: usize = 200;

/// The fields of `body`, and the charset that turns their texts back into the bytes that were signed.
///
/// By hand, because readers of forms are made to take whatever comes: they keep a broken escape as it is, replace bytes that are no
/// text, take a field without `=`, and leave a name that stands twice to whoever asks for it.
pub(super) fn decode(body: &str) -> Result<(BTreeMap<String, String>, Charset), NoticeError> {
    if body.len() > MAX_BYTES {
        return Err(NoticeError::TooLong);
    }
    if body.split('&').nth(MAX_FIELDS).is_some() {
        return Err(NoticeError::TooManyFields);
    }
    let pairs = body
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(NoticeError::NoEquals)?;
            Ok((unescaped(name)?, unescaped(value)?))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let charset = stated_charset(&pairs)?;
    let mut fields = BTreeMap::new();
    for (name, value) in &pairs {
        let text = |bytes| {
            let text = charset.decode(bytes);
            text.map(|text| text.into_owned())
                .map_err(|_| NoticeError::NotInCharset)
        };
        if name.is_empty() {
            return Err(NoticeError::NoName);
        }
        if fields.insert(text(name)?, text(value)?).is_some() {
            return Err(NoticeError::RepeatedName);
        }
    }
    Ok((fields, charset))
}

/// A second `charset` is refused with the other names that stand twice.
fn stated_charset(pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<Charset, NoticeError> {
    let stated = pairs.iter().find(|(name, _)| name == b"charset");
    match stated.map(|(_, value)| value.as_slice()) {
        None | Some([]) => Ok(Charset::Utf8),
        Some(value) => std::str::from_utf8(value)
            .ok()
            .and_then(|name| name.parse().ok())
            .ok_or(NoticeError::UnknownCharset),
    }
}

/// The bytes that a name or value stands for.
fn unescaped(text: &str) -> Result<Vec<u8>, NoticeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(hexadecimal);
                match (digit(), digit()) {
                    (Some(high), Some(low)) => high << 4 | low,
                    _ => return Err(NoticeError::BrokenEscape),
                }
            }
            byte if byte.is_ascii_graphic() => byte,
            _ => return Err(NoticeError::BareCharacter),
        });
    }
    Ok(bytes)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
