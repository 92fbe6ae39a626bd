use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::Clock;
use embedded_event_bus::EmbeddedEventBus;
use function_kit::{Alipay, Apps, StartUpError};
use function_logins::Logins;
use function_payments::{NotifyUrl, Payments, Publisher};
use serde_json::json;
use simulator::{AppOptions, SimulatedApp, Simulator};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::DevServerError;
use crate::doors::{Authorizer, Doors, LANDING, router};
use crate::functions::{Functions, LocalPayments, PUBLISH_EVENTS, REFRESH_TOKENS};
use crate::local_login::LocalLogin;
use crate::local_table::{IDENTITY_TABLE, LocalTable, ORDER_TABLE};
use crate::schedule::{publish_every, sweep_every};

/// The name of the bus on this machine.
pub const EVENT_BUS: &str = "events";

/// What `request` may call for the simulated app.
const SIMULATED_METHODS: [&str; 3] = [
    "alipay.open.app.qrcode.create",
    "alipay.trade.query",
    "alipay.user.info.share",
];

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// A document of apps to use in place of the simulated gateway's.
    pub config: Option<PathBuf>,
    /// A login document to use in place of one that is made here.
    pub login: Option<PathBuf>,
    /// A folder in which the tables and the keys of what is in them are kept between runs; absent: in memory.
    pub data: Option<PathBuf>,
    /// How often `refresh-tokens` sweeps, as the schedule has it do on AWS ([`SCHEDULE`](crate::SCHEDULE)); absent: never by itself.
    pub schedule: Option<Duration>,
    /// How often `publish-events` runs ([`PUBLISHING`](crate::PUBLISHING)); absent: never by itself.
    pub publishing: Option<Duration>,
}

/// What stands behind the functions.
pub enum Gateway {
    /// The simulator, with the app that was made in it.
    Simulated(Box<(Simulator, SimulatedApp)>),
    /// Whatever the document of apps names.
    Configured,
}

/// The running development server. Ends when dropped.
pub struct DevServer {
    address: SocketAddr,
    gateway: Gateway,
    table: LocalTable,
    events: Arc<EmbeddedEventBus>,
    login: LocalLogin,
    functions: Functions,
    app_ids: Vec<String>,
    serving: JoinHandle<()>,
    scheduled: Vec<JoinHandle<()>>,
}

impl DevServer {
    /// Starts everything.
    ///
    /// # Errors
    /// Says what could not be had and which option changes it.
    pub async fn start(options: &Options) -> Result<Self, DevServerError> {
        let port = options.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|source| DevServerError::Port { port, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| DevServerError::Port { port, source })?;

        let table = LocalTable::start(options.data.as_deref()).await?;
        let tokens = table.tokens(address)?;
        let clock: Clock = Arc::new(SystemTime::now);
        let client = alipay_gateway::Gateway::new(clock.clone())?;
        let (gateway, alipay) = match &options.config {
            Some(file) => (
                Gateway::Configured,
                Alipay::from_file(client, file.clone(), clock)
                    .await
                    .map_err(|error| wrong_config(file, error))?,
            ),
            None => {
                let simulator = Simulator::start()
                    .await
                    .map_err(DevServerError::Simulator)?;
                let app = simulator.add_app(AppOptions::default());
                let document = apps_document(&simulator, &app);
                let apps = Apps::from_document(&document.into(), None)?;
                (
                    Gateway::Simulated(Box::new((simulator, app))),
                    Alipay::new(client, apps, clock, false),
                )
            }
        };
        let app_ids = alipay.app_ids();
        let base_url = base_url(address);
        let login = login(options, &app_ids, &base_url)?;
        let logins = Logins::new(
            table.client().clone(),
            IDENTITY_TABLE,
            login.document().clone(),
            &base_url,
        )?;
        let events = EmbeddedEventBus::start()
            .await
            .map_err(DevServerError::EventBus)?;
        let events = Arc::new(events);
        let orders = LocalPayments {
            payments: payments(&table, &events),
            notify_url: NotifyUrl::parse(&base_url).map_err(DevServerError::NotifyUrl)?,
        };
        let functions = Functions::new(&alipay, &tokens, &logins, &orders);
        let doors = Doors {
            functions: functions.clone(),
            authorizer: Authorizer::new(logins.issuer().clone(), audience(&login, &app_ids)),
            base_url,
            table: table.address(),
            events: Arc::clone(&events),
        };
        let service = router(doors).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the server ended");
            }
        });
        let sweeping = options
            .schedule
            .zip(functions.get(REFRESH_TOKENS).cloned())
            .map(|(interval, handler)| tokio::spawn(sweep_every(interval, handler)));
        let publishing = options
            .publishing
            .zip(functions.get(PUBLISH_EVENTS).cloned())
            .map(|(interval, handler)| tokio::spawn(publish_every(interval, handler)));
        Ok(Self {
            address,
            gateway,
            table,
            events,
            login,
            functions,
            app_ids,
            serving,
            scheduled: sweeping.into_iter().chain(publishing).collect(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        base_url(self.address)
    }

    /// What stands behind the functions.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The embedded DynamoDB.
    pub fn table(&self) -> &LocalTable {
        &self.table
    }

    /// The embedded event bus.
    pub fn events(&self) -> &EmbeddedEventBus {
        &self.events
    }

    /// The login document, with the issuer at [`base_url`](Self::base_url).
    pub fn login(&self) -> &LocalLogin {
        &self.login
    }

    /// The functions themselves.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// The configured app ids, the default one first.
    pub fn app_ids(&self) -> &[String] {
        &self.app_ids
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        self.serving.abort();
        self.scheduled.iter().for_each(JoinHandle::abort);
    }
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The orders in `table`, whose events go to `events`.
fn payments(table: &LocalTable, events: &EmbeddedEventBus) -> Payments {
    let client = embedded_event_bus::client(&events.endpoint());
    let publisher = Publisher::new(client, EVENT_BUS);
    Payments::new(table.client().clone(), ORDER_TABLE, publisher)
}

fn login(
    options: &Options,
    app_ids: &[String],
    base_url: &str,
) -> Result<LocalLogin, DevServerError> {
    match &options.login {
        Some(path) => LocalLogin::from_file(path),
        None => LocalLogin::generated(
            options.data.as_deref(),
            // A document of apps has one at least.
            app_ids.first().map_or("", String::as_str),
            &format!("{base_url}{LANDING}"),
        ),
    }
}

/// Whose id_tokens open the routes of signed-in users: those of all clients, and of the apps that have none.
fn audience(login: &LocalLogin, app_ids: &[String]) -> impl Iterator<Item = String> {
    let clients = login.document().clients().iter();
    clients
        .map(|client| client.id.clone())
        .chain(app_ids.iter().cloned())
}

/// Here the document is named by an option and not by a variable.
fn wrong_config(path: &Path, error: StartUpError) -> DevServerError {
    let problem = match error {
        StartUpError::Setting(error) => error.problem,
        other => other.to_string(),
    };
    DevServerError::Config {
        path: path.to_owned(),
        problem,
    }
}

/// The document of apps for an app of the simulator, as a user would write it.
pub fn apps_document(simulator: &Simulator, app: &SimulatedApp) -> String {
    let mut entry = json!({
        "appid": app.app_id,
        "privateKey": app.private_key,
        "gateway": simulator.gateway_url(),
        "pid": app.pid,
        "homePage": "pages/index/index",
        "requestMethods": SIMULATED_METHODS,
        "contentCheck": {"engine": "sync"},
    });
    if app.app_certificate.is_empty() {
        entry["alipayPublicKey"] = json!(app.alipay_public_key);
    } else {
        entry["appCert"] = json!(app.app_certificate);
        entry["alipayCert"] = json!(app.alipay_certificate);
        entry["alipayRootCert"] = json!(app.alipay_root_certificate);
    }
    if !app.aes_key.is_empty() {
        entry["aesKey"] = json!(app.aes_key);
    }
    json!({ "default": app.app_id, "apps": [entry] }).to_string()
}
