//! What the kernel knows of a process: its time on the CPU, its memory.

use std::fs;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Time that all threads of the process have been on a CPU, those that have ended included. `None` when the process is gone.
pub fn cpu_time(pid: Pid) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(pid).ok()?;
    Some(clock.now().ok()?.into())
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The most that was resident at once (`VmHWM`): what Lambda reports as "Max Memory Used" is a little more.
    pub peak: u64,
    /// Of it at the end: private, written to (`RssAnon`).
    pub anonymous: u64,
    /// Of it at the end: pages of files, such as the binary itself (`RssFile`).
    pub of_files: u64,
}

impl Memory {
    /// Of the process `pid` now. `None` when it is gone.
    pub fn of(pid: Pid) -> Option<Self> {
        Self::from_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn from_status(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = rest
                .strip_prefix(':')?
                .trim()
                .split(' ')
                .next()?
                .parse()
                .ok()?;
            Some(kilobytes * 1024)
        };
        Some(Self {
            peak: bytes("VmHWM")?,
            anonymous: bytes("RssAnon")?,
            of_files: bytes("RssFile")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_out_of_a_status() {
        let status = "Name:\tbench\nVmPeak:\t  9000 kB\nVmHWM:\t    6448 kB\nVmRSS:\t    6448 kB\n\
            RssAnon:\t    1404 kB\nRssFile:\t    5044 kB\nRssShmem:\t       0 kB\n";
        assert_eq!(
            Memory::from_status(status),
            Some(Memory {
                peak: 6448 * 1024,
                anonymous: 1404 * 1024,
                of_files: 5044 * 1024,
            })
        );
    }

    #[test]
    fn this_process_has_used_the_cpu_and_has_memory() {
        assert!(cpu_time(Pid::this()).unwrap() > Duration::ZERO);
        assert!(Memory::of(Pid::this()).unwrap().peak > 0);
    }
}
