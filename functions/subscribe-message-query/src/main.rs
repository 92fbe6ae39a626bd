//! `subscribeMessage.query` on Lambda.

use std::process::ExitCode;

use function_kit::{no_powers, run};
use subscribe_message_query::SubscribeMessageQuery;

fn main() -> ExitCode {
    run(no_powers(), |alipay, ()| SubscribeMessageQuery::new(alipay))
}
