//! Who takes part, and where each is found.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{BenchError, Contestant, Job, Transport};

/// Who is timed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Our release binary.
    Ours,
    /// The least that the work costs.
    Floor,
    /// A Node 20 handler on the official SDK.
    Node,
    /// A Python handler on the official SDK.
    Python,
}

impl Who {
    /// Everybody.
    pub const ALL: [Self; 4] = [Self::Ours, Self::Floor, Self::Node, Self::Python];

    /// As it stands in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Floor => "floor",
            Self::Node => "Node",
            Self::Python => "Python",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Where the contestants' programs are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The project's root.
    pub root: PathBuf,
    /// The packaged binaries: `<function>/bootstrap` or `<function>`.
    pub functions: PathBuf,
    /// The same binaries, but trusting this run's certificates; `None` where TLS is not to be measured with ours.
    pub functions_trusting_bench_root: Option<PathBuf>,
    /// The floor's binary.
    pub floor: PathBuf,
}

impl Places {
    /// The binary of the function `name` in `folder`.
    ///
    /// # Errors
    /// [`BenchError::Missing`].
    pub fn function(folder: &Path, name: &str) -> Result<PathBuf, BenchError> {
        let path = folder.join(name);
        let path = if path.is_dir() {
            path.join("bootstrap")
        } else {
            path
        };
        if path.is_file() {
            return Ok(path);
        }
        Err(BenchError::Missing {
            path,
            mend: "`make bench` builds it; by hand: make package, or --functions FOLDER for another folder",
        })
    }

    /// How `who` is started for `job` over `transport`. `Ok(Err(reason))` where it cannot take part, which is no fault.
    ///
    /// # Errors
    /// [`BenchError::Missing`] where a binary is not there.
    pub fn contestant(
        &self,
        who: Who,
        job: Job,
        transport: Transport,
    ) -> Result<Result<Contestant, String>, BenchError> {
        let name = format!("{who}, {job} over {}", transport.name());
        let of = |program, arguments| Contestant {
            name: name.clone(),
            program,
            arguments,
            environment: Vec::new(),
        };
        Ok(match who {
            Who::Ours => {
                let folder = match transport {
                    Transport::Plain => &self.functions,
                    Transport::Tls => match &self.functions_trusting_bench_root {
                        Some(folder) => folder,
                        None => {
                            return Ok(Err(
                                "no binaries that trust this run's certificates (--functions-trusting-bench-root)"
                                    .to_owned(),
                            ));
                        }
                    },
                };
                Ok(of(Self::function(folder, job.name())?, Vec::new()))
            }
            Who::Floor => Ok(of(self.floor.clone(), vec![job.name().into()])),
            Who::Node => Ok(self.rival("run-node", job, of)?),
            Who::Python => Ok(self.rival("run-python", job, of)?),
        })
    }

    /// The rival's own command: without the shell that would look it up, whose start would be counted as the rival's.
    fn rival(
        &self,
        script: &str,
        job: Job,
        of: impl FnOnce(PathBuf, Vec<std::ffi::OsString>) -> Contestant,
    ) -> Result<Contestant, BenchError> {
        let script = self.root.join("benches/rivals").join(script);
        let output = Command::new(&script)
            .args(["--print", job.name()])
            .output()
            .map_err(|error| BenchError::system(script.display().to_string())(error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.lines();
        match words.next() {
            Some(program) if output.status.success() => {
                Ok(of(program.into(), words.map(Into::into).collect()))
            }
            _ => Err(BenchError::Missing {
                path: script,
                mend: "the rivals are not installed: run tools/install bench, or leave them out with --contestants ours,floor",
            }),
        }
    }
}
