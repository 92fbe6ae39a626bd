//! `decrypt.getPhoneNumber` and `decrypt.decryptData` on Lambda.

use std::process::ExitCode;

use decrypt::Decrypt;
use function_kit::{no_powers, run};

fn main() -> ExitCode {
    run(no_powers(), |alipay, ()| Decrypt::new(alipay))
}
