//! What is logged on this thread.

use function_kit::kept_log::KeptLog;

/// All that is logged from now on, of ours down to the finest level.
pub fn kept_log() -> KeptLog {
    KeptLog::of(
        "info,pay_notify=trace,function_payments=trace,function_kit=trace,payments=trace,alipay_gateway=trace",
    )
}
