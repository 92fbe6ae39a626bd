//! `link-open-ids` on Lambda.

use std::process::ExitCode;

use function_kit::run;
use function_logins::Logins;
use link_open_ids::LinkOpenIds;

fn main() -> ExitCode {
    run(Logins::accounts_from_environment(), LinkOpenIds::new)
}
