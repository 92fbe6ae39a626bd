use std::error::Error;
use std::time::Duration;

use function_kit::{Failure, Outcome};
use function_logins::{CodeChallenge, IssuedToken, Uid};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// How long a page may take to collect who logged in.
pub(crate) const TICKET_LIFE: Duration = Duration::from_secs(60);

/// Who logged in, and to which client: what a ticket leads to. Personal, so there is no `Debug`.
#[derive(Serialize, Deserialize)]
pub(crate) struct HandOver {
    pub client_id: String,
    pub app_id: String,
    pub uid: Uid,
    pub openid: String,
    pub user_id: Option<String>,
    pub open_id: Option<String>,
    /// Milliseconds since 1970.
    pub logged_in_at: u64,
    pub code_challenge: Option<CodeChallenge>,
}

/// The arguments of `/h5/ticket`.
#[derive(Deserialize)]
pub(crate) struct Input {
    pub ticket: SecretString,
    #[serde(default)]
    code_verifier: Option<SecretString>,
}

impl Input {
    /// Whether the verifier goes with the challenge of the login. An empty one counts as absent.
    pub(crate) fn answers(&self, challenge: Option<&CodeChallenge>) -> bool {
        let verifier = self.code_verifier.as_ref().map(ExposeSecret::expose_secret);
        CodeChallenge::is_answered(challenge, verifier.filter(|verifier| !verifier.is_empty()))
    }
}

/// The identity, in vk's names and those of Alipay's calls for payments.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fields {
    appid: String,
    /// The account: the same in all apps that Alipay says are the same person's.
    uid: String,
    /// The user's id for the app: the user id where Alipay gave one, else the open id.
    openid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_id: Option<String>,
    /// Who pays, for `alipay.trade.create` and its like: the user id.
    #[serde(rename = "buyer_id", skip_serializing_if = "Option::is_none")]
    buyer_id: Option<String>,
    /// The same for an app that Alipay gives open ids only.
    #[serde(rename = "buyer_open_id", skip_serializing_if = "Option::is_none")]
    buyer_open_id: Option<String>,
    /// An id_token, as `Authorization: Bearer …` for the routes of signed-in users.
    token: String,
    /// When it ends, in milliseconds since 1970, as vk counts.
    token_expired: u64,
}

impl Fields {
    pub(crate) fn new(hand_over: HandOver, issued: &IssuedToken) -> Self {
        let buyer_open_id = match &hand_over.user_id {
            Some(_) => None,
            None => hand_over.open_id.clone(),
        };
        Self {
            appid: hand_over.app_id,
            uid: hand_over.uid.to_string(),
            openid: hand_over.openid,
            buyer_id: hand_over.user_id.clone(),
            buyer_open_id,
            user_id: hand_over.user_id,
            open_id: hand_over.open_id,
            token: issued.token.expose_secret().to_owned(),
            token_expired: issued.expires_at.as_millis(),
        }
    }
}

/// `return_to` with the ticket in its query. The rest stays as it was written; such an address has no fragment.
pub(crate) fn with_ticket(return_to: &str, ticket: &str) -> String {
    let separator = match return_to.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, query)) if query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{return_to}{separator}ticket={ticket}")
}

/// The one answer to every ticket that is not valid; `cause` is for the log.
pub(crate) fn wrong_ticket(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    let outcome = Outcome::InvalidArgument {
        field: "ticket".to_owned(),
        rule: "is none of ours, was used before, is older than a minute, or came without the code_verifier of its login or to a page of another client; begin the login again".to_owned(),
    };
    Failure::caused_by(outcome, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_appended_to_the_query_that_is_there() {
        for (return_to, with) in [
            ("https://a.example", "https://a.example?ticket=t"),
            ("https://a.example/b", "https://a.example/b?ticket=t"),
            ("https://a.example/b?", "https://a.example/b?ticket=t"),
            (
                "https://a.example/b?c=1",
                "https://a.example/b?c=1&ticket=t",
            ),
            (
                "https://a.example/b?c=1&",
                "https://a.example/b?c=1&ticket=t",
            ),
            (
                "https://a.example/?c=/d?",
                "https://a.example/?c=/d?&ticket=t",
            ),
        ] {
            assert_eq!(with_ticket(return_to, "t"), with);
        }
    }
}
