//! What a run was made with, without which its figures say little.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The machine, and the versions of what ran on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// When the run began (RFC 3339, UTC).
    pub date: String,
    /// The CPU's name.
    pub cpu: String,
    /// How many CPUs there are.
    pub cpus: usize,
    /// Of the whole machine, in MB.
    pub memory_mb: u64,
    /// The kernel's version.
    pub kernel: String,
    /// The load averages of the last 1, 5 and 15 minutes before the run: more than a little, and it was not quiet.
    pub load: String,
    /// `rustc --version`.
    pub rustc: String,
    /// `node --version` of the Node that was timed.
    pub node: String,
    /// `python --version` of the Python that was timed.
    pub python: String,
    /// The commit, with `+` where files were changed.
    pub commit: String,
}

impl Machine {
    /// This one, now. What cannot be found out is empty.
    pub fn now(node: Option<&Path>, python: Option<&Path>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes: u64 = memory
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or_default();
        let version = |program: Option<&Path>| match program {
            Some(program) => output(&program.to_string_lossy(), &["--version"]),
            None => String::new(),
        };
        let load = read("/proc/loadavg");
        let changed = match output("git", &["status", "--porcelain", "--untracked-files=no"]) {
            changes if changes.is_empty() => "",
            _ => "+",
        };
        Self {
            date: OffsetDateTime::now_utc()
                .replace_nanosecond(0)
                .unwrap_or_else(|_| OffsetDateTime::now_utc())
                .format(&Rfc3339)
                .unwrap_or_default(),
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mb: kilobytes / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            rustc: output(
                &std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()),
                &["--version"],
            ),
            node: version(node),
            python: version(python),
            commit: format!(
                "{}{changed}",
                output("git", &["rev-parse", "--short=12", "HEAD"])
            ),
        }
    }

    /// In one paragraph.
    pub fn describe(&self) -> String {
        let mut text = format!(
            "{}; {}, {} CPUs, {} MB, Linux {}; load before the run {}; commit {}; {}",
            self.date,
            self.cpu,
            self.cpus,
            self.memory_mb,
            self.kernel,
            self.load,
            self.commit,
            self.rustc
        );
        if !self.node.is_empty() {
            text.push_str("; Node ");
            text.push_str(self.node.trim_start_matches('v'));
        }
        if !self.python.is_empty() {
            text.push_str("; ");
            text.push_str(&self.python);
        }
        text.push('.');
        text
    }
}

/// What `program` prints, trimmed; empty where it cannot be had.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}
