//! The row of a session family, and what a token is to it.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use table_rows::{Item, WallTime};

use super::token::{Family, SessionToken};
use super::{Holder, Session};
use crate::row::{
    optional_bytes, optional_number, required_bytes, required_number, required_text, required_time,
};
use crate::{IdentityError, Refusal, Uid};

/// How long after a rotation the token that was replaced still stands for its successor: for who rotated it at the same time,
/// and for who never got the answer.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How long a row stays after its session has expired: long enough to see afterwards what happened to it.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The attributes of a row beside its key. Times are milliseconds since 1970, `ttl` is in seconds.
pub(super) mod attribute {
    pub const UID: &str = "uid";
    pub const CLIENT_ID: &str = "client_id";
    pub const APP_ID: &str = "app_id";
    pub const OPENID: &str = "openid";
    pub const DEVICE_SHA256: &str = "device_sha256";
    pub const BEGAN_AT: &str = "began_at";
    pub const ENDS_AT: &str = "ends_at";
    pub const LIFE: &str = "life";
    pub const EXPIRES_AT: &str = "expires_at";
    pub const GENERATION: &str = "generation";
    pub const TOKEN_SHA256: &str = "token_sha256";
    pub const PREDECESSOR_SHA256: &str = "predecessor_sha256";
    pub const ROTATED_AT: &str = "rotated_at";
    pub const REVOKED_AT: &str = "revoked_at";
}

/// The row of a family.
pub(super) struct Record {
    pub(super) session: Session,
    pub(super) token_sha256: [u8; 32],
    /// The direct predecessor's hash, and when it was replaced.
    predecessor: Option<([u8; 32], WallTime)>,
    device_sha256: [u8; 32],
    /// How long a rotation keeps the session alive.
    life: Duration,
    /// When it ends, however often it is rotated.
    ends_at: WallTime,
    is_revoked: bool,
}

/// What a token is to its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// The direct predecessor of the current one, replaced so lately that it stands for it.
    Predecessor,
}

impl Record {
    pub(super) fn read(row: &Item) -> Result<Self, IdentityError> {
        let uid = Uid::try_from(required_text(row, attribute::UID)?.to_owned());
        let corrupt = |field| IdentityError::Corrupt { field };
        let generation = required_number(row, attribute::GENERATION)?;
        let predecessor = match optional_bytes(row, attribute::PREDECESSOR_SHA256)? {
            None => None,
            Some(sha256) => Some((sha256, required_time(row, attribute::ROTATED_AT)?)),
        };
        Ok(Self {
            session: Session {
                uid: uid.map_err(|_| corrupt(attribute::UID))?,
                client_id: required_text(row, attribute::CLIENT_ID)?.to_owned(),
                app_id: required_text(row, attribute::APP_ID)?.to_owned(),
                openid: required_text(row, attribute::OPENID)?.to_owned(),
                began_at: required_time(row, attribute::BEGAN_AT)?,
                expires_at: required_time(row, attribute::EXPIRES_AT)?,
                generation: u32::try_from(generation)
                    .map_err(|_| corrupt(attribute::GENERATION))?,
            },
            token_sha256: required_bytes(row, attribute::TOKEN_SHA256)?,
            predecessor,
            device_sha256: required_bytes(row, attribute::DEVICE_SHA256)?,
            life: Duration::from_millis(required_number(row, attribute::LIFE)?),
            ends_at: required_time(row, attribute::ENDS_AT)?,
            is_revoked: optional_number(row, attribute::REVOKED_AT)?.is_some(),
        })
    }

    /// What `token`, which names this family and which we have made, is worth to `holder`.
    ///
    /// Another client is refused first: with somebody else's tokens it can do nothing to a session, not even end it. Whether a
    /// spent token came back is judged before the device, since a thief's device is another one.
    pub(super) fn standing(
        &self,
        token: &SessionToken,
        holder: &Holder<'_>,
        now: WallTime,
    ) -> Result<Standing, Refusal> {
        if self.session.client_id != holder.client_id {
            return Err(Refusal::OtherClient);
        }
        if self.is_revoked {
            return Err(Refusal::Revoked);
        }
        if now >= self.session.expires_at || now >= self.ends_at {
            return Err(Refusal::Expired);
        }
        let standing = self.place_in_line(token, now)?;
        let is_other_device = holder.fingerprint.is_some_and(|fingerprint| {
            self.device_sha256 != device_sha256(token.family(), fingerprint)
        });
        if is_other_device {
            return Err(Refusal::OtherDevice);
        }
        Ok(standing)
    }

    /// Where `token` stands among the tokens of the family, by their count and never by time alone.
    fn place_in_line(&self, token: &SessionToken, now: WallTime) -> Result<Standing, Refusal> {
        let sha256 = token.sha256();
        if sha256 == self.token_sha256 {
            return Ok(Standing::Current);
        }
        if let Some((predecessor, replaced_at)) = self.predecessor
            && sha256 == predecessor
        {
            return if now < replaced_at.plus(GRACE) {
                Ok(Standing::Predecessor)
            } else {
                Err(Refusal::Reused)
            };
        }
        if token.generation() < self.session.generation {
            Err(Refusal::Reused)
        } else {
            // Made by us and not in the table: the table was put back to an earlier state.
            Err(Refusal::Unknown)
        }
    }

    /// When the session expires if it is rotated at `now`.
    pub(super) fn expires_after_rotation(&self, now: WallTime) -> WallTime {
        now.plus(self.life).min(self.ends_at)
    }
}

/// The device's fingerprint as it is stored: bound to the family, so that the table does not tell whose devices are the same.
pub(super) fn device_sha256(family: Family, fingerprint: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(b"session-device");
    context.update(family.bytes());
    context.update(fingerprint.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The time to live of a row, in seconds since 1970.
pub(super) fn time_to_live(expires_at: WallTime) -> u64 {
    expires_at.plus(KEPT_AFTER_EXPIRY).as_secs_rounded_up()
}
