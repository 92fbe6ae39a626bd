//! `user.getUserInfo` on Lambda.

use std::process::ExitCode;

use function_kit::run;
use function_tokens::Tokens;
use user_info::UserInfo;

fn main() -> ExitCode {
    run(Tokens::reading_from_environment(), UserInfo::new)
}
