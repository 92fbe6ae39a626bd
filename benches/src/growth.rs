//! How the cost grows: with the size of a request, the number of apps, and the number of stored tokens.

use std::path::Path;
use std::time::{Duration, SystemTime};

use embedded_dynamodb::dynoxide::{ImportOptions, Item};
use serde::{Deserialize, Serialize};
use serde_json::json;
use token_store::{TokenKey, TokenKind, WallTime};
use tokio::runtime::Runtime;

use crate::contestant::gateway_address;
use crate::field::Places;
use crate::fixtures::{APP_ID, rsa_key};
use crate::gateway_stub::QR_CODE_URL;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::Section;
use crate::runtime_api::Event;
use crate::statistics::milliseconds;
use crate::table::{Table, figure};
use crate::token_table::{TOKEN_TABLE, TokenTable, of_table};
use crate::{BenchError, Contestant, Fixtures, Job, Process, Stage, Summary, Transport, job};

/// Bytes of `biz_content`.
const SIZES: [usize; 5] = [100, 1024, 10 * 1024, 64 * 1024, 256 * 1024];
const APPS: [usize; 4] = [1, 10, 100, 1_000];
const TOKENS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Rows that are due when a sweep is timed.
const DUE: usize = 100;
/// Rows that are imported at once.
const BATCH: u64 = 20_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How often each point is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Calls before those that count.
    pub unmeasured: usize,
    /// Warm calls.
    pub calls: usize,
    /// Cold starts and sweeps.
    pub starts: usize,
}

impl Repeats {
    /// What `make bench` does.
    pub const FULL: Self = Self {
        unmeasured: 20,
        calls: 100,
        starts: 10,
    };
    /// To see that everything works.
    pub const QUICK: Self = Self {
        unmeasured: 2,
        calls: 5,
        starts: 2,
    };
}

/// A request of one size, by the release binary `generic-request`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfSize {
    /// Bytes of `biz_content`.
    pub bytes: usize,
    /// Milliseconds of each warm call.
    pub warm_ms: Vec<f64>,
    /// CPU milliseconds of a warm call, the mean.
    pub cpu_ms: f64,
}

/// A document with so many apps, by the release binary `get-mini-code`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfApps {
    /// How many.
    pub apps: usize,
    /// Bytes of the document.
    pub document_bytes: u64,
    /// Milliseconds of INIT, each cold start.
    pub init_ms: Vec<f64>,
    /// Milliseconds of each warm call.
    pub warm_ms: Vec<f64>,
    /// Peak memory in bytes.
    pub peak: u64,
}

/// A table with so many tokens, by the release binaries `code2session` and `refresh-tokens` over the embedded DynamoDB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfTokens {
    /// Rows in the table.
    pub tokens: u64,
    /// Milliseconds of each login: a claim, an account, and the tokens.
    pub login_ms: Vec<f64>,
    /// Milliseconds of each sweep that finds [`Self::due`] rows and refreshes them.
    pub sweep_ms: Vec<f64>,
    /// Rows that were due.
    pub due: usize,
    /// Milliseconds of each sweep that finds nothing due.
    pub empty_sweep_ms: Vec<f64>,
}

/// The three curves: what the JSON file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// What it was made with.
    pub machine: Machine,
    /// How often.
    pub repeats: Repeats,
    /// By the size of a request.
    pub sizes: Vec<OfSize>,
    /// By the number of apps.
    pub apps: Vec<OfApps>,
    /// By the number of tokens.
    pub tokens: Vec<OfTokens>,
}

/// Measures all three curves; the last one up to `most_tokens` rows.
///
/// # Errors
/// A binary that is not there or answers wrongly; the system's.
pub fn grow(
    places: &Places,
    repeats: Repeats,
    most_tokens: u64,
    machine: Machine,
) -> Result<Growth, BenchError> {
    let fixtures = Fixtures::make()?;
    let growing = Growing {
        places,
        repeats,
        fixtures: &fixtures,
    };
    Ok(Growth {
        machine,
        repeats,
        sizes: growing.by_size()?,
        apps: growing.by_apps()?,
        tokens: growing.by_tokens(most_tokens)?,
    })
}

struct Growing<'a> {
    places: &'a Places,
    repeats: Repeats,
    fixtures: &'a Fixtures,
}

impl Growing<'_> {
    fn function(&self, name: &str) -> Result<Contestant, BenchError> {
        Ok(Contestant {
            name: name.to_owned(),
            program: Places::function(&self.places.functions, name)?,
            arguments: Vec::new(),
            environment: Vec::new(),
        })
    }

    fn stage(&self) -> Result<Stage, BenchError> {
        Stage::set(self.fixtures, Transport::Plain, Duration::ZERO)
    }

    /// All sizes by one process, in turns.
    fn by_size(&self) -> Result<Vec<OfSize>, BenchError> {
        let stage = self.stage()?;
        let fault = |answer: &[u8]| job::fault(answer, QR_CODE_URL);
        let event = |bytes: usize, number: usize| {
            let event = json!({
                "method": "alipay.open.app.qrcode.create",
                "data": {"bizContent": biz_content(bytes)},
            });
            Event::new(&format!("size-{bytes}-{number}"), &event.to_string())
        };
        let contestant = self.function("generic-request")?;
        let (mut process, _) = Process::cold(&contestant, &stage, &event(100, 0), &fault)?;
        let mut points: Vec<OfSize> = SIZES
            .map(|bytes| OfSize {
                bytes,
                warm_ms: Vec::new(),
                cpu_ms: 0.0,
            })
            .into();
        let rounds = self.repeats.unmeasured + self.repeats.calls;
        let mut progress = Progress::of("requests of growing size, rounds", rounds);
        for round in 0..rounds {
            for point in &mut points {
                let event = event(point.bytes, round);
                process.settle()?;
                let before = process.cpu_time()?;
                let answer = process.call(&event, &fault)?;
                process.settle()?;
                let used = process.cpu_time()?.saturating_sub(before);
                if round >= self.repeats.unmeasured {
                    point.warm_ms.push(milliseconds(answer.took()));
                    point.cpu_ms += milliseconds(used) / self.repeats.calls as f64;
                }
            }
            progress.step();
        }
        Ok(points)
    }

    fn by_apps(&self) -> Result<Vec<OfApps>, BenchError> {
        let mut stage = self.stage()?;
        let contestant = self.function(Job::GetMiniCode.name())?;
        let fault = |answer: &[u8]| Job::GetMiniCode.fault(answer);
        let event = |number| Job::GetMiniCode.event(number);
        let more_keys = (0..4).map(|_| rsa_key()).collect::<Result<Vec<_>, _>>()?;
        let mut points = Vec::new();
        let mut progress = Progress::of("documents of more apps", APPS.len());
        for apps in APPS {
            let name = format!("apps-{apps}-of-growth.json");
            let gateway = gateway_address(&stage.gateway);
            let document = self
                .fixtures
                .apps_document(&name, &gateway, apps, &more_keys)?;
            let document_bytes = size_of(&document)?;
            stage.change("ALIPAY_CONFIG_FILE", document);
            let mut init_ms = Vec::new();
            for start in 0..=self.repeats.starts {
                let (_process, cold) = Process::cold(&contestant, &stage, &event(start), &fault)?;
                if start > 0 {
                    init_ms.push(milliseconds(cold.init));
                }
            }
            let (mut process, _) = Process::cold(&contestant, &stage, &event(0), &fault)?;
            let mut warm_ms = Vec::new();
            for number in 0..self.repeats.unmeasured + self.repeats.calls {
                let took = milliseconds(process.call(&event(number), &fault)?.took());
                if number >= self.repeats.unmeasured {
                    warm_ms.push(took);
                }
            }
            points.push(OfApps {
                apps,
                document_bytes,
                init_ms,
                warm_ms,
                peak: process.memory()?.peak,
            });
            progress.step();
        }
        Ok(points)
    }

    /// One table that is filled further for each point.
    fn by_tokens(&self, most: u64) -> Result<Vec<OfTokens>, BenchError> {
        let runtime = Runtime::new().map_err(BenchError::system("the async runtime"))?;
        let database = TokenTable::start(&runtime, self.fixtures)?;
        let mut stage = self.stage()?;
        stage.change("AWS_ENDPOINT_URL_DYNAMODB", database.embedded.endpoint());
        let login = self.function(Job::Code2Session.name())?;
        let sweeper = self.function("refresh-tokens")?;
        let mut points = Vec::new();
        let mut number = 0;
        for tokens in TOKENS.into_iter().filter(|&tokens| tokens <= most) {
            database.fill_to(
                points.last().map_or(0, |point: &OfTokens| point.tokens),
                tokens,
            )?;
            let mut progress = Progress::of(
                format!("a table of {tokens} tokens, sweeps"),
                self.repeats.starts,
            );
            let fault = |answer: &[u8]| Job::Code2Session.fault(answer);
            let mut next = || {
                number += 1;
                Job::Code2Session.event(number)
            };
            let (mut process, _) = Process::cold(&login, &stage, &next(), &fault)?;
            let mut login_ms = Vec::new();
            for call in 0..self.repeats.unmeasured + self.repeats.calls {
                let took = milliseconds(process.call(&next(), &fault)?.took());
                if call >= self.repeats.unmeasured {
                    login_ms.push(took);
                }
            }
            drop(process);

            let sweep = Event::new("sweep", r#"{"sweep":{}}"#);
            let found =
                |due: usize| move |answer: &[u8]| job::fault(answer, &format!("\"due\":{due}"));
            let (mut process, _) = Process::cold(&sweeper, &stage, &sweep, &found(0))?;
            let (mut sweep_ms, mut empty_sweep_ms) = (Vec::new(), Vec::new());
            for _ in 0..self.repeats.starts {
                database.make_due()?;
                sweep_ms.push(milliseconds(process.call(&sweep, &found(DUE))?.took()));
                empty_sweep_ms.push(milliseconds(process.call(&sweep, &found(0))?.took()));
                progress.step();
            }
            points.push(OfTokens {
                tokens,
                login_ms,
                sweep_ms,
                due: DUE,
                empty_sweep_ms,
            });
        }
        Ok(points)
    }
}

fn size_of(path: &Path) -> Result<u64, BenchError> {
    let read = std::fs::metadata(path);
    Ok(read
        .map_err(|error| BenchError::system(path.display().to_string())(error))?
        .len())
}

/// A JSON object of so many bytes, nearly all of them one text.
fn biz_content(bytes: usize) -> String {
    const FRAME: &str =
        r#"{"url_param":"pages/index/index","query_param":"a=1&b=2","describe":""}"#;
    let padding = "x".repeat(bytes.saturating_sub(FRAME.len()));
    FRAME.replace(r#""describe":"""#, &format!(r#""describe":"{padding}""#))
}

impl TokenTable<'_> {
    /// Adds rows that stand in the table and in its index as others do, are due in a year, and are never opened.
    fn fill_to(&self, from: u64, to: u64) -> Result<(), BenchError> {
        let batches = usize::try_from((to - from).div_ceil(BATCH)).unwrap_or(usize::MAX);
        let mut progress = Progress::of(format!("filling a table to {to} tokens, parts"), batches);
        let in_a_year = WallTime::from(SystemTime::now())
            .plus(DAY * 365)
            .as_millis();
        let mut first = from;
        while first < to {
            let last = (first + BATCH).min(to);
            let rows = (first..last)
                .map(|number| row(number, in_a_year))
                .collect::<Result<Vec<_>, _>>()?;
            self.embedded
                .database()
                .import_items(TOKEN_TABLE, rows, ImportOptions::default())
                .map_err(of_table)?;
            first = last;
            progress.step();
        }
        Ok(())
    }

    /// Stores tokens of users who logged in so long ago that the next sweep finds them.
    fn make_due(&self) -> Result<(), BenchError> {
        let logged_in = WallTime::from(SystemTime::now()).minus(DAY * 14);
        for number in 0..DUE {
            let key = TokenKey {
                kind: TokenKind::User,
                app_id: APP_ID.to_owned(),
                subject: format!("due-{number:045}"),
                scopes: String::new(),
            };
            self.put_login(&key, logged_in)?;
        }
        Ok(())
    }
}

/// A row as long as a stored login's.
fn row(number: u64, due_at: u64) -> Result<Item, BenchError> {
    let sealed = "A".repeat(120);
    let row = json!({
        "pk": {"S": format!("user#{APP_ID}#filling-{number:041}")},
        "sk": {"S": "TOKEN"},
        "generation": {"N": "1"},
        "grant_id": {"S": format!("{number:032}")},
        "commit_id": {"S": format!("{number:032}")},
        "state": {"S": "active"},
        "key_id": {"S": "bench"},
        "refresh_key_id": {"S": "bench"},
        "access_token_sealed": {"B": sealed},
        "refresh_token_sealed": {"B": sealed},
        "committed_at": {"N": due_at.to_string()},
        "expires_at": {"N": due_at.to_string()},
        "refresh_expires_at": {"N": due_at.to_string()},
        "due_shard": {"S": format!("16#{:03}", number % 16)},
        "due_at": {"N": (due_at + number).to_string()},
    });
    serde_json::from_value(row).map_err(of_table)
}

impl Growth {
    /// The curves as tables.
    pub fn sections(&self) -> Vec<Section> {
        let of = |values: &[f64]| {
            Summary::of(values).map_or_else(
                || [String::new(), String::new()],
                |summary| [figure(summary.median), figure(summary.p99)],
            )
        };
        let mut sizes = Table::new(&["biz_content, bytes", "warm p50 ms", "p99 ms", "CPU ms"]);
        for point in &self.sizes {
            let [p50, p99] = of(&point.warm_ms);
            sizes.row([point.bytes.to_string(), p50, p99, figure(point.cpu_ms)]);
        }
        let mut apps = Table::new(&[
            "apps",
            "document, KB",
            "INIT p50 ms",
            "warm p50 ms",
            "p99 ms",
            "peak MB",
        ]);
        for point in &self.apps {
            let [init, _] = of(&point.init_ms);
            let [p50, p99] = of(&point.warm_ms);
            apps.row([
                point.apps.to_string(),
                figure(point.document_bytes as f64 / 1000.0),
                init,
                p50,
                p99,
                figure(point.peak as f64 / crate::goals::MEGABYTE),
            ]);
        }
        let mut tokens = Table::new(&[
            "tokens",
            "login p50 ms",
            "p99 ms",
            "sweep, nothing due, ms",
            "sweep and refresh of 100, ms",
        ]);
        for point in &self.tokens {
            let [p50, p99] = of(&point.login_ms);
            let [empty, _] = of(&point.empty_sweep_ms);
            let [sweep, _] = of(&point.sweep_ms);
            tokens.row([point.tokens.to_string(), p50, p99, empty, sweep]);
        }
        let section = |title: &str, table| Section {
            title: title.to_owned(),
            table,
            notes: Vec::new(),
        };
        vec![
            section("generic-request by the size of biz_content", sizes),
            Section {
                title: "get-mini-code by the number of apps".to_owned(),
                table: apps,
                notes: vec![
                    "A document of apps may have 4 MiB as a file; a secret in Secrets Manager has 64 KiB, which is about 30 apps with RSA-2048 keys.".to_owned(),
                ],
            },
            section(
                "code2session and refresh-tokens by the number of stored tokens (embedded DynamoDB, in memory)",
                tokens,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biz_content_is_json_of_the_size_asked_for() {
        for bytes in SIZES {
            let text = biz_content(bytes);
            assert_eq!(text.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
}
