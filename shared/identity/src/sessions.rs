//! Sessions: one opaque token at a time, replaced at every rotation.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use secrecy::SecretString;
use table_rows::{WallTime, blob, failed, number, text};

use crate::session_keys::SessionKeys;
use crate::table::{IDENTITY_TTL_ATTRIBUTE, IdentityTable, PK};
use crate::{IdentityError, Refusal, Uid};
use record::{Record, Standing, attribute, device_sha256, time_to_live};
use token::{Family, PresentedToken, SessionToken};

mod record;
mod token;

/// Longest client id, app id and openid in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The sessions of everybody who logged in through an interface that gives a `session_token`.
///
/// One login begins a *family*: a row, and a line of tokens of which the newest holds. [`rotate`](Self::rotate) replaces it.
/// For 10 s the one that was replaced stands for its successor: two rotations at once, and one whose answer was lost, all give the
/// same new token. What comes back later, or is older than that, is a copy in somebody's hands: the family is revoked, with the
/// token of whoever was first.
///
/// Invariants:
///
/// 1. The table holds hashes of the current token and of its direct predecessor, nothing else of a token.
/// 2. A rotation is one write under the condition that the token is still the current one and the family is not revoked, so of
///    any number of rotations at once one makes a generation, and none outlives a revocation.
/// 3. A revocation is never taken back.
/// 4. What comes first is judged by the generation that is in every token, never by time.
/// 5. What we did not make (no tag of ours), or another client presents, changes nothing.
/// 6. Rotations move the end of a session, but not beyond the longest life it began with.
/// 7. A refusal costs one read, whatever was presented; only a spent token that comes back costs a write as well.
///
/// Every refusal is an [`IdentityError::Refused`], whose reason is for the log only. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    table: IdentityTable,
    keys: SessionKeys,
}

/// A session that is to begin.
#[derive(Clone, Copy)]
pub struct NewSession<'a> {
    /// Whose it is.
    pub uid: &'a Uid,
    /// The client that logged the person in. Nobody else can use the session.
    pub client_id: &'a str,
    /// The app the person logged in to.
    pub app_id: &'a str,
    /// The person's id at Alipay in that app.
    pub openid: &'a str,
    /// What the client says of the device, such as `X-device-fingerprint`. Only a hash of it is stored.
    pub fingerprint: &'a str,
    /// How long it lives after each rotation.
    pub life: Duration,
    /// How long it lives at most.
    pub longest_life: Duration,
}

/// Who presents a session token.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// The client, which has been recognised by the caller.
    pub client_id: &'a str,
    /// What it says of the device; `None` where it cannot know that. It is never enough by itself.
    pub fingerprint: Option<&'a str>,
}

/// A session and the token that holds it from now on.
#[derive(Debug)]
pub struct Begun {
    /// `bts` and 70 characters of base64url.
    pub token: SecretString,
    /// The session.
    pub session: Session,
}

/// A session that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is. The account may have been merged into another since: [`Accounts::get`](crate::Accounts::get) knows.
    pub uid: Uid,
    /// The client that logged the person in.
    pub client_id: String,
    /// The app the person logged in to.
    pub app_id: String,
    /// The person's id at Alipay in that app.
    pub openid: String,
    /// When the person logged in.
    pub began_at: WallTime,
    /// When it is over if it is not rotated before.
    pub expires_at: WallTime,
    /// How many tokens it has had, beginning with 1.
    pub generation: u32,
}

impl Sessions {
    /// The sessions in `table`, whose tokens are made with `keys`.
    pub fn new(table: IdentityTable, keys: SessionKeys) -> Self {
        Self { table, keys }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`IdentityError::Table`]; [`IdentityError::TooLarge`] for a client id, app id or openid of more than 256 bytes.
    pub async fn begin(&self, new: &NewSession<'_>, now: WallTime) -> Result<Begun, IdentityError> {
        for (field, value) in [
            (attribute::CLIENT_ID, new.client_id),
            (attribute::APP_ID, new.app_id),
            (attribute::OPENID, new.openid),
        ] {
            if value.len() > MAX_NAME_BYTES {
                return Err(IdentityError::TooLarge {
                    field,
                    limit: MAX_NAME_BYTES,
                });
            }
        }
        let token = SessionToken::first(&self.keys)?;
        let ends_at = now.plus(new.longest_life);
        let session = Session {
            uid: new.uid.clone(),
            client_id: new.client_id.to_owned(),
            app_id: new.app_id.to_owned(),
            openid: new.openid.to_owned(),
            began_at: now,
            expires_at: now.plus(new.life).min(ends_at),
            generation: token.generation(),
        };
        let sent = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .item(PK, text(token.family().pk()))
            .item(attribute::UID, text(session.uid.as_str()))
            .item(attribute::CLIENT_ID, text(new.client_id))
            .item(attribute::APP_ID, text(new.app_id))
            .item(attribute::OPENID, text(new.openid))
            .item(
                attribute::DEVICE_SHA256,
                blob(device_sha256(token.family(), new.fingerprint)),
            )
            .item(attribute::BEGAN_AT, number(now.as_millis()))
            .item(attribute::ENDS_AT, number(ends_at.as_millis()))
            .item(attribute::LIFE, number(millis(new.life)))
            .item(
                attribute::EXPIRES_AT,
                number(session.expires_at.as_millis()),
            )
            .item(attribute::GENERATION, number(session.generation.into()))
            .item(attribute::TOKEN_SHA256, blob(token.sha256()))
            .item(
                IDENTITY_TTL_ATTRIBUTE,
                number(time_to_live(session.expires_at)),
            )
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match sent {
            Ok(_) => {}
            // The family is random: the row that is there is the one of this call, whose reply was lost. Without the condition a
            // request that arrives late could take back what has become of the session since.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) => {}
            Err(error) => return Err(failed(error).into()),
        }
        Ok(Begun {
            token: token.text(),
            session,
        })
    }

    /// The session that `token` holds.
    ///
    /// # Errors
    /// [`IdentityError::Refused`], [`IdentityError::Table`], [`IdentityError::Corrupt`].
    pub async fn read(
        &self,
        token: &SecretString,
        holder: &Holder<'_>,
        now: WallTime,
    ) -> Result<Session, IdentityError> {
        let (token, record) = self.find(token).await?;
        self.judge(&record, &token, holder, now).await?;
        Ok(record.session)
    }

    /// Replaces `token` by its successor and moves the end of the session. Of a token that was replaced in the last 10 s it gives
    /// the same successor once more, and moves nothing.
    ///
    /// # Errors
    /// [`IdentityError::Refused`], [`IdentityError::Table`], [`IdentityError::Corrupt`]; [`IdentityError::Conflict`] if the session
    /// was rotated under a key that this process has not (yet, or any more).
    pub async fn rotate(
        &self,
        token: &SecretString,
        holder: &Holder<'_>,
        now: WallTime,
    ) -> Result<Begun, IdentityError> {
        let (token, record) = self.find(token).await?;
        match self.judge(&record, &token, holder, now).await? {
            Standing::Predecessor => self.successor_again(&token, record),
            Standing::Current => match self.replace(&token, record, now).await? {
                Replaced::Yes(begun) => Ok(begun),
                // Somebody was quicker, or the reply to this very write was lost and it was sent again.
                Replaced::No(record) => match self.judge(&record, &token, holder, now).await? {
                    Standing::Predecessor => self.successor_again(&token, record),
                    Standing::Current => Err(IdentityError::Conflict),
                },
            },
        }
    }

    /// Ends the session for good, together with every token of it. Any token of the session will do, also a spent one; that it is
    /// revoked already is no error.
    ///
    /// # Errors
    /// [`IdentityError::Refused`] where there is nothing to end; [`IdentityError::Table`]: it may still stand.
    pub async fn revoke(
        &self,
        token: &SecretString,
        client_id: &str,
        now: WallTime,
    ) -> Result<(), IdentityError> {
        let (token, record) = self.find(token).await?;
        if record.session.client_id != client_id {
            return Err(Refusal::OtherClient.into());
        }
        self.end(token.family(), "logout", now).await
    }

    /// The row of the family that `token` names, if we have made it. Reads once in any case, so that the time a refusal takes
    /// does not tell what was wrong.
    async fn find(&self, token: &SecretString) -> Result<(SessionToken, Record), IdentityError> {
        let presented = PresentedToken::read(token);
        let family = match &presented {
            Some(presented) => presented.family(),
            None => Family::random()?,
        };
        let row = self.table.row(&family.pk()).await?;
        let token = presented
            .and_then(|presented| presented.verified(&self.keys))
            .ok_or(Refusal::Malformed)?;
        let record = Record::read(&row.ok_or(Refusal::Unknown)?)?;
        Ok((token, record))
    }

    /// What the token is worth, and what follows if it is worth nothing.
    async fn judge(
        &self,
        record: &Record,
        token: &SessionToken,
        holder: &Holder<'_>,
        now: WallTime,
    ) -> Result<Standing, IdentityError> {
        let refusal = match record.standing(token, holder, now) {
            Ok(standing) => return Ok(standing),
            Err(refusal) => refusal,
        };
        let Session { uid, client_id, .. } = &record.session;
        match refusal {
            Refusal::Reused => {
                tracing::error!(
                    refusal = %refusal,
                    %uid,
                    client_id,
                    generation = record.session.generation,
                    presented = token.generation(),
                    "a spent session token came back"
                );
                self.end(token.family(), "reuse", now).await?;
            }
            Refusal::OtherDevice => {
                tracing::warn!(refusal = %refusal, %uid, client_id, "a session token came from another device");
            }
            _ => {}
        }
        Err(refusal.into())
    }

    /// Makes the successor of the current token current.
    async fn replace(
        &self,
        token: &SessionToken,
        record: Record,
        now: WallTime,
    ) -> Result<Replaced, IdentityError> {
        let successor = token.successor(self.keys.maker()).ok_or(Refusal::Expired)?;
        let expires_at = record.expires_after_rotation(now);
        let sent = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(token.family().pk()))
            .update_expression(
                "SET generation = :generation, token_sha256 = :successor, predecessor_sha256 = :token, \
                 rotated_at = :now, expires_at = :expires_at, #ttl = :ttl",
            )
            .condition_expression(
                "generation = :seen AND token_sha256 = :token AND attribute_not_exists(revoked_at)",
            )
            .expression_attribute_names("#ttl", IDENTITY_TTL_ATTRIBUTE)
            .expression_attribute_values(":generation", number(successor.generation().into()))
            .expression_attribute_values(":successor", blob(successor.sha256()))
            .expression_attribute_values(":token", blob(token.sha256()))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":expires_at", number(expires_at.as_millis()))
            .expression_attribute_values(":ttl", number(time_to_live(expires_at)))
            .expression_attribute_values(":seen", number(token.generation().into()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Replaced::Yes(Begun {
                token: successor.text(),
                session: Session {
                    expires_at,
                    generation: successor.generation(),
                    ..record.session
                },
            })),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let row = refused.item().ok_or(Refusal::Unknown)?;
                    Ok(Replaced::No(Record::read(row)?))
                }
                _ => Err(failed(error).into()),
            },
        }
    }

    /// The token that `predecessor` was replaced by, found by the key it was made with.
    fn successor_again(
        &self,
        predecessor: &SessionToken,
        record: Record,
    ) -> Result<Begun, IdentityError> {
        let successor = self
            .keys
            .known()
            .filter_map(|key| predecessor.successor(key))
            .find(|successor| successor.sha256() == record.token_sha256)
            .ok_or(IdentityError::Conflict)?;
        Ok(Begun {
            token: successor.text(),
            session: record.session,
        })
    }

    /// Revokes a family. A row that has gone needs it no more; the first reason stays.
    async fn end(
        &self,
        family: Family,
        because: &'static str,
        now: WallTime,
    ) -> Result<(), IdentityError> {
        let sent = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(family.pk()))
            .update_expression(
                "SET revoked_at = if_not_exists(revoked_at, :now), \
                 revoked_because = if_not_exists(revoked_because, :because)",
            )
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":because", text(because))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(failed(error).into()),
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sessions")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What came of making the successor current.
enum Replaced {
    Yes(Begun),
    /// The token was not the current one any more, or the family is revoked: the row as it was found.
    No(Record),
}
