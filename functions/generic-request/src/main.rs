//! `request` on Lambda.

use std::process::ExitCode;

use function_kit::run;
use function_tokens::Tokens;
use generic_request::GenericRequest;

fn main() -> ExitCode {
    run(Tokens::reading_from_environment(), GenericRequest::new)
}
