//! `auth.code2Session` on Lambda.

use std::process::ExitCode;

use code2session::Code2Session;
use function_kit::run;
use function_logins::Logins;

fn main() -> ExitCode {
    run(
        Logins::keeping_from_environment(),
        |alipay, (tokens, logins)| Code2Session::new(alipay, tokens, logins),
    )
}
