//! Hearing all that is logged, down to the finest level.

use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged on this thread from its making on.
pub(crate) struct Log {
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

impl Log {
    pub(crate) fn of_everything() -> Self {
        Self::of("trace")
    }

    /// Without the AWS SDK, the embedded DynamoDB and what is below them, which at their finest log all that they carry: rows and events.
    pub(crate) fn of_ours() -> Self {
        Self::of(
            "trace,aws_smithy_runtime=off,aws_sdk_dynamodb=off,aws_sdk_eventbridge=off,dynoxide=off,hyper=off,hyper_util=off,h2=off,tower=off",
        )
    }

    fn of(filter: &str) -> Self {
        let text = Text::default();
        let writer = text.clone();
        let listening = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_env_filter(EnvFilter::new(filter))
            .set_default();
        Self {
            text,
            _listening: listening,
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn assert_without(&self, secrets: &[String]) {
        let text = self.text();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| secrets.iter().any(|secret| line.contains(secret.as_str())))
            .collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}

/// Runs `story` on one thread of a process of its own, because which events are heard is decided for a whole process. `test` is the
/// name of the test that calls this, with its module's.
pub(crate) fn in_a_process_of_its_own(test: &str, story: impl Future<Output = ()>) {
    const CHILD: &str = "EVERYTHING_LOGGED";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(story);
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
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
