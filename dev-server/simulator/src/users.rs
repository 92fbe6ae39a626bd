//! Alipay users.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A user of Alipay. `SimulatedUser::default()` is the one that every simulator starts with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedUser {
    /// 16 digits that begin with 2088.
    pub user_id: String,
    /// Shown name; Alipay often has none to give.
    pub nick_name: Option<String>,
    /// Address of a picture.
    pub avatar: Option<String>,
    /// `F` or `M`.
    pub gender: Option<String>,
    /// Province, in Chinese.
    pub province: Option<String>,
    /// City, in Chinese.
    pub city: Option<String>,
    /// Mobile number, as `my.getPhoneNumber` gives it. No network has the prefix of the default.
    pub mobile: String,
}

impl SimulatedUser {
    /// The `user_id` of the user that every simulator starts with.
    pub const DEFAULT_USER_ID: &'static str = "2088000000000001";

    /// A user of this id with an ordinary profile.
    #[must_use]
    pub fn with_id(user_id: impl Into<String>) -> Self {
        Self {
            user_id: user_id.into(),
            ..Self::default()
        }
    }
}

impl Default for SimulatedUser {
    fn default() -> Self {
        Self {
            user_id: Self::DEFAULT_USER_ID.to_owned(),
            nick_name: Some("小明".to_owned()),
            avatar: None,
            gender: Some("M".to_owned()),
            province: Some("浙江省".to_owned()),
            city: Some("杭州市".to_owned()),
            mobile: "12300000001".to_owned(),
        }
    }
}

/// Whether the text has the form of a `user_id`.
pub(crate) fn is_user_id(text: &str) -> bool {
    text.len() == 16 && text.starts_with("2088") && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The user's identifier for one app: different for each app, the same each time.
pub(crate) fn open_id(app_id: &str, user_id: &str) -> String {
    derived("open_id", app_id, user_id)
}

/// The user's identifier across the apps of one owner. All apps of a simulator have one owner.
pub(crate) fn union_id(user_id: &str) -> String {
    derived("union_id", "", user_id)
}

/// How the user logs in to Alipay, with stars in the middle, as answers and notices have it.
pub(crate) fn logon_id(users: &BTreeMap<String, SimulatedUser>, user_id: &str) -> String {
    let mobile = users.get(user_id).map_or("", |user| user.mobile.as_str());
    let letters: Vec<char> = mobile.chars().collect();
    let first: String = letters.iter().take(3).collect();
    let last: String = letters
        .iter()
        .skip(letters.len().saturating_sub(4).max(3))
        .collect();
    format!("{first}****{last}")
}

fn derived(kind: &str, app_id: &str, user_id: &str) -> String {
    let digest = Sha256::digest(format!("{kind}\n{app_id}\n{user_id}"));
    format!("0{}", URL_SAFE_NO_PAD.encode(digest))
}
