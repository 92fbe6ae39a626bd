//! `security.imgSecCheck` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use img_sec_check::ImgSecCheck;

fn main() -> ExitCode {
    run(no_powers(), |alipay, ()| ImgSecCheck::new(alipay))
}
