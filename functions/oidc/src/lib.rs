//! An OpenID Connect provider in front of Alipay's login: whatever speaks OpenID Connect can log its users in with Alipay.
//!
//! The authorization code flow and nothing else (OpenID Connect Core 1.0; RFC 6749 as RFC 9700 has it; RFC 7636; RFC 9207):
//!
//! 1. `GET` or `POST /authorize`: the request is checked, and the browser sent on to Alipay's page;
//! 2. `GET /oidc/callback`: Alipay sends it back, and it goes back to the client with a code for one minute;
//! 3. `POST /token`: the client exchanges the code for an id_token and an access token;
//! 4. `GET` or `POST /userinfo`: who it is, with the scope `profile` also what Alipay tells of them.
//!
//! A client that cannot keep a secret must use PKCE, and of whoever uses it the verifier is demanded. There are no refresh tokens, and
//! there is no session of this provider: each request is a login at Alipay, so `auth_time` is new each time, and whether Alipay has the
//! user prove anything is Alipay's business. A request that depends on it (`prompt=login`, `prompt=select_account`) is therefore refused.
//!
//! The discovery document and the keys are the function `session`'s.

mod authorization_request;
mod authorize;
mod exchange;
mod parameters;
mod refusal;
mod userinfo;
mod way_back;

use function_kit::{Alipay, Failure, HttpFunction, Request, Response};
use function_logins::{Logins, forget_login, login_refused};
use function_tokens::Tokens;

use crate::refusal::Refusal;

/// The function.
#[derive(Debug, Clone)]
pub struct Oidc {
    alipay: Alipay,
    tokens: Tokens,
    logins: Logins,
}

impl Oidc {
    /// Logs users in to the apps of `alipay`, keeps what is granted in `tokens`, and finds clients and accounts in `logins`.
    pub fn new(alipay: Alipay, tokens: Tokens, logins: Logins) -> Self {
        Self {
            alipay,
            tokens,
            logins,
        }
    }
}

impl HttpFunction for Oidc {
    const NAME: &'static str = "oidc";

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        match (request.method(), request.path()) {
            ("GET" | "POST", "/authorize") => self.begin(request).await,
            ("GET", authorize::CALLBACK) => self.finish(request).await,
            ("POST", exchange::PATH) => self.exchange(request).await,
            ("GET" | "POST", userinfo::PATH) => self.userinfo(request).await,
            _ => Err(request.no_such_route()),
        }
    }

    /// To a client in OAuth's words; to a person, whom no trusted address is known to send to, as a page.
    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        let way_back = Refusal::of(failure).and_then(|refusal| refusal.way_back.as_ref());
        match (request.path(), way_back) {
            (exchange::PATH, _) => exchange::refused_response(request, failure),
            (userinfo::PATH, _) => userinfo::refused_response(failure),
            (path, Some(way_back)) => {
                let response = way_back.with_error(failure, self.logins.issuer().url());
                if path == authorize::CALLBACK {
                    forget_login(request, response)
                } else {
                    response
                }
            }
            (_, None) => login_refused(request, failure),
        }
    }
}
