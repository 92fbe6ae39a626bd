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
