//! What the doctor says, line by line.

use std::io::Write;

/// Writes lines and counts what is wrong.
pub struct Report<'a> {
    out: &'a mut (dyn Write + Send),
    terminal: bool,
    wrong: usize,
    doubtful: usize,
}

/// How the line of a verdict begins.
const RIGHT: (&str, &str) = ("ok   ", "\x1b[32m");
const DOUBTFUL: (&str, &str) = ("warn ", "\x1b[33m");
const WRONG: (&str, &str) = ("FAIL ", "\x1b[31m");
const PLAIN: &str = "\x1b[0m";
const ERASE_LINE: &str = "\r\x1b[K";

impl<'a> Report<'a> {
    /// Writes to `out`. On a terminal verdicts have colours, and a line that says what is being waited for goes away after it.
    pub fn new(out: &'a mut (dyn Write + Send), terminal: bool) -> Self {
        Self {
            out,
            terminal,
            wrong: 0,
            doubtful: 0,
        }
    }

    /// Whether nothing was found wrong so far.
    pub fn all_right(&self) -> bool {
        self.wrong == 0
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.line(text);
    }

    pub(super) fn right(&mut self, what: &str) {
        self.verdict(RIGHT, what);
    }

    pub(super) fn doubtful(&mut self, what: &str, mend: &str) {
        self.doubtful += 1;
        self.verdict(DOUBTFUL, what);
        self.more(mend);
    }

    pub(super) fn wrong(&mut self, what: &str, mend: &str) {
        self.wrong += 1;
        self.verdict(WRONG, what);
        self.more(mend);
    }

    /// Something that was not looked at.
    pub(super) fn skipped(&mut self, what: &str) {
        self.line(&format!("  skip   {what}"));
    }

    /// More about the line before.
    pub(super) fn more(&mut self, text: &str) {
        if !text.is_empty() {
            self.line(&format!("         {text}"));
        }
    }

    /// Says what is waited for while `work` is done.
    pub(super) async fn waiting<T>(&mut self, what: &str, work: impl Future<Output = T>) -> T {
        let line = format!("  ...    {what}");
        if self.terminal {
            self.write(&line);
        } else {
            self.line(&line);
        }
        let done = work.await;
        if self.terminal {
            self.write(ERASE_LINE);
        }
        done
    }

    pub(super) fn summary(&mut self) {
        let text = match (self.wrong, self.doubtful) {
            (0, 0) => "All is well.".to_owned(),
            (0, doubtful) => format!("Nothing is wrong; {doubtful} to look at."),
            (wrong, 0) => format!("{wrong} wrong."),
            (wrong, doubtful) => format!("{wrong} wrong, {doubtful} to look at."),
        };
        self.line("");
        self.line(&text);
    }

    fn verdict(&mut self, (word, colour): (&str, &str), what: &str) {
        if self.terminal {
            self.line(&format!("  {colour}{word}{PLAIN}  {what}"));
        } else {
            self.line(&format!("  {word}  {what}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Whoever closed the other end reads no more; the exit code still tells.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}
