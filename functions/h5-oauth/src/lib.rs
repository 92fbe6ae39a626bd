//! The login of web pages (H5) over Alipay's authorisation page (网页授权), in three calls:
//!
//! | call | by | answer |
//! |---|---|---|
//! | `GET /h5/authorize?appid&scope&return_to` | the browser, from the page's link | 302 to Alipay |
//! | `GET /h5/callback?auth_code&state&app_id` | the browser, from Alipay | 302 to `return_to` with a `ticket` |
//! | `POST /h5/ticket {"ticket"}` | the page or its server | who it is, once, within a minute |
//!
//! `return_to` is one of the addresses of the app's clients, as a text. A page whose script collects a ticket gets none of another
//! client's logins. With a `code_challenge` (PKCE) the ticket is worth nothing without its `code_verifier`. Without one, whoever has
//! somebody follow a link with a ticket of his own logs them in as himself, and a server may be shown a ticket of another client's
//! login, which only the `aud` of the `token` tells. A callback that asks for JSON (`Accept: application/json`) and has no challenge
//! gets at once what the ticket would lead to.

mod authorization;
mod hand_over;

use function_kit::{Alipay, Failure, HttpFunction, Request, Response, Success};
use function_logins::{
    Client, FinishedWebLogin, IdentityError, LoggedIn, Logins, Purpose, SignedInPerson, WallTime,
    forget_login, identity_failure, login_refused,
};
use function_tokens::Tokens;
use secrecy::ExposeSecret;

use authorization::{Authorization, Beginning, check_address, is_page_of};
use hand_over::{Fields, HandOver, Input, TICKET_LIFE, with_ticket, wrong_ticket};

/// Where Alipay sends the browser back to, under the issuer's address. Its host is the one to register in the app's console
/// (授权回调地址).
const CALLBACK: &str = "/h5/callback";

/// The function.
#[derive(Debug, Clone)]
pub struct H5Oauth {
    alipay: Alipay,
    tokens: Tokens,
    logins: Logins,
}

impl H5Oauth {
    /// Logs users of the apps of `alipay` in; keeps what a login grants in `tokens`, and finds the account in `logins`.
    pub fn new(alipay: Alipay, tokens: Tokens, logins: Logins) -> Self {
        Self {
            alipay,
            tokens,
            logins,
        }
    }

    async fn authorize(&self, request: &Request) -> Result<Response, Failure> {
        let document = self.logins.document();
        let Authorization {
            app,
            scope,
            beginning,
        } = Authorization::read(request, &self.alipay, document)?;
        let now = self.alipay.now();
        self.logins
            .begin_web_login(Purpose::H5State, &app, scope, CALLBACK, &beginning, now)
            .await
    }

    async fn callback(&self, request: &Request) -> Result<Response, Failure> {
        let FinishedWebLogin { value, login } = self
            .logins
            .finish_web_login::<Beginning>(Purpose::H5State, request, &self.alipay, &self.tokens)
            .await?;
        let Beginning {
            client_id,
            return_to,
            code_challenge,
        } = value;
        let LoggedIn {
            account,
            app_id,
            openid,
            granted,
        } = login?;
        // The document may be another one since the beginning.
        check_address(self.logins.document(), &client_id, &return_to)?;
        let wants_ticket = code_challenge.is_some() || !request.accepts("application/json");
        let hand_over = HandOver {
            client_id,
            app_id,
            uid: account.uid,
            openid,
            user_id: granted.user_id,
            open_id: granted.open_id,
            logged_in_at: WallTime::from(self.alipay.now()).as_millis(),
            code_challenge,
        };
        let response = if wants_ticket {
            let ticket = self
                .logins
                .one_time()
                .issue(
                    Purpose::H5Ticket,
                    &hand_over,
                    TICKET_LIFE,
                    self.alipay.now().into(),
                )
                .await
                .map_err(|error| identity_failure(error).with_repeatable(false))?;
            Response::redirect(with_ticket(&return_to, ticket.expose_secret()))
        } else {
            self.handed_over(hand_over)?
        };
        Ok(forget_login(request, response))
    }

    async fn ticket(&self, request: &Request) -> Result<Response, Failure> {
        let input: Input = request.json()?;
        let hand_over: HandOver = self
            .logins
            .one_time()
            .redeem(Purpose::H5Ticket, &input.ticket, self.alipay.now().into())
            .await
            .map_err(ticket_failure)?;
        // Spent by now: a ticket that came without its verifier, or to a page of somebody else, has been seen by others.
        if !input.answers(hand_over.code_challenge.as_ref()) {
            return Err(wrong_ticket("the code_verifier is another or none"));
        }
        let client = self.client(&hand_over)?;
        if !is_page_of(client, request.header("origin")) {
            return Err(wrong_ticket("the page is none of the client's"));
        }
        self.handed_over(hand_over)
    }

    /// The client that the login was for.
    fn client(&self, hand_over: &HandOver) -> Result<&Client, Failure> {
        let client = self.logins.document().client(&hand_over.client_id);
        client.ok_or_else(|| wrong_ticket("the client is gone"))
    }

    /// Who logged in, with an id_token for the client that they logged in to.
    fn handed_over(&self, hand_over: HandOver) -> Result<Response, Failure> {
        let client = self.client(&hand_over)?;
        let logged_in_at = WallTime::from_millis(hand_over.logged_in_at);
        let person = SignedInPerson {
            uid: &hand_over.uid,
            app_id: &hand_over.app_id,
            openid: &hand_over.openid,
            auth_app_id: None,
            nonce: None,
            logged_in_at: logged_in_at.into(),
        };
        let issued = self.logins.id_token(client, &person, self.alipay.now())?;
        let answer = Success::new("ok", Fields::new(hand_over, &issued));
        Ok(Response::json(200, &answer))
    }
}

impl HttpFunction for H5Oauth {
    const NAME: &'static str = "h5-oauth";

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        match (request.method(), request.path()) {
            ("GET", "/h5/authorize") => self.authorize(request).await,
            ("GET", CALLBACK) => self.callback(request).await,
            ("POST", "/h5/ticket") => self.ticket(request).await,
            _ => Err(request.no_such_route()),
        }
    }

    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        login_refused(request, failure)
    }
}

/// A ticket that is not valid is one answer, whatever is wrong with it; a table that is down is another.
fn ticket_failure(error: IdentityError) -> Failure {
    match error {
        IdentityError::Refused(_) => wrong_ticket(error),
        error => identity_failure(error),
    }
}
