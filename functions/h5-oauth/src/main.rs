//! `h5-oauth` on Lambda.

use std::process::ExitCode;

use function_kit::run_http;
use function_logins::Logins;
use h5_oauth::H5Oauth;

fn main() -> ExitCode {
    run_http(
        Logins::keeping_from_environment(),
        |alipay, (tokens, logins)| H5Oauth::new(alipay, tokens, logins),
    )
}
