//! What is logged on this thread.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// All that is logged from its making on, down to the finest level.
pub struct Log {
    text: Text,
    _listening: tracing::subscriber::DefaultGuard,
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
    pub fn kept() -> Self {
        let text = Text::default();
        let writer = text.clone();
        let listening = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .with_env_filter(EnvFilter::new("info,pay_notify=trace,function_payments=trace,function_kit=trace,payments=trace,alipay_gateway=trace"))
            .set_default();
        Self {
            text,
            _listening: listening,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }

    /// What has been logged since the last call of this.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.0.lock().unwrap())).unwrap()
    }
}
