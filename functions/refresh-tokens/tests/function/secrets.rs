//! Nothing secret in the log, however much is logged.

use std::time::Duration;

use embedded_dynamodb::Proxy;
use function_kit::kept_log::{KeptLog, in_a_process_of_its_own};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::bench::{Bench, THROTTLED, due, records, user_id};
use crate::sqs::{REFRESH_QUEUE, RESCUE_QUEUE, Sqs};

/// Logins so long ago are due, whatever their jitter.
const DUE: Duration = Duration::from_secs(54 * 60);

#[test]
fn no_token_is_in_any_line_of_the_log_however_much_is_logged() {
    in_a_process_of_its_own(
        "secrets::no_token_is_in_any_line_of_the_log_however_much_is_logged",
        log_everything(),
    );
}

async fn log_everything() {
    let log = KeptLog::of("trace");
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let function = bench.with_queues_through(&sqs, proxy.address);
    let mut secrets = Vec::new();
    for user in 0..4 {
        let granted = bench.log_in_ago(user, DUE).await;
        secrets.push(granted.access_token.expose_secret().to_owned());
        secrets.push(granted.refresh_token.unwrap().expose_secret().to_owned());
    }
    // A due row by way of the queue, one by hand, one that is refused, one whose pair has to be rescued.
    bench.simulator.revoke(&bench.app.app_id, &user_id(2));
    bench.sweep(&function).await;
    let messages = sqs.take(REFRESH_QUEUE);
    assert_eq!(messages.len(), 4);
    let by_hand = json!({"refresh": {"appid": bench.app.app_id, "subject": user_id(1)}});
    bench.invoke(&function, &by_hand).await;
    let fine = [due(&bench.row(0)), due(&bench.row(2))];
    bench.invoke(&function, &records(&fine)).await;
    proxy.arm_after(1, "UpdateItem", THROTTLED, usize::MAX);
    let unlucky = [due(&bench.row(3)), "{\"canary\":1}".to_owned()];
    bench.invoke(&function, &records(&unlucky)).await;
    proxy.disarm();
    let rescued = sqs.take(RESCUE_QUEUE);
    assert_eq!(rescued.len(), 1);
    bench.invoke(&function, &records(&rescued)).await;
    for user in [0, 1, 3] {
        assert_eq!(bench.generation(&bench.row(user)).await, 2);
        let live = bench
            .simulator
            .live_refresh_tokens(&bench.app.app_id, &user_id(user));
        assert_eq!(live.len(), 1);
        secrets.extend(live);
    }
    secrets.push("canary".to_owned());
    let key = bench.app.private_key.replace(['\n', '\r'], "");
    secrets.push(key.chars().skip(200).take(60).collect());

    let text = log.text();
    for said in [
        "the due rows were looked for",
        "a batch was worked off",
        "rescue queue",
    ] {
        assert!(text.contains(said), "{said}");
    }
    assert!(text.contains("TRACE"));
    log.assert_without(&secrets);
}
