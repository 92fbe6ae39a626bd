//! One schedule drawn by chance: workers, a login and a reader over one row, run step by step, and the rules that must hold
//! at every moment and in the end.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::error::BoxError;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::ExposeSecret;
use token_store::{
    Because, Clock, Generation, RefreshOutcome, RefreshWith, RescueQueue, RescuedPair, Seen,
    StoreError, TokenKey, TokenKind, TokenStore, WallTime,
};

use crate::bench::{Bench, ManualClock, Nobody, Row, START, WORKERS, key_of};
use crate::gateway::{ACCESS_LIFE, Gateway, Holder, Line, NOBODY};
use crate::points::{Step, Steps};
use crate::wrong::Wrong;

/// What Lambda lets an invocation of a worker last.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(20);
const SKEW: Duration = Duration::from_secs(2);
const QUARANTINE: Duration = Duration::from_secs(120);
/// How many things happen before everybody comes to an end.
const EVENTS: usize = 40;
/// How many minutes the recovery may take: a pause after failures is 15 minutes at most.
const MINUTES: usize = 60;
/// Whoever dies here has a pair that is nowhere else.
const LOSING: [&str; 5] = [
    "gateway-after",
    "after-call",
    "before-commit",
    "before-rescue",
    "before-login",
];

/// What a schedule is to be about.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub kind: TokenKind,
    /// Where somebody dies.
    pub point: Option<&'static str>,
    pub wrong: Wrong,
}

/// How a schedule came out in which no rule was broken.
#[derive(Debug)]
pub struct Outcome {
    /// Whether somebody died at the point.
    pub died: bool,
    /// Whether the grant had ended with a pair that died with its worker.
    pub lost: bool,
}

/// A broken rule, and what had happened.
#[derive(Debug)]
pub struct Violation {
    rule: String,
    plan: Plan,
    log: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, .. } = self.plan;
        writeln!(
            f,
            "{}\n{:?}; again: CRASH_SEED={seed}",
            self.rule, self.plan
        )?;
        self.log.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Messages on their way to the table.
#[derive(Clone, Default)]
pub struct Queue(Arc<Mutex<Vec<RescuedPair>>>);

impl Queue {
    pub fn first(&self) -> Option<RescuedPair> {
        self.0.lock().unwrap().first().cloned()
    }

    fn acknowledge(&self) {
        self.0.lock().unwrap().remove(0);
    }
}

impl RescueQueue for Queue {
    async fn put(&self, pair: &RescuedPair) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(pair.clone());
        Ok(())
    }
}

/// How a worker's, a consumer's or a login's work ended.
type Ended = Result<String, StoreError>;

struct Actor {
    holder: Holder,
    steps: Steps<Ended>,
    at: &'static str,
    began_at: WallTime,
    lease_from: Option<WallTime>,
    does: Does,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Refresh,
    Consume,
    LogIn,
}

struct World<'a> {
    bench: &'a Bench,
    plan: Plan,
    rng: StdRng,
    clock: ManualClock,
    gateway: Gateway,
    key: TokenKey,
    queue: Queue,
    actors: [Option<Actor>; WORKERS],
    /// Who died, and where.
    dead: HashMap<Holder, &'static str>,
    /// Until when the leases of the dead may run.
    dead_leases: HashMap<Holder, WallTime>,
    holders: Holder,
    /// How often the point is passed before somebody dies there.
    passes: usize,
    died: bool,
    /// Whether invocations are ended by their timeout. Without it the quarantine does not cover them, lineage must.
    timeouts: bool,
    seen: Option<Row>,
    calls_seen: usize,
    log: Vec<String>,
}

/// Refreshes `key` once, as a worker does.
pub async fn refresh(
    store: TokenStore,
    key: TokenKey,
    because: Because,
    clock: ManualClock,
    gateway: Line,
    queue: Queue,
) -> Result<RefreshOutcome, StoreError> {
    let with = RefreshWith {
        clock: &clock,
        deadline: clock.now().plus(FUNCTION_TIMEOUT),
        gateway: &gateway,
        rescue: &queue,
    };
    store.refresh(&key, because, &with).await
}

/// Runs one schedule.
pub async fn run(bench: &Bench, plan: Plan) -> Result<Outcome, Box<Violation>> {
    let mut world = World::new(bench, plan);
    let result = world.run().await;
    for worker in 0..WORKERS {
        bench.behaviour_of(worker).set(Wrong::Nothing, false);
    }
    bench.forget(&world.key);
    if std::env::var("CRASH_SEED").is_ok() {
        world.log.iter().for_each(|line| println!("  {line}"));
    }
    result.map_err(|rule| {
        Box::new(Violation {
            rule,
            plan,
            log: world.log,
        })
    })
}

impl<'a> World<'a> {
    fn new(bench: &'a Bench, plan: Plan) -> Self {
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let clock = ManualClock::at(START);
        Self {
            bench,
            plan,
            gateway: Gateway::of(plan.kind, &clock),
            clock,
            key: key_of(plan.kind, plan.seed),
            queue: Queue::default(),
            actors: Default::default(),
            dead: HashMap::new(),
            dead_leases: HashMap::new(),
            holders: 0,
            passes: rng.random_range(0..2),
            died: false,
            timeouts: rng.random_bool(0.6),
            rng,
            seen: None,
            calls_seen: 0,
            log: Vec::new(),
        }
    }

    async fn run(&mut self) -> Result<Outcome, String> {
        self.begin().await;
        for _ in 0..EVENTS {
            self.event().await?;
        }
        self.come_to_an_end().await?;
        self.recover().await
    }

    /// A login long ago, whose pair is due by now or over.
    async fn begin(&mut self) {
        let store = self.bench.store();
        let holder = self.next_holder();
        let grant = self.gateway.log_in(holder);
        store
            .put_login(&self.key, Seen::NOTHING, &grant, START, None)
            .await
            .unwrap();
        let part = if self.rng.random() { 0.95 } else { 1.1 };
        self.clock.advance(ACCESS_LIFE.mul_f64(part));
        if self.plan.point == Some("after-sibling") {
            // Somebody refreshed it and died, longer ago than the old refresh token goes on working.
            let _ = self.gateway.exchange("refresh-1", NOBODY);
            self.clock.advance(Duration::from_secs(3600));
        }
        let rescues = self
            .plan
            .point
            .is_some_and(|point| point.contains("rescue"));
        for worker in 0..WORKERS {
            let may_not_commit = self.rng.random_bool(if rescues { 0.7 } else { 0.05 });
            self.bench
                .behaviour_of(worker)
                .set(self.plan.wrong, may_not_commit);
        }
    }

    async fn event(&mut self) -> Result<(), String> {
        let logins = self.plan.point.is_some_and(|point| point.contains("login"));
        match self.rng.random_range(0..100) {
            0..55 => {
                let running: Vec<usize> =
                    (0..WORKERS).filter(|&n| self.actors[n].is_some()).collect();
                match running.as_slice() {
                    [] => self.start().await,
                    running => {
                        let worker = running[self.rng.random_range(0..running.len())];
                        // Now and then a long way at once, mostly one step.
                        for _ in 0..[1, 1, 1, 2, 5][self.rng.random_range(0..5)] {
                            self.step(worker).await?;
                        }
                    }
                }
            }
            55..75 => self.start().await,
            75..78 => self.start_login(),
            78..82 if logins => self.start_login(),
            78..92 => {
                let seconds = [1, 5, 10, 24, 24, 130, 700][self.rng.random_range(0..7)];
                self.advance(Duration::from_secs(seconds));
            }
            92..94 => self.gateway.lose_next_answer(true),
            _ => self.read().await?,
        }
        Ok(())
    }

    fn next_holder(&mut self) -> Holder {
        self.holders += 1;
        self.holders
    }

    fn free_place(&self) -> Option<usize> {
        self.actors.iter().position(Option::is_none)
    }

    fn somebody(&self, does: Does) -> bool {
        self.actors.iter().flatten().any(|actor| actor.does == does)
    }

    fn place(&mut self, place: usize, does: Does, holder: Holder, steps: Steps<Ended>) {
        self.actors[place] = Some(Actor {
            holder,
            steps,
            at: "start",
            began_at: self.clock.now(),
            lease_from: None,
            does,
        });
    }

    async fn start(&mut self) {
        let Some(place) = self.free_place() else {
            return;
        };
        let store = self.bench.store_of(place);
        let holder = self.next_holder();
        let consuming = self.somebody(Does::Consume);
        if let Some(pair) = self.queue.first().filter(|_| !consuming) {
            self.bench.behaviour_of(place).set(self.plan.wrong, false);
            self.note(format!("{holder} consumes the rescue queue"));
            let work = async move {
                let outcome = store.store_rescued(&pair).await?;
                Ok(format!("{outcome:?}"))
            };
            return self.place(place, Does::Consume, holder, Steps::of(work));
        }
        let generation =
            Generation::new(self.bench.row(&self.key).map_or(1, |row| row.generation()));
        let because = match self.rng.random_range(0..4) {
            0 => Because::Asked,
            1 => Because::Expired(generation),
            _ => Because::Due,
        };
        self.note(format!("{holder} begins: {because:?}"));
        let line = self.gateway.line_of(holder);
        let refreshing = refresh(
            store,
            self.key.clone(),
            because,
            self.clock.clone(),
            line,
            self.queue.clone(),
        );
        let work = async move { Ok(format!("{:?}", refreshing.await?)) };
        self.place(place, Does::Refresh, holder, Steps::of(work));
    }

    /// One login at a time: of two, the one that Alipay served last may be stored first, and the other one stands in the row.
    fn start_login(&mut self) {
        let Some(place) = self.free_place() else {
            return;
        };
        if self.somebody(Does::LogIn) {
            return;
        }
        let holder = self.next_holder();
        self.note(format!("{holder} logs in"));
        let store = self.bench.store_of(place);
        let (key, clock) = (self.key.clone(), self.clock.clone());
        let grant = self.gateway.log_in(holder);
        let looks = self.rng.random_bool(0.7);
        let work = async move {
            let seen = if looks {
                store.look(&key).await?
            } else {
                Seen::NOTHING
            };
            // Between the two much may happen to the row.
            let generation = store
                .put_login(&key, seen, &grant, clock.now(), None)
                .await?;
            Ok(format!("generation {generation}"))
        };
        self.place(place, Does::LogIn, holder, Steps::of(work));
    }

    async fn step(&mut self, worker: usize) -> Result<(), String> {
        let Some(actor) = &mut self.actors[worker] else {
            return Ok(());
        };
        let holder = actor.holder;
        match actor.steps.next().await {
            Step::At(point) => {
                actor.at = point;
                if point == "before-acquire" {
                    actor.lease_from = Some(self.clock.now());
                }
                self.note(format!("{holder} is at {point}"));
                if self.plan.point == Some(point) && !self.died {
                    if self.passes == 0 {
                        self.died = true;
                        self.kill(worker);
                    } else {
                        self.passes -= 1;
                    }
                }
            }
            Step::Done(ended) => {
                if actor.does == Does::Consume && ended.is_ok() {
                    self.queue.acknowledge();
                }
                self.actors[worker] = None;
                self.note(format!("{holder} ends: {ended:?}"));
                match ended {
                    Err(error) if !matches!(error, StoreError::Busy { .. }) => {
                        return Err(format!("{holder} failed: {error}"));
                    }
                    _ => {}
                }
            }
        }
        self.check().await
    }

    fn kill(&mut self, worker: usize) {
        let Some(actor) = self.actors[worker].take() else {
            return;
        };
        self.note(format!("{} dies at {}", actor.holder, actor.at));
        self.dead.insert(actor.holder, actor.at);
        if let Some(from) = actor.lease_from {
            self.dead_leases.insert(actor.holder, from.plus(LEASE));
        }
    }

    fn advance(&mut self, duration: Duration) {
        self.clock.advance(duration);
        self.note(format!("{} s pass", duration.as_secs()));
        if !self.timeouts {
            return;
        }
        for worker in 0..WORKERS {
            let over = self.actors[worker]
                .as_ref()
                .is_some_and(|actor| actor.began_at.plus(FUNCTION_TIMEOUT) <= self.clock.now());
            if over {
                self.kill(worker);
            }
        }
    }

    /// A function that only reads, and has nobody to refresh for it.
    async fn read(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let read = self
            .bench
            .store()
            .access_token(&self.key, &self.clock, now, &Nobody)
            .await;
        self.note(format!(
            "a reader has {:?}",
            read.as_ref().map(|token| token.generation)
        ));
        let state = self.bench.row(&self.key).map(|row| row.state().to_owned());
        match read {
            Ok(token) if self.plan.kind == TokenKind::User && token.expires_at <= now => {
                Err("a token past its end was served".into())
            }
            Ok(_) if state.as_deref() == Some("reauthorize") => {
                Err("a token of a grant that has ended was served".into())
            }
            Err(StoreError::Corrupt { field, problem }) => Err(format!("{field} {problem}")),
            _ => Ok(()),
        }
    }

    fn note(&mut self, what: String) {
        let seconds = self
            .clock
            .now()
            .since(START.plus(ACCESS_LIFE.mul_f64(0.95)))
            .as_secs();
        self.log.push(format!("{seconds:>7} s  {what}"));
    }

    /// What must hold after every step.
    async fn check(&mut self) -> Result<(), String> {
        self.check_calls()?;
        let row = self.bench.row(&self.key).ok_or("the row is gone")?;
        if let Some(before) = &self.seen {
            let grown = row.generation().checked_sub(before.generation());
            if !matches!(grown, Some(0 | 1)) {
                return Err(format!(
                    "generation {} became {}",
                    before.generation(),
                    row.generation()
                ));
            }
            if grown == Some(0) && row.commit_id() != before.commit_id() {
                return Err(format!("two pairs are generation {}", row.generation()));
            }
            let ended = row.state() == "reauthorize" && before.state() != "reauthorize";
            let settled = before
                .time("refused_since")
                .is_some_and(|since| since.plus(QUARANTINE) <= self.clock.now());
            if ended && !settled {
                return Err("a grant was given up at its first refusal".into());
            }
            let holder = self.gateway.live().1;
            // A login in hand overrides it anyway.
            let in_hand = self
                .actors
                .iter()
                .flatten()
                .any(|actor| actor.holder == holder && actor.does == Does::Refresh);
            if ended && in_hand && self.timeouts {
                return Err(format!(
                    "a grant was given up while {holder} had its pair in hand"
                ));
            }
        }
        self.seen = Some(row);
        Ok(())
    }

    /// No two calls with one refresh token while both leases run.
    fn check_calls(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let until = |holder: Holder| {
            let running = self
                .actors
                .iter()
                .flatten()
                .find(|actor| actor.holder == holder);
            running
                .and_then(|actor| actor.lease_from)
                .map(|from| from.plus(LEASE))
                .or_else(|| self.dead_leases.get(&holder).copied())
        };
        let seen = self.calls_seen;
        let (count, clash) = self.gateway.with_calls(|calls| {
            let clash = calls.iter().enumerate().skip(seen).any(|(number, call)| {
                until(call.by).is_some_and(|until| call.at <= until)
                    && calls.iter().take(number).any(|earlier| {
                        earlier.refresh_token == call.refresh_token
                            && earlier.by != call.by
                            && until(earlier.by)
                                .is_some_and(|until| earlier.at <= until && now <= until.plus(SKEW))
                    })
            });
            (calls.len(), clash)
        });
        self.calls_seen = count;
        if clash {
            return Err("two workers used one refresh token while both had the lease".into());
        }
        Ok(())
    }

    /// Nobody dies any more; everybody who lives does what is left to do.
    async fn come_to_an_end(&mut self) -> Result<(), String> {
        self.note("nobody dies any more".into());
        self.plan.point = None;
        self.gateway.lose_next_answer(false);
        while let Some(worker) = {
            let running: Vec<usize> = (0..WORKERS).filter(|&n| self.actors[n].is_some()).collect();
            (!running.is_empty()).then(|| running[self.rng.random_range(0..running.len())])
        } {
            self.step(worker).await?;
        }
        for worker in 0..WORKERS {
            self.bench.behaviour_of(worker).set(self.plan.wrong, false);
        }
        while let Some(pair) = self.queue.first() {
            // Delivered twice, as a queue may.
            for _ in 0..2 {
                let stored = self.bench.store().store_rescued(&pair).await;
                self.note(format!("out of the rescue queue: {stored:?}"));
            }
            self.queue.acknowledge();
        }
        self.check().await
    }

    async fn recover(&mut self) -> Result<Outcome, String> {
        let lost = self.is_lost();
        for _ in 0..MINUTES {
            self.advance(Duration::from_secs(60));
            let row = self.bench.row(&self.key).ok_or("the row is gone")?;
            if row.state() == "reauthorize" {
                break;
            }
            let waits = row
                .time("not_before")
                .is_some_and(|until| self.clock.now() < until);
            let because = if self.bench.sweep_finds(&self.key, self.clock.now()).await {
                Because::Due
            } else if !self.gateway.accepts(&self.stored().await?) {
                // The next call with it is refused.
                Because::Refused(Generation::new(row.generation()))
            } else if waits || row.state() == "suspect" {
                continue;
            } else {
                break;
            };
            self.refresh_now(because).await?;
            self.check().await?;
        }
        let row = self.bench.row(&self.key).ok_or("the row is gone")?;
        match (row.state(), lost) {
            ("reauthorize", false) => {
                return Err("a grant was given up whose pair nobody had lost".into());
            }
            ("active", true) => return Err("a pair that was lost is held to be good".into()),
            ("reauthorize", true) => {
                let grant = self.gateway.log_in(NOBODY);
                let now = self.clock.now();
                let put = self
                    .bench
                    .store()
                    .put_login(&self.key, Seen::NOTHING, &grant, now, None)
                    .await;
                put.map_err(|error| error.to_string())?;
                self.note("a login".into());
            }
            ("active", false) => {}
            (state, _) => return Err(format!("after {MINUTES} minutes the grant is {state}")),
        }
        self.prove_good().await?;
        Ok(Outcome {
            died: self.died,
            lost,
        })
    }

    /// Whether nobody has a refresh token that is still good.
    fn is_lost(&self) -> bool {
        let holder = match self.plan.kind {
            TokenKind::User => self.gateway.live().1,
            // A merchant's older refresh tokens work, or lead to the newest one.
            TokenKind::Isv => self.gateway.granted_to(),
        };
        holder == NOBODY
            || self
                .dead
                .get(&holder)
                .is_some_and(|at| LOSING.contains(at) || *at == "start")
    }

    /// The stored pair is the gateway's: it can be refreshed, a message that comes again does nothing, and the sweep is content.
    async fn prove_good(&mut self) -> Result<(), String> {
        self.advance(Duration::from_secs(61));
        let outcome = self.refresh_now(Because::Asked).await?;
        if outcome != RefreshOutcome::Refreshed {
            return Err(format!("the stored pair is not good: {outcome:?}"));
        }
        if self.stored().await? != self.gateway.live().0 {
            return Err("what is stored is not what is good at the gateway".into());
        }
        let calls = self.gateway.calls();
        for _ in 0..2 {
            let outcome = self.refresh_now(Because::Due).await?;
            if outcome != RefreshOutcome::Fresh || self.gateway.calls() != calls {
                return Err(format!(
                    "a message that came again did something: {outcome:?}"
                ));
            }
        }
        if self.bench.sweep_finds(&self.key, self.clock.now()).await {
            return Err("the sweep finds a row that is not due".into());
        }
        if self
            .bench
            .row(&self.key)
            .and_then(|row| row.time("due_at"))
            .is_none()
        {
            return Err("the row is not in the index".into());
        }
        Ok(())
    }

    async fn refresh_now(&mut self, because: Because) -> Result<RefreshOutcome, String> {
        let work = refresh(
            self.bench.store_of(0),
            self.key.clone(),
            because,
            self.clock.clone(),
            self.gateway.line_of(NOBODY - 1),
            self.queue.clone(),
        );
        let outcome = Steps::of(work)
            .finish()
            .await
            .map_err(|error| error.to_string())?;
        self.note(format!("recovery, {because:?}: {outcome:?}"));
        Ok(outcome)
    }

    async fn stored(&self) -> Result<String, String> {
        let stored = self.bench.open(&self.key).await;
        stored
            .map(|token| token.token.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }
}
