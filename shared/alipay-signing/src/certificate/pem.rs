//! From what a user pastes into a configuration to the certificates in it.

use super::CertificateError;
use crate::key_text::{self, KeyError};

/// Bytes of text. Alipay's files have under 8 KiB.
const MAX_TEXT: usize = 128 * 1024;

/// The DER documents in `text`, in order: one for each PEM block, or one of bare base64.
pub(super) fn documents(text: &str, most: usize) -> Result<Vec<Vec<u8>>, CertificateError> {
    if text.len() > MAX_TEXT {
        return Err(CertificateError::TooLarge);
    }
    let blocks = blocks(text)?;
    if blocks.len() > most {
        return Err(CertificateError::TooLarge);
    }
    blocks
        .into_iter()
        .map(|block| match key_text::decode_base64(block) {
            Ok(der) => Ok(der.to_vec()),
            Err(KeyError::Empty) => Err(CertificateError::Empty),
            Err(_) => Err(CertificateError::Malformed),
        })
        .collect()
}

/// The base64 of each block. What stands outside the blocks is free; labels are not trusted, many tools write the wrong one.
fn blocks(text: &str) -> Result<Vec<&str>, CertificateError> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    const DASHES: &str = "-----";

    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((before, after_begin)) = rest.split_once(BEGIN) {
        if before.contains(END) {
            return Err(CertificateError::PemCutOff);
        }
        let (label, after_label) = after_begin
            .split_once(DASHES)
            .ok_or(CertificateError::PemCutOff)?;
        let (body, after_end) = after_label
            .split_once(END)
            .ok_or(CertificateError::PemCutOff)?;
        if body.contains(BEGIN) {
            return Err(CertificateError::PemCutOff);
        }
        // A key of the old kind under a passphrase has header lines, which are no base64.
        if label.contains("PRIVATE KEY") {
            return Err(CertificateError::PrivateKey);
        }
        let (_, after) = after_end
            .split_once(DASHES)
            .ok_or(CertificateError::PemCutOff)?;
        blocks.push(body);
        rest = after;
    }
    if rest.contains(END) {
        return Err(CertificateError::PemCutOff);
    }
    if blocks.is_empty() {
        blocks.push(rest);
    }
    Ok(blocks)
}
