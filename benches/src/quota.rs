//! A share of a CPU for one process: a control group with a quota, as Lambda gives a function by its memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::cleanup;

/// What the names of all groups begin with; the run's process follows.
const PREFIX: &str = "alipay-functions-bench-";
/// The memory, in MB, with which Lambda gives one whole CPU.
pub const MEMORY_OF_ONE_CPU: u32 = 1769;

/// How much of a CPU, and over which time it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share {
    /// The function's memory in MB: it has as many 1769ths of a CPU.
    pub memory: u32,
    /// The quota is given anew each so many milliseconds; what is used up before that has to wait.
    pub period_ms: u32,
}

impl Share {
    /// Of `memory` MB with the kernel's own period, 100 ms.
    pub const fn of(memory: u32) -> Self {
        Self {
            memory,
            period_ms: 100,
        }
    }

    /// How long a process may run in each period.
    pub fn quota(self) -> Duration {
        self.period() * self.memory / MEMORY_OF_ONE_CPU
    }

    /// The period.
    pub fn period(self) -> Duration {
        Duration::from_millis(self.period_ms.into())
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} MB, {} ms", self.memory, self.period_ms)
    }
}

/// The two generations of the kernel's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// Files of a group, and what is to be written to them.
    fn settings(self, share: Share) -> Vec<(&'static str, String)> {
        let (quota, period) = (share.quota().as_micros(), share.period().as_micros());
        match self {
            // The quota must not be more than the period at any moment.
            Self::One => vec![
                ("cpu.cfs_period_us", period.to_string()),
                ("cpu.cfs_quota_us", quota.to_string()),
            ],
            Self::Two => vec![("cpu.max", format!("{quota} {period}"))],
        }
    }
}

/// Where control groups for CPU time can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    folder: PathBuf,
    version: Version,
}

impl Controller {
    /// That of this machine.
    ///
    /// # Errors
    /// Says why there can be no quotas: for the report, in place of figures.
    pub fn find() -> Result<Self, String> {
        let mounts =
            fs::read_to_string("/proc/mounts").map_err(|error| format!("/proc/mounts: {error}"))?;
        let controller = Self::among(&mounts)
            .ok_or("no cgroup file system with the cpu controller is mounted")?;
        controller.remove_left_over();
        // Whether one can be made is known only by making one.
        let group = controller.group(Share::of(128))?;
        drop(group);
        Ok(controller)
    }

    /// The first generation where it has the cpu controller, else the second.
    fn among(mounts: &str) -> Option<Self> {
        let fields = |line: &str| {
            let mut fields = line.split(' ').map(str::to_owned);
            Some((fields.nth(1)?, fields.next()?, fields.next()?))
        };
        let mut all = mounts.lines().filter_map(fields);
        let one = all.clone().find(|(_, kind, options)| {
            kind == "cgroup" && options.split(',').any(|option| option == "cpu")
        });
        let (found, version) = match one {
            Some(found) => (found, Version::One),
            None => (all.find(|(_, kind, _)| kind == "cgroup2")?, Version::Two),
        };
        Some(Self {
            folder: found.0.into(),
            version,
        })
    }

    /// Removes the groups of runs that were killed and could not do it themselves.
    fn remove_left_over(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let run = name
                .to_str()
                .and_then(|name| name.strip_prefix(PREFIX))
                .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if run.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                // A group that still has processes stays.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }

    /// A fresh group with the quota of `share`.
    ///
    /// # Errors
    /// Says which file could not be written.
    pub fn group(&self, share: Share) -> Result<Group, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if self.version == Version::Two {
            // Without it the groups below have no cpu.max. Where it is on already, and nothing may be written, all is well.
            let _ = fs::write(self.folder.join("cgroup.subtree_control"), "+cpu");
        }
        let name = format!(
            "{PREFIX}{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = self.folder.join(name);
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        cleanup::group_made(&folder);
        let group = Group { folder };
        for (file, text) in self.version.settings(share) {
            group.write(file, &text)?;
        }
        Ok(group)
    }
}

/// A control group; removed when dropped, after its processes have ended.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
}

impl Group {
    /// Puts the process `pid` into it, all its threads.
    ///
    /// # Errors
    /// Says what could not be written.
    pub fn take(&self, pid: Pid) -> Result<(), String> {
        self.write("cgroup.procs", &pid.to_string())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path: &Path = &self.folder.join(file);
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        cleanup::remove_group(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_share_of_128_mb_is_7_ms_in_100() {
        let share = Share::of(128);
        assert_eq!(share.quota().as_micros(), 7235);
        assert_eq!(
            Version::One.settings(share),
            [
                ("cpu.cfs_period_us", "100000".to_owned()),
                ("cpu.cfs_quota_us", "7235".to_owned())
            ]
        );
        let share = Share {
            memory: 256,
            period_ms: 20,
        };
        assert_eq!(
            Version::Two.settings(share),
            [("cpu.max", "2894 20000".to_owned())]
        );
    }

    #[test]
    fn the_first_generation_is_taken_where_it_has_the_controller() {
        let two = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        let one = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n";
        let found = Controller::among(&format!("{two}{one}")).unwrap();
        assert_eq!(found.version, Version::One);
        assert_eq!(found.folder, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(Controller::among(two).unwrap().version, Version::Two);
        assert_eq!(Controller::among("proc /proc proc rw 0 0\n"), None);
    }

    #[test]
    fn a_group_is_written_into_its_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        for version in [Version::One, Version::Two] {
            let controller = Controller {
                folder: folder.path().to_owned(),
                version,
            };
            let group = controller.group(Share::of(128)).unwrap();
            group.take(Pid::from_raw(7)).unwrap();
            let read = |file| fs::read_to_string(group.folder.join(file)).unwrap();
            assert_eq!(read("cgroup.procs"), "7");
            match version {
                Version::One => assert_eq!(read("cpu.cfs_quota_us"), "7235"),
                Version::Two => assert_eq!(read("cpu.max"), "7235 100000"),
            }
            // An ordinary folder is not removed with files in it, as a group is.
            fs::remove_dir_all(&group.folder).unwrap();
        }
    }

    #[test]
    fn groups_of_runs_that_are_gone_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let living = format!("{PREFIX}{}-0", std::process::id());
        // No process has a number above 2²².
        let names = [
            &*living,
            "alipay-functions-bench-9999999-0",
            "other-9999999-0",
        ];
        for name in names {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let controller = Controller {
            folder: folder.path().to_owned(),
            version: Version::One,
        };
        controller.remove_left_over();
        let is_left = names.map(|name| folder.path().join(name).exists());
        assert_eq!(is_left, [true, false, true]);
    }

    #[test]
    fn where_no_group_can_be_made_the_reason_names_the_place() {
        let controller = Controller {
            folder: "/proc/nowhere".into(),
            version: Version::Two,
        };
        let reason = controller.group(Share::of(128)).unwrap_err();
        assert!(
            reason.starts_with("/proc/nowhere/alipay-functions-bench-"),
            "{reason}"
        );
    }
}
