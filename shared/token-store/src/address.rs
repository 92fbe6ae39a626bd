//! The keys of the table: which row belongs to whom.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::dynamo::text;
use crate::error::StoreError;
use crate::keyring::Place;

/// Longest partition key of DynamoDB in bytes.
const PARTITION_KEY_BYTES: usize = 2048;
/// Longest sort key of DynamoDB in bytes.
const SORT_KEY_BYTES: usize = 1024;

/// Whose token it is, and so which of Alipay's rules hold for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// A user's token for an app (`alipay.system.oauth.token`). It ends when its time is over, and a refresh ends the old pair.
    User,
    /// A merchant's token for an ISV's app (`alipay.open.auth.token.app`). Alipay's document says not to rely on the times that
    /// come with it: a token whose time is over is refreshed if that can be done, and served as it is if not, until Alipay has
    /// refused its refresh token. A refresh leaves the old pair working for a while. Its row has no TTL.
    Isv,
}

impl TokenKind {
    /// Whether a token of this kind is certainly over when its time is.
    pub(crate) fn ends_with_its_time(self) -> bool {
        self == Self::User
    }
}

/// The key a token is stored under.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenKey {
    /// The app the token was given to.
    #[serde(rename = "appid")]
    pub app_id: String,
    /// Whose token it is.
    pub kind: TokenKind,
    /// The user (`user_id` or `open_id`), or the app that authorised an ISV.
    pub subject: String,
    /// The granted scopes, separated by commas or spaces; order and repetition do not matter. May
    /// be empty.
    #[serde(default)]
    pub scopes: String,
}

/// The row of a [`TokenKey`] or a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) pk: String,
    pub(crate) sk: String,
    /// Whose token it is; `None` for a claim.
    pub(crate) kind: Option<TokenKind>,
}

impl Address {
    fn checked(pk: String, sk: String, pk_field: &'static str) -> Result<Self, StoreError> {
        if pk.len() > PARTITION_KEY_BYTES {
            return Err(StoreError::InvalidKey {
                field: pk_field,
                limit: PARTITION_KEY_BYTES - 64,
            });
        }
        if sk.len() > SORT_KEY_BYTES {
            return Err(StoreError::InvalidKey {
                field: "scopes",
                limit: SORT_KEY_BYTES - 64,
            });
        }
        Ok(Self { pk, sk, kind: None })
    }

    /// The row of a first answer.
    pub(crate) fn of_answer(scope: &str, key_sha256: &str) -> Result<Self, StoreError> {
        if scope.is_empty() {
            return Err(StoreError::InvalidKey {
                field: "scope",
                limit: PARTITION_KEY_BYTES - 128,
            });
        }
        Self::checked(
            format!("ANSWER#{}#{key_sha256}", escaped(scope)),
            "FIRST".to_owned(),
            "scope",
        )
    }

    /// Whether what is stored here is certainly over when its time is.
    pub(crate) fn ends_with_its_time(&self) -> bool {
        self.kind.is_none_or(TokenKind::ends_with_its_time)
    }

    pub(crate) fn pk(&self) -> AttributeValue {
        text(&self.pk)
    }

    pub(crate) fn sk(&self) -> AttributeValue {
        text(&self.sk)
    }

    /// The place of one sealed field of this row.
    pub(crate) fn place<'a>(
        &'a self,
        table: &'a str,
        field: &'a str,
        generation: u64,
        grant_id: &'a str,
    ) -> Place<'a> {
        Place {
            table,
            pk: &self.pk,
            sk: &self.sk,
            field,
            generation,
            grant_id,
        }
    }
}

/// What [`TokenKey::from_row`] says of a row that is none of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the row's keys are not those of a token")]
pub struct NotATokenRow;

impl TokenKey {
    /// The key whose row has these keys, as the index of due rows has them.
    ///
    /// # Errors
    /// When they are not of the form that this crate writes.
    pub fn from_row(pk: &str, sk: &str) -> Result<Self, NotATokenRow> {
        let mut parts = pk.split('#');
        let (Some("APP"), Some(app_id), Some(kind), Some(subject), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(NotATokenRow);
        };
        let key = Self {
            app_id: unescaped(app_id),
            kind: match kind {
                "USER" => TokenKind::User,
                "ISV" => TokenKind::Isv,
                _ => return Err(NotATokenRow),
            },
            subject: unescaped(subject),
            scopes: unescaped(sk.strip_prefix("SCOPES#").ok_or(NotATokenRow)?),
        };
        // Whatever else is written otherwise than by this crate would lead to another row.
        let address = key.address().map_err(|_| NotATokenRow)?;
        if address.pk == pk && address.sk == sk {
            Ok(key)
        } else {
            Err(NotATokenRow)
        }
    }

    /// `APP#<app>#USER#<subject>` and `SCOPES#<scopes>`, the parts escaped so that no two keys
    /// share a row.
    pub(crate) fn address(&self) -> Result<Address, StoreError> {
        for (field, part) in [("app_id", &self.app_id), ("subject", &self.subject)] {
            if part.is_empty() {
                return Err(StoreError::InvalidKey {
                    field,
                    limit: PARTITION_KEY_BYTES - 64,
                });
            }
        }
        let kind = match self.kind {
            TokenKind::User => "USER",
            TokenKind::Isv => "ISV",
        };
        let mut scopes: Vec<String> = self
            .scopes
            .split([',', ' '])
            .filter(|scope| !scope.is_empty())
            .map(escaped)
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        let address = Address::checked(
            format!(
                "APP#{}#{kind}#{}",
                escaped(&self.app_id),
                escaped(&self.subject)
            ),
            format!("SCOPES#{}", scopes.join(",")),
            "app_id and subject",
        )?;
        Ok(Address {
            kind: Some(self.kind),
            ..address
        })
    }
}

/// Percent-escapes the separator and the escape character themselves.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

fn unescaped(part: &str) -> String {
    part.replace("%23", "#").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(app_id: &str, kind: TokenKind, subject: &str, scopes: &str) -> Address {
        TokenKey {
            app_id: app_id.to_owned(),
            kind,
            subject: subject.to_owned(),
            scopes: scopes.to_owned(),
        }
        .address()
        .unwrap()
    }

    #[test]
    fn a_row_is_readable_by_a_person() {
        let address = key("2021000000000001", TokenKind::User, "2088x", "auth_user");
        assert_eq!(address.pk, "APP#2021000000000001#USER#2088x");
        assert_eq!(address.sk, "SCOPES#auth_user");
    }

    #[test]
    fn separators_in_ids_do_not_let_two_keys_share_a_row() {
        let plain = key("a", TokenKind::User, "b#USER#c", "");
        let moved = key("a#USER#b", TokenKind::User, "c", "");
        assert_ne!(plain.pk, moved.pk);
        assert_ne!(
            key("a", TokenKind::User, "%23", "").pk,
            key("a", TokenKind::User, "#", "").pk
        );
        assert_ne!(
            key("a", TokenKind::User, "b", "").pk,
            key("a", TokenKind::Isv, "b", "").pk
        );
    }

    #[test]
    fn a_row_leads_back_to_its_key_and_no_other_does() {
        for (app_id, kind, subject, scopes) in [
            ("2021@2022", TokenKind::User, "2088", "default"),
            ("a#b", TokenKind::Isv, "%25#%", ""),
            ("a", TokenKind::User, "b", "auth_base,auth_user"),
        ] {
            let address = key(app_id, kind, subject, scopes);
            let found = TokenKey::from_row(&address.pk, &address.sk).unwrap();
            assert_eq!(found.address().unwrap(), address);
            assert_eq!(found.subject, subject);
        }
        for (pk, sk) in [
            ("ANSWER#a#b", "FIRST"),
            ("APP#a#USER#b", "FIRST"),
            ("APP#a#GROUP#b", "SCOPES#"),
            ("APP#a#USER#b#c", "SCOPES#"),
            ("APP##USER#b", "SCOPES#"),
            ("APP#a#USER#b", "SCOPES#z,a"),
            ("APP#%41#USER#b", "SCOPES#"),
        ] {
            assert_eq!(TokenKey::from_row(pk, sk), Err(NotATokenRow), "{pk} {sk}");
        }
    }

    #[test]
    fn the_order_of_scopes_does_not_matter() {
        assert_eq!(
            key("a", TokenKind::User, "b", "auth_user,auth_base"),
            key("a", TokenKind::User, "b", "auth_base auth_user,auth_base")
        );
    }

    #[test]
    fn empty_and_overlong_parts_are_refused_by_name() {
        let bad = |app_id: &str, subject: String, scopes: String| {
            TokenKey {
                app_id: app_id.to_owned(),
                kind: TokenKind::User,
                subject,
                scopes,
            }
            .address()
            .unwrap_err()
            .to_string()
        };
        assert!(bad("", "s".into(), String::new()).starts_with("app_id:"));
        assert!(bad("a", String::new(), String::new()).starts_with("subject:"));
        assert!(bad("a", "s".repeat(2048), String::new()).starts_with("app_id and subject:"));
        assert!(bad("a", "s".into(), "s".repeat(1024)).starts_with("scopes:"));
    }
}
