//! Time limits. Where a call waits for its end, the runtime's clock is paused, so that the wait takes no time.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use alipay_gateway::{Call, Clock, Deadline, Gateway, GatewayError};
use simulator::{Fault, FaultKind};
use tokio::time::Instant;

use crate::{Fixture, failure, far, query_of};

/// A wall clock that goes with the runtime's, paused or not.
fn runtime_clock() -> Clock {
    let (wall, start) = (SystemTime::now(), Instant::now());
    Arc::new(move || wall + start.elapsed())
}

/// How long the call takes until it gives up on a gateway that never answers, when it has `time` until its deadline.
async fn gives_up_after(call: &Call, time: Duration) -> (GatewayError, Duration) {
    let mut fixture = Fixture::new().await;
    let clock = runtime_clock();
    fixture.gateway = Gateway::new(Arc::clone(&clock)).expect("a client");
    // The connection is made while the clock runs.
    let _ = fixture.call(&query_of("T1")).await;
    fixture
        .simulator
        .inject(Fault::always(FaultKind::NeverAnswer));
    tokio::time::pause();
    let start = Instant::now();
    let deadline = Deadline::after(clock(), time);
    let result = fixture.gateway.call(&fixture.app, call, deadline).await;
    let took = start.elapsed();
    tokio::time::resume();
    (failure(result), took)
}

fn within_a_millisecond(took: Duration, expected: Duration) -> bool {
    // The runtime's timer counts whole milliseconds.
    took.abs_diff(expected) <= Duration::from_millis(2)
}

#[tokio::test]
async fn a_call_ends_a_second_before_its_deadline() {
    for milliseconds in [1_500, 1_750, 3_000, 5_999] {
        let time = Duration::from_millis(milliseconds);
        let (error, took) = gives_up_after(&query_of("T1"), time).await;
        assert!(matches!(error, GatewayError::TimedOut), "{error}");
        assert!(
            within_a_millisecond(took, time - Duration::from_secs(1)),
            "{took:?} of {time:?}"
        );
    }
}

#[tokio::test]
async fn a_call_takes_five_seconds_at_most() {
    let (error, took) = gives_up_after(&query_of("T1"), Duration::from_secs(900)).await;
    assert!(matches!(error, GatewayError::TimedOut), "{error}");
    assert!(!error.was_never_sent() && error.is_transient());
    assert!(
        within_a_millisecond(took, Duration::from_secs(5)),
        "{took:?}"
    );
}

#[tokio::test]
async fn further_attempts_do_not_prolong_it() {
    let call = query_of("T1").repeatable();
    let (error, took) = gives_up_after(&call, Duration::from_secs(900)).await;
    assert!(matches!(error, GatewayError::TimedOut), "{error}");
    assert!(
        within_a_millisecond(took, Duration::from_secs(5)),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_call_without_time_is_not_sent() {
    let mut fixture = Fixture::new().await;
    let now = SystemTime::now();
    fixture.gateway = Gateway::new(Arc::new(move || now)).expect("a client");
    for call in [query_of("T1"), query_of("T1").repeatable()] {
        for deadline in [
            Deadline::from_unix_millis(0),
            Deadline::at(now - Duration::from_secs(60)),
            Deadline::at(now),
            Deadline::after(now, Duration::from_secs(1)),
            Deadline::after(now, Duration::from_millis(1_499)),
        ] {
            let result = fixture.gateway.call(&fixture.app, &call, deadline).await;
            let error = failure(result);
            assert!(matches!(error, GatewayError::NoTimeLeft), "{error}");
            assert!(error.was_never_sent() && error.is_transient());
        }
    }
    assert_eq!(fixture.received(), 0);
    // Half a second and the reserve are enough.
    let deadline = Deadline::after(now, Duration::from_millis(1_500));
    let result = fixture
        .gateway
        .call(&fixture.app, &query_of("T1"), deadline)
        .await;
    assert!(matches!(failure(result), GatewayError::Refused(_)));
    assert_eq!(fixture.received(), 1);
}

/// The first attempt fails soon, and then the clock says that more than 4 of the 5 seconds have gone.
#[tokio::test]
async fn a_further_attempt_has_what_the_first_has_left() {
    let mut fixture = Fixture::new().await;
    let wall = SystemTime::now();
    let first_asked = OnceLock::new();
    fixture.gateway = Gateway::new(Arc::new(move || {
        let elapsed = first_asked.get_or_init(Instant::now).elapsed();
        let jump = match elapsed < Duration::from_millis(100) {
            true => Duration::ZERO,
            false => Duration::from_millis(4_000),
        };
        wall + elapsed + jump
    }))
    .expect("a client");
    for fault in [
        Fault::once(FaultKind::Html { status: 502 }),
        Fault::once(FaultKind::Delay { milliseconds: 150 }),
        Fault::always(FaultKind::NeverAnswer),
    ] {
        fixture.simulator.inject(fault);
    }
    let start = Instant::now();
    let error = failure(fixture.call(&query_of("T1").repeatable()).await);
    assert!(matches!(error, GatewayError::TimedOut), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(fixture.received(), 2);
}

#[tokio::test]
async fn the_timestamp_sent_is_that_of_the_given_clock_in_china() {
    let mut fixture = Fixture::new().await;
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_278_605);
    fixture.gateway = Gateway::new(Arc::new(move || moment)).expect("a client");
    // The simulator judges by its own clock, and refuses.
    let _ = fixture.call(&query_of("T1")).await;
    let received = fixture.simulator.received();
    assert_eq!(received[0].parameters["timestamp"], "2026-11-22 00:30:05");
}

#[test]
fn a_deadline_counts_in_milliseconds_and_never_below_zero() {
    let deadline = Deadline::from_unix_millis(1_795_278_605_123);
    assert_eq!(deadline.unix_millis(), 1_795_278_605_123);
    let before = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_278_605_000);
    assert_eq!(deadline.remaining(before), Duration::from_millis(123));
    assert_eq!(
        deadline.remaining(before + Duration::from_secs(1)),
        Duration::ZERO
    );
    assert_eq!(
        Deadline::after(before, Duration::from_millis(123)),
        deadline
    );
    assert!(Deadline::from_unix_millis(u64::MAX) > far());
}
