use function_kit::checked::{OpenId, Text, optional};
use serde::Deserialize;

/// The arguments of `user.getUserInfo`.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// Whose profile: what `auth.code2Session` answered as `openid`. A user who is signed in gets their own and need not name it.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) openid: Option<OpenId>,
    /// Which of the user's authorisations, where `auth.code2Session` was given a `scope`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) scope: Option<Text<64>>,
}
