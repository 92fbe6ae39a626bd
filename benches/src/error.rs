use std::io;
use std::path::PathBuf;

/// Why the bench ended before it had measured everything.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// A contestant ended, was silent, or answered wrongly: its figures would mean nothing.
    #[error("{name}: {problem}\n--- what it wrote ---\n{output}")]
    Contestant {
        /// Which one.
        name: String,
        /// What happened.
        problem: String,
        /// Its standard output and error.
        output: String,
    },
    /// A file that a step needs is not there.
    #[error("{path} is not there: {mend}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// How to get it.
        mend: &'static str,
    },
    /// A file does not hold what it should.
    #[error("{path}: {problem}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A key or certificate could not be made.
    #[error("a key or certificate for this run could not be made: {0}")]
    Keys(String),
    /// What was asked for contradicts itself.
    #[error("{0}")]
    Arguments(String),
    /// The run was told to stop.
    #[error("interrupted")]
    Interrupted,
}

impl BenchError {
    /// For `map_err`: `what` was tried.
    pub fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
