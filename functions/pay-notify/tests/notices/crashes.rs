//! What becomes of a payment when a process ends, or something is down.

use std::time::Duration;

use embedded_dynamodb::{Fault, Proxy};
use embedded_event_bus::PublishedEvent;
use function_payments::OrderState;
use simulator::FaultKind;

use crate::bench::{Bench, LATER, SUCCESS, is};

/// The requests that a notice leads to, in their order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Find,
    Ask,
    Record,
    Publish,
    TakeOut,
}

const STEPS: [Step; 5] = [
    Step::Find,
    Step::Ask,
    Step::Record,
    Step::Publish,
    Step::TakeOut,
];

impl Step {
    fn befall(self, bench: &Bench, fault: Fault) -> &Proxy {
        let (proxy, passing, operation) = match self {
            Self::Find => (&bench.table, 0, "GetItem"),
            Self::Ask => (&bench.gateway, 0, ""),
            Self::Record => (&bench.table, 0, "UpdateItem"),
            Self::Publish => (&bench.publishing, 0, "PutEvents"),
            Self::TakeOut => (&bench.table, 1, "UpdateItem"),
        };
        proxy.arm_after(passing, operation, fault, 1);
        proxy
    }
}

/// All of them are one event.
fn one_event(events: &[PublishedEvent], times: usize, what: &str) {
    assert_eq!(events.len(), times, "{what}");
    assert!(events.iter().all(|event| *event == events[0]), "{what}");
}

/// Runs until the request of `step` is on its way, and ends there: the request never arrives, and nobody reads an answer.
async fn die_before(bench: &Bench, step: Step, notice: &str) {
    let proxy = step.befall(bench, Fault::HoldRequest);
    tokio::select! {
        answer = bench.post(notice) => panic!("{step:?}: {answer:?}"),
        () = proxy.wait_for_suffering() => {}
    }
    proxy.disarm();
}

#[tokio::test]
async fn wherever_a_process_ends_the_payment_is_told_of_once() {
    for step in STEPS {
        // Alipay sends the notice again, and the schedule runs: in either order, or nobody sends anything.
        for (repeats_first, repeats) in [(true, true), (false, true), (false, false)] {
            let what = format!("{step:?} {repeats_first} {repeats}");
            let bench = Bench::with_paid_order("0.01").await;
            let notice = bench.notice();
            die_before(&bench, step, &notice).await;
            let was_recorded = matches!(step, Step::Publish | Step::TakeOut);
            assert_eq!(bench.state().await.is_paid(), was_recorded, "{what}");
            if repeats && repeats_first {
                assert_eq!(bench.post(&notice).await, is(SUCCESS), "{what}");
            }
            bench.sweep_later().await;
            if repeats && !repeats_first {
                assert_eq!(bench.post(&notice).await, is(SUCCESS), "{what}");
                bench.sweep_later().await;
            }
            let times = match step {
                // Whoever takes over cannot know that it got out.
                Step::TakeOut => 2,
                _ if was_recorded || repeats => 1,
                _ => 0,
            };
            if times > 0 {
                one_event(&bench.events_of("order.paid"), times, &what);
                assert_eq!(bench.state().await, OrderState::Paid);
            }
            assert_eq!(bench.told(), (times, 0, 0), "{what}");
        }
    }
}

#[tokio::test]
async fn a_process_that_ends_before_its_answer_has_done_its_work() {
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice();
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    bench.table.take_operations();
    let asked = bench.questions();
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    assert_eq!(bench.table.take_operations(), ["GetItem"]);
    bench.sweep_later().await;
    assert_eq!((bench.questions(), bench.told()), (asked, (1, 0, 0)));
}

#[tokio::test]
async fn a_lost_reply_loses_nothing() {
    for step in STEPS {
        let bench = Bench::with_paid_order("0.01").await;
        let notice = bench.notice();
        let proxy = step.befall(&bench, Fault::LoseReply);
        assert_eq!(bench.post(&notice).await, is(SUCCESS), "{step:?}");
        assert_eq!(proxy.suffered(), 1, "{step:?}");
        bench.sweep_later().await;
        // AWS' client sends what was not answered again.
        let times = if step == Step::Publish { 2 } else { 1 };
        one_event(&bench.events_of("order.paid"), times, &format!("{step:?}"));
    }
}

#[tokio::test]
async fn what_is_down_is_asked_for_again() {
    const MANY: usize = 100;
    let throttled = Fault::Answer {
        status: 400,
        code: "ThrottlingException",
    };
    // The table, before and after the question.
    for (operation, fault) in [
        ("GetItem", throttled),
        ("GetItem", Fault::LoseRequest),
        ("UpdateItem", throttled),
        ("UpdateItem", Fault::LoseRequest),
    ] {
        let bench = Bench::with_paid_order("0.01").await;
        let notice = bench.notice();
        bench.table.arm(operation, fault, MANY);
        assert_eq!(bench.post(&notice).await, is(LATER), "{operation}");
        bench.table.disarm();
        assert_eq!(bench.told(), (0, 0, 0));
        assert_eq!(bench.post(&notice).await, is(SUCCESS), "{operation}");
        bench.sweep_later().await;
        assert_eq!(bench.told(), (1, 0, 0));
    }
    // The gateway.
    for kind in [
        FaultKind::Html { status: 502 },
        FaultKind::ResetBeforeReading,
        FaultKind::EmptyBody { status: 200 },
    ] {
        let bench = Bench::with_paid_order("0.01").await;
        let notice = bench.notice();
        bench
            .simulator
            .inject(simulator::Fault::always(kind.clone()));
        assert_eq!(bench.post(&notice).await, is(LATER), "{kind:?}");
        bench.simulator.clear_faults();
        assert_eq!(bench.post(&notice).await, is(SUCCESS));
        assert_eq!(bench.told(), (1, 0, 0));
    }
    // A message's table.
    let bench = Bench::new().await;
    let fields = &[("notify_type", "a_message")];
    let message = bench
        .simulator
        .app_message(&bench.app.app_id, fields, &Default::default());
    bench.table.arm("PutItem", throttled, MANY);
    assert_eq!(bench.post(&message).await, is(LATER));
    bench.table.disarm();
    assert_eq!(bench.post(&message).await, is(SUCCESS));
    assert_eq!(bench.bus.events().len(), 1);
}

#[tokio::test]
async fn a_bus_that_is_down_delays_an_event_and_keeps_no_notice() {
    let bench = Bench::with_paid_order("0.01").await;
    bench.bus.refuse_next(1, "InternalFailure");
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    assert_eq!(bench.told(), (0, 0, 0));
    // Whoever has it has half a minute.
    assert_eq!(bench.sweep().await.due, 0);
    bench.clock.advance(Duration::from_secs(31));
    let summary = bench.sweep().await;
    assert_eq!((summary.due, summary.published, summary.failed), (1, 1, 0));
    assert!((31..60).contains(&summary.oldest_seconds));
    assert_eq!(bench.told(), (1, 0, 0));

    // A bus that does not answer at all.
    let bench = Bench::with_paid_order("0.01").await;
    bench.bus.hold();
    let began = std::time::Instant::now();
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    assert!(began.elapsed() >= Duration::from_secs(2));
    bench.bus.stop();
    bench.clock.advance(Duration::from_secs(31));
    let summary = bench.sweep().await;
    assert_eq!((summary.due, summary.published, summary.failed), (1, 0, 1));
}

#[tokio::test]
async fn a_lost_reply_of_a_message_is_made_good_by_the_schedule() {
    let bench = Bench::new().await;
    let fields = &[("notify_type", "a_message")];
    let message = bench
        .simulator
        .app_message(&bench.app.app_id, fields, &Default::default());
    bench.table.arm("PutItem", Fault::LoseReply, 1);
    assert_eq!(bench.post(&message).await, is(SUCCESS));
    bench.sweep_later().await;
    one_event(&bench.bus.events(), 1, "a message");
}
