use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use crate::put_events::{EntryError, Refusal, answer, read};

/// So many of the newest events are kept.
pub const EVENTS_KEPT: usize = 1000;

/// So many may wait for a slow subscriber; it then misses the oldest.
const EVENTS_WAITING: usize = 256;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const OPERATION: &str = "AWSEvents.PutEvents";

/// One event, as it was published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedEvent {
    /// The name or ARN of its bus.
    pub bus: String,
    /// Who published it.
    pub source: String,
    /// What it tells.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// A JSON object.
    pub detail: Value,
}

/// A running event bus. Ends when dropped.
pub struct EmbeddedEventBus {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the requests share.
struct Shared {
    faults: Mutex<VecDeque<Fault>>,
    log: watch::Sender<Log>,
    passage: watch::Sender<Passage>,
    subscribers: broadcast::Sender<PublishedEvent>,
}

/// What has come so far.
#[derive(Default)]
struct Log {
    requests: usize,
    /// How many events were ever published.
    published: usize,
    kept: VecDeque<PublishedEvent>,
}

/// What befalls one request.
enum Fault {
    RefuseEntries(String),
    Fail(StatusCode),
    LoseReply,
}

/// What becomes of requests that come in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    Held,
    Stopped,
}

impl EmbeddedEventBus {
    /// Starts an empty one on a free loopback port.
    ///
    /// # Errors
    /// The system's, where there is no port to be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            faults: Mutex::default(),
            log: watch::Sender::new(Log::default()),
            passage: watch::Sender::new(Passage::Open),
            subscribers: broadcast::Sender::new(EVENTS_WAITING),
        });
        let mut passage = shared.passage.subscribe();
        let router = Router::new()
            .route("/", post(put_events))
            .with_state(Arc::clone(&shared));
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            // That the sender is gone is an end as well.
            let _ = passage
                .wait_for(|passage| *passage == Passage::Stopped)
                .await;
        });
        tokio::spawn(server.into_future());
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as an address of AWS' clients: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was published, in its order: the last [`EVENTS_KEPT`].
    pub fn events(&self) -> Vec<PublishedEvent> {
        self.shared.log.borrow().kept.iter().cloned().collect()
    }

    /// Waits until `count` events were published in all, and returns them. It has no end of its own: give it a time limit.
    pub async fn wait_for(&self, count: usize) -> Vec<PublishedEvent> {
        self.wait_until(|log| log.published >= count).await;
        self.events()
    }

    /// How many requests have come, also those that suffer a fault or are held.
    pub fn requests(&self) -> usize {
        self.shared.log.borrow().requests
    }

    /// Waits until `count` requests have come in all, such as until one is held. It has no end of its own.
    pub async fn wait_for_requests(&self, count: usize) {
        self.wait_until(|log| log.requests >= count).await;
    }

    async fn wait_until(&self, reached: impl Fn(&Log) -> bool) {
        // The sender is this value's, so it is not gone.
        let _ = self.shared.log.subscribe().wait_for(reached).await;
    }

    /// Every event from now on. A subscriber that falls behind by 256 misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<PublishedEvent> {
        self.shared.subscribers.subscribe()
    }

    /// Answers the next `requests` with a success whose entries were all refused with `code`, such as `ThrottlingException`. Nothing of
    /// them is published. Faults befall requests in the order in which they were asked for.
    pub fn refuse_next(&self, requests: usize, code: &str) {
        self.befall(requests, || Fault::RefuseEntries(code.to_owned()));
    }

    /// Answers the next `requests` with this HTTP status. Nothing of them is published. A number that is no status is 500.
    pub fn fail_next(&self, requests: usize, status: u16) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.befall(requests, || Fault::Fail(status));
    }

    /// Publishes what the next `requests` bring, and closes their connections in place of an answer.
    pub fn lose_reply(&self, requests: usize) {
        self.befall(requests, || Fault::LoseReply);
    }

    fn befall(&self, requests: usize, fault: impl FnMut() -> Fault) {
        locked(&self.shared.faults).extend(std::iter::repeat_with(fault).take(requests));
    }

    /// From now on requests wait until [`let_go`](Self::let_go), before anything of them is published.
    pub fn hold(&self) {
        self.shared.pass(Passage::Held);
    }

    /// Lets all go on that are held, and those that come.
    pub fn let_go(&self) {
        self.shared.pass(Passage::Open);
    }

    /// Takes it away, as an outage does: a request that is being answered is answered to its end, one that is held is lost, later ones find
    /// nobody, on open connections too.
    pub fn stop(&self) {
        self.shared.passage.send_replace(Passage::Stopped);
    }
}

impl Drop for EmbeddedEventBus {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for EmbeddedEventBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EmbeddedEventBus")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// What was stopped stays so.
    fn pass(&self, passage: Passage) {
        self.passage.send_if_modified(|now| {
            let changes = *now != Passage::Stopped && *now != passage;
            if changes {
                *now = passage;
            }
            changes
        });
    }

    /// Waits while requests are held; whether this one may go on.
    async fn may_pass(&self) -> bool {
        let mut passage = self.passage.subscribe();
        let passed = passage.wait_for(|passage| *passage != Passage::Held).await;
        passed.is_ok_and(|passage| *passage == Passage::Open)
    }

    fn publish(&self, event: PublishedEvent) {
        // Told apart from the log, so that a test without subscribers is none the worse.
        let _ = self.subscribers.send(event.clone());
        self.log.send_modify(|log| {
            log.published += 1;
            if log.kept.len() == EVENTS_KEPT {
                log.kept.pop_front();
            }
            log.kept.push_back(event);
        });
    }
}

async fn put_events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target");
    if target.is_none_or(|target| target != OPERATION) {
        return refused(&Refusal {
            status: StatusCode::BAD_REQUEST,
            code: "UnknownOperationException",
            message: "only AWSEvents.PutEvents is here",
        });
    }
    shared.log.send_modify(|log| log.requests += 1);
    if !shared.may_pass().await {
        return lost();
    }
    let fault = locked(&shared.faults).pop_front();
    if let Some(Fault::Fail(status)) = fault {
        return refused(&Refusal {
            status,
            code: "InternalException",
            message: "asked for by fail_next",
        });
    }
    let mut entries = match read(&body) {
        Ok(entries) => entries,
        Err(refusal) => return refused(&refusal),
    };
    if let Some(Fault::RefuseEntries(code)) = &fault {
        entries.fill_with(|| Err(EntryError::new(code, "asked for by refuse_next")));
    }
    let reply = answer(entries.iter().map(|entry| entry.as_ref().err()));
    for event in entries.into_iter().flatten() {
        shared.publish(event);
    }
    match fault {
        Some(Fault::LoseReply) => lost(),
        _ => in_json(StatusCode::OK, &reply),
    }
}

fn refused(refusal: &Refusal) -> Response {
    in_json(refusal.status, &refusal.body())
}

fn in_json(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE)];
    (status, headers, body.to_string()).into_response()
}

/// No answer: a body that fails at once has the connection closed before anything is sent.
fn lost() -> Response {
    let failure = Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset));
    Response::new(Body::from_stream(futures_util::stream::iter([failure])))
}

/// What is behind these locks is whole after each statement, also of a test that has panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
