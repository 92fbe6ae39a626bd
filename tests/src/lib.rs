//! The harness of the tests across crates: everything running in this process, on free loopback ports, called over real HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails by panicking"
)]

mod emulator;
mod events;
mod golden;
mod line;
mod logins;
mod orders;
mod powers;
mod queues;
mod reader;
mod token_rows;

use std::path::{Path, PathBuf};

use dev_server::{DevServer, Gateway, Options, apps_document};
use serde_json::{Value, json};
use simulator::{CodeOptions, Scope, SimulatedApp, Simulator};

pub use emulator::{Emulator, emulator_settings, function_binary};
pub use events::{Event, events_of};
pub use golden::check_golden;
pub use line::Line;
pub use logins::{WaitingLogin, encrypted_to};
pub use orders::{OWNER, PlacedOrder};
pub use powers::{Power, Settings};
pub use queues::Queues;
pub use reader::Reader;
pub use token_rows::TokenRow;

/// The project's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the project")
        .to_owned()
}

/// The development server with the simulated gateway, as `make run` starts it.
pub struct Stack {
    /// The server.
    pub server: DevServer,
    http: reqwest::Client,
}

impl Stack {
    /// Starts one on free ports.
    pub async fn start() -> Self {
        Self::of(DevServer::start(&Options::default()).await.unwrap())
    }

    /// With a server that was started with options of its own.
    pub fn of(server: DevServer) -> Self {
        Self {
            server,
            http: http_client(),
        }
    }

    /// One whose functions serve the apps of `document` (a file's content), with `simulator` behind it or not.
    pub async fn with_document(document: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), document).unwrap();
        Self::with_file(file.path()).await
    }

    /// The same with a file that stays, so that it can be changed under the running functions.
    pub async fn with_file(document: &Path) -> Self {
        let options = Options {
            config: Some(document.to_owned()),
            ..Options::default()
        };
        Self {
            server: DevServer::start(&options).await.unwrap(),
            http: http_client(),
        }
    }

    /// One whose login document has these `clients` after the client `local`.
    pub async fn with_clients(clients: &[Value]) -> Self {
        Self::with_login(|document| {
            let known = document["clients"].as_array_mut().unwrap();
            known.extend(clients.iter().cloned());
        })
        .await
    }

    /// One whose login document is changed before it starts.
    pub async fn with_login(change: impl FnOnce(&mut Value)) -> Self {
        let other = Self::start().await;
        let mut document: Value = serde_json::from_str(other.server.login().text()).unwrap();
        change(&mut document);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), document.to_string()).unwrap();
        let options = Options {
            login: Some(file.path().to_owned()),
            ..Options::default()
        };
        Self {
            server: DevServer::start(&options).await.unwrap(),
            http: http_client(),
        }
    }

    /// The simulated gateway.
    pub fn simulator(&self) -> &Simulator {
        &self.simulated().0
    }

    /// The app that was made in it.
    pub fn app(&self) -> &SimulatedApp {
        &self.simulated().1
    }

    fn simulated(&self) -> &(Simulator, SimulatedApp) {
        match self.server.gateway() {
            Gateway::Simulated(simulated) => simulated,
            Gateway::Configured => panic!("this stack has no simulator of its own"),
        }
    }

    /// A fresh login code of the simulator's first user.
    pub fn code(&self) -> String {
        let options = CodeOptions {
            scope: Scope::AuthUser,
            ..CodeOptions::default()
        };
        self.simulator().issue_code(&self.app().app_id, options)
    }

    /// Invokes a function directly.
    pub async fn invoke(&self, function: &str, arguments: &Value) -> Value {
        let url = format!(
            "{}/2015-03-31/functions/{function}/invocations",
            self.server.base_url()
        );
        let reply = self
            .http
            .post(url)
            .body(arguments.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 200);
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    /// Posts a body to a route; the status and the envelope.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> (u16, Value) {
        let url = format!("{}{path}", self.server.base_url());
        let reply = self.http.post(url).body(body.into()).send().await.unwrap();
        let status = reply.status().as_u16();
        (
            status,
            serde_json::from_str(&reply.text().await.unwrap()).unwrap(),
        )
    }

    /// Logs in over the public route.
    pub async fn log_in(&self, code: &str) -> (u16, Value) {
        self.post(
            "/openapi/alipay/auth/code2Session",
            json!({"code": code}).to_string(),
        )
        .await
    }

    /// The id_token of the simulator's first user, who logs in for it.
    pub async fn token(&self) -> String {
        let (status, answer) = self.log_in(&self.code()).await;
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    }

    /// Posts a body to a route as the user whose id_token `token` is; the status and the envelope.
    pub async fn post_as(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.base_url());
        let asked = self.http.post(url).bearer_auth(token);
        let reply = asked.body(body.to_string()).send().await.unwrap();
        let status = reply.status().as_u16();
        (
            status,
            serde_json::from_str(&reply.text().await.unwrap()).unwrap(),
        )
    }

    /// How many rows of the token table have a key that begins with `prefix`.
    pub async fn rows(&self, prefix: &str) -> usize {
        self.token_rows(prefix).await.len()
    }

    /// The document of its app, as a function's binary reads it.
    pub fn apps_document(&self) -> String {
        apps_document(self.simulator(), self.app())
    }

    /// Every setting that a function's binary can have, for the gateway, the table and the functions of this stack.
    pub fn settings(&self) -> Settings {
        Settings::of(self)
    }
}

/// A plain client for loopback. It follows no redirects and keeps no cookies.
pub fn http_client() -> reqwest::Client {
    // reqwest is built without a default TLS provider; loopback needs none, but it wants one to be named.
    let tls = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::aws_lc_rs::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
