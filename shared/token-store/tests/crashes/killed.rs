//! The same with real processes: this test program starts itself again as a worker, which ends with SIGKILL.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use token_store::{
    Because, Clock, Grant, RefreshFailure, RefreshOutcome, Refresher, Seen, TokenKind, WallTime,
};

use crate::bench::{Bench, ManualClock, START, client_at, key_of, store_over};
use crate::gateway::{ACCESS_LIFE, Gateway};
use crate::points::Steps;
use crate::schedule::{Queue, refresh};
use crate::wrong::{Behaviour, Wrong};

const SUBJECT: &str = "u";
const SIGKILL: i32 = 9;
/// What the worker is told.
const TABLE_AT: &str = "CRASH_WORKER_TABLE";
const GATEWAY_AT: &str = "CRASH_WORKER_GATEWAY";
const NOW: &str = "CRASH_WORKER_NOW";
const KIND: &str = "CRASH_WORKER_KIND";
const DIES_AT: &str = "CRASH_WORKER_DIES_AT";

fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// The process that is killed. Not a test of its own.
#[tokio::test]
#[ignore = "is started by the other tests of this file"]
async fn worker() {
    let point = told(DIES_AT);
    let address = |name| told(name).parse::<SocketAddr>().unwrap();
    let behaviour = Behaviour::default();
    behaviour.set(Wrong::Nothing, point.contains("rescue"));
    let store = store_over(client_at(address(TABLE_AT), &behaviour));
    let line = GatewayProcess(address(GATEWAY_AT));
    let clock = ManualClock::at(WallTime::from_millis(told(NOW).parse().unwrap()));
    let key = key_of(told(KIND).parse::<Kind>().unwrap().0, SUBJECT);
    fail::cfg_callback(point.clone(), || {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .unwrap();
    })
    .unwrap();
    if point.contains("login") {
        let grant = line.log_in();
        let seen = store.look(&key).await.unwrap();
        store
            .put_login(&key, seen, &grant, clock.now(), None)
            .await
            .unwrap();
    } else {
        let with = token_store::RefreshWith {
            clock: &clock,
            deadline: clock.now().plus(Duration::from_secs(25)),
            gateway: &line,
            rescue: &Queue::default(),
        };
        store.refresh(&key, Because::Due, &with).await.unwrap();
    }
    panic!("nobody has killed it at {point}");
}

struct Kind(TokenKind);

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "User" => Ok(Self(TokenKind::User)),
            "Isv" => Ok(Self(TokenKind::Isv)),
            other => Err(other.to_owned()),
        }
    }
}

/// The parent's gateway: a line with a refresh token (or none, for a login) out, a line with the answer back.
struct GatewayProcess(SocketAddr);

impl GatewayProcess {
    fn ask(&self, question: &str) -> Result<Grant, RefreshFailure> {
        let mut stream = TcpStream::connect(self.0).unwrap();
        writeln!(stream, "{question}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        let parts: Vec<&str> = answer.split_whitespace().collect();
        let time = |text: &str| WallTime::from_millis(text.parse().unwrap());
        match parts.as_slice() {
            [access, refresh, ends, refresh_ends] => Ok(Grant {
                access_token: (*access).into(),
                refresh_token: Some((*refresh).into()),
                expires_at: time(ends),
                refresh_expires_at: Some(time(refresh_ends)),
            }),
            ["superseded", newer] => Err(RefreshFailure::Superseded((*newer).into())),
            ["refused"] => Err(RefreshFailure::Refused),
            _ => Err(RefreshFailure::Transient("the connection was closed")),
        }
    }

    fn log_in(&self) -> Grant {
        self.ask("").unwrap()
    }
}

impl Refresher for GatewayProcess {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        self.ask(refresh_token.expose_secret())
    }
}

/// The worker of the moment, for whoever may have to kill it.
type Worker = Arc<Mutex<Option<Child>>>;

/// Serves `gateway` to the worker, and kills it where the point is the gateway's.
fn serve(gateway: &Gateway, point: &'static str, worker: &Worker) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (gateway, worker) = (gateway.clone(), Arc::clone(worker));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut question = String::new();
            BufReader::new(&stream).read_line(&mut question).unwrap();
            let kill_at = |here: &str| {
                if point == here {
                    worker.lock().unwrap().as_mut().unwrap().kill().unwrap();
                }
                point == here
            };
            if kill_at("gateway-before") {
                continue;
            }
            let answer = match question.trim() {
                "" => Some(Ok(gateway.log_in(1))),
                token => gateway.exchange(token, 1),
            };
            if kill_at("gateway-after") {
                continue;
            }
            // The other end may be dead.
            let _ = writeln!(&stream, "{}", written(answer));
        }
    });
    address
}

fn written(answer: Option<Result<Grant, RefreshFailure>>) -> String {
    match answer {
        Some(Ok(grant)) => format!(
            "{} {} {} {}",
            grant.access_token.expose_secret(),
            grant.refresh_token.unwrap().expose_secret(),
            grant.expires_at.as_millis(),
            grant.refresh_expires_at.unwrap().as_millis(),
        ),
        Some(Err(RefreshFailure::Superseded(newer))) => {
            format!("superseded {}", newer.expose_secret())
        }
        _ => "refused".to_owned(),
    }
}

/// Starts a worker and waits until it is dead.
async fn kill_one(
    bench: &Bench,
    kind: TokenKind,
    clock: &ManualClock,
    gateway: &Gateway,
    point: &'static str,
) {
    let worker = Worker::default();
    let gateway_at = serve(gateway, point, &worker);
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::worker", "--ignored"])
            .env(TABLE_AT, bench.endpoint.to_string())
            .env(GATEWAY_AT, gateway_at.to_string())
            .env(NOW, clock.now().as_millis().to_string())
            .env(KIND, format!("{kind:?}"))
            .env(DIES_AT, point)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    // Locked while it is started: it may ask the gateway at once.
    worker.lock().unwrap().get_or_insert_with(start);
    loop {
        let ended = worker.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
        if let Some(status) = ended {
            assert_eq!(status.signal(), Some(SIGKILL), "{point}: {status}");
            return;
        }
        // The table is served by this thread.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What another worker makes of it, minute by minute, until there is nothing to do.
async fn recover(
    bench: &Bench,
    kind: TokenKind,
    clock: &ManualClock,
    gateway: &Gateway,
) -> Vec<RefreshOutcome> {
    let key = key_of(kind, SUBJECT);
    let mut outcomes = Vec::new();
    clock.advance(Duration::from_millis(22_001));
    while bench.sweep_finds(&key, clock.now()).await {
        let work = refresh(
            bench.store(),
            key.clone(),
            Because::Due,
            clock.clone(),
            gateway.line_of(2),
            Queue::default(),
        );
        outcomes.push(Steps::of(work).finish().await.unwrap());
        assert!(outcomes.len() < 10, "{outcomes:?}");
        clock.advance(Duration::from_secs(120));
    }
    outcomes
}

async fn after_a_kill(kind: TokenKind, point: &'static str) -> Vec<&'static str> {
    let bench = Bench::new().await;
    let clock = ManualClock::at(START);
    let gateway = Gateway::of(kind, &clock);
    let key = key_of(kind, SUBJECT);
    let grant = gateway.log_in(0);
    bench
        .store()
        .put_login(&key, Seen::NOTHING, &grant, START, None)
        .await
        .unwrap();
    clock.advance(ACCESS_LIFE);
    if point == "after-sibling" {
        // A pair that nobody has, and longer ago than the old refresh token goes on working.
        let _ = gateway.exchange("refresh-1", 7);
        clock.advance(Duration::from_secs(3600));
    }
    kill_one(&bench, kind, &clock, &gateway, point).await;
    let outcomes = recover(&bench, kind, &clock, &gateway).await;
    let row = bench.row(&key).unwrap();
    if row.state() == "active" {
        let token = bench.open(&key).await.unwrap();
        assert!(gateway.accepts(token.token.expose_secret()), "{point}");
    }
    let calls = gateway.calls();
    assert!(
        calls <= 3 + usize::from(point == "after-sibling"),
        "{point}: {calls} calls"
    );
    outcomes.iter().map(RefreshOutcome::as_str).collect()
}

#[tokio::test]
async fn a_user_whose_worker_is_killed_loses_no_more_than_the_pair_that_died_with_it() {
    const AS_IF_NOTHING: &[&str] = &["refreshed"];
    const LOST: &[&str] = &["suspect", "reauthorize"];
    const ONLY_THE_INDEX: &[&str] = &["fresh"];
    const NOTHING_TO_DO: &[&str] = &[];
    for (point, expected) in [
        ("before-acquire", AS_IF_NOTHING),
        ("after-acquire", AS_IF_NOTHING),
        ("gateway-before", AS_IF_NOTHING),
        ("gateway-after", LOST),
        ("after-call", LOST),
        ("before-commit", LOST),
        ("before-rescue", LOST),
        ("after-commit", ONLY_THE_INDEX),
        ("after-due", NOTHING_TO_DO),
        ("before-login", LOST),
        ("after-login", NOTHING_TO_DO),
    ] {
        assert_eq!(
            after_a_kill(TokenKind::User, point).await,
            expected,
            "{point}"
        );
    }
}

#[tokio::test]
async fn a_merchant_whose_worker_is_killed_recovers_by_itself() {
    for (point, expected) in [
        ("before-acquire", vec!["refreshed"]),
        ("after-acquire", vec!["refreshed"]),
        ("gateway-before", vec!["refreshed"]),
        ("gateway-after", vec!["refreshed"]),
        ("after-call", vec!["refreshed"]),
        ("after-sibling", vec!["refreshed"]),
        ("before-commit", vec!["refreshed"]),
        ("before-rescue", vec!["refreshed"]),
        ("after-commit", vec!["fresh"]),
        ("after-due", vec![]),
    ] {
        assert_eq!(
            after_a_kill(TokenKind::Isv, point).await,
            expected,
            "{point}"
        );
    }
}
