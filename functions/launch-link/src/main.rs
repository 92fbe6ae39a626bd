//! `urlscheme.generate` and `urllink.generate` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use launch_link::LaunchLink;

fn main() -> ExitCode {
    run(no_powers(), |_alipay, ()| LaunchLink)
}
