use std::io::{IsTerminal, stderr, stdout};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::setting;

/// What is logged when `RUST_LOG` says nothing: our own lines, and what libraries warn of.
const DEFAULT_FILTER: &str = "warn,function_kit=info,alipay_gateway=info,token_store=info,function_tokens=info,identity=info,function_logins=info,refresh_tokens=info,payments=info,function_payments=info,app_pay=info,pay_notify=info,publish_events=info";

/// JSON lines on Lambda, plain lines (coloured on a terminal only) anywhere else. Called once, before anything is logged.
pub(crate) fn start() {
    let filter = setting("RUST_LOG")
        .and_then(|directives| directives.parse().ok())
        .unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(holds_no_event));
    // A second start (two functions in one process) keeps the first one's.
    let _ = if setting("AWS_LAMBDA_RUNTIME_API").is_some() {
        let lines = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(stdout);
        subscriber.with(lines).try_init()
    } else {
        let lines = fmt::layer()
            .with_ansi(stderr().is_terminal())
            .with_writer(stderr);
        subscriber.with(lines).try_init()
    };
}

/// The Lambda runtime logs whole events below the level of information, with the codes and keys in them. No setting switches
/// that on.
fn holds_no_event(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !metadata.target().starts_with("lambda_runtime")
}
