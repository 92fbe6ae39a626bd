//! Who may ask for logins: an app's front end, or somebody else's server.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

/// How long an id_token lives where a client says nothing: two hours.
pub const DEFAULT_ID_TOKEN_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// How long a session lives after its last renewal where a client says nothing: seven days.
pub const DEFAULT_SESSION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a session lives however often it is renewed, where a client says nothing: ninety days.
pub const DEFAULT_LONGEST_SESSION_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A client of the login document. Its secret is kept as a hash and shown to nobody.
#[derive(Clone)]
pub struct Client {
    /// What it calls itself: `client_id` of OpenID Connect, `X-client-id` of the SDK API, `aud` of its id_tokens.
    pub id: String,
    /// Alipay's id of the app whose users it logs in.
    pub app_id: Option<String>,
    /// Where an authorization code may be sent; compared as texts.
    pub redirect_uris: Vec<String>,
    /// Where the login of a web page may return to; compared as texts.
    pub return_to: Vec<String>,
    /// The other clients whose sessions may be handed over to this one, by a ticket that they make for it.
    pub sso_from: Vec<String>,
    /// How long its id_tokens live.
    pub id_token_life: Duration,
    /// How long a session of it lives after its last renewal.
    pub session_life: Duration,
    /// How long a session of it lives however often it is renewed.
    pub session_longest_life: Duration,
    secret: Option<SecretHash>,
}

type SecretHash = [u8; 32];

impl Client {
    /// A client with the default lives, without a secret and without addresses.
    pub(crate) fn new(id: impl Into<String>, app_id: Option<String>) -> Self {
        Self {
            id: id.into(),
            app_id,
            redirect_uris: Vec::new(),
            return_to: Vec::new(),
            sso_from: Vec::new(),
            id_token_life: DEFAULT_ID_TOKEN_LIFE,
            session_life: DEFAULT_SESSION_LIFE,
            session_longest_life: DEFAULT_LONGEST_SESSION_LIFE,
            secret: None,
        }
    }

    pub(crate) fn with_secret(mut self, secret: &str) -> Self {
        self.secret = Some(hash(secret));
        self
    }

    /// Whether it can prove who it is. One that cannot (a page in a browser, an app on a phone) proves instead that it is the one which
    /// began the login, by PKCE.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether `presented` is its secret; never for a client without one. How long the answer takes tells nothing of the secret.
    pub fn is_secret(&self, presented: &SecretString) -> bool {
        let presented = hash(presented.expose_secret());
        // A client without a secret takes as long as one with another.
        let own = self.secret.unwrap_or_default();
        verify_slices_are_equal(&presented, &own).is_ok() && self.has_secret()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("id", &self.id)
            .field("app_id", &self.app_id)
            .field("has_secret", &self.has_secret())
            .finish_non_exhaustive()
    }
}

fn hash(secret: &str) -> SecretHash {
    let mut hash = SecretHash::default();
    hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_secret_is_a_clients_secret() {
        let client = Client::new("shop", None).with_secret("correct horse battery");
        assert!(client.is_secret(&"correct horse battery".into()));
        for other in ["", "correct horse batter", "correct horse battery "] {
            assert!(!client.is_secret(&other.into()), "{other}");
        }
    }

    #[test]
    fn without_a_secret_nothing_is_one() {
        let client = Client::new("page", None);
        assert!(!client.has_secret());
        for text in ["", "\0", &"\0".repeat(32)] {
            assert!(!client.is_secret(&text.into()));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let client = Client::new("shop", None).with_secret("correct horse battery");
        let shown = format!("{client:?}");
        assert!(shown.contains("has_secret: true") && !shown.contains("horse"));
    }
}
