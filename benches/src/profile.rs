//! Where the instructions of a start and of a call go, counted by callgrind.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::field::Places;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::Section;
use crate::table::Table;
use crate::{BenchError, Contestant, Fixtures, Job, Process, Stage, Transport};

/// Each invocation goes through it once: callgrind writes down what it has counted, and begins anew.
const BEGINS_A_CALL: &str = "function_kit::event::open";
/// aws-lc makes new blinding factors for a key at every 32nd signature: so many calls bear one share of that each.
const WARM_CALLS: usize = 32;
/// INIT, the first call, and the warm ones.
const PARTS: usize = 2 + WARM_CALLS;

/// What is counted together: all that some functions do, with what they call.
struct Group {
    name: &'static str,
    /// Whether a function, as callgrind names it, is one of them. None of them calls another.
    holds: fn(&str) -> bool,
    /// Whether it is a part of the group before it.
    is_inner: bool,
    /// The jobs in which it must be found; elsewhere it may be absent.
    of: &'static [Job],
}

const GROUPS: [Group; 7] = [
    Group {
        name: "RSA: keys read and checked",
        holds: |function| function == "aws_lc_rs::rsa::key::KeyPair::from_der",
        is_inner: false,
        of: &Job::ALL,
    },
    Group {
        name: "RSA: signatures",
        holds: |function| function == "aws_lc_rs::rsa::key::KeyPair::sign",
        is_inner: false,
        of: &Job::ALL,
    },
    Group {
        name: "of these, blinding",
        holds: |function| function.ends_with("_BN_BLINDING_convert"),
        is_inner: true,
        of: &Job::ALL,
    },
    Group {
        name: "RSA: verification",
        holds: |function| function == "aws_lc_rs::rsa::signature::verify_rsa_signature",
        is_inner: false,
        of: &Job::ALL,
    },
    Group {
        name: "AWS SDK: clients made",
        holds: |function| function == "aws_sdk_dynamodb::client::Client::new",
        is_inner: false,
        of: &[Job::Code2Session],
    },
    Group {
        name: "AWS SDK: requests to the table",
        holds: |function| {
            function.starts_with("aws_sdk_dynamodb::operation::")
                && function.ends_with("::send::{{closure}}")
        },
        is_inner: false,
        of: &[Job::Code2Session],
    },
    Group {
        name: "of these, SigV4",
        holds: |function| function == "aws_sigv4::http_request::sign::sign",
        is_inner: true,
        of: &[Job::Code2Session],
    },
];

/// Instructions of one part of a process's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// All.
    pub total: u64,
    /// Those of each group, by its name.
    pub groups: BTreeMap<String, u64>,
}

/// What was counted of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfJob {
    /// The function.
    pub job: Job,
    /// From the start of the process until it takes its first event up.
    pub init: Spent,
    /// From there until it takes up the second.
    pub first_call: Spent,
    /// The mean of the calls after that.
    pub warm_call: Spent,
}

/// What the JSON file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// What it was made with.
    pub machine: Machine,
    /// The version of valgrind, whose CPU it is.
    pub valgrind: String,
    /// One for each job.
    pub jobs: Vec<OfJob>,
}

/// Counts both jobs. The binaries in `functions` must have their symbols.
///
/// # Errors
/// [`BenchError::Missing`] where there is no valgrind or no binary, [`BenchError::Malformed`] where a function is not found by its name, the
/// contestant's and the system's.
pub fn count(functions: &Path, machine: Machine) -> Result<Profile, BenchError> {
    let valgrind = version_of_valgrind()?;
    let fixtures = Fixtures::make()?;
    let stage = Stage::set(&fixtures, Transport::Plain, Duration::ZERO)?;
    let mut jobs = Vec::new();
    for job in Job::ALL {
        jobs.push(count_job(job, functions, &stage)?);
    }
    Ok(Profile {
        machine,
        valgrind,
        jobs,
    })
}

fn version_of_valgrind() -> Result<String, BenchError> {
    let missing = |_| BenchError::Missing {
        path: PathBuf::from("valgrind"),
        mend: "install it with: tools/install valgrind",
    };
    let output = Command::new("valgrind").arg("--version").output();
    let version = String::from_utf8_lossy(&output.map_err(missing)?.stdout).into_owned();
    Ok(version.trim().trim_start_matches("valgrind-").to_owned())
}

fn count_job(job: Job, functions: &Path, stage: &Stage) -> Result<OfJob, BenchError> {
    let folder = TempDir::new().map_err(BenchError::system("a folder for callgrind"))?;
    let mut written_to = OsString::from("--callgrind-out-file=");
    written_to.push(folder.path().join("counts"));
    let contestant = Contestant {
        name: format!("{job} under callgrind"),
        program: "valgrind".into(),
        arguments: vec![
            "--tool=callgrind".into(),
            format!("--dump-before={BEGINS_A_CALL}").into(),
            written_to,
            Places::function(functions, job.name())?.into(),
        ],
        environment: Vec::new(),
    };
    let fault = |answer: &[u8]| job.fault(answer);
    let mut progress = Progress::of(format!("calls of {job} under callgrind"), PARTS);
    let (mut process, _) = Process::cold(&contestant, stage, &job.event(0), &fault)?;
    progress.step();
    for number in 1..PARTS {
        process.call(&job.event(number), &fault)?;
        progress.step();
    }
    // What an event begins is written when the next one comes: so the last call's is not there.
    let part = |number: usize| {
        let path = folder.path().join(format!("counts.{number}"));
        let text = fs::read_to_string(&path).map_err(|_| BenchError::Malformed {
            path: path.clone(),
            problem: format!("callgrind did not write it; is there a function {BEGINS_A_CALL} in the binary, and are its symbols?"),
        })?;
        Spent::in_dump(&text).ok_or_else(|| BenchError::Malformed {
            path,
            problem: "callgrind wrote it otherwise than is known here".to_owned(),
        })
    };
    let warm: Vec<Spent> = (3..=PARTS).map(part).collect::<Result<_, _>>()?;
    let counted = OfJob {
        job,
        init: part(1)?,
        first_call: part(2)?,
        warm_call: Spent::mean(&warm),
    };
    match counted.group_not_found() {
        None => Ok(counted),
        Some(name) => Err(BenchError::Malformed {
            path: Places::function(functions, job.name())?,
            problem: format!(
                "no function of `{name}` was called; what is it called now? (benches/src/profile.rs)"
            ),
        }),
    }
}

impl OfJob {
    fn parts(&self) -> [&Spent; 3] {
        [&self.init, &self.first_call, &self.warm_call]
    }

    fn group_not_found(&self) -> Option<&'static str> {
        let is_found = |group: &Group| self.parts().iter().any(|part| part.of(group) > 0);
        let mut needed = GROUPS.iter().filter(|group| group.of.contains(&self.job));
        needed
            .find(|group| !is_found(group))
            .map(|group| group.name)
    }
}

impl Spent {
    /// Reads what callgrind has dumped; `None` where it is no dump.
    ///
    /// A function's part is what its callers are said to have spent in it. Names are written once and have a number from then on.
    fn in_dump(text: &str) -> Option<Self> {
        let mut names: HashMap<&str, &str> = HashMap::new();
        let mut spent = Self::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(total) = line.strip_prefix("summary: ") {
                spent.total = total.trim().parse().ok()?;
            }
            let called = line.strip_prefix("cfn=");
            let Some(function) = called.or_else(|| line.strip_prefix("fn=")) else {
                continue;
            };
            let (number, name) = function.split_once(')')?;
            if !name.is_empty() {
                names.insert(number, name.trim_start());
            }
            if called.is_none() {
                continue;
            }
            let name = names.get(number)?;
            // `calls=…`, then the line it is called from and the cost.
            let cost = lines.nth(1)?.split_once(' ')?.1;
            let cost: u64 = cost.trim().parse().ok()?;
            for group in GROUPS.iter().filter(|group| (group.holds)(name)) {
                *spent.groups.entry(group.name.to_owned()).or_default() += cost;
            }
        }
        (spent.total > 0).then_some(spent)
    }

    fn mean(parts: &[Self]) -> Self {
        let count = parts.len() as u64;
        let of = |group: &Group| parts.iter().map(|part| part.of(group)).sum::<u64>() / count;
        Self {
            total: parts.iter().map(|part| part.total).sum::<u64>() / count,
            groups: GROUPS
                .iter()
                .map(|group| (group.name.to_owned(), of(group)))
                .collect(),
        }
    }

    fn of(&self, group: &Group) -> u64 {
        self.groups.get(group.name).copied().unwrap_or_default()
    }

    /// What is in no group.
    fn elsewhere(&self) -> u64 {
        let outer = GROUPS.iter().filter(|group| !group.is_inner);
        self.total - outer.map(|group| self.of(group)).sum::<u64>()
    }
}

impl Profile {
    /// As a table, in thousands.
    pub fn section(&self) -> Section {
        let mut headers = vec!["thousands of instructions".to_owned()];
        for of_job in &self.jobs {
            headers.extend(
                ["INIT", "first call", "warm call"].map(|part| format!("{}: {part}", of_job.job)),
            );
        }
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let mut table = Table::new(&headers);
        let mut row = |name: &str, of: &dyn Fn(&Spent) -> u64| {
            let parts = self.jobs.iter().flat_map(OfJob::parts);
            let cells = parts.map(|part| match of(part) {
                0 => "–".to_owned(),
                count => (count.div_ceil(1000)).to_string(),
            });
            table.row(std::iter::once(name.to_owned()).chain(cells));
        };
        for group in &GROUPS {
            row(group.name, &|part| part.of(group));
        }
        row("all else", &Spent::elsewhere);
        row("together", &|part| part.total);
        Section {
            title: "Instructions".to_owned(),
            table,
            notes: vec![format!(
                "Counted by callgrind (valgrind {}), with a whole CPU, over HTTP; the warm call is the mean of {WARM_CALLS}. valgrind's CPU knows \
                 neither AVX-512 nor the instructions for SHA-256: where they are, a signature and SigV4 are shorter.",
                self.valgrind,
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
# callgrind format
events: Ir
summary: 1000

fn=(1) main
10 100
cfn=(2) aws_lc_rs::rsa::key::KeyPair::sign
calls=1 20
10 600
cfi=(7) other.c
cfn=(3) aws_lc_rs::rsa::signature::verify_rsa_signature
calls=1 -5
* 50

fn=(4) other
+3 30
cfn=(2)
calls=2 20
+3 120

fn=(2)
20 10
cfn=(5) aws_lc_9_9_9_BN_BLINDING_convert
calls=3 0
20 70
";

    #[test]
    fn a_group_has_what_all_callers_spent_in_its_functions() {
        let spent = Spent::in_dump(DUMP).unwrap();
        let of = |name: &str| spent.groups.get(name).copied();
        assert_eq!(spent.total, 1000);
        assert_eq!(of("RSA: signatures"), Some(720));
        assert_eq!(of("of these, blinding"), Some(70));
        assert_eq!(of("RSA: verification"), Some(50));
        assert_eq!(of("AWS SDK: clients made"), None);
        assert_eq!(spent.elsewhere(), 230);
    }

    #[test]
    fn what_is_no_dump_is_not_taken_for_one() {
        for text in [
            "",
            "summary: x",
            &DUMP.replace("cfn=(2)\n", "cfn=(9)\n"),
            &DUMP.replace("20 70\n", ""),
        ] {
            assert_eq!(Spent::in_dump(text), None, "{text}");
        }
    }

    #[test]
    fn a_group_that_is_not_found_is_named() {
        let spent = Spent::in_dump(DUMP).unwrap();
        let counted = OfJob {
            job: Job::GetMiniCode,
            init: spent.clone(),
            first_call: spent.clone(),
            warm_call: Spent::mean(&[spent.clone(), spent]),
        };
        assert_eq!(
            counted.group_not_found(),
            Some("RSA: keys read and checked")
        );
        assert_eq!(counted.warm_call.elsewhere(), 230);
    }

    #[test]
    fn each_inner_group_stands_after_the_one_that_it_is_a_part_of() {
        assert!(GROUPS.first().is_some_and(|first| !first.is_inner));
        for pair in GROUPS.windows(2) {
            assert!(!(pair[0].is_inner && pair[1].is_inner));
        }
    }
}
