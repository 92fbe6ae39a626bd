//! `sdk-login` on Lambda.

use std::process::ExitCode;

use function_kit::run_http;
use function_logins::Logins;
use sdk_login::SdkLogin;

fn main() -> ExitCode {
    run_http(
        Logins::keeping_from_environment(),
        |alipay, (tokens, logins)| SdkLogin::new(alipay, tokens, logins),
    )
}
