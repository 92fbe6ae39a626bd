//! `auth.code2Session` on Lambda.

use std::process::ExitCode;

use code2session::Code2Session;
use function_kit::run;
use function_tokens::Tokens;

fn main() -> ExitCode {
    run(Tokens::keeping_from_environment(), Code2Session::new)
}
