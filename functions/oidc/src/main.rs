//! `oidc` on Lambda.

use std::process::ExitCode;

use function_kit::run_http;
use function_logins::Logins;
use oidc::Oidc;

fn main() -> ExitCode {
    run_http(
        Logins::keeping_from_environment(),
        |alipay, (tokens, logins)| Oidc::new(alipay, tokens, logins),
    )
}
