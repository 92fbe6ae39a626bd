//! The text of a session token.
//!
//! `bts` and the base64url of `family (16 bytes) ‖ generation (4, big endian) ‖ secret (16) ‖ tag (16)`. The tag is an HMAC over the
//! rest, so that only what this deployment has made can ever count as a token that came back. The first secret of a family is
//! random; every other is an HMAC over the one before: two who rotate the same token come to the same successor, and nothing that
//! it could be read from is stored.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::IdentityError;
use crate::session_keys::SessionKeys;

/// What every session token begins with.
const PREFIX: &str = "bts";

const FAMILY_BYTES: usize = 16;
const GENERATION_END: usize = FAMILY_BYTES + size_of::<u32>();
const SECRET_BYTES: usize = 16;
/// Where the tag begins, and so the length of what it is made over.
const TAG_START: usize = GENERATION_END + SECRET_BYTES;
const TOKEN_BYTES: usize = TAG_START + 16;
/// Base64 of the 52 bytes, without padding.
const ENCODED_CHARACTERS: usize = 70;

/// What the two uses of a key are told apart by. What follows them is of one length each.
const TAG_LABEL: &[u8] = b"session-token-tag";
const SUCCESSOR_LABEL: &[u8] = b"session-token-successor";

/// All tokens that come from one login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Family([u8; FAMILY_BYTES]);

impl Family {
    pub(super) fn random() -> Result<Self, IdentityError> {
        let mut family = [0; FAMILY_BYTES];
        aws_lc_rs::rand::fill(&mut family).map_err(|_| IdentityError::Signing)?;
        Ok(Self(family))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The address of its row.
    pub(super) fn pk(&self) -> String {
        format!("SESSION#{}", hex::encode(self.0))
    }
}

/// What has the form of a token. Nothing in it is to be believed.
pub(super) struct PresentedToken(Zeroizing<[u8; TOKEN_BYTES]>);

impl PresentedToken {
    pub(super) fn read(text: &SecretString) -> Option<Self> {
        let encoded = text.expose_secret().strip_prefix(PREFIX)?;
        if encoded.len() != ENCODED_CHARACTERS {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let bytes = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// The family it claims to be of.
    pub(super) fn family(&self) -> Family {
        family_of(&self.0)
    }

    /// The token, if it was made with one of `keys`.
    pub(super) fn verified(self, keys: &SessionKeys) -> Option<SessionToken> {
        let (body, tag) = self.0.split_at(TAG_START);
        let is_ours = keys.known().any(|key| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&tag_of(key, body), tag).is_ok()
        });
        is_ours.then_some(SessionToken(self.0))
    }
}

/// A token that this deployment has made, which does not mean that it still holds.
pub(super) struct SessionToken(Zeroizing<[u8; TOKEN_BYTES]>);

impl SessionToken {
    /// The first token of a new family.
    pub(super) fn first(keys: &SessionKeys) -> Result<Self, IdentityError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        aws_lc_rs::rand::fill(secret.as_mut_slice()).map_err(|_| IdentityError::Signing)?;
        Ok(Self::made(keys.maker(), Family::random()?, 1, &secret))
    }

    /// The token that comes after this one when it is rotated under `key`; `None` after the last that can be counted.
    pub(super) fn successor(&self, key: &Key) -> Option<Self> {
        let generation = self.generation().checked_add(1)?;
        let mut context = hmac::Context::with_key(key);
        context.update(SUCCESSOR_LABEL);
        context.update(self.family().bytes());
        context.update(&generation.to_be_bytes());
        context.update(&self.0[GENERATION_END..TAG_START]);
        let secret = Zeroizing::new(first_half(&context.sign()));
        Some(Self::made(key, self.family(), generation, &secret))
    }

    fn made(key: &Key, family: Family, generation: u32, secret: &[u8; SECRET_BYTES]) -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        bytes[..FAMILY_BYTES].copy_from_slice(family.bytes());
        bytes[FAMILY_BYTES..GENERATION_END].copy_from_slice(&generation.to_be_bytes());
        bytes[GENERATION_END..TAG_START].copy_from_slice(secret);
        let tag = tag_of(key, &bytes[..TAG_START]);
        bytes[TAG_START..].copy_from_slice(&tag);
        Self(bytes)
    }

    pub(super) fn family(&self) -> Family {
        family_of(&self.0)
    }

    /// How many tokens of the family came before it, and one.
    pub(super) fn generation(&self) -> u32 {
        let mut generation = [0; size_of::<u32>()];
        generation.copy_from_slice(&self.0[FAMILY_BYTES..GENERATION_END]);
        u32::from_be_bytes(generation)
    }

    /// What the table knows it by.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.0.as_slice()).as_ref());
        hash
    }

    pub(super) fn text(&self) -> SecretString {
        let mut text = String::with_capacity(PREFIX.len() + ENCODED_CHARACTERS);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(self.0.as_slice(), &mut text);
        text.into()
    }
}

fn family_of(token: &[u8; TOKEN_BYTES]) -> Family {
    let mut family = [0; FAMILY_BYTES];
    family.copy_from_slice(&token[..FAMILY_BYTES]);
    Family(family)
}

fn tag_of(key: &Key, body: &[u8]) -> [u8; 16] {
    let mut context = hmac::Context::with_key(key);
    context.update(TAG_LABEL);
    context.update(body);
    first_half(&context.sign())
}

/// The first 16 of the 32 bytes of an HMAC.
fn first_half(tag: &hmac::Tag) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&tag.as_ref()[..16]);
    half
}
