//! SHA-1 signing, which aws-lc-rs does not offer (it only verifies): the one place of this crate
//! with `unsafe`, and as little of it as there can be. Only an app that is set to `RSA` comes
//! here, so the key is parsed for each signature rather than kept behind a pointer. Bytes pass
//! between this module and aws-lc-rs, never pointers, so the two need not be of one version; one
//! version keeps a second copy of aws-lc out of the binary.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::SignError;

/// The RSASSA-PKCS1-v1_5 signature with SHA-1 over `message`, by an `RSAPrivateKey` of PKCS#1.
#[expect(unsafe_code, reason = "aws-lc-rs has no SHA-1 signing, aws-lc has")]
pub(crate) fn sign(pkcs1: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError> {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, message);
    let digest = digest.as_ref();

    // SAFETY: the pointer and the length are those of one live slice, which is only read.
    // What comes back is null or a key of our own, checked by aws-lc and freed below.
    let key = unsafe { aws_lc_sys::RSA_private_key_from_bytes(pkcs1.as_ptr(), pkcs1.len()) };
    if key.is_null() {
        return Err(SignError);
    }
    // SAFETY: `key` is not null and is live.
    let mut signature = vec![0; unsafe { aws_lc_sys::RSA_size(key) } as usize];
    let mut written = 0;
    // SAFETY: `digest` is a live slice of the length given with it, `signature` holds the
    // RSA_size(key) bytes that RSA_sign may write, and no other thread knows `key`.
    let outcome = unsafe {
        aws_lc_sys::RSA_sign(
            aws_lc_sys::NID_sha1,
            digest.as_ptr(),
            digest.len(),
            signature.as_mut_ptr(),
            &mut written,
            key,
        )
    };
    // SAFETY: `key` came from RSA_private_key_from_bytes, is freed once and not used after.
    // aws-lc overwrites what it frees.
    unsafe { aws_lc_sys::RSA_free(key) };

    if outcome == 1 && written as usize == signature.len() {
        Ok(signature)
    } else {
        Err(SignError)
    }
}
