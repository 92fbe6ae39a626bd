//! The events of the function `refresh-tokens`, as those who send them write them.

use serde::{Deserialize, Serialize};
use token_store::{Because, RescuedPair, TokenKey, TokenKind};

use crate::tokens::DEFAULT_SCOPE;

/// What is sent to `refresh-tokens`: by a direct invoke, or in the body of a message of its queues.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshMessage {
    /// Refresh one row.
    Refresh(RefreshRequest),
    /// Store a pair that the table did not take.
    Rescue(Box<RescuedPair>),
}

/// Which row, and why. By hand `{"appid":"…","subject":"2088…"}` is enough: the user's row of the default scope, whatever its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshRequest {
    appid: String,
    #[serde(default = "user")]
    kind: TokenKind,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
    /// Why.
    #[serde(flatten)]
    pub because: Because,
}

fn user() -> TokenKind {
    TokenKind::User
}

impl RefreshRequest {
    /// The row of `key`.
    pub fn new(key: TokenKey, because: Because) -> Self {
        Self {
            appid: key.app_id,
            kind: key.kind,
            subject: key.subject,
            scopes: Some(key.scopes),
            because,
        }
    }

    /// The key of the row.
    pub fn key(&self) -> TokenKey {
        let default = match self.kind {
            TokenKind::User => DEFAULT_SCOPE,
            TokenKind::Isv => "",
        };
        TokenKey {
            app_id: self.appid.clone(),
            kind: self.kind,
            subject: self.subject.clone(),
            scopes: self.scopes.clone().unwrap_or_else(|| default.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use token_store::Generation;

    use super::*;

    fn read(text: &str) -> Result<RefreshRequest, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_request_by_hand_means_the_users_default_row_whatever_its_age() {
        let request = read(r#"{"appid":"2021","subject":"2088"}"#).unwrap();
        assert_eq!(request.because, Because::Asked);
        assert_eq!(request.key().scopes, "default");
        let merchant = read(r#"{"appid":"2021","kind":"isv","subject":"2022"}"#).unwrap();
        assert_eq!(merchant.key().scopes, "");
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let key = TokenKey {
            app_id: "2021@2022".to_owned(),
            kind: TokenKind::User,
            subject: "2088".to_owned(),
            scopes: "auth_user".to_owned(),
        };
        for because in [
            Because::Due,
            Because::Asked,
            Because::Ageing(Generation::new(1)),
            Because::Expired(Generation::new(2)),
            Because::Refused(Generation::new(3)),
        ] {
            let request = RefreshRequest::new(key.clone(), because);
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(read(&text).unwrap(), request, "{text}");
            assert_eq!(request.key(), key);
        }
        assert!(read(r#"{"appid":"a","subject":"b","because":"expired"}"#).is_err());
    }
}
