use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The length of a [`Uid`] in characters.
const UID_CHARACTERS: usize = 32;

/// The key of an account: 32 lowercase hexadecimal digits, of which nothing can be told. It stays what it is for as long as the account
/// exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Uid(String);

impl Uid {
    /// A new one: a random UUID without hyphens.
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl TryFrom<String> for Uid {
    type Error = NotAUid;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_uid = text.len() == UID_CHARACTERS
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_uid { Ok(Self(text)) } else { Err(NotAUid) }
    }
}

/// What [`Uid`] says of a text that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not 32 lowercase hexadecimal digits")]
pub struct NotAUid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_uid_is_one_and_no_other() {
        let (one, other) = (Uid::random(), Uid::random());
        assert_ne!(one, other);
        assert_eq!(Uid::try_from(one.to_string()), Ok(one));
    }

    #[test]
    fn other_texts_are_no_uids() {
        for text in [
            String::new(),
            "a".repeat(31),
            "a".repeat(33),
            "A".repeat(32),
            "g".repeat(32),
            format!("{}#", "a".repeat(31)),
            "é".repeat(16),
        ] {
            assert_eq!(Uid::try_from(text.clone()), Err(NotAUid), "{text}");
        }
    }

    #[test]
    fn in_json_it_is_its_text() {
        let uid = Uid::try_from("0123456789abcdef".repeat(2)).unwrap();
        let json = serde_json::to_string(&uid).unwrap();
        assert_eq!(json, r#""0123456789abcdef0123456789abcdef""#);
        assert_eq!(serde_json::from_str::<Uid>(&json).unwrap(), uid);
        assert!(serde_json::from_str::<Uid>(r#""x""#).is_err());
    }
}
