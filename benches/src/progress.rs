//! Lines on standard error while a run goes on.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// What takes no longer than this is done in silence.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a line is written at most, where it does not replace the one before.
const PAUSE: Duration = Duration::from_secs(10);

/// What is being done, and how far it is.
pub struct Progress {
    is_terminal: bool,
    what: String,
    steps: usize,
    done: usize,
    /// When the next line may be written.
    next: Instant,
}

impl Progress {
    /// Begins `what`, which has so many `steps`.
    pub fn of(what: impl Into<String>, steps: usize) -> Self {
        Self {
            is_terminal: stderr().is_terminal(),
            what: what.into(),
            steps,
            done: 0,
            next: Instant::now() + SILENCE,
        }
    }

    /// One more step is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.is_terminal || Instant::now() > self.next {
            self.write();
        }
    }

    fn write(&mut self) {
        self.next = Instant::now() + PAUSE;
        let mut out = stderr().lock();
        // Who closes the error stream does not want to read it.
        let _ = if self.is_terminal {
            write!(
                out,
                "\r\x1b[K    {}: {} of {}",
                self.what, self.done, self.steps
            )
        } else {
            writeln!(out, "    {}: {} of {}", self.what, self.done, self.steps)
        };
        let _ = out.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
