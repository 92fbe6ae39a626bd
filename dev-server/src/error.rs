use std::error::Error;
use std::path::PathBuf;

/// Why the development server did not start.
#[derive(Debug, thiserror::Error)]
pub enum DevServerError {
    /// The port is taken or not allowed.
    #[error("port {port} cannot be had ({source}); choose another one with --port")]
    Port {
        /// The port asked for.
        port: u16,
        /// The system's error.
        source: std::io::Error,
    },
    /// The embedded DynamoDB did not start.
    #[error("the embedded DynamoDB did not start: {0}")]
    Table(String),
    /// The embedded event bus did not start.
    #[error("the embedded event bus did not start: {0}")]
    EventBus(#[source] std::io::Error),
    /// The simulated gateway did not start.
    #[error("the simulated gateway did not start: {0}")]
    Simulator(#[source] std::io::Error),
    /// The document of apps cannot be read or is wrong.
    #[error("--config {path}: {problem}", path = path.display())]
    Config {
        /// The document.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The login document cannot be read or is wrong.
    #[error("login document {path}: {problem}", path = path.display())]
    Login {
        /// The document.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No login document could be made.
    #[error(transparent)]
    LoginKeys(#[from] crate::LoginKeysError),
    /// This server's address is no issuer, which is a fault of this program.
    #[error(transparent)]
    Issuer(#[from] function_logins::LoginDocumentError),
    /// This server's address cannot be told to Alipay, which is a fault of this program.
    #[error("Alipay cannot be told this server's address: it {0}")]
    NotifyUrl(&'static str),
    /// The document for the simulated app is wrong, which is a fault of this program.
    #[error(transparent)]
    Apps(#[from] function_kit::AppsError),
    /// The gateway client could not be built.
    #[error(transparent)]
    Client(#[from] alipay_gateway::SetUpError),
    /// A file of `--data` cannot be read or written.
    #[error("--data: {path}: {source}", path = path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The keys that seal stored tokens cannot be used.
    #[error("--data: token-keys.json: {0}")]
    Keys(#[from] token_store::KeyringError),
}

/// An error with all its causes, of which the last is often the one that says it.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
