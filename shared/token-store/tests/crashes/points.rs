//! The points between which a worker is run, and running it from one to the next.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Once;
use std::task::Poll;

/// Where a worker can die. Those of the gateway: the request has not been carried out; it has, and the answer is on its way.
/// Those of the store are named in its `crash_points.rs`.
pub const POINTS: [&str; 15] = [
    "before-acquire",
    "after-acquire",
    "gateway-before",
    "gateway-after",
    "after-call",
    "after-sibling",
    "before-commit",
    "after-commit",
    "after-superseded",
    "after-due",
    "before-rescue",
    "after-rescue",
    "after-rescued-commit",
    "before-login",
    "after-login",
];

thread_local! {
    /// The point that the worker which is being run has come to.
    static REACHED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Has the store tell where it is. Per thread, so that tests do not disturb each other.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for point in POINTS {
            fail::cfg_callback(point, move || REACHED.set(Some(point))).unwrap();
        }
    });
}

/// A point outside the store.
pub async fn point(name: &'static str) {
    REACHED.set(Some(name));
    tokio::task::yield_now().await;
}

/// Something that is run from point to point. Dropped, it is dead.
pub struct Steps<T>(Pin<Box<dyn Future<Output = T>>>);

pub enum Step<T> {
    At(&'static str),
    Done(T),
}

impl<T> Steps<T> {
    pub fn of(work: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(work))
    }

    /// To the next point, or to the end.
    pub async fn next(&mut self) -> Step<T> {
        REACHED.take();
        poll_fn(|context| match self.0.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Step::Done(result)),
            Poll::Pending => REACHED
                .take()
                .map_or(Poll::Pending, |point| Poll::Ready(Step::At(point))),
        })
        .await
    }

    /// To the end.
    pub async fn finish(mut self) -> T {
        loop {
            if let Step::Done(result) = self.next().await {
                return result;
            }
        }
    }
}
