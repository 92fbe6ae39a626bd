use std::io::{IsTerminal, stderr, stdout};

use tracing_subscriber::EnvFilter;

use crate::settings::setting;

/// What is logged when `RUST_LOG` says nothing: our own lines, and what libraries warn of.
const DEFAULT_FILTER: &str =
    "warn,function_kit=info,alipay_gateway=info,token_store=info,function_tokens=info";

/// JSON lines on Lambda, plain lines (coloured on a terminal only) anywhere else. Called once, before anything is logged.
pub(crate) fn start() {
    let filter = setting("RUST_LOG")
        .and_then(|directives| directives.parse().ok())
        .unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    // A second start (two functions in one process) keeps the first one's.
    let _ = if setting("AWS_LAMBDA_RUNTIME_API").is_some() {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(stdout)
            .try_init()
    } else {
        builder
            .with_ansi(stderr().is_terminal())
            .with_writer(stderr)
            .try_init()
    };
}
