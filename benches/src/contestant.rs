//! One contestant: how it is started, and one running process of it with its times.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::fixtures::{APP_ID, Fixtures};
use crate::gateway_stub::GatewayReplies;
use crate::process_figures::{Memory, cpu_time};
use crate::quota::{Controller, Group, MEMORY_OF_ONE_CPU, Share};
use crate::runtime_api::{Answer, Event, RuntimeApi};
use crate::stub::Stub;
use crate::table_stub::TableReplies;
use crate::token_table::{IDENTITY_TABLE, ORDER_TABLE, TOKEN_TABLE};
use crate::{BenchError, cleanup};

/// Longer than any start or call takes, at the smallest share too.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether a silent process is still there.
const LOOK: Duration = Duration::from_millis(200);

/// How the contestants reach gateway and table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// HTTP.
    Plain,
    /// HTTPS, with certificates of this run.
    Tls,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Tls];

    /// As it stands in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "HTTP",
            Self::Tls => "TLS",
        }
    }
}

/// Gateway and table of one run by one transport, and the environment that leads there.
pub struct Stage {
    /// The gateway.
    pub gateway: Stub,
    /// The table.
    pub table: Stub,
    environment: Vec<(&'static str, OsString)>,
}

impl Stage {
    /// Starts the stubs; the gateway waits for `gateway_wait` before each reply.
    ///
    /// # Errors
    /// [`BenchError::System`], [`BenchError::Keys`].
    pub fn set(
        fixtures: &Fixtures,
        transport: Transport,
        gateway_wait: Duration,
    ) -> Result<Self, BenchError> {
        let tls = (transport == Transport::Tls).then(|| fixtures.tls());
        let replies = Arc::new(GatewayReplies::signed_with(fixtures.alipay_key())?);
        let gateway = Stub::start(replies, tls.clone(), gateway_wait)?;
        let replies = Arc::new(TableReplies::with(fixtures.rows()));
        let table = Stub::start(replies, tls, Duration::ZERO)?;
        let name = format!(
            "apps-{}.json",
            gateway.url().rsplit(':').next().unwrap_or("0")
        );
        let apps = fixtures.apps_document(&name, &gateway_address(&gateway), 1, &[])?;
        let environment = environment(fixtures, apps, &gateway, &table.url());
        Ok(Self {
            gateway,
            table,
            environment,
        })
    }

    /// Puts `value` in place of what the variable `name` was.
    pub fn change(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
    }
}

/// The gateway's address as the document of apps has it.
pub fn gateway_address(gateway: &Stub) -> String {
    format!("{}/gateway.do", gateway.url())
}

/// What every contestant is given: what Lambda sets, our functions' settings, and the same for the others under names of theirs.
fn environment(
    fixtures: &Fixtures,
    apps: PathBuf,
    gateway: &Stub,
    table: &str,
) -> Vec<(&'static str, OsString)> {
    let file = |name: &str| fixtures.path(name).into_os_string();
    let text = OsString::from;
    vec![
        ("PATH", text("/usr/local/bin:/usr/bin:/bin")),
        ("LANG", text("en_US.UTF-8")),
        ("TZ", text(":UTC")),
        ("AWS_LAMBDA_FUNCTION_NAME", text("bench")),
        ("AWS_LAMBDA_FUNCTION_VERSION", text("$LATEST")),
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", text("10")),
        ("AWS_LAMBDA_LOG_GROUP_NAME", text("/aws/lambda/bench")),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            text("2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef"),
        ),
        ("AWS_REGION", text("eu-central-1")),
        ("AWS_DEFAULT_REGION", text("eu-central-1")),
        ("AWS_ACCESS_KEY_ID", text("ASIA0123456789ABCDEF")),
        (
            "AWS_SECRET_ACCESS_KEY",
            text("0123456789abcdefghijklmnopqrstuvwxyzABCD"),
        ),
        ("AWS_ENDPOINT_URL_DYNAMODB", text(table)),
        // Nobody asks them: no token is old, and nothing is published.
        ("AWS_ENDPOINT_URL_LAMBDA", text(table)),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", text(table)),
        ("REFRESH_FUNCTION", text("refresh-tokens")),
        ("EVENT_BUS", text("payments")),
        ("NOTIFY_URL", text("https://login.example.com")),
        ("TOKEN_TABLE", text(TOKEN_TABLE)),
        ("IDENTITY_TABLE", text(IDENTITY_TABLE)),
        ("ORDER_TABLE", text(ORDER_TABLE)),
        ("ALIPAY_CONFIG_FILE", apps.into_os_string()),
        ("TOKEN_KEYS_FILE", file("token-keys.json")),
        ("REFRESH_TOKEN_KEYS_FILE", file("refresh-token-keys.json")),
        ("LOGIN_FILE", file("login.json")),
        ("LOGIN_ISSUER", text("https://login.example.com")),
        ("ALIPAY_APP_ID", text(APP_ID)),
        ("ALIPAY_PRIVATE_KEY_FILE", file("app-key.pem")),
        ("ALIPAY_PUBLIC_KEY_FILE", file("alipay-public-key.pem")),
        ("ALIPAY_GATEWAY", gateway_address(gateway).into()),
        ("BENCH_ROOT_FILE", file("root.pem")),
        ("NODE_EXTRA_CA_CERTS", file("root.pem")),
        ("AWS_CA_BUNDLE", file("root.pem")),
        ("REQUESTS_CA_BUNDLE", file("root.pem")),
        ("SSL_CERT_FILE", file("root.pem")),
    ]
}

/// The end of a log: what a process says of every call is not worth reading again.
fn last_lines(log: &str) -> String {
    const SHOWN: usize = 20;
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.len().saturating_sub(SHOWN);
    lines.get(first..).unwrap_or_default().join("\n")
}

/// A Lambda bootstrap and how it is started.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// As it stands in tables.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it is given beside the environment of all.
    pub environment: Vec<(&'static str, OsString)>,
}

/// The times of a start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cold {
    /// From the start of the process until it asks for its first event.
    pub init: Duration,
    /// From its first event to the whole answer.
    pub call: Duration,
}

impl Cold {
    /// From the start of the process to its first answer.
    pub fn first_reply(&self) -> Duration {
        self.init + self.call
    }
}

/// Judges an answer: what is wrong with it, `None` where it is right.
pub type Fault<'a> = &'a dyn Fn(&[u8]) -> Option<String>;

/// A running process. Ended when dropped.
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    api: RuntimeApi,
    started: Instant,
    log: NamedTempFile,
    group: Option<Group>,
}

impl Process {
    /// Starts `contestant` on `stage`, with `first` laid ready for it where there is one, and with a whole CPU.
    ///
    /// # Errors
    /// [`BenchError::System`].
    pub fn start(
        contestant: &Contestant,
        stage: &Stage,
        first: Option<&Event>,
    ) -> Result<Self, BenchError> {
        Self::start_with(contestant, stage, MEMORY_OF_ONE_CPU, first)
    }

    /// The same where it is told that it has `memory` MB: what a function does in INIT may depend on the CPU that comes with it.
    fn start_with(
        contestant: &Contestant,
        stage: &Stage,
        memory: u32,
        first: Option<&Event>,
    ) -> Result<Self, BenchError> {
        let failed = || BenchError::system(format!("starting {}", contestant.program.display()));
        let api = RuntimeApi::start()?;
        if let Some(event) = first {
            api.hand_out(event);
        }
        let log = NamedTempFile::new().map_err(failed())?;
        let append = || File::options().append(true).open(log.path());
        let mut command = Command::new(&contestant.program);
        command
            .args(&contestant.arguments)
            .env_clear()
            .envs(stage.environment.iter().map(|(name, value)| (name, value)))
            .envs(
                contestant
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string())
            .stdin(Stdio::null())
            .stdout(append().map_err(failed())?)
            .stderr(append().map_err(failed())?);
        let started = Instant::now();
        let child = command.spawn().map_err(failed())?;
        let pid = Pid::from_raw(child.id().cast_signed());
        cleanup::process_started(pid);
        Ok(Self {
            name: contestant.name.clone(),
            child,
            pid,
            api,
            started,
            log,
            group: None,
        })
    }

    /// A cold start at full CPU.
    ///
    /// # Errors
    /// [`BenchError::Contestant`] where it does not answer rightly, [`BenchError::System`].
    pub fn cold(
        contestant: &Contestant,
        stage: &Stage,
        event: &Event,
        fault: Fault<'_>,
    ) -> Result<(Self, Cold), BenchError> {
        let mut process = Self::start(contestant, stage, Some(event))?;
        let init = process.init()?;
        let call = process.answer(fault)?.took();
        Ok((process, Cold { init, call }))
    }

    /// A cold start as on Lambda: INIT with a full CPU, then `share` of one, from before the first event on.
    ///
    /// # Errors
    /// As [`Self::cold`].
    pub fn cold_at(
        contestant: &Contestant,
        stage: &Stage,
        (controller, share): (&Controller, Share),
        event: &Event,
        fault: Fault<'_>,
    ) -> Result<(Self, Cold), BenchError> {
        let mut process = Self::start_with(contestant, stage, share.memory, None)?;
        let init = process.init()?;
        process.limit(controller, share)?;
        process.api.hand_out(event);
        let call = process.answer(fault)?.took();
        Ok((process, Cold { init, call }))
    }

    /// From now on it has `share` of a CPU.
    ///
    /// # Errors
    /// [`BenchError::Contestant`] when no group could be made.
    pub fn limit(&mut self, controller: &Controller, share: Share) -> Result<(), BenchError> {
        let limited = controller.group(share).and_then(|group| {
            group.take(self.pid)?;
            Ok(group)
        });
        self.group = Some(limited.map_err(|reason| self.failed(reason))?);
        Ok(())
    }

    /// Waits for the end of INIT, and says how long it took.
    ///
    /// # Errors
    /// [`BenchError::Contestant`] when it ends or is silent.
    pub fn init(&mut self) -> Result<Duration, BenchError> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(first_next) = self.api.first_next(LOOK) {
                return Ok(first_next.duration_since(self.started));
            }
            self.check_alive(end, "asked for no event")?;
        }
    }

    /// One call of a process that has answered before.
    ///
    /// # Errors
    /// As [`Self::cold`].
    pub fn call(&mut self, event: &Event, fault: Fault<'_>) -> Result<Answer, BenchError> {
        self.settle()?;
        self.api.hand_out(event);
        self.answer(fault)
    }

    /// Waits until it waits for an event, with nothing left to do.
    ///
    /// # Errors
    /// As [`Self::init`].
    pub fn settle(&mut self) -> Result<(), BenchError> {
        let end = Instant::now() + PATIENCE;
        while !self.api.is_waiting(LOOK) {
            self.check_alive(end, "asked for no further event")?;
        }
        Ok(())
    }

    fn answer(&mut self, fault: Fault<'_>) -> Result<Answer, BenchError> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.api.answer(LOOK) {
                Some(Ok(answer)) => {
                    return match fault(&answer.body) {
                        None => Ok(answer),
                        Some(fault) => Err(self.failed(fault)),
                    };
                }
                Some(Err(error)) => return Err(self.failed(format!("it reported: {error}"))),
                None => self.check_alive(end, "gave no answer")?,
            }
        }
    }

    fn check_alive(&mut self, end: Instant, problem: &str) -> Result<(), BenchError> {
        let ended = self
            .child
            .try_wait()
            .map_err(BenchError::system("waiting for a process"))?;
        if let Some(status) = ended {
            return Err(self.failed(format!("it ended ({status}) and {problem}")));
        }
        if Instant::now() > end {
            return Err(self.failed(format!("it {problem} for {} s", PATIENCE.as_secs())));
        }
        Ok(())
    }

    fn failed(&self, problem: String) -> BenchError {
        BenchError::Contestant {
            name: self.name.clone(),
            problem,
            output: last_lines(&fs::read_to_string(self.log.path()).unwrap_or_default()),
        }
    }

    /// Time that it has been on a CPU.
    ///
    /// # Errors
    /// [`BenchError::Contestant`] when it is gone.
    pub fn cpu_time(&self) -> Result<Duration, BenchError> {
        cpu_time(self.pid).ok_or_else(|| self.failed("it is gone".to_owned()))
    }

    /// Its memory.
    ///
    /// # Errors
    /// [`BenchError::Contestant`] when it is gone.
    pub fn memory(&self) -> Result<Memory, BenchError> {
        Memory::of(self.pid).ok_or_else(|| self.failed("it is gone".to_owned()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        cleanup::process_ended(self.pid);
        // The group is removed by its own drop, after this.
    }
}
