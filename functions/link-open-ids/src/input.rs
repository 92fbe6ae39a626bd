use std::collections::BTreeSet;
use std::ops::Deref;

use function_kit::checked::{OpenId, Rule, Text, UserIdKind, optional};
use serde::Deserialize;

/// How many users one invocation is for: as many as are linked well within its time.
const MAX_USERS: usize = 500;

/// The arguments of `link-open-ids`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub(crate) user_ids: UserIds,
    /// The conversion order with these users, where Alipay approved one.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) order_id: Option<Text<64>>,
}

/// Users, each once, in the order in which they were named.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<UserId>")]
pub struct UserIds(Vec<UserId>);

/// A `user_id`: 16 digits beginning 2088.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct UserId(String);

impl TryFrom<String> for UserId {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        match OpenId::try_from(text) {
            Ok(id) if id.kind() == UserIdKind::UserId => Ok(Self(id.to_string())),
            _ => Err(Rule(
                "must be a userId: 16 digits beginning 2088".to_owned(),
            )),
        }
    }
}

impl Deref for UserId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Vec<UserId>> for UserIds {
    type Error = Rule;

    fn try_from(mut ids: Vec<UserId>) -> Result<Self, Rule> {
        if !(1..=MAX_USERS).contains(&ids.len()) {
            return Err(Rule(format!("must name 1 to {MAX_USERS} users")));
        }
        let mut seen = BTreeSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        Ok(Self(ids))
    }
}

impl UserIds {
    /// All of them.
    pub(crate) fn as_texts(&self) -> Vec<&str> {
        self.0.iter().map(|id| &**id).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(ids: &[&str]) -> Result<Input, String> {
        serde_json::from_value(json!({"userIds": ids})).map_err(|error| error.to_string())
    }

    #[test]
    fn users_count_once_and_keep_their_order() {
        let (anne, bert) = ("2088000000000011", "2088000000000012");
        let input = input(&[bert, anne, bert]).unwrap();
        assert_eq!(input.user_ids.as_texts(), [bert, anne]);
    }

    #[test]
    fn nobody_and_too_many_are_refused() {
        assert!(input(&[]).unwrap_err().contains("1 to 500"));
        let ids = vec!["2088000000000011"; 500];
        assert!(input(&ids).is_ok());
        let ids = vec!["2088000000000011"; 501];
        assert!(input(&ids).unwrap_err().contains("1 to 500"));
    }

    #[test]
    fn an_open_id_is_no_user_id() {
        for id in [
            "",
            "208800000000001",
            "1088000000000011",
            "074a1CcTG1LelxKe",
        ] {
            assert!(input(&[id]).unwrap_err().contains("beginning 2088"), "{id}");
        }
    }
}
