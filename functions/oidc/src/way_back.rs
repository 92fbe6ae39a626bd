use std::fmt;

use function_kit::{Failure, Response};
use function_logins::Client;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::refusal::{ErrorCode, Refusal, description};

/// Where the browser goes back to: an address that was compared with those of the client. Through it the client is told everything,
/// and with everything who tells it (RFC 9207), so that it does not take one provider's answer for another's.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WayBack {
    redirect_uri: String,
    /// The client's `state`, as it came.
    pub state: Option<String>,
}

impl fmt::Debug for WayBack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WayBack").finish_non_exhaustive()
    }
}

impl WayBack {
    /// To `redirect_uri`, if that is one of the client's, as a text: of addresses that only look alike one may be somebody else's.
    pub fn to(client: &Client, redirect_uri: &str) -> Option<Self> {
        let is_registered = client
            .redirect_uris
            .iter()
            .any(|known| known == redirect_uri);
        is_registered.then(|| Self {
            redirect_uri: redirect_uri.to_owned(),
            state: None,
        })
    }

    /// Whether it still is one of the client's: the document may have changed meanwhile.
    pub fn is_of(&self, client: &Client) -> bool {
        client.redirect_uris.contains(&self.redirect_uri)
    }

    /// The address itself.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// `failure`, so that it is told to the client.
    pub fn tell(&self, failure: Failure) -> Failure {
        let code = ErrorCode::of(&failure);
        self.tell_as(code, failure)
    }

    /// `failure`, so that it is told to the client as `code`.
    pub fn tell_as(&self, code: ErrorCode, failure: Failure) -> Failure {
        let outcome = failure.outcome().clone();
        let refusal = Refusal::new(code).because(failure).told(self.clone());
        Failure::caused_by(outcome, refusal)
    }

    /// Back with an authorization code.
    pub fn with_code(&self, code: &str, issuer: &str) -> Result<Response, Failure> {
        let back = self.with(&[("code", Some(code))], issuer);
        back.ok_or_else(|| Failure::internal("a registered address that is none"))
    }

    /// Back with an error.
    pub fn with_error(&self, failure: &Failure, issuer: &str) -> Response {
        let description = description(failure);
        let error = [
            ("error", Some(ErrorCode::of(failure).name())),
            ("error_description", description.as_deref()),
        ];
        self.with(&error, issuer)
            .unwrap_or_else(|| Response::empty(500))
    }

    /// Back with these parameters, after those that the address has already.
    fn with(&self, parameters: &[(&str, Option<&str>)], issuer: &str) -> Option<Response> {
        let mut address = Url::parse(&self.redirect_uri).ok()?;
        {
            let mut query = address.query_pairs_mut();
            let always = [("state", self.state.as_deref()), ("iss", Some(issuer))];
            for (name, value) in parameters.iter().copied().chain(always) {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
        }
        Some(Response::redirect(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(redirect_uri: &str, state: Option<&str>) -> String {
        let back = WayBack {
            redirect_uri: redirect_uri.to_owned(),
            state: state.map(str::to_owned),
        };
        let response = back.with_code("c", "https://i.example").unwrap();
        assert_eq!(response.status(), 302);
        response.header("location").unwrap().to_owned()
    }

    #[test]
    fn what_the_client_is_told_follows_what_its_address_has() {
        let end = "code=c&iss=https%3A%2F%2Fi.example";
        for (address, expected) in [
            ("https://a.example", format!("https://a.example/?{end}")),
            (
                "https://a.example/b?c=d%20e",
                format!("https://a.example/b?c=d%20e&{end}"),
            ),
            (
                "com.example.shop:/back",
                format!("com.example.shop:/back?{end}"),
            ),
        ] {
            assert_eq!(to(address, None), expected);
        }
    }

    #[test]
    fn the_clients_state_comes_back_and_adds_nothing() {
        let address = to("https://a.example/", Some("a b&code=evil#\"%"));
        let address = Url::parse(&address).unwrap();
        let pairs: Vec<_> = address.query_pairs().collect();
        assert_eq!(pairs[1], ("state".into(), "a b&code=evil#\"%".into()));
        assert_eq!(pairs.len(), 3);
    }

    #[test]
    fn debug_shows_no_state() {
        let back = WayBack {
            redirect_uri: String::new(),
            state: Some("canary".to_owned()),
        };
        assert!(!format!("{back:?}").contains("canary"));
    }
}
