//! `pay-notify` on Lambda.

use std::process::ExitCode;

use function_kit::run_http;
use function_payments::Payments;
use pay_notify::PayNotify;

fn main() -> ExitCode {
    run_http(Payments::from_environment(), PayNotify::new)
}
