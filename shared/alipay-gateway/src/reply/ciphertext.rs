use crate::{App, GatewayError};

/// What a reply's ciphertext says, in the app's charset. Only for a ciphertext whose signature was verified: the cipher by itself
/// protects nothing against change.
///
/// One error, whatever is wrong with it, so that nothing about the plaintext can be learnt.
pub(crate) fn decrypted(app: &App, ciphertext: &str) -> Result<String, GatewayError> {
    let key = app.content_key.as_ref().ok_or_else(|| {
        GatewayError::unverified("the reply is encrypted and the app has no aesKey")
    })?;
    key.decrypt(ciphertext)
        .ok()
        .and_then(|bytes| Some(app.charset.decode(&bytes).ok()?.into_owned()))
        .filter(|text| text.starts_with('{'))
        .ok_or_else(|| {
            GatewayError::unverified("the reply could not be decrypted with the app's aesKey")
        })
}
