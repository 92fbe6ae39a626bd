//! The simulated days.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use token_store::{
    Because, DuePosition, DueRow, DueShard, DueShards, Grant, Keyring, NoRescueQueue,
    RefreshFailure, RefreshOutcome, RefreshWith, Refresher, Seen, TokenKey, TokenKeys, TokenKind,
    TokenStore, WallTime, create_table,
};

use crate::table::Table;

const TABLE: &str = "tokens";
/// The minute of all logins: 2026-11-21T02:00:00Z.
const LOGINS_AT: WallTime = WallTime::from_secs(1_795_226_400);
const DAY: Duration = Duration::from_secs(24 * 3600);
const ACCESS_LIFE: Duration = Duration::from_secs(15 * 24 * 3600);
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);
/// The first rows are due here, 20 % of the life before its end.
const FIRST_DUE: Duration = Duration::from_secs(12 * 24 * 3600);
/// After so many hours in which rows fall due the outage begins.
const OUTAGE_AFTER_HOURS: u64 = 12;
const PAGE: i32 = 500;
/// Rows that are refreshed at the same time.
const WORKERS: usize = 8;

#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub rows: u64,
    /// Refreshes a second that are let through.
    pub rate: u64,
    /// For how long nothing runs.
    pub outage_hours: u64,
    /// From one sweep to the next, in minutes.
    pub every: u64,
    /// How much is simulated at most, counted from when the first rows are due.
    pub hours: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub refreshed: u64,
    pub due_by_hour: Vec<u64>,
    pub most_due_in_a_minute: u64,
    pub most_waiting: u64,
    pub most_calls_in_a_second: u64,
    /// From when a row was due until its refresh began.
    pub lateness: Vec<Duration>,
    pub least_life_left: Duration,
    pub oldest_first: bool,
    pub sweeps: u64,
    pub rows_read: u64,
    pub sweeping: Duration,
    pub refreshing: Duration,
}

/// Takes each refresh token once.
#[derive(Clone)]
struct Gateway {
    live: Arc<Vec<AtomicU32>>,
    refused: Arc<AtomicU64>,
    now: WallTime,
}

impl Gateway {
    fn pair(subject: usize, number: u32, now: WallTime, first: WallTime) -> Grant {
        Grant {
            // As long as Alipay's.
            access_token: format!("authusrB{subject:020}{number:012}").into(),
            refresh_token: Some(format!("{subject}.{number}.{:0>24}", "").into()),
            expires_at: now.plus(ACCESS_LIFE),
            refresh_expires_at: Some(first.plus(REFRESH_LIFE)),
        }
    }
}

impl Refresher for Gateway {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        let mut parts = refresh_token.expose_secret().split('.');
        let mut part = || {
            parts
                .next()
                .and_then(|part| part.parse::<usize>().ok())
                .unwrap()
        };
        let (subject, number) = (part(), u32::try_from(part()).unwrap());
        let next = number + 1;
        let live = &self.live[subject];
        if live
            .compare_exchange(number, next, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(RefreshFailure::Refused);
        }
        Ok(Self::pair(subject, next, self.now, LOGINS_AT))
    }
}

/// Rows of all partitions that a sweep found.
struct Found {
    rows: Vec<DueRow>,
    read: u64,
}

pub struct Simulation {
    setting: Setting,
    store: TokenStore,
    gateway: Gateway,
    /// When each row is due, by the index itself.
    due: Vec<WallTime>,
}

impl Simulation {
    /// A table in which everybody logged in in the same minute.
    pub async fn filled(setting: Setting) -> Self {
        let started = Instant::now();
        let table = Table::new(TABLE);
        let client = table.client();
        create_table(&client, TABLE).await.unwrap();
        let keys = || {
            let document = format!(r#"{{"active":"k","keys":{{"k":"{}="}}}}"#, "A".repeat(43));
            Keyring::from_json(&document.into()).unwrap()
        };
        let keys = TokenKeys::for_keeping(keys(), keys());
        let store = TokenStore::new(client, TABLE, keys, DueShards::default());
        table.begin_to_fill();
        let rows = usize::try_from(setting.rows).unwrap();
        let part = rows.div_ceil(WORKERS);
        let filling: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let store = store.clone();
                tokio::spawn(async move {
                    for subject in worker * part..((worker + 1) * part).min(rows) {
                        let after = MINUTE.mul_f64(subject as f64 / rows as f64);
                        let now = LOGINS_AT.plus(after);
                        let grant = Gateway::pair(subject, 1, now, LOGINS_AT);
                        store
                            .put_login(&key_of(subject), Seen::NOTHING, &grant, now, None)
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for filled in filling {
            filled.await.unwrap();
        }
        table.end_filling();
        println!(
            "{} rows put in {:.1} s",
            setting.rows,
            started.elapsed().as_secs_f64()
        );
        let mut simulation = Self {
            setting,
            store,
            gateway: Gateway {
                live: Arc::new((0..setting.rows).map(|_| AtomicU32::new(1)).collect()),
                refused: Arc::default(),
                now: LOGINS_AT,
            },
            due: Vec::new(),
        };
        let all = simulation
            .sweep(LOGINS_AT.plus(ACCESS_LIFE), u64::MAX)
            .await;
        simulation.due = all.rows.iter().map(|row| row.due_at).collect();
        assert_eq!(simulation.due.len(), rows, "every row is in the index");
        simulation
    }

    /// How long one sweep takes when so many rows are due.
    pub async fn measure_sweeps(&self) {
        for count in [0_usize, 100, 10_000, 100_000] {
            let now = match count {
                0 => LOGINS_AT,
                count if count > self.due.len() => continue,
                count => self.due[count - 1],
            };
            let mut took: Vec<Duration> = Vec::new();
            let mut found = 0;
            for _ in 0..5 {
                let started = Instant::now();
                found = self.sweep(now, u64::MAX).await.rows.len();
                took.push(started.elapsed());
            }
            took.sort();
            let median = took[2].as_secs_f64();
            println!(
                "one sweep of 16 partitions with {found} rows due: {:.2} ms ({:.0} rows/s)",
                median * 1000.0,
                found as f64 / median
            );
        }
    }

    /// The days in which all rows fall due, and until all are refreshed.
    pub async fn run(mut self) -> Report {
        let mut report = Report {
            due_by_hour: vec![0; 40],
            least_life_left: Duration::MAX,
            oldest_first: true,
            ..Report::default()
        };
        self.count_due(&mut report);
        let outage = OUTAGE_AFTER_HOURS * 60..(OUTAGE_AFTER_HOURS + self.setting.outage_hours) * 60;
        let begin = LOGINS_AT.plus(FIRST_DUE);
        let mut done_until = WallTime::from_millis(0);
        for minute in 0..self.setting.hours * 60 {
            if report.refreshed == self.setting.rows {
                break;
            }
            if outage.contains(&minute) || !minute.is_multiple_of(self.setting.every) {
                continue;
            }
            let now = begin.plus(MINUTE * u32::try_from(minute).unwrap());
            let started = Instant::now();
            let mut found = self
                .sweep(now, self.setting.rate * 60 * self.setting.every)
                .await;
            report.sweeping += started.elapsed();
            report.sweeps += 1;
            report.rows_read += found.read;
            let waiting = self.due.partition_point(|&due| due <= now) as u64 - report.refreshed;
            report.most_waiting = report.most_waiting.max(waiting);
            found
                .rows
                .truncate(usize::try_from(self.setting.rate * 60 * self.setting.every).unwrap());
            if let (Some(first), Some(last)) = (found.rows.first(), found.rows.last()) {
                report.oldest_first &= done_until <= first.due_at;
                done_until = last.due_at;
            }
            let started = Instant::now();
            self.refresh_all(found.rows, now, &mut report).await;
            report.refreshing += started.elapsed();
            if (minute + self.setting.every).is_multiple_of(360) {
                println!(
                    "after {} h: {} refreshed",
                    minute / 60 + 1,
                    report.refreshed
                );
            }
        }
        assert_eq!(
            self.gateway.refused.load(Ordering::SeqCst),
            0,
            "no refresh token was used twice"
        );
        let used = self
            .gateway
            .live
            .iter()
            .map(|live| u64::from(live.load(Ordering::SeqCst) - 1));
        assert_eq!(
            used.sum::<u64>(),
            report.refreshed,
            "each refreshed row is stored"
        );
        report
    }

    fn count_due(&self, report: &mut Report) {
        let begin = LOGINS_AT.plus(FIRST_DUE);
        let mut by_minute = std::collections::HashMap::<u64, u64>::new();
        for due in &self.due {
            let after = due.since(begin).as_secs();
            report.due_by_hour[usize::try_from(after / 3600).unwrap().min(39)] += 1;
            *by_minute.entry(after / 60).or_default() += 1;
        }
        report.most_due_in_a_minute = by_minute.values().copied().max().unwrap_or(0);
    }

    /// What is due at `now` in all partitions, the oldest first: page after page of each, until there are `enough`.
    async fn sweep(&self, now: WallTime, enough: u64) -> Found {
        let mut found = Found {
            rows: Vec::new(),
            read: 0,
        };
        let mut readings: Vec<(DueShard, Option<DuePosition>)> = self
            .store
            .due_shards()
            .all()
            .into_iter()
            .map(|shard| (shard, None))
            .collect();
        while !readings.is_empty() && found.read < enough {
            let mut next = Vec::new();
            for (shard, from) in readings {
                let page = self.store.due_rows(shard, now, PAGE, from).await.unwrap();
                assert_eq!(page.unreadable, 0);
                found.read += page.rows.len() as u64;
                found.rows.extend(page.rows);
                next.extend(page.next.map(|from| (shard, Some(from))));
            }
            readings = next;
        }
        found.rows.sort_by_key(|row| row.due_at);
        found
    }

    /// One after the other by the simulated clock, at the rate that is let through.
    async fn refresh_all(&mut self, rows: Vec<DueRow>, now: WallTime, report: &mut Report) {
        let rate = self.setting.rate;
        let count = rows.len() as u64;
        report.most_calls_in_a_second = report.most_calls_in_a_second.max(count.min(rate));
        let planned: Vec<(DueRow, WallTime)> = rows
            .into_iter()
            .enumerate()
            .map(|(number, row)| {
                let begins = now.plus(Duration::from_secs(1).mul_f64(number as f64 / rate as f64));
                (row, begins)
            })
            .collect();
        for (row, begins) in &planned {
            report.lateness.push(begins.since(row.due_at));
        }
        let part = planned.len().div_ceil(WORKERS).max(1);
        let working: Vec<_> = planned
            .chunks(part)
            .map(|part| {
                let (part, store, gateway) =
                    (part.to_vec(), self.store.clone(), self.gateway.clone());
                tokio::spawn(async move { work(&store, gateway, part).await })
            })
            .collect();
        for worked in working {
            let (refreshed, least) = worked.await.unwrap();
            report.refreshed += refreshed;
            report.least_life_left = report.least_life_left.min(least);
        }
    }
}

/// Refreshes some rows; how many, and the least life that an old token still had.
async fn work(
    store: &TokenStore,
    mut gateway: Gateway,
    rows: Vec<(DueRow, WallTime)>,
) -> (u64, Duration) {
    let mut least = Duration::MAX;
    let count = rows.len() as u64;
    for (row, begins) in rows {
        let latency = Duration::from_millis(5 + begins.as_millis() % 16);
        gateway.now = begins;
        let clock = move || begins.plus(latency);
        let with = RefreshWith {
            clock: &clock,
            deadline: begins.plus(Duration::from_secs(25)),
            gateway: &gateway,
            rescue: &NoRescueQueue,
        };
        let outcome = store.refresh(&row.key, Because::Due, &with).await.unwrap();
        assert_eq!(outcome, RefreshOutcome::Refreshed);
        least = least.min(LOGINS_AT.plus(ACCESS_LIFE).since(begins.plus(latency)));
    }
    (count, least)
}

fn key_of(subject: usize) -> TokenKey {
    TokenKey {
        app_id: "2021000000000001".into(),
        kind: TokenKind::User,
        subject: format!("2088{subject:012}"),
        scopes: "auth_user".into(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lateness = self.lateness.clone();
        lateness.sort();
        let at = |part: f64| {
            let place = (lateness.len().saturating_sub(1)) as f64 * part;
            lateness
                .get(place as usize)
                .map_or(0.0, Duration::as_secs_f64)
        };
        let seconds = self.refreshing.as_secs_f64();
        let hours: Vec<u64> = self
            .due_by_hour
            .iter()
            .copied()
            .filter(|&due| due > 0)
            .collect();
        let lead = (ACCESS_LIFE / 10).as_secs_f64();
        writeln!(f, "refreshed: {}", self.refreshed)?;
        writeln!(f, "due in a minute, at most: {}", self.most_due_in_a_minute)?;
        writeln!(f, "due by the hour: {hours:?}")?;
        writeln!(f, "waiting at a sweep, at most: {}", self.most_waiting)?;
        writeln!(
            f,
            "gateway calls in a second, at most: {}",
            self.most_calls_in_a_second
        )?;
        writeln!(
            f,
            "lateness in seconds: p50 {:.1}, p99 {:.1}, max {:.1} (the shortest lead: {lead} s)",
            at(0.5),
            at(0.99),
            at(1.0)
        )?;
        writeln!(
            f,
            "life that an old token had left, at least: {:.2} days",
            self.least_life_left.as_secs_f64() / DAY.as_secs_f64()
        )?;
        writeln!(f, "oldest first: {}", self.oldest_first)?;
        writeln!(
            f,
            "sweeps: {}, rows read: {}, {:.3} ms a sweep on average",
            self.sweeps,
            self.rows_read,
            self.sweeping.as_secs_f64() * 1000.0 / self.sweeps.max(1) as f64
        )?;
        write!(
            f,
            "refreshing took {seconds:.1} s: {:.0} refreshes a second",
            self.refreshed as f64 / seconds
        )
    }
}
