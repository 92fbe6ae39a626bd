use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};

use crate::powers::Settings;
use crate::{Power, Stack, http_client};

/// Where AWS's runtime interface emulator and the functions' binaries are: `LAMBDA_RIE` and `FUNCTION_BINARIES`, which `make
/// test` sets after it has built them. `None` when they are not set; a run that claims to be complete (`CI`) fails then.
pub fn emulator_settings() -> Option<(PathBuf, PathBuf)> {
    let read = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.exists())
    };
    let settings = read("LAMBDA_RIE").zip(read("FUNCTION_BINARIES"));
    assert!(
        settings.is_some() || std::env::var_os("CI").is_none(),
        "LAMBDA_RIE and FUNCTION_BINARIES must name the emulator and the folder of binaries; `make test` does that"
    );
    if settings.is_none() {
        // Written past the test runner, which shows what a passing test prints to nobody.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LAMBDA_RIE and FUNCTION_BINARIES are not set; `make test` sets them"
        );
    }
    settings
}

/// The binary of `function` in `binaries`: a file of its name as cargo makes it, or `<function>/bootstrap` as cargo-lambda does.
pub fn function_binary(binaries: &Path, function: &str) -> PathBuf {
    let path = binaries.join(function);
    if path.is_dir() {
        path.join("bootstrap")
    } else {
        path
    }
}

/// A function's release binary under AWS's runtime interface emulator.
pub struct Emulator {
    address: String,
    http: reqwest::Client,
    child: Child,
    log: NamedTempFile,
    _settings: Settings,
}

/// What the emulator calls every function.
const FUNCTION: &str = "function";

impl Emulator {
    /// Starts the binary of `function` with the gateway and table of `stack`, in an environment that holds the settings of its
    /// power and nothing else.
    pub async fn start(emulator: &Path, binaries: &Path, function: &str, stack: &Stack) -> Self {
        Self::start_with(emulator, binaries, function, stack, &[]).await
    }

    /// The same with `more` settings, which replace others of their name.
    pub async fn start_with(
        emulator: &Path,
        binaries: &Path,
        function: &str,
        stack: &Stack,
        more: &[(&str, &str)],
    ) -> Self {
        let (address, api) = (free_address(), free_address());
        let settings = stack.settings();
        let timeout = dev_server::timeout_of(function).as_secs().to_string();
        let log = NamedTempFile::new().unwrap();
        let child = Command::new(emulator)
            .args([
                "--runtime-interface-emulator-address",
                &address,
                "--runtime-api-address",
                &api,
            ])
            .arg(function_binary(binaries, function))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_LAMBDA_FUNCTION_NAME", function)
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_REGION", "local")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .envs(settings.for_power(Power::of(function)))
            .envs(more.iter().copied())
            .stdout(Stdio::from(append_to(log.path())))
            .stderr(Stdio::from(append_to(log.path())))
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .unwrap();
        let emulator = Self {
            address,
            http: http_client(),
            child,
            log,
            _settings: settings,
        };
        emulator.until_it_listens().await;
        emulator
    }

    /// Its Lambda for other functions: what their `AWS_ENDPOINT_URL_LAMBDA` and `REFRESH_FUNCTION` are to be.
    pub fn as_refresh_function(&self) -> [(&'static str, String); 2] {
        [
            (
                "AWS_ENDPOINT_URL_LAMBDA",
                format!("http://{}", self.address),
            ),
            ("REFRESH_FUNCTION", FUNCTION.to_owned()),
        ]
    }

    async fn until_it_listens(&self) {
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(&self.address).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await; // polls until the port is open
        }
        panic!("the emulator does not listen: {}", self.log());
    }

    /// Sends an event; the first one starts the function.
    pub async fn send(&self, event: &str) -> Value {
        let url = format!(
            "http://{}/2015-03-31/functions/{FUNCTION}/invocations",
            self.address
        );
        let reply = self
            .http
            .post(url)
            .body(event.to_owned())
            .send()
            .await
            .unwrap();
        let text = reply.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}\n{}", self.log()))
    }

    /// What emulator and function have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The emulator starts the function as its child; both are in the group that was made for them.
        let group = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Both output streams go into one file, so neither may write over the other.
fn append_to(path: &Path) -> File {
    File::options().append(true).open(path).unwrap()
}

/// Below the ports that systems hand out for port 0: between here and the emulator's own bind no other test can be given it.
fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    // Apart from what another run on this machine tries at the same time.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find_map(|port| {
            let listener = TcpListener::bind(("127.0.0.1", port)).ok()?;
            Some(listener.local_addr().ok()?.to_string())
        })
        .expect("a free port")
}
