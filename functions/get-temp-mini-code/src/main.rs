//! `acode.getTempMiniCode` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use get_temp_mini_code::GetTempMiniCode;

fn main() -> ExitCode {
    run(no_powers(), |alipay, ()| GetTempMiniCode::new(alipay))
}
