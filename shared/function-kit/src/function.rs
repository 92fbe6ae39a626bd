use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use alipay_gateway::Deadline;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{Instrument, Span};

use crate::alipay::{Alipay, Choice};
use crate::envelope::Answer;
use crate::event::{Caller, Door, Opened, open};
use crate::invocation_log::{Ending, invocation_span};
use crate::signed_in::{Access, SignedIn};
use crate::typed_json::{self, Misfit};
use crate::{Failure, Outcome, Success};

/// What one function does.
pub trait Function: Send + Sync + 'static {
    /// The name of its folder, package and binary.
    const NAME: &'static str;
    /// Who may call it over HTTP.
    const ACCESS: Access = Access::ServerSide;
    /// Its arguments. Fields that carry rules are types of [`crate::checked`], so that a value that exists is a valid one.
    type Input: DeserializeOwned + Send;
    /// The fields of its success, beside `code` and `msg`.
    type Fields: Serialize + Send;

    /// Check → call → answer.
    fn call(
        &self,
        input: Self::Input,
        caller: &Caller,
    ) -> impl Future<Output = Result<Success<Self::Fields>, Failure>> + Send;
}

/// One invocation, as the Lambda runtime (or the development server in its place) describes it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The id under which the log has it.
    pub request_id: String,
    /// When the environment is stopped.
    pub deadline: Deadline,
}

/// The answer to an event, on its way.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Box<RawValue>> + Send + 'a>>;

/// A function that is ready to take events. What Lambda, the development server and the tests run.
pub trait Handler: Send + Sync {
    /// The function's name.
    fn name(&self) -> &'static str;
    /// Answers `event`. Every failure is an answer too.
    fn handle<'a>(&'a self, event: &'a str, invocation: Invocation) -> Handling<'a>;
}

/// A [`Function`] with the configured apps: takes events of both doors.
#[derive(Debug, Clone)]
pub struct Service<F> {
    function: F,
    alipay: Alipay,
}

/// The members that choose the app and how it is spoken for, the same in every function's input. Empty ones, which vk clients send for what they leave
/// out, count as absent.
#[derive(Deserialize)]
struct AppChoice {
    #[serde(default)]
    appid: Option<String>,
    #[serde(default, rename = "privateKey")]
    private_key: Option<SecretString>,
    #[serde(default, rename = "needEncrypt")]
    need_encrypt: Option<bool>,
}

impl AppChoice {
    /// What is chosen; by a `user` who is signed in the app of the login, and no other.
    fn choice<'a>(&'a self, user: Option<&'a SignedIn>) -> Result<Choice<'a>, Failure> {
        let key = self.private_key.as_ref();
        let named = self.appid.as_deref().filter(|id| !id.is_empty());
        let app_id = match (user, named) {
            (Some(user), Some(named)) if named != user.app_id => {
                return Err(Failure::forbidden(
                    "appid: is not the app that the user is signed in to; leave appid out",
                ));
            }
            (Some(user), _) => Some(user.app_id.as_str()),
            (None, named) => named,
        };
        Ok(Choice {
            app_id,
            private_key: key.filter(|key| !key.expose_secret().trim().is_empty()),
            need_encrypt: self.need_encrypt,
        })
    }
}

impl<F: Function> Service<F> {
    /// `function` serving the apps of `alipay`.
    pub fn new(function: F, alipay: Alipay) -> Self {
        Self { function, alipay }
    }

    async fn answer(&self, opened: Opened<'_>, invocation: &Invocation) -> Result<Answer, Failure> {
        let user = user_of(F::ACCESS, opened.door, opened.user)?;
        let arguments = opened.arguments?;
        let choice: AppChoice = parse(&arguments)?;
        let choice = choice.choice(user.as_ref())?;
        let app = self.alipay.select(&choice, opened.door)?;
        Span::current().record("appid", app.id());
        let caller = Caller {
            door: opened.door,
            app,
            deadline: invocation.deadline,
            request_id: invocation.request_id.clone(),
            user,
            path: opened.path,
            origin: opened.origin,
        };
        let input: F::Input = parse(&arguments)?;
        let success = self.function.call(input, &caller).await?;
        Answer::success(&success)
    }
}

/// The user that a function of this `access` serves. API Gateway let nobody else through; should a deployment have forgotten the
/// authorizer, the function does not.
fn user_of(
    access: Access,
    door: Door,
    user: Option<SignedIn>,
) -> Result<Option<SignedIn>, Failure> {
    match (access, door) {
        (Access::SignedIn, Door::Http) => user
            .map(Some)
            .ok_or_else(|| Failure::new(Outcome::Unauthenticated)),
        _ => Ok(None),
    }
}

/// Reads arguments; what is wrong is said with the field's path.
///
/// # Errors
/// `invalid_argument`, with the field and the rule and never the value.
pub fn parse<T: DeserializeOwned>(arguments: &str) -> Result<T, Failure> {
    typed_json::parse(arguments).map_err(|Misfit { path, rule }| {
        let field = if path.is_empty() { "body" } else { &path };
        Failure::invalid(field, rule)
    })
}

impl<F: Function> Handler for Service<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn handle<'a>(&'a self, event: &'a str, invocation: Invocation) -> Handling<'a> {
        let span = invocation_span(F::NAME, &invocation);
        Box::pin(
            async move {
                let started = SystemTime::now();
                let opened = open(event);
                let door = opened.door;
                let answer = self.answer(opened, &invocation).await;
                finish(answer, door, &invocation.request_id, started)
            }
            .instrument(span),
        )
    }
}

/// Logs the answer to a direct invoke that began at `started` and puts it into its envelope: for a [`Handler`] that takes other
/// events than a [`Function`] does.
pub fn answer_directly<Fields: Serialize>(
    answer: Result<Success<Fields>, Failure>,
    request_id: &str,
    started: SystemTime,
) -> Box<RawValue> {
    let answer = answer.and_then(|success| Answer::success(&success));
    finish(answer, Door::Direct, request_id, started)
}

fn finish(
    answer: Result<Answer, Failure>,
    door: Door,
    request_id: &str,
    started: SystemTime,
) -> Box<RawValue> {
    let ending = Ending {
        door,
        started,
        http: None,
    };
    match answer {
        Ok(answer) => {
            ending.answered();
            answer.through(door)
        }
        Err(failure) => {
            ending.failed(&failure);
            Answer::failure(&failure, request_id).through(door)
        }
    }
}
