//! `acode.getMiniCode` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use get_mini_code::GetMiniCode;

fn main() -> ExitCode {
    run(no_powers(), |alipay, ()| GetMiniCode::new(alipay))
}
