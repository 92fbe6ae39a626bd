use std::time::Duration;

use embedded_dynamodb::Fault;
use function_payments::Finding;

use crate::bench::{Bench, refund_number, soon};

async fn refund(bench: &Bench, number: &str) {
    let order = bench.order().await;
    let refunded = Finding::Refunded {
        number: refund_number(number),
        amount: "0.10".parse().unwrap(),
    };
    let now = bench.alipay.now();
    bench
        .payments
        .record(&order, &refunded, None, now, soon())
        .await
        .unwrap();
}

/// An order with so many events that did not get out.
async fn with_unpublished(events: usize) -> Bench {
    let bench = Bench::new().await;
    bench.bus.refuse_next(events, "InternalFailure");
    for number in 0..events {
        refund(&bench, &format!("RF{number}")).await;
    }
    assert!(bench.told().is_empty());
    bench.advance(Duration::from_secs(60));
    bench
}

#[tokio::test]
async fn what_got_out_is_not_published_again_because_of_what_did_not() {
    let bench = with_unpublished(3).await;
    let refused = Fault::Answer {
        status: 400,
        code: "InternalFailure",
    };
    bench.publishing.arm_after(1, "PutEvents", refused, 1);
    let run = async || {
        let now = bench.alipay.now();
        let summary = bench.payments.publish_due(now, soon()).await.unwrap();
        (summary.due, summary.published, summary.failed)
    };
    assert_eq!(run().await, (1, 1, 1));
    bench.advance(Duration::from_secs(61));
    assert_eq!(run().await, (1, 2, 0));
    let events = bench.bus.events();
    let ids: Vec<_> = events
        .iter()
        .map(|event| event.detail["out_request_no"].clone())
        .collect();
    assert_eq!(ids, ["RF0", "RF1", "RF2"]);
}

#[tokio::test]
async fn an_entry_that_is_refused_in_a_success_did_not_get_out() {
    let bench = with_unpublished(1).await;
    bench.bus.refuse_next(1, "ThrottlingException");
    let now = bench.alipay.now();
    let summary = bench.payments.publish_due(now, soon()).await.unwrap();
    assert_eq!((summary.published, summary.failed), (0, 1));
    assert!(bench.told().is_empty());
}
