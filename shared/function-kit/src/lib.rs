#![doc = include_str!("../README.md")]

mod alipay;
mod apps;
mod aws;
mod content_check;
mod envelope;
mod event;
mod failure;
mod findings;
mod function;
mod http;
mod input_limits;
mod invocation_log;
mod run;
mod secrets;
mod settings;
mod signed_in;
mod telemetry;
mod typed_json;

pub mod checked;
#[cfg(any(test, feature = "kept-log"))]
pub mod kept_log;

pub use alipay::{Alipay, SelectedApp};
pub use apps::{AppSettings, Apps, AppsError};
pub use aws::{aws_settings, dynamodb_settings};
pub use content_check::{CheckAnswer, CheckedContent, ContentCheck, ContentChecker, EarlierCheck};
pub use envelope::Success;
pub use event::{Caller, Door};
pub use failure::{Failure, Outcome};
pub use findings::{Finding, Verdict, findings, findings_of};
pub use function::{
    Function, Handler, Handling, Invocation, Service, answer_directly, parse as parse_arguments,
};
pub use http::{Form, HttpFunction, HttpService, Request, Response};
pub use run::{
    no_powers, run, run_handler, run_handler_without_apps, run_http, run_http_without_apps,
};
pub use secrets::read_document;
pub use settings::{SettingError, StartUpError, calls_have_less_cpu_than_init, required, setting};
pub use signed_in::{Access, SignedIn};
