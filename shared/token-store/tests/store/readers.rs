//! Many readers, several processes, and the copies that each keeps in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use embedded_dynamodb::Proxy;
use secrecy::ExposeSecret;
use token_store::{
    AccessToken, Because, Clock, InProcess, NoRescueQueue, RefreshOutcome, Replacement, StoreError,
    TokenStore,
};
use tokio::task::JoinSet;

use crate::gateway::{Gate, Gateway, NoGateway};
use crate::harness::{Bench, DAY, START, grant, long_grant, user};
use crate::refresh::with_expired_token;

const READERS: usize = 1000;
const PROCESSES: usize = 20;
/// So many begin at once, so that the test needs no more than a few hundred open files.
const WAVE: usize = 50;

/// One process that reads, and the worker that refreshes for it.
struct Process {
    reader: TokenStore,
    worker: TokenStore,
}

type Read = Result<AccessToken, StoreError>;

/// Readers that begin in waves: the next once those before have read the row.
struct Crowd<'a> {
    bench: &'a Bench,
    processes: Vec<Process>,
    gateway: Arc<Gateway>,
    readers: JoinSet<Read>,
    looked: Arc<AtomicUsize>,
}

impl<'a> Crowd<'a> {
    fn new(bench: &'a Bench, gateway: Arc<Gateway>) -> Self {
        let process = || Process {
            reader: bench.reader(),
            worker: bench.store(),
        };
        Self {
            bench,
            processes: std::iter::repeat_with(process).take(PROCESSES).collect(),
            gateway,
            readers: JoinSet::new(),
            looked: Arc::default(),
        }
    }

    async fn wave(&mut self) {
        let begun = self.looked.load(Ordering::SeqCst);
        for number in 0..WAVE {
            self.spawn(number % PROCESSES);
        }
        while self.looked.load(Ordering::SeqCst) < begun + WAVE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn spawn(&mut self, process: usize) {
        let Process { reader, worker } = &self.processes[process];
        let (reader, worker) = (reader.clone(), worker.clone());
        let gateway = Arc::clone(&self.gateway);
        let (time, deadline) = (self.bench.clock.clone(), self.bench.deadline());
        let looked = Arc::clone(&self.looked);
        let looks = AtomicUsize::new(0);
        // A reader looks at the clock before it reads the row and after.
        let clock = move || {
            if looks.fetch_add(1, Ordering::SeqCst) == 1 {
                looked.fetch_add(1, Ordering::SeqCst);
            }
            time.now()
        };
        self.readers.spawn(async move {
            let renewal = InProcess {
                store: &worker,
                clock: &clock,
                gateway: &*gateway,
                rescue: &NoRescueQueue,
            };
            reader
                .access_token(&user("u"), &clock, deadline, &renewal)
                .await
        });
    }
}

#[tokio::test]
async fn a_thousand_readers_of_an_expired_token_in_twenty_processes_make_one_call() {
    let bench = with_expired_token().await;
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let mut crowd = Crowd::new(&bench, Arc::clone(&gateway));
    for _ in 0..READERS / WAVE {
        crowd.wave().await;
    }
    gate.open.notify_one();
    let (mut served, mut told_to_wait) = (0, 0);
    while let Some(read) = crowd.readers.join_next().await {
        match read.unwrap() {
            Ok(token) => {
                assert_eq!(token.token.expose_secret(), "access-refreshed-1");
                served += 1;
            }
            Err(StoreError::Busy { retry_after }) if retry_after > Duration::ZERO => {
                told_to_wait += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(gateway.calls(), 1);
    assert_eq!(served + told_to_wait, READERS);
    assert!(served > 0, "{told_to_wait} were told to come back");
}

#[tokio::test]
async fn a_thousand_readers_two_minutes_before_the_end_get_the_old_token_and_make_one_call() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    bench
        .clock
        .set(START.plus(15 * DAY).minus(Duration::from_secs(120)));
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let mut crowd = Crowd::new(&bench, Arc::clone(&gateway));
    crowd.wave().await;
    gate.reached.notified().await;
    let mut served = 0;
    for _ in 1..=READERS / WAVE {
        // All but the one whose worker is at the gateway.
        while crowd.readers.len() > 1 {
            let read = crowd.readers.join_next().await.unwrap().unwrap();
            assert_eq!(read.unwrap().token.expose_secret(), "access-a");
            served += 1;
        }
        if served < READERS - WAVE {
            crowd.wave().await;
        }
    }
    assert_eq!(gateway.calls(), 1);
    gate.open.notify_one();
    let refreshed = crowd.readers.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(refreshed.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn the_schedule_and_a_reader_at_once_make_one_call() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    bench
        .clock
        .set(START.plus(15 * DAY).minus(Duration::from_secs(100)));
    let gate = Arc::new(Gate::default());
    let gateway = Gateway::with_live("a", &bench.clock)
        .giving_long_lives()
        .gated(&gate);
    let (worker, reader) = (bench.store(), bench.store());
    let (scheduled, read, ()) = tokio::join!(
        bench.refresh(&worker, Because::Due, &gateway),
        bench.read(&reader, &gateway),
        async {
            gate.reached.notified().await;
            gate.open.notify_one();
        }
    );
    assert_eq!(gateway.calls(), 1);
    assert!(
        matches!(
            scheduled.unwrap(),
            RefreshOutcome::Refreshed | RefreshOutcome::Busy | RefreshOutcome::Fresh
        ) && read.is_ok()
    );
    let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn whatever_is_decided_is_decided_by_a_consistent_read() {
    let bench = with_expired_token().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = bench.read(&store, &gateway).await.unwrap();
    bench
        .refresh(&store, Because::Due, &NoGateway)
        .await
        .unwrap();
    let renewal = bench.renewal(&store, &NoGateway);
    store
        .invalidate(&user("u"), &token, &bench.clock, bench.deadline(), &renewal)
        .await
        .unwrap();
    let requests = proxy.requests();
    let reads: Vec<_> = requests
        .iter()
        .filter(|request| request.contains(".GetItem"))
        .collect();
    assert!(reads.len() >= 5);
    for read in reads {
        assert!(read.contains(r#""ConsistentRead":true"#), "{read}");
    }
}

/// A store that has a copy of the first of two logins.
async fn with_copy_of_the_first_of_two_logins() -> (Bench, TokenStore) {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    bench.clock.advance(Duration::from_secs(3600));
    let reader = bench.reader();
    bench.read(&reader, &NoGateway).await.unwrap();
    bench.log_in(&long_grant("b", bench.clock.now())).await;
    (bench, reader)
}

async fn served(bench: &Bench, reader: &TokenStore) -> String {
    let token = bench.read(reader, &NoGateway).await.unwrap();
    token.token.expose_secret().to_owned()
}

#[tokio::test]
async fn a_copy_is_served_for_a_minute_and_then_the_row_is_read() {
    let (bench, reader) = with_copy_of_the_first_of_two_logins().await;
    bench.clock.advance(Duration::from_millis(59_999));
    assert_eq!(served(&bench, &reader).await, "access-a");
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(served(&bench, &reader).await, "access-b");
}

#[tokio::test]
async fn a_copy_is_not_served_once_the_clock_was_set_back() {
    let (bench, reader) = with_copy_of_the_first_of_two_logins().await;
    bench
        .clock
        .set(bench.clock.now().minus(Duration::from_millis(1)));
    assert_eq!(served(&bench, &reader).await, "access-b");
}

#[tokio::test]
async fn a_copy_is_not_served_after_its_token_was_refused() {
    let (bench, reader) = with_copy_of_the_first_of_two_logins().await;
    let copy = bench.read(&reader, &NoGateway).await.unwrap();
    let replacement = reader
        .invalidate(
            &user("u"),
            &copy,
            &bench.clock,
            bench.deadline(),
            &NoGateway,
        )
        .await
        .unwrap();
    assert!(
        matches!(replacement, Replacement::Token(token) if token.token.expose_secret() == "access-b")
    );
    assert_eq!(served(&bench, &reader).await, "access-b");
}

#[tokio::test]
async fn a_process_frozen_for_half_an_hour_does_not_serve_the_token_it_remembers() {
    let bench = Bench::new().await;
    let mut pair = grant("a", START);
    pair.expires_at = START.plus(Duration::from_secs(1200));
    pair.refresh_token = None;
    bench.log_in(&pair).await;
    let reader = bench.reader();
    assert_eq!(served(&bench, &reader).await, "access-a");
    bench.clock.advance(Duration::from_secs(1800));
    let outcome = bench.read(&reader, &NoGateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Reauthorize)),
        "{outcome:?}"
    );
}

/// Else a process that reads a token all the time would never have it refreshed before its end.
#[tokio::test]
async fn a_copy_does_not_hide_that_its_token_has_to_be_refreshed() {
    let bench = Bench::new().await;
    bench.log_in(&grant("a", START)).await;
    let store = bench.store();
    bench.clock.advance(Duration::from_millis(239_999));
    bench.read(&store, &NoGateway).await.unwrap();
    bench.clock.advance(Duration::from_millis(1));
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = bench.read(&store, &gateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
}
