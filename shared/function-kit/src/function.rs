use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use alipay_gateway::Deadline;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{Instrument, Span, field};

use crate::alipay::Alipay;
use crate::envelope::Answer;
use crate::event::{Caller, Door, Opened, open};
use crate::{Failure, Outcome, Success};

/// What one function does.
pub trait Function: Send + Sync + 'static {
    /// The name of its folder, package and binary.
    const NAME: &'static str;
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

/// The members that choose the app, the same in every function's input.
#[derive(Deserialize)]
struct AppChoice {
    #[serde(default)]
    appid: Option<String>,
    #[serde(default, rename = "privateKey")]
    private_key: Option<SecretString>,
}

impl<F: Function> Service<F> {
    /// `function` serving the apps of `alipay`.
    pub fn new(function: F, alipay: Alipay) -> Self {
        Self { function, alipay }
    }

    async fn answer(&self, opened: Opened<'_>, invocation: &Invocation) -> Result<Answer, Failure> {
        let arguments = opened.arguments?;
        let choice: AppChoice = parse(&arguments)?;
        let app = self
            .alipay
            .select(
                choice.appid.as_deref(),
                choice.private_key.as_ref(),
                opened.door,
            )
            .await?;
        Span::current().record("appid", app.id());
        let caller = Caller {
            door: opened.door,
            app,
            deadline: invocation.deadline,
            request_id: invocation.request_id.clone(),
            origin: opened.origin,
        };
        let input: F::Input = parse(&arguments)?;
        let success = self.function.call(input, &caller).await?;
        Answer::success(&success)
    }
}

/// Reads arguments; what is wrong is said with the field's path.
fn parse<T: DeserializeOwned>(arguments: &str) -> Result<T, Failure> {
    let mut deserializer = serde_json::Deserializer::from_str(arguments);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        // serde states what is missing as a message of the object, and quotes values of a wrong type.
        match reason
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'))
        {
            Some(missing) if path == "." => Failure::invalid(missing, "is required"),
            Some(missing) => Failure::invalid(format!("{path}.{missing}"), "is required"),
            None if path == "." => Failure::invalid("body", without_value(reason)),
            None => Failure::invalid(path, without_value(reason)),
        }
    })
}

/// `invalid type: string "…", expected u8` without the value, which may be a secret.
fn without_value(reason: &str) -> String {
    match reason.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => format!("must be {expected}"),
        _ => reason.to_owned(),
    }
}

impl<F: Function> Handler for Service<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn handle<'a>(&'a self, event: &'a str, invocation: Invocation) -> Handling<'a> {
        let span = tracing::info_span!(
            "invocation",
            function = F::NAME,
            request_id = %invocation.request_id,
            appid = field::Empty,
            trace_id = field::Empty,
        );
        Box::pin(
            async move {
                let started = SystemTime::now();
                let opened = open(event);
                let door = opened.door;
                let answer = self.answer(opened, &invocation).await;
                let duration_ms = started.elapsed().map_or(0, |elapsed| elapsed.as_millis());
                match answer {
                    Ok(answer) => {
                        tracing::info!(outcome = "ok", ?door, duration_ms, "answered");
                        answer.through(door)
                    }
                    Err(failure) => {
                        log_failure(&failure, door, duration_ms);
                        Answer::failure(failure.outcome(), &invocation.request_id).through(door)
                    }
                }
            }
            .instrument(span),
        )
    }
}

/// The one place where a failure is logged.
fn log_failure(failure: &Failure, door: Door, duration_ms: u128) {
    let row = failure.outcome().row();
    let cause = failure.cause().map(chain).unwrap_or_default();
    let (sub_code, field) = match failure.outcome() {
        Outcome::GatewayRefused(refusal) => {
            (refusal.sub_code.as_deref().unwrap_or(&refusal.code), "")
        }
        Outcome::InvalidArgument { field, .. } => ("", field.as_str()),
        _ => ("", ""),
    };
    if row.status >= 500 {
        tracing::error!(
            outcome = row.slug,
            ?door,
            duration_ms,
            sub_code,
            field,
            cause,
            "failed"
        );
    } else {
        tracing::warn!(
            outcome = row.slug,
            ?door,
            duration_ms,
            sub_code,
            field,
            cause,
            "refused"
        );
    }
}

fn chain(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Input {
        code: String,
        #[serde(default)]
        data: Option<Inner>,
    }

    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Inner {
        size: u8,
    }

    fn refused(arguments: &str) -> (String, String) {
        match parse::<Input>(arguments).unwrap_err().outcome() {
            Outcome::InvalidArgument { field, rule } => (field.clone(), rule.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wrong_input_names_its_field_and_never_quotes_its_value() {
        assert_eq!(refused("{}"), ("code".to_owned(), "is required".to_owned()));
        assert_eq!(
            refused(r#"{"code":1}"#),
            ("code".to_owned(), "must be a string".to_owned())
        );
        assert_eq!(
            refused(r#"{"code":"c","data":{}}"#),
            ("data.size".to_owned(), "is required".to_owned())
        );
        let (field, rule) = refused(r#"{"code":"c","data":{"size":"canary"}}"#);
        assert_eq!((field.as_str(), rule.as_str()), ("data.size", "must be u8"));
        assert!(
            refused(r#"{"code":"c","code":"d"}"#)
                .1
                .contains("duplicate field")
        );
    }

    #[test]
    fn members_that_a_function_does_not_know_are_ignored() {
        assert!(parse::<Input>(r#"{"code":"c","uniIdToken":"x"}"#).is_ok());
    }
}
