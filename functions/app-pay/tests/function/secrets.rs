//! Nothing in the log that has an order paid or names a buyer, however much is logged.

use function_kit::kept_log::{KeptLog, in_a_process_of_its_own};
use serde_json::{Value, json};

use crate::bench::{BUYER, Bench, OWNER, order, trade, with};

#[test]
fn no_order_string_result_or_buyer_is_in_any_line_of_the_log() {
    in_a_process_of_its_own(
        "secrets::no_order_string_result_or_buyer_is_in_any_line_of_the_log",
        log_everything(),
    );
}

async fn log_everything() {
    let bench = Bench::new().await;
    // At the level `trace` the AWS SDKs log what they send, and the stand-ins what they get: that is not ours to hide.
    let filter = "trace,aws_smithy_runtime=info,aws_smithy_runtime_api=info,aws_sdk_dynamodb=info,aws_sdk_eventbridge=info,hyper=info,dynoxide=info,simulator=info,rusqlite=info,h2=info";
    let log = KeptLog::of(filter);
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
    assert!(
        log.text().contains("the signature is wrong"),
        "the refusal is logged"
    );
    log.assert_without(&[
        "canary",
        &sign,
        result_sign["sign"].as_str().unwrap(),
        BUYER,
        OWNER,
    ]);
}
