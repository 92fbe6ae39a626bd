//! The calls about payments on Lambda.

use std::process::ExitCode;

use app_pay::AppPay;
use function_kit::{StartUpError, run};
use function_payments::{NotifyUrl, Payments};

fn main() -> ExitCode {
    run(powers(), |alipay, (payments, notify_url)| {
        AppPay::new(alipay, payments, notify_url)
    })
}

async fn powers() -> Result<(Payments, NotifyUrl), StartUpError> {
    let notify_url = NotifyUrl::from_environment()?;
    Ok((Payments::from_environment().await?, notify_url))
}
