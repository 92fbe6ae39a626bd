//! `session` on Lambda.

use std::process::ExitCode;

use function_kit::run_http_without_apps;
use function_logins::Logins;
use session::Session;

fn main() -> ExitCode {
    run_http_without_apps(Logins::from_environment(), Session::new)
}
