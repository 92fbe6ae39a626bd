use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::Deserializer;

use crate::Call;

/// `alipay.user.info.share`: the profile of the user whose access token it is. A reading call, so it is repeatable.
pub fn user_info(access_token: &SecretString) -> Call {
    Call::new("alipay.user.info.share")
        .with_field("auth_token", access_token.expose_secret())
        .repeatable()
}

/// A user's profile. Every member may be missing: Alipay sends what the user granted and has.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct UserInfo {
    /// 16 digits beginning 2088; absent for apps that Alipay moved to open ids.
    #[serde(default, deserialize_with = "present")]
    pub user_id: Option<String>,
    /// Valid for this app only; absent for apps that still have user ids.
    #[serde(default, deserialize_with = "present")]
    pub open_id: Option<String>,
    /// The name that the user shows.
    #[serde(default, deserialize_with = "present")]
    pub nick_name: Option<String>,
    /// The address of the user's picture.
    #[serde(default, deserialize_with = "present")]
    pub avatar: Option<String>,
    /// `F` or `M`.
    #[serde(default, deserialize_with = "present")]
    pub gender: Option<String>,
    /// In Chinese, as in `浙江省`.
    #[serde(default, deserialize_with = "present")]
    pub province: Option<String>,
    /// In Chinese, as in `杭州市`.
    #[serde(default, deserialize_with = "present")]
    pub city: Option<String>,
}

impl UserInfo {
    /// Whether it is about somebody else than the user of these ids: a genuine reply about another must not pass for theirs. Where it
    /// names the user by no id that is known, the token is all there is to go by.
    pub fn is_of_another(&self, user_id: Option<&str>, open_id: Option<&str>) -> bool {
        let differ = |known: Option<&str>, named: Option<&str>| {
            known
                .zip(named)
                .is_some_and(|(known, named)| known != named)
        };
        differ(user_id, self.user_id.as_deref()) || differ(open_id, self.open_id.as_deref())
    }
}

/// Nothing of the profile: it is personal.
impl std::fmt::Debug for UserInfo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("UserInfo").finish_non_exhaustive()
    }
}

/// What Alipay has not, it leaves out, or sends as an empty text.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_of_another_where_an_id_differs_that_both_have() {
        let (user, other) = (Some("2088000000000001"), Some("2088000000000002"));
        let (open, other_open) = (Some("o1"), Some("o2"));
        for (asked, named, is_of_another) in [
            ((user, None), (user, open), false),
            ((user, None), (None, open), false),
            ((user, None), (other, open), true),
            ((None, open), (user, open), false),
            ((None, open), (user, None), false),
            ((None, open), (user, other_open), true),
            ((user, open), (user, open), false),
            ((user, open), (user, other_open), true),
            ((user, open), (None, None), false),
        ] {
            let profile = UserInfo {
                user_id: named.0.map(str::to_owned),
                open_id: named.1.map(str::to_owned),
                nick_name: None,
                avatar: None,
                gender: None,
                province: None,
                city: None,
            };
            let result = profile.is_of_another(asked.0, asked.1);
            assert_eq!(result, is_of_another, "{asked:?} {named:?}");
        }
    }
}
