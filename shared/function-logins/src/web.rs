//! The way over Alipay's authorisation page (网页授权) and back, in one browser.

use std::time::{Duration, SystemTime};

use alipay_gateway::authorization_page;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use function_kit::checked::OneTimeCode;
use function_kit::{Alipay, Failure, Outcome, Request, Response, SelectedApp};
use function_tokens::Tokens;
use identity::{IdentityError, Purpose};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use table_rows::WallTime;

use crate::exchange::LoggedIn;
use crate::failure::identity_failure;
use crate::logins::Logins;

/// How long a login may stay on Alipay's page.
const STATE_LIFE: Duration = Duration::from_secs(10 * 60);

/// What is asked of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebScope {
    /// Who it is, and nothing else: no page is shown (`auth_base`, 静默授权).
    AuthBase,
    /// The profile too: Alipay asks the user (`auth_user`).
    AuthUser,
}

impl WebScope {
    /// Alipay's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthBase => "auth_base",
            Self::AuthUser => "auth_user",
        }
    }

    /// The row that the tokens are kept in. A silent login must not put a token that opens nothing in the place of one that the
    /// user agreed to.
    fn token_row(self) -> Option<&'static str> {
        match self {
            Self::AuthBase => Some(self.name()),
            Self::AuthUser => None,
        }
    }
}

/// A web login that came back to the browser which began it. Its state is spent.
pub struct FinishedWebLogin<T> {
    /// What [`Logins::begin_web_login`] was given.
    pub value: T,
    /// Who logged in, or why nobody did: `invalid_argument` for a code that is missing, is none or is not good (any more); otherwise
    /// as [`Logins::log_in`].
    pub login: Result<LoggedIn, Failure>,
}

/// What is stored while the user is on Alipay's page.
#[derive(Serialize, Deserialize)]
struct State<T> {
    app_id: String,
    scope: WebScope,
    /// SHA-256 of the browser's cookie, in hexadecimal characters.
    browser: String,
    value: T,
}

impl Logins {
    /// Sends the browser to Alipay's page. `value` comes back from [`Logins::finish_web_login`]; it is stored here, and the browser
    /// gets nothing but a random `state` and a cookie that only it has. Alipay sends it back to `callback_path` under the issuer's
    /// address, whatever the request said.
    ///
    /// # Errors
    /// `temporarily_unavailable` when the table is.
    pub async fn begin_web_login<T: Serialize>(
        &self,
        purpose: Purpose,
        app: &SelectedApp,
        scope: WebScope,
        callback_path: &str,
        value: &T,
        now: SystemTime,
    ) -> Result<Response, Failure> {
        let cookie = random_hex()?;
        let state = State {
            app_id: app.id().to_owned(),
            scope,
            browser: sha256_hex(&cookie),
            value,
        };
        let state = self
            .one_time()
            .issue(purpose, &state, STATE_LIFE, WallTime::from(now))
            .await
            .map_err(identity_failure)?;
        let state = state.expose_secret();
        let redirect_uri = format!("{}{callback_path}", self.issuer().url());
        let page = authorization_page(&app.settings().app.gateway);
        let link = page.link(&[scope.name()], app.id(), &redirect_uri, state);
        Ok(Response::redirect(link).with_cookie(&cookie_name(state), &cookie, STATE_LIFE))
    }

    /// Takes Alipay's callback: the state must be one that this browser was given and has not used, for the app that Alipay names.
    /// Nothing is spent before that is certain, so that a link preview, or a link that somebody else sends, ends no login. Then the
    /// state is spent and the code, if there is one, exchanged: what comes of that is [`FinishedWebLogin::login`], since from here on
    /// it is known whom to tell of a failure.
    ///
    /// # Errors
    /// `invalid_argument`, in the same words for every fault of the state; `temporarily_unavailable` when the table is.
    pub async fn finish_web_login<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        request: &Request,
        alipay: &Alipay,
        tokens: &Tokens,
    ) -> Result<FinishedWebLogin<T>, Failure> {
        let now = WallTime::from(alipay.now());
        let text = only(request, "state")?;
        let state_text = SecretString::from(text);
        let stored: State<T> = self
            .one_time()
            .peek(purpose, &state_text, now)
            .await
            .map_err(state_failure)?;
        let cookie = request.cookie(&cookie_name(text)).ok_or_else(wrong_state)?;
        let browser = sha256_hex(cookie);
        let same_browser = aws_lc_rs::constant_time::verify_slices_are_equal(
            browser.as_bytes(),
            stored.browser.as_bytes(),
        );
        let same_app = request
            .query_value("app_id")
            .map_err(|_| wrong_state())?
            .is_none_or(|app_id| app_id == stored.app_id);
        if same_browser.is_err() || !same_app {
            return Err(wrong_state());
        }
        let State {
            app_id,
            scope,
            value,
            ..
        } = self
            .one_time()
            .redeem::<State<T>>(purpose, &state_text, now)
            .await
            .map_err(state_failure)?;
        let login = async {
            let code = code(request)?;
            let caller = request.caller(alipay.app(Some(&app_id))?);
            self.log_in_to_row(scope.token_row(), alipay, tokens, &caller, &code)
                .await
                .map_err(code_failure)
        };
        let login = login.await;
        Ok(FinishedWebLogin { value, login })
    }
}

/// `response`, which ends the login of the callback `request`, with the browser told to forget its cookie.
pub fn forget_login(request: &Request, response: Response) -> Response {
    match request.query_value("state") {
        Ok(Some(state)) => response.with_cookie(&cookie_name(state), "", Duration::ZERO),
        _ => response,
    }
}

/// A query value that must stand there once.
fn only<'a>(request: &'a Request, name: &str) -> Result<&'a str, Failure> {
    request
        .query_value(name)
        .map_err(|_| wrong_state())?
        .ok_or_else(wrong_state)
}

fn code(request: &Request) -> Result<SecretString, Failure> {
    let text = request.query_value("auth_code")?.ok_or_else(|| {
        Failure::invalid(
            "auth_code",
            "is missing: Alipay sends none when the user did not agree",
        )
    })?;
    OneTimeCode::try_from(text.to_owned())
        .map(OneTimeCode::into_secret)
        .map_err(|rule| Failure::invalid("auth_code", rule.0))
}

/// A state that is not valid is one answer, whatever is wrong with it; a table that is down is another.
fn state_failure(error: IdentityError) -> Failure {
    match error {
        IdentityError::Refused(_) => Failure::caused_by(wrong_state().outcome().clone(), error),
        error => identity_failure(error),
    }
}

/// A code that was used before, or is another app's, looks like a login that was: who brings one learns nothing of it.
fn code_failure(failure: Failure) -> Failure {
    match failure.outcome() {
        Outcome::Conflict { .. } => Failure::caused_by(wrong_state().outcome().clone(), failure),
        Outcome::GatewayRefused(refusal) if refusal.caller_can_mend() => {
            Failure::caused_by(wrong_state().outcome().clone(), failure)
        }
        _ => failure,
    }
}

fn wrong_state() -> Failure {
    Failure::invalid(
        "state",
        "this login was not begun in this browser, was finished before, or is older than ten minutes; begin it again",
    )
}

/// `__Host-`: a cookie that no other host and no path of this one can set. Each login has its own, so that two tabs do not disturb
/// each other.
fn cookie_name(state: &str) -> String {
    let hash = sha256_hex(state);
    format!("__Host-login-{}", hash.get(..16).unwrap_or_default())
}

fn random_hex() -> Result<String, Failure> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| Failure::internal("no randomness"))?;
    Ok(hex::encode(bytes))
}

fn sha256_hex(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}
