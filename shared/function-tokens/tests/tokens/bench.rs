//! A table of its own for each test, one app at the simulated gateway, and a clock that can be moved on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use alipay_gateway::methods::{UserGrant, exchange_code, user_grant};
use alipay_gateway::{Clock, Deadline, Gateway};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use function_kit::{
    Alipay, Apps, Caller, Failure, Function, Handler, Invocation, Outcome, Service, Success,
};
use function_tokens::{Keyring, Tokens};
use serde_json::json;
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const TABLE: &str = "tokens";

/// The wall clock, which a test may move on.
#[derive(Clone, Default)]
pub struct MovableClock(Arc<AtomicU64>);

impl MovableClock {
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    pub fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    pub alipay: Alipay,
    pub tokens: Tokens,
    pub clock: MovableClock,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with_app(AppOptions::default()).await
    }

    pub async fn with_app(options: AppOptions) -> Self {
        let client = client_at(embedded_dynamodb().await);
        token_store::create_table(&client, TABLE).await.unwrap();
        Self::over(client, options).await
    }

    /// With a table that nobody serves.
    pub async fn without_a_store() -> Self {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        Self::over(client_at(address), AppOptions::default()).await
    }

    async fn over(client: Client, options: AppOptions) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(options);
        let document = json!({"apps": [{
            "appid": app.app_id,
            "privateKey": app.private_key,
            "alipayPublicKey": app.alipay_public_key,
            "gateway": simulator.gateway_url(),
        }]});
        let apps = Apps::from_document(&document.to_string().into(), None).unwrap();
        let clock = MovableClock::default();
        // The gateway's deadlines follow the moved clock, and so do its timestamps: a test moves it by less than ten minutes
        // where it calls the gateway.
        let gateway = Gateway::new(clock.clock()).unwrap();
        Self {
            alipay: Alipay::new(gateway, apps, clock.clock(), false),
            tokens: Tokens::new(client, TABLE, keyring()),
            simulator,
            app,
            clock,
        }
    }

    /// A caller whose deadline is so far away.
    pub async fn caller(&self, patience: Duration) -> Caller {
        self.caller_at(Deadline::after(self.clock.now(), patience))
            .await
    }

    /// Callers are made by the kit alone, so a function is called to get one.
    pub async fn caller_at(&self, deadline: Deadline) -> Caller {
        let (sender, receiver) = oneshot::channel();
        let catcher = Catcher(std::sync::Mutex::new(Some(sender)));
        let invocation = Invocation {
            request_id: "r-1".to_owned(),
            deadline,
        };
        Service::new(catcher, self.alipay.clone())
            .handle("{}", invocation)
            .await;
        receiver.await.unwrap()
    }

    /// A login at the gateway, as `code2session` makes it.
    pub async fn login(&self) -> (UserGrant, SystemTime) {
        let code = self
            .simulator
            .issue_code(&self.app.app_id, CodeOptions::default());
        let caller = self.caller(Duration::from_secs(20)).await;
        let asked_at = self.clock.now();
        let reply = self
            .alipay
            .call(&caller.app, &exchange_code(&code.into()), caller.deadline)
            .await
            .unwrap();
        (user_grant(&reply).unwrap(), asked_at)
    }
}

struct Catcher(std::sync::Mutex<Option<oneshot::Sender<Caller>>>);

impl Function for Catcher {
    const NAME: &'static str = "catcher";
    type Input = serde_json::Value;
    type Fields = ();

    async fn call(&self, _: serde_json::Value, caller: &Caller) -> Result<Success<()>, Failure> {
        let sender = self.0.lock().unwrap().take().unwrap();
        assert!(sender.send(caller.clone()).is_ok());
        Err(Failure::new(Outcome::Internal))
    }
}

pub fn keyring() -> Keyring {
    let document = format!(
        r#"{{"active":"2026-11","keys":{{"2026-11":"{}="}}}}"#,
        "A".repeat(43)
    );
    Keyring::from_json(&document.into()).unwrap()
}

async fn embedded_dynamodb() -> SocketAddr {
    let database = dynoxide::Database::memory().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    address
}

fn client_at(endpoint: SocketAddr) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(format!("http://{endpoint}"))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(Duration::from_millis(10)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(30))
                .build(),
        )
        .build();
    Client::from_conf(config)
}
