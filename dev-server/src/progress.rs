//! A line that says how far a long work is.

use std::io::{IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

/// Shorter work needs no word.
const QUIET: Duration = Duration::from_secs(2);
const ERASE_LINE: &str = "\r\x1b[K";

/// Shows itself after two seconds, on a terminal only, and goes away at the end.
pub struct Progress {
    out: Stderr,
    began: Instant,
    shown: bool,
}

impl Progress {
    /// Begins now.
    pub fn on(out: Stderr) -> Self {
        Self {
            out,
            began: Instant::now(),
            shown: false,
        }
    }

    /// `rows` are read.
    pub fn tell(&mut self, rows: u64) {
        if self.out.is_terminal() && self.began.elapsed() >= QUIET {
            self.shown = true;
            self.write(&format!("{ERASE_LINE}reading the table: {rows} rows"));
        }
    }

    /// The line goes.
    pub fn end(mut self) {
        if self.shown {
            self.write(ERASE_LINE);
        }
    }

    /// Whoever closed the other end reads no more.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}
