//! The sizes of what is deployed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::compare::Zip;
use crate::field::Who;
use crate::{BenchError, Job};

/// Of our functions, as `make package` has zipped them for this machine. What is not there is left out, and said to be so in the report.
pub fn of_ours(root: &Path) -> Vec<Zip> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let size = |job: Job| {
        let path = root.join(format!("dist/{job}-{architecture}.zip"));
        let bytes = fs::metadata(path).ok()?.len();
        Some(Zip {
            who: Who::Ours,
            job,
            bytes,
        })
    };
    Job::ALL.into_iter().filter_map(size).collect()
}

/// Of the rivals, as `benches/rivals/package` zips them.
///
/// # Errors
/// [`BenchError::System`], [`BenchError::Malformed`].
pub fn of_rivals(root: &Path) -> Result<Vec<Zip>, BenchError> {
    let program = root.join("benches/rivals/package");
    let output = Command::new(&program)
        .output()
        .map_err(|error| BenchError::system(program.display().to_string())(error))?;
    let sizes: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_slice(&output.stdout)
        .map_err(|error| BenchError::Malformed {
            path: program,
            problem: format!(
                "{error}; it said: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        })?;
    let size = |who, name: &str, job: Job| {
        let bytes = *sizes.get(name)?.get(job.name())?;
        Some(Zip { who, job, bytes })
    };
    let all = Job::ALL.into_iter().flat_map(|job| {
        [
            size(Who::Node, "node", job),
            size(Who::Python, "python", job),
        ]
    });
    Ok(all.flatten().collect())
}
