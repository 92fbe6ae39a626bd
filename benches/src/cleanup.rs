//! What must not outlive the run, whichever way it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use crate::BenchError;

#[derive(Default)]
struct Living {
    processes: Vec<Pid>,
    groups: Vec<PathBuf>,
}

static LIVING: Mutex<Living> = Mutex::new(Living {
    processes: Vec::new(),
    groups: Vec::new(),
});

fn living() -> MutexGuard<'static, Living> {
    LIVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here until [`process_ended`], an interruption ends the process `pid`.
pub(crate) fn process_started(pid: Pid) {
    living().processes.push(pid);
}

/// The process has been waited for, so its number may be somebody else's from now on.
pub(crate) fn process_ended(pid: Pid) {
    living().processes.retain(|known| *known != pid);
}

/// From here until [`remove_group`], an interruption removes the control group `path`.
pub(crate) fn group_made(path: &Path) {
    living().groups.push(path.to_owned());
}

/// Removes a control group whose processes have been ended.
pub(crate) fn remove_group(path: &Path) {
    living().groups.retain(|known| known != path);
    remove(path);
}

/// The kernel takes a group away only once it has noticed that its processes are gone.
fn remove(path: &Path) {
    let end = Instant::now() + Duration::from_secs(2);
    while fs::remove_dir(path).is_err() && path.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(2)); // polls until the group is empty
    }
}

/// Ends what is left and then this process, as soon as it is interrupted or told to end.
///
/// # Errors
/// [`BenchError::System`] when no handler can be set.
pub fn on_interruption() -> Result<(), BenchError> {
    let failed = || BenchError::system("a handler of signals");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed())?;
    let _inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed())?;
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        let left = std::mem::take(&mut *living());
        for pid in left.processes {
            let _ = kill(pid, Signal::SIGKILL);
        }
        for group in left.groups {
            remove(&group);
        }
        std::process::exit(130);
    });
    Ok(())
}
