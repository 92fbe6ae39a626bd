use std::borrow::Cow;

use alipay_signing::{Charset, SignType, VerifyingKey};

use crate::GatewayError;

/// Verifies `node` and gives the text that the signature covers.
///
/// The gateway may write `/` as `\/` after signing the plain text (the official SDKs' second try), or the other way round (an
/// older document of Alipay's). Changing only where the backslash really is the escape of the slash (an odd number of
/// backslashes before it), and reading the changed text from then on, leaves nothing to forge with. A ciphertext is such a text
/// too: base64 has slashes.
pub(crate) fn verify_node<'a>(
    key: &VerifyingKey,
    sign_type: SignType,
    charset: Charset,
    node: &'a str,
    sign: &str,
) -> Result<Cow<'a, str>, GatewayError> {
    let verifies = |text: &str| {
        charset
            .encode(text)
            .is_ok_and(|bytes| key.verify(sign_type, &bytes, sign).is_ok())
    };
    if verifies(node) {
        return Ok(Cow::Borrowed(node));
    }
    for slash in ["/", "\\/"] {
        let respelled = with_slashes_as(slash, node);
        if respelled != node && verifies(&respelled) {
            return Ok(Cow::Owned(respelled));
        }
    }
    Err(GatewayError::unverified("the reply's signature is wrong"))
}

/// `text` with every slash, escaped or not, written as `slash`.
fn with_slashes_as(slash: &str, text: &str) -> String {
    let mut respelled = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '/' => respelled.push_str(slash),
            '\\' => match characters.next() {
                Some('/') => respelled.push_str(slash),
                Some(escaped) => respelled.extend(['\\', escaped]),
                None => respelled.push('\\'),
            },
            other => respelled.push(other),
        }
    }
    respelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backslash_that_escapes_the_slash_is_touched() {
        for (text, plain, escaped) in [
            (r"http:\/\/a", "http://a", r"http:\/\/a"),
            ("http://a", "http://a", r"http:\/\/a"),
            (r"http:\\/\\/a", r"http:\\/\\/a", r"http:\\\/\\\/a"),
            (r"\\\/ \n \", r"\\/ \n \", r"\\\/ \n \"),
        ] {
            assert_eq!(with_slashes_as("/", text), plain);
            assert_eq!(with_slashes_as(r"\/", text), escaped);
        }
    }
}
