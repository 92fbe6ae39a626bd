//! The sizes of what is deployed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::compare::Zip;
use crate::field::Who;
use crate::{BenchError, Job};

/// The names of the functions that are packaged in `folder`, in their order: it holds nothing else.
///
/// # Errors
/// [`BenchError::Missing`] where there are none.
pub fn functions_in(folder: &Path) -> Result<Vec<String>, BenchError> {
    let mut names = Vec::new();
    // A folder that is not there holds none.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().join("bootstrap").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    if names.is_empty() {
        return Err(BenchError::Missing {
            path: folder.join("FUNCTION/bootstrap"),
            mend: "`make bench` builds them; by hand: make package, or --functions FOLDER for another folder",
        });
    }
    Ok(names)
}

/// Bytes of the zip of `function`, as `make package` has made it for this machine; `None` where it is not there.
pub fn zip_of(root: &Path, function: &str) -> Option<u64> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let path = root.join(format!("dist/{function}-{architecture}.zip"));
    Some(fs::metadata(path).ok()?.len())
}

/// Of our functions, as `make package` has zipped them for this machine. What is not there is left out, and said to be so in the report.
pub fn of_ours(root: &Path) -> Vec<Zip> {
    let size = |job: Job| {
        Some(Zip {
            who: Who::Ours,
            job,
            bytes: zip_of(root, job.name())?,
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
