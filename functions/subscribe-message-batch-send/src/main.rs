//! `subscribeMessage.batchSend` on Lambda.

use std::process::ExitCode;

use function_kit::run;
use function_tokens::Tokens;
use subscribe_message_batch_send::SubscribeMessageBatchSend;

fn main() -> ExitCode {
    run(
        Tokens::answering_from_environment(),
        SubscribeMessageBatchSend::new,
    )
}
