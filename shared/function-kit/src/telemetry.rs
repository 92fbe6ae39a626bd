mod json_lines;

use std::io::stdout;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::json_lines::JsonLines;
use crate::settings::setting;

/// Our own crates that log. Their lines are written down to information, those of libraries down to warnings, when `RUST_LOG`
/// says nothing.
const OURS: [&str; 12] = [
    "alipay_gateway",
    "app_pay",
    "function_kit",
    "function_logins",
    "function_payments",
    "function_tokens",
    "identity",
    "pay_notify",
    "payments",
    "publish_events",
    "refresh_tokens",
    "token_store",
];

/// JSON lines, as CloudWatch reads them. Called once, before anything is logged.
///
/// `RUST_LOG` holds levels and targets; filters by span or field, which take a regex engine in every package, are not known.
pub(crate) fn start() {
    let filter = setting("RUST_LOG")
        .and_then(|directives| directives.parse().ok())
        .unwrap_or_else(usual_lines);
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(holds_no_event))
        .with(JsonLines::to(stdout));
    // A second start (two functions in one process) keeps the first one's.
    let _ = subscriber.try_init();
}

fn usual_lines() -> Targets {
    Targets::new()
        .with_default(Level::WARN)
        .with_targets(OURS.map(|target| (target, Level::INFO)))
}

/// The Lambda runtime logs whole events below the level of information, with the codes and keys in them. No setting switches
/// that on.
fn holds_no_event(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !metadata.target().starts_with("lambda_runtime")
}
