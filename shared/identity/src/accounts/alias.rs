//! The names under which Alipay knows a person, and the rows they lead from.

use super::Union;
use crate::{IdentityError, Refusal};

/// Longest text of an id or of what it holds for, in bytes. No document gives a limit for open ids and union ids; those seen are far shorter.
const MAX_PART_BYTES: usize = 256;

const USER: &str = "USER";
const OPEN: &str = "OPEN";
const UNION: &str = "UNION";

/// The row that leads from one of Alipay's ids to an account: `ALIAS#<kind>#<what the id holds for>#<id>`, the parts escaped so that no two
/// ids share a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alias(String);

impl Alias {
    /// A `user_id`: 16 digits beginning 2088.
    pub(super) fn of_user(app_id: &str, user_id: &str) -> Result<Self, IdentityError> {
        if !is_user_id(user_id) {
            return Err(not_an_id("user_id"));
        }
        Self::new(USER, "app_id", app_id, "user_id", user_id)
    }

    /// An `open_id`: opaque, and never what a `user_id` looks like, so that the two cannot be mistaken for each other.
    pub(super) fn of_open(app_id: &str, open_id: &str) -> Result<Self, IdentityError> {
        if is_user_id(open_id) {
            return Err(not_an_id("open_id"));
        }
        Self::new(OPEN, "app_id", app_id, "open_id", open_id)
    }

    /// A `union_id`.
    pub(super) fn of_union(union: &Union<'_>) -> Result<Self, IdentityError> {
        Self::new(
            UNION,
            "environment",
            union.environment,
            "union_id",
            union.id,
        )
    }

    fn new(
        kind: &str,
        holder_field: &'static str,
        holder: &str,
        id_field: &'static str,
        id: &str,
    ) -> Result<Self, IdentityError> {
        for (field, part) in [(holder_field, holder), (id_field, id)] {
            if part.len() > MAX_PART_BYTES {
                return Err(IdentityError::TooLarge {
                    field,
                    limit: MAX_PART_BYTES,
                });
            }
            if part.is_empty() || part.chars().any(char::is_control) {
                return Err(not_an_id(field));
            }
        }
        Ok(Self(format!(
            "ALIAS#{kind}#{}#{}",
            escaped(holder),
            escaped(id)
        )))
    }

    /// One that a row names.
    pub(super) fn from_row(pk: &str) -> Self {
        Self(pk.to_owned())
    }

    pub(super) fn pk(&self) -> &str {
        &self.0
    }

    /// Whether both are `user_id`s of one app, and not the same one.
    pub(super) fn is_another_user_than(&self, other: &Self) -> bool {
        match (self.app_of_user(), other.app_of_user()) {
            (Some(app), Some(other_app)) => app == other_app && self != other,
            _ => false,
        }
    }

    fn app_of_user(&self) -> Option<&str> {
        let (app, _) = self.0.strip_prefix("ALIAS#USER#")?.split_once('#')?;
        Some(app)
    }
}

fn is_user_id(text: &str) -> bool {
    text.len() == 16 && text.starts_with("2088") && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn not_an_id(field: &'static str) -> IdentityError {
    tracing::warn!(field, "Alipay named somebody by what is no id");
    Refusal::Malformed.into()
}

/// Percent-escapes the separator and the escape character themselves.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of what could confuse an address.
    fn part() -> impl Strategy<Value = String> {
        "[#%|:235ab]{1,6}|OPEN|UNION|[#%]OPEN[#%]"
    }

    proptest! {
        #[test]
        fn two_ids_share_a_row_only_if_they_are_one(
            one in (part(), part()),
            other in (part(), part()),
        ) {
            let open = |(app_id, id): &(String, String)| Alias::of_open(app_id, id).unwrap();
            let union = |(environment, id): &(String, String)| {
                Alias::of_union(&Union { environment, id }).unwrap()
            };
            prop_assert_eq!(open(&one) == open(&other), one == other);
            prop_assert_eq!(union(&one) == union(&other), one == other);
            prop_assert_ne!(open(&one), union(&other));
            prop_assert_ne!(open(&one), Alias::of_user(&other.0, "2088000000000001").unwrap());
        }
    }

    #[test]
    fn a_row_is_readable_by_a_person() {
        let alias = Alias::of_user("2021000000000001", "2088000000000001").unwrap();
        assert_eq!(alias.pk(), "ALIAS#USER#2021000000000001#2088000000000001");
    }

    #[test]
    fn two_users_are_rivals_in_one_app_only() {
        let user = |app_id, id| Alias::of_user(app_id, id).unwrap();
        let one = user("a", "2088000000000001");
        assert!(one.is_another_user_than(&user("a", "2088000000000002")));
        assert!(!one.is_another_user_than(&one));
        assert!(!one.is_another_user_than(&user("a#", "2088000000000002")));
        assert!(!one.is_another_user_than(&Alias::of_open("a", "o").unwrap()));
    }
}
