//! `publish-events` on Lambda.

use std::process::ExitCode;

use function_kit::run_handler_without_apps;
use function_payments::Payments;
use publish_events::{NAME, PublishEvents};

fn main() -> ExitCode {
    run_handler_without_apps(NAME, Payments::from_environment(), PublishEvents::new)
}
