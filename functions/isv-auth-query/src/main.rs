//! `isv.queryAuth` on Lambda.

use std::process::ExitCode;

use function_kit::run;
use function_tokens::Tokens;
use isv_auth_query::IsvAuthQuery;

fn main() -> ExitCode {
    run(Tokens::reading_from_environment(), IsvAuthQuery::new)
}
