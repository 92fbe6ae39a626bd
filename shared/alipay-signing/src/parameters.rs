//! The text that is signed, and the form in which the same parameters travel.

use percent_encoding::percent_encode_byte;

use crate::charset::{Charset, Unmappable};

/// The text of a request that is signed: `name=value` pairs in the byte order of their names,
/// joined by `&`, values as they are and not percent-encoded.
///
/// Left out are `sign` itself and every pair whose name or value is empty; `sign_type` stays in
/// (Alipay's rule for requests; notices have a rule of their own). [`form_encode`] leaves out the
/// same empty pairs, so that what is sent is what was signed. Of a name given twice both pairs
/// stay, in the order of their values.
///
/// Sign the bytes of this text in the app's charset: [`Charset::encode`].
pub fn canonical_string<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<(&str, &str)> = params
        .into_iter()
        .filter(|(name, value)| is_sent(name, value) && *name != "sign")
        .collect();
    // By name, not by the whole `name=value`: `a1` would come before `a` there, since `1` < `=`.
    pairs.sort_unstable();
    joined(&pairs)
}

/// `name=value` pairs joined by `&`, in the given order.
pub(crate) fn joined(pairs: &[(&str, &str)]) -> String {
    let length = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    let mut text = String::with_capacity(length);
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The parameters as `application/x-www-form-urlencoded` text, for a query, a body or an order
/// string: `name=value` pairs in the given order, percent-encoded over the bytes that `charset`
/// gives, a space as `%20`. Pairs with an empty name or value are left out, as in
/// [`canonical_string`]; `sign` is kept.
///
/// # Errors
/// [`Unmappable`] when a name or value holds a character that `charset` lacks.
pub fn form_encode<'a>(
    params: impl IntoIterator<Item = (&'a str, &'a str)>,
    charset: Charset,
) -> Result<String, Unmappable> {
    let mut text = String::new();
    for (name, value) in params {
        if !is_sent(name, value) {
            continue;
        }
        if text.is_empty() {
            text.reserve(USUAL_BYTES);
        } else {
            text.push('&');
        }
        push_encoded(&mut text, name, charset)?;
        text.push('=');
        push_encoded(&mut text, value, charset)?;
    }
    Ok(text)
}

fn is_sent(name: &str, value: &str) -> bool {
    !name.is_empty() && !value.is_empty()
}

/// Most queries and bodies are shorter, and few are far longer.
const USUAL_BYTES: usize = 768;

fn push_encoded(text: &mut String, value: &str, charset: Charset) -> Result<(), Unmappable> {
    text.reserve(value.len());
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| !is_unreserved(byte)) {
        let (unreserved, others) = rest.split_at(at);
        text.push_str(unreserved);
        // Both bytes of a GBK character are encoded, also a second one that is an ASCII letter: Java's
        // URLDecoder takes each run of %XX for whole characters and would tear `%81A` apart.
        let length = others.chars().next().map_or(0, char::len_utf8);
        let (character, after) = others.split_at(length);
        for byte in charset.encode(character)?.iter() {
            text.push_str(percent_encode_byte(*byte));
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(())
}

/// The unreserved characters of RFC 3986.
fn is_unreserved(byte: u8) -> bool {
    const UNRESERVED: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let character = byte as u8;
            table[byte] =
                character.is_ascii_alphanumeric() || matches!(character, b'-' | b'.' | b'_' | b'~');
            byte += 1;
        }
        table
    };
    UNRESERVED[usize::from(byte)]
}
