//! Nothing in the log that has an order paid or names a buyer, however much is logged.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::bench::{BUYER, Bench, OWNER, order, trade, with};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// In a process of its own, because which events are heard is decided for a whole process.
#[test]
fn no_order_string_result_or_buyer_is_in_any_line_of_the_log() {
    const CHILD: &str = "APP_PAY_LOG_TEST";
    const NAME: &str = "secrets::no_order_string_result_or_buyer_is_in_any_line_of_the_log";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(log_everything());
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn log_everything() {
    let bench = Bench::new().await;
    let log = Log::default();
    let writer = log.clone();
    // At the level `trace` the AWS SDKs log what they send, and the stand-ins what they get: that is not ours to hide.
    let filter = "trace,aws_smithy_runtime=info,aws_smithy_runtime_api=info,aws_sdk_dynamodb=info,aws_sdk_eventbridge=info,hyper=info,dynoxide=info,simulator=info,rusqlite=info,h2=info";
    let _guard = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .set_default();
    let contents = json!({"body": "canary-body", "passback_params": "canary-passback"});
    let answer = bench
        .succeed(
            "app.getOrderStr",
            with(
                order("T1"),
                json!({"biz_content": contents, "subject": "canary-subject"}),
            ),
        )
        .await;
    let value = answer["value"].as_str().unwrap();
    let sign = value.split("sign=").last().unwrap().to_owned();
    let paid = bench.simulator.pay(value).unwrap();
    let report: Value = serde_json::from_str(&paid.client_result).unwrap();
    let report = with(report, json!({"owner": OWNER}));
    bench.succeed("app.checkResult", report.clone()).await;
    let forged = report["result"].as_str().unwrap().replace("T1", "T2");
    bench
        .invoke(
            "app.checkResult",
            with(report.clone(), json!({"result": forged})),
        )
        .await;
    bench.succeed("trade.create", trade("M1")).await;
    bench
        .succeed("trade.query", json!({"out_trade_no": "T1"}))
        .await;
    let refund = json!({"out_trade_no": "T1", "refund_amount": "1.00", "out_request_no": "R1", "refund_reason": "canary-reason"});
    bench.succeed("trade.refund", refund).await;

    let result_sign = report["result"].as_str().unwrap();
    let result_sign: Value = serde_json::from_str(result_sign).unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("the signature is wrong"),
        "the refusal is logged"
    );
    for secret in [
        "canary",
        &sign,
        result_sign["sign"].as_str().unwrap(),
        BUYER,
        OWNER,
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
