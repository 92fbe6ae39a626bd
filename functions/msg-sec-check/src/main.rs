//! `security.msgSecCheck` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use msg_sec_check::MsgSecCheck;

fn main() -> ExitCode {
    run(no_powers(), |alipay, ()| MsgSecCheck::new(alipay))
}
