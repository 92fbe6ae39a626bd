//! One app of a simulator with its document, and the program that examines it.

use std::process::{Command, Output};

use dev_server::apps_document;
use serde_json::Value;
use simulator::{AlipayCertificate, AppOptions, SimulatedApp, Simulator};

/// What the doctor says and whether it ends as a success.
pub struct Said {
    pub text: String,
    pub success: bool,
}

impl Said {
    pub fn has(&self, line: &str) -> &Self {
        assert!(self.text.contains(line), "no line {line:?} in\n{self}");
        self
    }

    pub fn has_not(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text:?} in\n{self}");
        self
    }

    pub fn fails(&self) -> &Self {
        assert!(!self.success, "{self}");
        self
    }

    pub fn is_all_well(&self) -> &Self {
        assert!(self.success, "{self}");
        self.has("All is well.").has_not("FAIL").has_not("warn")
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A simulator with one app, and that app's document.
pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    pub document: Value,
}

impl Bench {
    pub async fn new(options: AppOptions) -> Self {
        Self::with_alipays_certificate(options, None).await
    }

    pub async fn with_alipays_certificate(
        options: AppOptions,
        certificate: Option<AlipayCertificate>,
    ) -> Self {
        let simulator = Simulator::start().await.unwrap();
        if let Some(kind) = certificate {
            simulator.change_alipay_certificate(kind);
        }
        let app = simulator.add_app(options);
        let document = serde_json::from_str(&apps_document(&simulator, &app)).unwrap();
        Self {
            simulator,
            app,
            document,
        }
    }

    fn entry(&mut self) -> &mut Value {
        &mut self.document["apps"][0]
    }

    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.entry()[field] = value.into();
        self
    }

    /// The program as its user runs it.
    pub fn doctor(&self) -> Said {
        run(&self.document, &[], &[])
    }
}

pub fn in_key_mode() -> AppOptions {
    AppOptions {
        signed_error_responses: true,
        ..AppOptions::default()
    }
}

pub fn in_certificate_mode() -> AppOptions {
    AppOptions {
        certificates: true,
        ..in_key_mode()
    }
}

pub fn run(document: &Value, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .args(["doctor", "--config", file.to_str().unwrap()])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    for secret in secrets(document) {
        assert!(!said.contains(&secret), "a secret in\n{said}");
    }
    Said {
        text: said,
        success: status.success(),
    }
}

/// Every line of the private keys, and the AES keys.
fn secrets(document: &Value) -> Vec<String> {
    let apps = document["apps"].as_array().unwrap();
    let texts = |field: &'static str| apps.iter().filter_map(move |app| app[field].as_str());
    texts("privateKey")
        .chain(texts("aesKey"))
        .flat_map(str::lines)
        .filter(|line| line.len() > 12 && !line.starts_with("-----"))
        .map(str::to_owned)
        .collect()
}
