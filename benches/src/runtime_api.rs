//! Lambda's Runtime API for one contestant: hands out events and takes the time.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::BenchError;
use crate::http::{Connection, prepared};
use crate::stub::listen;

const PREFIX: &[u8] = b"/2018-06-01/runtime/";
/// What the deadline of each event is counted from the start: later than any run ends.
const DEADLINE: Duration = Duration::from_secs(3600);

/// One event, ready to be written: the whole response to `next`.
#[derive(Debug, Clone)]
pub struct Event(Arc<[u8]>);

impl Event {
    /// The event `body` of the invocation `request_id`.
    pub fn new(request_id: &str, body: &str) -> Self {
        let deadline = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(Duration::ZERO, |now| now + DEADLINE);
        let deadline = deadline.as_millis().to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", request_id),
            ("Lambda-Runtime-Deadline-Ms", &deadline),
            (
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:eu-central-1:123456789012:function:bench",
            ),
            (
                "Lambda-Runtime-Trace-Id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            ),
        ];
        Self(prepared("200 OK", &headers, body.as_bytes()).into())
    }
}

/// What came of one event.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When the event was about to be written.
    pub handed_out: Instant,
    /// When the whole answer had been read.
    pub answered: Instant,
    /// The answer.
    pub body: Vec<u8>,
}

impl Answer {
    /// From the event to the answer.
    pub fn took(&self) -> Duration {
        self.answered.duration_since(self.handed_out)
    }
}

/// The server. Its threads end with the contestant's connections.
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    first_next: Option<Instant>,
    /// Connections that wait for an event.
    waiting: usize,
    event: Option<Event>,
    handed_out: Option<Instant>,
    answer: Option<Answer>,
    /// What the contestant reported as an error.
    error: Option<String>,
    is_over: bool,
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        // What is behind the lock is whole after each statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` finds something; `None` after `patience`.
    fn until<T>(
        &self,
        patience: Duration,
        mut find: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + patience;
        let mut state = self.locked();
        loop {
            if let Some(found) = find(&mut state) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl RuntimeApi {
    /// Starts one on a free loopback port.
    ///
    /// # Errors
    /// When no port is to be had.
    pub fn start() -> Result<Self, BenchError> {
        let (listener, address) = listen()?;
        let shared = Arc::new(Shared::default());
        let of_connections = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &of_connections));
        Ok(Self { address, shared })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` is to be.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until the contestant has asked for its first event, which ends its INIT; `None` after `patience`.
    pub fn first_next(&self, patience: Duration) -> Option<Instant> {
        self.shared.until(patience, |state| state.first_next)
    }

    /// Lays `event` ready: whoever asks gets it, or has asked and gets it now.
    pub fn hand_out(&self, event: &Event) {
        let mut state = self.shared.locked();
        state.answer = None;
        state.event = Some(event.clone());
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits for the answer to the event that was laid ready; `None` after `patience`.
    pub fn answer(&self, patience: Duration) -> Option<Result<Answer, String>> {
        self.shared.until(patience, |state| {
            if let Some(error) = state.error.take() {
                return Some(Err(error));
            }
            state.answer.take().map(Ok)
        })
    }

    /// Waits until the contestant waits for an event; `false` after `patience`.
    pub fn is_waiting(&self, patience: Duration) -> bool {
        let waits = |state: &mut State| (state.waiting > 0).then_some(());
        self.shared.until(patience, waits).is_some()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.locked().is_over = true;
        self.shared.changed.notify_all();
        // The thread that accepts connections looks up when one comes.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.locked().is_over {
            return;
        }
        let shared = Arc::clone(shared);
        // A closed connection is how a contestant ends.
        thread::spawn(move || carry(stream, &shared).ok());
    }
}

fn carry(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(stream);
    let accepted = prepared(
        "202 Accepted",
        &[("Content-Type", "application/json")],
        br#"{"status":"OK"}"#,
    );
    let unknown = prepared("404 Not Found", &[], b"");
    while let Some(request) = connection.next_request()? {
        let now = Instant::now();
        let target = connection.bytes(&request.target);
        let Some(path) = target.strip_prefix(PREFIX) else {
            connection.write(&unknown)?;
            continue;
        };
        if path == b"invocation/next" {
            let Some(event) = wait_for_event(shared, now) else {
                return Ok(());
            };
            shared.locked().handed_out = Some(Instant::now());
            connection.write(&event.0)?;
        } else {
            let body = connection.bytes(&request.body);
            let mut state = shared.locked();
            if path.ends_with(b"/response") {
                state.answer = state.handed_out.take().map(|handed_out| Answer {
                    handed_out,
                    answered: now,
                    body: body.to_vec(),
                });
            } else {
                state.error = Some(String::from_utf8_lossy(body).into_owned());
            }
            drop(state);
            // First the contestant, so that it goes on while the driver wakes up.
            connection.write(&accepted)?;
            shared.changed.notify_all();
        }
    }
    Ok(())
}

fn wait_for_event(shared: &Shared, now: Instant) -> Option<Event> {
    let mut state = shared.locked();
    state.first_next.get_or_insert(now);
    state.waiting += 1;
    shared.changed.notify_all();
    loop {
        if state.is_over {
            return None;
        }
        if let Some(event) = state.event.take() {
            state.waiting -= 1;
            return Some(event);
        }
        state = shared
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A contestant of two threads' worth of HTTP: asks, answers with what it was given, and so on until it is hung up on.
    fn echo(address: SocketAddr, answer: &'static str) {
        thread::spawn(move || {
            let mut connection = Connection::new(TcpStream::connect(address).unwrap());
            loop {
                connection
                    .write(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: a\r\n\r\n")
                    .unwrap();
                let Ok(event) = connection.next_response() else {
                    return;
                };
                let id = String::from_utf8(
                    connection
                        .bytes(&event.request_id.clone().unwrap())
                        .to_vec(),
                )
                .unwrap();
                let body = connection.bytes(&event.body).to_vec();
                let head = format!(
                    "POST /2018-06-01/runtime/invocation/{id}/{answer} HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                connection
                    .write(&[head.as_bytes(), &body].concat())
                    .unwrap();
                assert_eq!(connection.next_response().unwrap().status, 202);
            }
        });
    }

    #[test]
    fn events_are_handed_out_one_after_the_other_and_their_answers_timed() {
        let api = RuntimeApi::start().unwrap();
        assert!(api.first_next(Duration::from_millis(1)).is_none());
        echo(api.address, "response");
        let first_next = api.first_next(PATIENCE).unwrap();
        for number in 0..3 {
            assert!(api.is_waiting(PATIENCE));
            let body = format!("{{\"number\":{number}}}");
            api.hand_out(&Event::new("id", &body));
            let answer = api.answer(PATIENCE).unwrap().unwrap();
            assert_eq!(answer.body, body.as_bytes());
            assert!(first_next < answer.handed_out && answer.handed_out < answer.answered);
        }
    }

    #[test]
    fn an_event_that_lies_ready_is_taken_at_the_first_next() {
        let api = RuntimeApi::start().unwrap();
        api.hand_out(&Event::new("id", "{}"));
        echo(api.address, "response");
        let answer = api.answer(PATIENCE).unwrap().unwrap();
        assert!(api.first_next(PATIENCE).unwrap() <= answer.handed_out);
    }

    #[test]
    fn what_a_contestant_reports_as_an_error_is_one() {
        let api = RuntimeApi::start().unwrap();
        echo(api.address, "error");
        api.hand_out(&Event::new("id", r#"{"errorMessage":"no"}"#));
        let error = api.answer(PATIENCE).unwrap().unwrap_err();
        assert_eq!(error, r#"{"errorMessage":"no"}"#);
    }

    #[test]
    fn without_an_answer_patience_ends() {
        let api = RuntimeApi::start().unwrap();
        api.hand_out(&Event::new("id", "{}"));
        assert!(api.answer(Duration::from_millis(5)).is_none());
    }
}
