//! What a test hears of the log.
#![expect(
    clippy::unwrap_used,
    reason = "for tests alone: one ends where what it needs is missing"
)]

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Keeps what is logged on this thread, from its making on until it is dropped.
pub struct KeptLog {
    text: Text,
    _listening: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl KeptLog {
    /// Of what `filter` lets through, written as in `RUST_LOG`.
    pub fn of(filter: &str) -> Self {
        let text = Text::default();
        let writer = text.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let listening = tracing_subscriber::registry()
            .with(filter.parse::<Targets>().unwrap())
            .with(lines)
            .set_default();
        Self {
            text,
            _listening: listening,
        }
    }

    /// All lines since its making or the last [`take`](Self::take).
    pub fn text(&self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }

    /// As [`text`](Self::text), and forgets them.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.0.lock().unwrap())).unwrap()
    }

    /// Fails the test where a line holds one of `secrets`.
    ///
    /// # Panics
    /// With the lines that do.
    pub fn assert_without<S: AsRef<str>>(&self, secrets: &[S]) {
        let text = self.text();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| secrets.iter().any(|secret| line.contains(secret.as_ref())))
            .collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}

impl fmt::Debug for KeptLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeptLog").finish_non_exhaustive()
    }
}

/// Runs `story` on one thread of a process of its own, because which events are heard is decided for a whole process. `test` is the
/// name of the test that calls this, with its module's.
///
/// # Panics
/// Where the story does, and where `test` is no test of this binary.
pub fn in_a_process_of_its_own(test: &str, story: impl Future<Output = ()>) {
    const CHILD: &str = "KEPT_LOG_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(story);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{test} is no test: {said}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_lets_through_is_kept_until_it_is_taken() {
        let log = KeptLog::of("info,function_kit=debug");
        tracing::debug!(secret = "canary", "ours");
        tracing::debug!(target: "another_crate", "theirs");
        assert!(log.text().contains("ours secret=\"canary\""));
        assert!(!log.text().contains("theirs"));
        assert_eq!(log.take().lines().count(), 1);
        log.assert_without(&["canary"]);
    }

    #[test]
    #[should_panic(expected = "canary")]
    fn a_secret_in_a_line_fails_the_test() {
        let log = KeptLog::of("info");
        tracing::info!("the canary sings");
        log.assert_without(&["another", "canary"]);
    }

    #[test]
    #[should_panic(expected = "is no test")]
    fn a_name_that_no_test_has_fails_the_test() {
        in_a_process_of_its_own("kept_log::tests::no_such_test", async {});
    }
}
