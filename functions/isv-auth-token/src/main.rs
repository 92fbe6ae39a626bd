//! `isv.getAuthToken` on Lambda.

use std::process::ExitCode;

use function_kit::run;
use function_tokens::Tokens;
use isv_auth_token::IsvAuthToken;

fn main() -> ExitCode {
    run(Tokens::keeping_from_environment(), IsvAuthToken::new)
}
