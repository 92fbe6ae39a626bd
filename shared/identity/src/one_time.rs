//! Values that are good once.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use table_rows::{Item, WallTime, failed, number, text};
use zeroize::Zeroizing;

use crate::row::{required_text, required_time};
use crate::table::{IDENTITY_TTL_ATTRIBUTE, IdentityTable, PK};
use crate::{IdentityError, Refusal};

/// Largest value in bytes of JSON.
const MAX_VALUE_BYTES: usize = 16 * 1024;

/// How long a row stays after its time: long enough to see afterwards that somebody came too late, or twice, and whatever the clocks say.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(24 * 3600);

/// The attributes of a row beside its key. Times are milliseconds since 1970, `ttl` is in seconds.
mod attribute {
    pub const VALUE: &str = "value";
    pub const EXPIRES_AT: &str = "expires_at";
    pub const SPENT_BY: &str = "spent_by";
}

/// What the addresses of used nonces begin with.
const NONCE: &str = "ONCE#NONCE#";

/// What a one-time value is for. One that was issued for another purpose is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A session handed to a web page (`sso_ticket`).
    SsoTicket,
    /// A login through a web page that is under way.
    H5State,
    /// Its result, which the web page collects.
    H5Ticket,
    /// An OpenID Connect login that is under way.
    OidcState,
    /// Its result, which the client exchanges.
    AuthorizationCode,
    /// A login of a native app (`target_id` of its login string, of at most 32 characters).
    LoginTarget,
}

impl Purpose {
    /// What the addresses of its rows begin with after `ONCE#`, so that a role can be confined to it.
    fn prefix(self) -> &'static str {
        match self {
            Self::SsoTicket => "SSO-TICKET",
            Self::H5State => "H5-STATE",
            Self::H5Ticket => "H5-TICKET",
            Self::OidcState => "OIDC-STATE",
            Self::AuthorizationCode => "OIDC-CODE",
            Self::LoginTarget => "LOGIN-TARGET",
        }
    }

    fn random_bytes(self) -> usize {
        match self {
            // Alipay's limit of `target_id` is 32 characters.
            Self::LoginTarget => 16,
            Self::SsoTicket
            | Self::H5State
            | Self::H5Ticket
            | Self::OidcState
            | Self::AuthorizationCode => 32,
        }
    }

    fn is_well_formed(self, presented: &str) -> bool {
        presented.len() == 2 * self.random_bytes()
            && presented
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The address of the row of what was presented. A text of another form has one too, where nothing is: who presents it waits
    /// as long as everybody.
    fn pk(self, presented: &str) -> String {
        let sha256 = digest(&SHA256, presented.as_bytes());
        format!("ONCE#{}#{}", self.prefix(), hex::encode(sha256))
    }
}

/// One-time values: random texts that lead to a stored value once.
///
/// The table holds the hash of a text and the value behind it, so values must not be secrets. A value is spent by one conditional
/// write, before anybody acts on it: of any number who present a text at once, one gets the value. Cheap to clone.
#[derive(Clone)]
pub struct OneTime {
    table: IdentityTable,
}

impl OneTime {
    /// The one-time values in `table`.
    pub fn new(table: IdentityTable) -> Self {
        Self { table }
    }

    /// Stores `value` for `life` and gives the text that leads to it: 64 hexadecimal characters, for [`Purpose::LoginTarget`] 32.
    ///
    /// # Errors
    /// [`IdentityError::Table`]; [`IdentityError::TooLarge`] for more than 16 KiB of JSON; [`IdentityError::Corrupt`] for what JSON
    /// cannot hold, such as a map whose keys are no texts.
    pub async fn issue<T: Serialize>(
        &self,
        purpose: Purpose,
        value: &T,
        life: Duration,
        now: WallTime,
    ) -> Result<SecretString, IdentityError> {
        let corrupt = |_| IdentityError::Corrupt {
            field: attribute::VALUE,
        };
        let json = serde_json::to_string(value).map_err(corrupt)?;
        if json.len() > MAX_VALUE_BYTES {
            return Err(IdentityError::TooLarge {
                field: attribute::VALUE,
                limit: MAX_VALUE_BYTES,
            });
        }
        let mut random = Zeroizing::new(vec![0; purpose.random_bytes()]);
        aws_lc_rs::rand::fill(&mut random).map_err(|_| IdentityError::Signing)?;
        let issued = SecretString::from(hex::encode(random));
        let expires_at = now.plus(life);
        let sent = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .item(PK, text(purpose.pk(issued.expose_secret())))
            .item(attribute::VALUE, text(json))
            .item(attribute::EXPIRES_AT, number(expires_at.as_millis()))
            .item(
                IDENTITY_TTL_ATTRIBUTE,
                number(expires_at.plus(KEPT_AFTER_EXPIRY).as_secs_rounded_up()),
            )
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match sent {
            Ok(_) => Ok(issued),
            // The text is random: the row that is there is the one of this call, whose reply was lost. Without the condition a
            // request that arrives late could make a spent value good again.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(issued)
            }
            Err(error) => Err(failed(error).into()),
        }
    }

    /// The value behind `presented`, which is spent by that.
    ///
    /// # Errors
    /// [`IdentityError::Refused`]; [`IdentityError::Table`], after which it may be spent; [`IdentityError::Corrupt`] for a value of
    /// another kind, which is spent.
    pub async fn redeem<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        presented: &SecretString,
        now: WallTime,
    ) -> Result<T, IdentityError> {
        let presented = presented.expose_secret();
        // By it a write is recognised whose reply was lost and which the client sent again.
        let attempt = uuid::Uuid::new_v4().to_string();
        let sent = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(purpose.pk(presented)))
            .update_expression("SET spent_by = :attempt, spent_at = :now")
            .condition_expression(
                "expires_at > :now AND (attribute_not_exists(spent_by) OR spent_by = :attempt)",
            )
            .expression_attribute_values(":attempt", text(attempt))
            .expression_attribute_values(":now", number(now.as_millis()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let refused = match sent {
            Ok(reply) => return value_of(reply.attributes()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    refused.item().cloned()
                }
                _ => return Err(failed(error).into()),
            },
        };
        let Err(error) = fresh(purpose, presented, refused.as_ref(), now) else {
            // It is there, in time and unspent, and still the write was refused.
            return Err(IdentityError::Conflict);
        };
        if purpose == Purpose::AuthorizationCode
            && let IdentityError::Refused(refusal @ Refusal::Spent) = &error
        {
            tracing::error!(refusal = %refusal, "a spent authorization code came back");
        }
        Err(error)
    }

    /// The value behind `presented`, which stays as it is: for what has to be checked before it may be spent.
    ///
    /// # Errors
    /// As [`redeem`](Self::redeem); nothing is spent.
    pub async fn peek<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        presented: &SecretString,
        now: WallTime,
    ) -> Result<T, IdentityError> {
        let presented = presented.expose_secret();
        let row = self.table.row(&purpose.pk(presented)).await?;
        value_of(Some(fresh(purpose, presented, row.as_ref(), now)?))
    }

    /// Uses up `nonce`, a text that the holder of `credential` made up, until `ends_at`, when what it came with is not taken any more.
    /// Another holder's nonce may be the same text.
    ///
    /// # Errors
    /// [`Refusal::Spent`] where it was used before; [`IdentityError::Table`], after which it may be used up.
    pub async fn use_nonce(
        &self,
        credential: &SecretString,
        nonce: &SecretString,
        ends_at: WallTime,
        now: WallTime,
    ) -> Result<(), IdentityError> {
        // By it a write is recognised whose reply was lost and which the client sent again.
        let attempt = uuid::Uuid::new_v4().to_string();
        let sent = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .item(PK, text(nonce_pk(credential, nonce)))
            .item(attribute::EXPIRES_AT, number(ends_at.as_millis()))
            .item(attribute::SPENT_BY, text(&attempt))
            .item(
                IDENTITY_TTL_ATTRIBUTE,
                number(ends_at.plus(KEPT_AFTER_EXPIRY).as_secs_rounded_up()),
            )
            .condition_expression(
                "attribute_not_exists(pk) OR expires_at <= :now OR spent_by = :attempt",
            )
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":attempt", text(&attempt))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Err(Refusal::Spent.into())
            }
            Err(error) => Err(failed(error).into()),
        }
    }
}

impl fmt::Debug for OneTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OneTime").finish_non_exhaustive()
    }
}

/// The credential's length keeps two pairs apart whose texts are the same when joined.
fn nonce_pk(credential: &SecretString, nonce: &SecretString) -> String {
    let credential = credential.expose_secret().as_bytes();
    let mut sha256 = Context::new(&SHA256);
    sha256.update(&credential.len().to_be_bytes());
    sha256.update(credential);
    sha256.update(nonce.expose_secret().as_bytes());
    format!("{NONCE}{}", hex::encode(sha256.finish()))
}

/// The row, if it is there, in time and unspent.
fn fresh<'a>(
    purpose: Purpose,
    presented: &str,
    row: Option<&'a Item>,
    now: WallTime,
) -> Result<&'a Item, IdentityError> {
    let Some(row) = row else {
        return Err(if purpose.is_well_formed(presented) {
            Refusal::Unknown.into()
        } else {
            Refusal::Malformed.into()
        });
    };
    if row.contains_key(attribute::SPENT_BY) {
        return Err(Refusal::Spent.into());
    }
    if required_time(row, attribute::EXPIRES_AT)? <= now {
        return Err(Refusal::Expired.into());
    }
    Ok(row)
}

fn value_of<T: DeserializeOwned>(row: Option<&Item>) -> Result<T, IdentityError> {
    let corrupt = IdentityError::Corrupt {
        field: attribute::VALUE,
    };
    match row {
        Some(row) => {
            serde_json::from_str(required_text(row, attribute::VALUE)?).map_err(|_| corrupt)
        }
        None => Err(corrupt),
    }
}
