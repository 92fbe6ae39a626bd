//! `app.getAuthInfo` and `app.login`: the login of native apps with an Alipay plugin (Capacitor, React Native, Cordova).
//!
//! The plugin's `login({value})` needs a signed login string, which is made here, because the key that signs it must not be in the
//! app. What the plugin then has, a code, is exchanged here. Both calls have one function: over HTTP the route tells which is
//! meant, in a direct invoke a code or a `target_id` does.

mod input;

use std::error::Error;
use std::time::Duration;

use alipay_gateway::methods::{UserInfo, user_info};
use alipay_gateway::{Deadline, GatewayError, login_string};
use function_kit::{Access, Alipay, Caller, Failure, Function, Outcome, Success};
use function_logins::{IdentityError, LoggedIn, Logins, Purpose, SignedInPerson, identity_failure};
use function_tokens::Tokens;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

pub use input::Input;
use input::{Login, Wanted};

/// How long the user may take in Alipay's app.
const TARGET_LIFE: Duration = Duration::from_secs(15 * 60);

/// How long a login waits for the profile, which is no part of who the user is. The gateway keeps one second of it for what comes
/// after.
const PROFILE_PATIENCE: Duration = Duration::from_secs(3);

/// The function.
#[derive(Debug, Clone)]
pub struct AppAuth {
    alipay: Alipay,
    tokens: Tokens,
    logins: Logins,
}

/// What `app.getAuthInfo` and `app.login` answer. The latter is personal, so there is no `Debug`.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Fields {
    /// To be handed to the plugin.
    AuthInfo {
        /// The plugin's `value`.
        value: String,
        /// Comes back with `app.login`. Used once, within 15 minutes.
        target_id: String,
    },
    /// The plugin's `LoginResult`, and what calls the routes of signed-in users.
    LoggedIn(LoginResult),
}

/// The six fields of the plugin are always texts, empty where Alipay has nothing to say.
#[derive(Serialize)]
pub struct LoginResult {
    /// Alipay's id of the user for this app.
    uid: String,
    /// A copy of `uid`, for code that handles several kinds of login.
    openid: String,
    name: String,
    /// 男, 女, or empty.
    gender: &'static str,
    province: String,
    city: String,
    /// The account here, which stays the same when Alipay moves the app from user ids to open ids.
    account: String,
    /// An id_token, as `Authorization: Bearer …` for the routes of signed-in users.
    token: String,
    /// When it ends, in milliseconds since 1970.
    #[serde(rename = "tokenExpired")]
    token_expired: u64,
}

/// What is kept with a `target_id`.
#[derive(Serialize, Deserialize)]
struct Target {
    app_id: String,
}

impl AppAuth {
    /// Makes login strings for the apps of `alipay`; keeps what a login grants in `tokens`, and finds the account in `logins`.
    pub fn new(alipay: Alipay, tokens: Tokens, logins: Logins) -> Self {
        Self {
            alipay,
            tokens,
            logins,
        }
    }

    async fn auth_info(&self, caller: &Caller) -> Result<Fields, Failure> {
        let pid = caller.app.settings().required_pid()?;
        let target = Target {
            app_id: caller.app.id().to_owned(),
        };
        let target_id = self
            .logins
            .one_time()
            .issue(
                Purpose::LoginTarget,
                &target,
                TARGET_LIFE,
                self.alipay.now().into(),
            )
            .await
            .map_err(identity_failure)?;
        let target_id = target_id.expose_secret().to_owned();
        let value = login_string(caller.app.gateway_app(), pid, &target_id)?;
        Ok(Fields::AuthInfo { value, target_id })
    }

    async fn log_in(&self, login: Login<'_>, caller: &Caller) -> Result<Fields, Failure> {
        let target: Target = self
            .logins
            .one_time()
            .redeem(
                Purpose::LoginTarget,
                login.target_id,
                self.alipay.now().into(),
            )
            .await
            .map_err(target_failure)?;
        if target.app_id != caller.app.id() {
            return Err(wrong_target("the target_id is another app's"));
        }
        let logged_in = self
            .logins
            .log_in(&self.alipay, &self.tokens, caller, login.auth_code)
            .await
            // Whatever became of the code, the target is spent.
            .map_err(|failure| failure.with_repeatable(false))?;
        let profile = self.profile(&logged_in, caller).await;
        self.result(logged_in, profile, caller)
            .map(Fields::LoggedIn)
    }

    /// The profile, where the user granted it. A login without one is as good a login.
    async fn profile(&self, logged_in: &LoggedIn, caller: &Caller) -> Option<UserInfo> {
        let granted = &logged_in.granted;
        let call = user_info(&granted.access_token);
        let patience = Deadline::after(self.alipay.now(), PROFILE_PATIENCE);
        let profile: Result<UserInfo, GatewayError> = self
            .alipay
            .call(&caller.app, &call, caller.deadline.min(patience))
            .await
            .and_then(|reply| reply.parse());
        match profile {
            Ok(profile)
                if profile
                    .is_of_another(granted.user_id.as_deref(), granted.open_id.as_deref()) =>
            {
                tracing::warn!("a reply with the profile of another user was dropped");
                None
            }
            Ok(profile) => Some(profile),
            Err(error) => {
                tracing::info!(%error, "no profile came with the login");
                None
            }
        }
    }

    fn result(
        &self,
        logged_in: LoggedIn,
        profile: Option<UserInfo>,
        caller: &Caller,
    ) -> Result<LoginResult, Failure> {
        let now = self.alipay.now();
        let person = SignedInPerson {
            uid: &logged_in.account.uid,
            app_id: &logged_in.app_id,
            openid: &logged_in.openid,
            auth_app_id: None,
            nonce: None,
            logged_in_at: now,
        };
        let client = self.logins.document().client_of_app(caller.app.id());
        let issued = self.logins.id_token(&client, &person, now)?;
        let account = logged_in.account.uid.to_string();
        let (name, gender, province, city) = profile.map_or_else(Default::default, |profile| {
            let text = Option::unwrap_or_default;
            (
                text(profile.nick_name),
                gender(profile.gender.as_deref()),
                text(profile.province),
                text(profile.city),
            )
        });
        Ok(LoginResult {
            uid: logged_in.openid.clone(),
            openid: logged_in.openid,
            name,
            gender,
            province,
            city,
            account,
            token: issued.token.expose_secret().to_owned(),
            token_expired: issued.expires_at.as_millis(),
        })
    }
}

impl Function for AppAuth {
    const NAME: &'static str = "app-auth";
    const ACCESS: Access = Access::Public;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let fields = match input.wanted(caller.path.as_deref())? {
            Wanted::AuthInfo => self.auth_info(caller).await?,
            Wanted::Login(login) => self.log_in(login, caller).await?,
        };
        Ok(Success::new("ok", fields))
    }
}

/// The plugin's words for Alipay's letters.
fn gender(letter: Option<&str>) -> &'static str {
    match letter {
        Some("F" | "f") => "女",
        Some("M" | "m") => "男",
        _ => "",
    }
}

/// A `target_id` that is not valid is one answer, whatever is wrong with it; a table that is down is another.
fn target_failure(error: IdentityError) -> Failure {
    match error {
        IdentityError::Refused(_) => wrong_target(error),
        error => identity_failure(error),
    }
}

fn wrong_target(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    let outcome = Outcome::InvalidArgument {
        field: "target_id".to_owned(),
        rule: "is not that of a login of this app, was used before, or is older than 15 minutes; call app.getAuthInfo again".to_owned(),
    };
    Failure::caused_by(outcome, cause)
}

#[cfg(test)]
mod tests {
    use function_logins::Refusal;

    use super::*;

    #[test]
    fn the_gender_is_in_the_plugins_words() {
        for (letter, word) in [
            (Some("F"), "女"),
            (Some("M"), "男"),
            (Some("x"), ""),
            (None, ""),
        ] {
            assert_eq!(gender(letter), word);
        }
    }

    #[test]
    fn every_fault_of_a_target_is_one_answer() {
        for refusal in [Refusal::Unknown, Refusal::Spent, Refusal::Expired] {
            let failure = target_failure(IdentityError::Refused(refusal));
            assert_eq!(failure.outcome(), wrong_target("").outcome());
        }
    }
}
