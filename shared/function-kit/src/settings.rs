use std::env;

use crate::AppsError;

/// In MB; set by Lambda.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// From this memory on, in MB, Lambda gives a call a whole CPU.
const MEMORY_OF_A_WHOLE_CPU: u32 = 1_769;

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

/// Whether a call has less CPU than INIT, which Lambda gives a whole one: what only moves work from the first call to INIT is
/// worth doing then, and costs a cold start otherwise. False outside Lambda.
pub fn calls_have_less_cpu_than_init() -> bool {
    setting(MEMORY).is_some_and(|memory| is_less_than_a_whole_cpu(&memory))
}

fn is_less_than_a_whole_cpu(memory: &str) -> bool {
    memory
        .parse()
        .is_ok_and(|memory: u32| memory < MEMORY_OF_A_WHOLE_CPU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_cpu_begins_at_1769_mb() {
        for (memory, less) in [
            ("128", true),
            ("1768", true),
            ("1769", false),
            ("10240", false),
        ] {
            assert_eq!(is_less_than_a_whole_cpu(memory), less, "{memory}");
        }
        assert!(!is_less_than_a_whole_cpu("much"));
    }
}
