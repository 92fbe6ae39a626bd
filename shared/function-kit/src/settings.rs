use std::env;

use crate::AppsError;

/// A setting (environment variable) that is missing or cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}: {problem}")]
pub struct SettingError {
    /// The variable's name.
    pub name: &'static str,
    /// What is wrong and how to mend it; never the value.
    pub problem: String,
}

impl SettingError {
    /// `name` has `problem`.
    pub fn new(name: &'static str, problem: impl Into<String>) -> Self {
        Self {
            name,
            problem: problem.into(),
        }
    }
}

/// Why a function did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartUpError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The document of apps is wrong.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// A secret could not be read.
    #[error("{name}: the secret could not be read")]
    Secret {
        /// The variable that names the secret.
        name: &'static str,
        /// AWS's error, for the log.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A client could not be set up.
    #[error(transparent)]
    Client(#[from] alipay_gateway::SetUpError),
}

/// The value of the variable `name`; `None` where it is not set or empty.
pub fn setting(name: &'static str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The value of the variable `name`.
///
/// # Errors
/// When it is not set or empty.
pub fn required(name: &'static str) -> Result<String, SettingError> {
    setting(name).ok_or_else(|| SettingError::new(name, "is not set"))
}
