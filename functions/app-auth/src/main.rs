//! `app.getAuthInfo` and `app.login` on Lambda.

use std::process::ExitCode;

use app_auth::AppAuth;
use function_kit::run;
use function_logins::Logins;

fn main() -> ExitCode {
    run(
        Logins::keeping_from_environment(),
        |alipay, (tokens, logins)| AppAuth::new(alipay, tokens, logins),
    )
}
