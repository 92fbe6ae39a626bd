//! Hearing all that is logged, down to the finest level.

pub(crate) use function_kit::kept_log::{KeptLog, in_a_process_of_its_own};

pub(crate) fn log_of_everything() -> KeptLog {
    KeptLog::of("trace")
}

/// Without the AWS SDK, the embedded DynamoDB and what is below them, which at their finest log all that they carry: rows and events.
pub(crate) fn log_of_ours() -> KeptLog {
    KeptLog::of(
        "trace,aws_smithy_runtime=off,aws_sdk_dynamodb=off,aws_sdk_eventbridge=off,dynoxide=off,hyper=off,hyper_util=off,h2=off,tower=off",
    )
}
