//! `isv.getAuthLink` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use isv_auth_link::IsvAuthLink;

fn main() -> ExitCode {
    run(no_powers(), |_, ()| IsvAuthLink)
}
