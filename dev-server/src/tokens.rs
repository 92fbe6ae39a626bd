//! `dev-server tokens`: what is in the token table, and one row refreshed on demand.

mod finding;
mod outcome;
mod page;
mod place;

use std::time::Duration;

use aws_sdk_lambda::config::Config;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use function_kit::StartUpError;
use function_tokens::{RefreshOutcome, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};
use token_store::{WallTime, survey};

use crate::error::with_causes;
use page::Page;
use place::{Place, Refreshing};

pub use outcome::Refreshed;
pub(crate) use page::span;
pub use place::DEFAULT_PORT;

/// More than `refresh-tokens` takes, so that its own answer comes first.
const PATIENCE: Duration = Duration::from_secs(35);

/// Which row is to be refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A user's.
    User {
        /// The app that the user logged in to, or the ISV's app that did it for a merchant.
        appid: String,
        /// The user's id.
        openid: String,
        /// The name of the row, where the user has several; absent: the usual one.
        scope: Option<String>,
        /// The merchant's app that the user logged in to, where an ISV's app did it.
        merchant: Option<String>,
    },
    /// A merchant's own, by which an ISV's app acts for it.
    Merchant {
        /// The ISV's app.
        appid: String,
        /// The merchant's app.
        auth_app_id: String,
    },
}

/// Why there is no list or no refresh.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// Nothing listens there.
    #[error(
        "no development server answers on 127.0.0.1:{port}; start one with `cargo run -p dev-server` (or `make run`) and leave it running, name its port with --port, or set TOKEN_TABLE to look at a table on AWS"
    )]
    NoServer {
        /// The port that was tried.
        port: u16,
    },
    /// Something else listens there.
    #[error(
        "what answers on 127.0.0.1:{port} is no development server of this version; name the right port with --port"
    )]
    AnotherServer {
        /// The port that was tried.
        port: u16,
    },
    /// A variable is missing or wrong.
    #[error(
        "{0}; a table or function on AWS needs AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and for `refresh` REFRESH_FUNCTION"
    )]
    Setting(#[from] StartUpError),
    /// The table did not answer, or refused.
    #[error("the table {table} could not be read: {}", with_causes(.source))]
    Table {
        /// Its name.
        table: String,
        /// What the store says.
        #[source]
        source: StoreError,
    },
    /// The function could not be invoked.
    #[error("{function} could not be invoked: {reason}")]
    Invoke {
        /// The function's name or ARN.
        function: String,
        /// What the client says.
        reason: String,
    },
    /// The function was invoked and failed.
    #[error("{function} failed: {reason}")]
    Function {
        /// The function's name or ARN.
        function: String,
        /// What it says.
        reason: String,
    },
}

/// Counts the tokens in the table of the development server on `port`, or in the one that `TOKEN_TABLE` names if `port` is absent. As
/// text for a person, or as JSON. `progress` is told how many rows were read so far. Nothing secret is in it, and no user's id.
///
/// # Errors
/// See [`TokensError`].
pub async fn list_tokens(
    port: Option<u16>,
    as_json: bool,
    now: WallTime,
    progress: impl FnMut(u64),
) -> Result<String, TokensError> {
    let place = Place::chosen(port);
    let (client, table) = place.table().await?;
    let survey = survey(&client, &table, now, progress)
        .await
        .map_err(|source| TokensError::Table {
            table: table.clone(),
            source,
        })?;
    let page = Page::new(&survey, table, &place, now);
    Ok(if as_json { page.json() } else { page.text() })
}

/// Has one row refreshed whatever its age: by the development server on `port`, or by the function that `REFRESH_FUNCTION` names if
/// `port` is absent and it or `TOKEN_TABLE` is set.
///
/// # Errors
/// See [`TokensError`].
pub async fn refresh_token(port: Option<u16>, row: &Row) -> Result<Refreshed, TokensError> {
    let Refreshing { client, function } = Place::chosen(port).refreshing().await?;
    let event = json!({ "refresh": row.as_request() });
    let reply = client
        .invoke()
        .function_name(&function)
        .payload(Blob::new(event.to_string()))
        .customize()
        .config_override(patient())
        .send()
        .await
        .map_err(|error| TokensError::Invoke {
            reason: with_causes(&error.into_service_error()),
            function: function.clone(),
        })?;
    let payload = reply.payload.unwrap_or_else(|| Blob::new([]));
    let answer: Value = serde_json::from_slice(payload.as_ref()).unwrap_or_default();
    match RefreshOutcome::deserialize(&answer) {
        Ok(outcome) => Ok(Refreshed(outcome)),
        Err(_) => Err(TokensError::Function {
            function,
            reason: told(&answer),
        }),
    }
}

/// What a failure says, as the envelope or as Lambda has it.
fn told(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str();
    let what = text("msg")
        .or(text("errorMessage"))
        .unwrap_or("its answer is none of refresh-tokens");
    match text("hint") {
        Some(hint) => format!("{what} ({hint})"),
        None => what.to_owned(),
    }
}

impl Row {
    /// As `refresh-tokens` reads it.
    fn as_request(&self) -> Value {
        match self {
            Self::User {
                appid,
                openid,
                scope,
                merchant,
            } => {
                // The rows of a merchant's users bear both apps.
                let appid = match merchant {
                    None => appid.clone(),
                    Some(merchant) => format!("{appid}@{merchant}"),
                };
                let mut request =
                    json!({"appid": appid, "kind": "user", "subject": openid, "because": "asked"});
                if let Some(scope) = scope {
                    request["scopes"] = json!(scope);
                }
                request
            }
            Self::Merchant { appid, auth_app_id } => {
                json!({"appid": appid, "kind": "isv", "subject": auth_app_id, "because": "asked"})
            }
        }
    }
}

fn patient() -> aws_sdk_lambda::config::Builder {
    Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .operation_attempt_timeout(PATIENCE)
                .operation_timeout(PATIENCE)
                .build(),
        )
}
