//! What the crate promises, through its public face: pure where it is pure, else over real HTTP to the simulator.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, one that is skipped says so; clippy.toml covers functions marked as tests \
              and not their helpers"
)]

mod calls;
mod certificates;
mod client_results;
mod connections;
mod deadlines;
mod encryption;
mod faults;
mod front_end_data;
mod login_strings;
mod newer_refresh_tokens;
mod notices;
mod order_strings;
mod outside_vectors;
mod redaction;
mod replies;
mod requests;
mod token_replies;
mod trades;
mod v3_calls;
mod v3_replies;
mod v3_requests;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use alipay_gateway::{
    App, AppCertificates, Call, Deadline, Gateway, GatewayError, KeyNeeded, Reply, UnverifiedReply,
};
use alipay_signing::certificate::{Certificate, RootCertificates};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{SigningKey, VerifyingKey};
use simulator::{AppOptions, SimulatedApp, Simulator};

const TRADE_QUERY: &str = "alipay.trade.query";
const OAUTH_TOKEN: &str = "alipay.system.oauth.token";

/// Two throw-away keys, made once for a run: for tests of pure functions the first is the app's, the second Alipay's.
static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| {
    // On a thread of its own, because the test that needs them first may be inside a runtime already.
    let keys = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let simulator = runtime.block_on(Simulator::start()).expect("a simulator");
        [(); 2].map(|()| {
            let app = simulator.add_app(AppOptions::default());
            SigningKey::from_text(&app.private_key).expect("a key")
        })
    });
    keys.join().expect("two keys")
});

fn app_key() -> &'static SigningKey {
    &KEYS[0]
}

fn alipay_key() -> &'static SigningKey {
    &KEYS[1]
}

/// An app for tests of pure functions.
fn app() -> App {
    App::new(
        "2021000000000000",
        app_key().clone(),
        alipay_key().verifying_key(),
        alipay_gateway::gateway_address("http://127.0.0.1:9/gateway.do").expect("a URL"),
    )
}

/// The same in certificate mode, and the private key of the certificate that is configured as Alipay's.
fn certified_app() -> (App, SigningKey) {
    let file = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/keys");
        std::fs::read_to_string(folder.join(name)).expect("a readable file")
    };
    let app = App {
        certificates: Some(AppCertificates {
            app_serial_number: "f".repeat(32),
            alipay: Certificate::from_text(&file("app-2048.crt")).expect("a certificate"),
            roots: RootCertificates::from_text(&file("roots.crt")).expect("the roots"),
        }),
        ..app()
    };
    let key = SigningKey::from_text(&file("app-2048.pkcs8.pem")).expect("its key");
    (app, key)
}

/// An app of the simulator, as its developer configures it here: with all that it was given.
fn configured(simulator: &Simulator, app: &SimulatedApp) -> App {
    let is_certified = !app.alipay_certificate.is_empty();
    let has_aes_key = !app.aes_key.is_empty();
    App {
        certificates: is_certified.then(|| AppCertificates {
            app_serial_number: app.app_cert_sn.clone(),
            alipay: Certificate::from_text(&app.alipay_certificate).expect("a certificate"),
            roots: RootCertificates::from_text(&app.alipay_root_certificate).expect("the roots"),
        }),
        content_key: has_aes_key.then(|| ContentKey::from_text(&app.aes_key).expect("an AES key")),
        ..App::new(
            &*app.app_id,
            SigningKey::from_text(&app.private_key).expect("a private key"),
            VerifyingKey::from_text(&app.alipay_public_key).expect("a public key"),
            alipay_gateway::gateway_address(&simulator.gateway_url()).expect("a URL"),
        )
    }
}

/// A simulator with one app, and a client.
struct Fixture {
    simulator: Simulator,
    gateway: Gateway,
    app: App,
}

impl Fixture {
    async fn with(options: AppOptions) -> Self {
        let simulator = Simulator::start().await.expect("a simulator");
        let registered = simulator.add_app(options);
        Self {
            gateway: Gateway::new(Arc::new(SystemTime::now)).expect("a client"),
            app: configured(&simulator, &registered),
            simulator,
        }
    }

    async fn new() -> Self {
        Self::with(AppOptions::default()).await
    }

    async fn call(&self, call: &Call) -> Result<Reply, GatewayError> {
        self.gateway.call(&self.app, call, far()).await
    }

    /// How many requests of any kind the gateway received since this was last asked.
    fn received(&self) -> usize {
        let received = self.simulator.received().len();
        self.simulator.clear_received();
        received
    }
}

/// A deadline that no test meets.
fn far() -> Deadline {
    Deadline::after(SystemTime::now(), Duration::from_secs(60))
}

fn query_of(out_trade_no: &str) -> Call {
    Call::new(TRADE_QUERY).with_biz_content(format!(r#"{{"out_trade_no":"{out_trade_no}"}}"#))
}

/// Judges a reply as the client does, with the keys that `app` is configured with.
fn verify_reply(
    app: &App,
    call: &Call,
    body: &[u8],
    content_type: Option<&str>,
    trace_id: Option<&str>,
) -> Result<Reply, GatewayError> {
    let reply = UnverifiedReply::read(app, call, body, content_type, trace_id)?;
    let key = match reply.key_needed(app, SystemTime::now())? {
        KeyNeeded::Configured(key) => key.clone(),
        KeyNeeded::OfCertificate(serial_number) => panic!("{serial_number} is not configured"),
    };
    reply.verify(app, call, &key)
}

/// `Reply` has no `Debug`, on purpose.
fn failure(result: Result<Reply, GatewayError>) -> GatewayError {
    match result {
        Ok(reply) => panic!("taken for a success: {}", reply.node()),
        Err(error) => error,
    }
}

/// A file of the outside vectors, which lie beside the project and not in it; `None` where they are absent.
fn vectors<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    Some(serde_json::from_str(&vector_text(name)?).expect("the expected JSON"))
}

fn vector_text(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    if !path.exists() {
        // Written past the test runner, which shows what a passing test prints to nobody.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {name} here");
        return None;
    }
    Some(std::fs::read_to_string(path).expect("a readable file"))
}
