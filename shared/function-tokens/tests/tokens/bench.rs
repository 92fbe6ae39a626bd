//! A table of its own for each test, one app at the simulated gateway, and a clock that can be moved on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use alipay_gateway::methods::{UserGrant, exchange_code, user_grant};
use alipay_gateway::{Deadline, Gateway};
use aws_sdk_dynamodb::Client;
use embedded_dynamodb::{EmbeddedDynamoDb, client_at};
use function_kit::{
    Alipay, Apps, Caller, Failure, Function, Handler, Invocation, Outcome, Service, Success,
};
use function_tokens::{
    Because, Begun, ClaimToken, DueShards, Keyring, Login, Once, RefreshFunction, RefreshOutcome,
    RefreshRequest, StoreError, TokenKey, TokenKeys, Tokens,
};
use serde_json::json;
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};
use table_rows::MovableClock;
use token_store::NoRescueQueue;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

use crate::lambda::Lambda;

const TABLE: &str = "tokens";

pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    pub alipay: Alipay,
    /// Of a process that has all keys.
    pub tokens: Tokens,
    pub clock: MovableClock,
    client: Client,
    _dynamodb: Option<EmbeddedDynamoDb>,
    _held: Option<TcpSocket>,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with_app(AppOptions::default()).await
    }

    pub async fn with_app(options: AppOptions) -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        token_store::create_table(&client, TABLE).await.unwrap();
        Self {
            _dynamodb: Some(dynamodb),
            ..Self::over(client, options).await
        }
    }

    /// With a table that nobody serves.
    pub async fn without_a_store() -> Self {
        // Held and never listened at, so that no other test is given the port meanwhile.
        let held = TcpSocket::new_v4().unwrap();
        held.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let client = client_at(held.local_addr().unwrap());
        Self {
            _held: Some(held),
            ..Self::over(client, AppOptions::default()).await
        }
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
            tokens: keeping(&client),
            simulator,
            app,
            clock,
            client,
            _dynamodb: None,
            _held: None,
        }
    }

    /// As another process with all keys has them: nothing in memory is shared.
    pub fn other_process(&self) -> Tokens {
        keeping(&self.client)
    }

    /// Of a process that has no keys for refresh tokens and asks `lambda`.
    pub fn reading(&self, lambda: &Lambda) -> Tokens {
        let function = RefreshFunction::new(lambda.client(), "refresh-tokens");
        Tokens::reading(self.client.clone(), TABLE, keyring('A'), function)
    }

    /// Moves the clocks of this process and of the gateway's tokens.
    pub fn move_on(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance_clock(by);
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
        self.login_with(CodeOptions::default()).await
    }

    pub async fn login_with(&self, options: CodeOptions) -> (UserGrant, SystemTime) {
        let code = self.simulator.issue_code(&self.app.app_id, options);
        let caller = self.caller(Duration::from_secs(20)).await;
        let asked_at = self.clock.now();
        let reply = self
            .alipay
            .call(&caller.app, &exchange_code(&code.into()), caller.deadline)
            .await
            .unwrap();
        (user_grant(&reply).unwrap(), asked_at)
    }

    /// The right to do something once, which nobody else asks for.
    pub async fn claim(&self) -> ClaimToken {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let key = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        let once = Once {
            function: "test",
            key: &key,
            same: &[],
            keep: Duration::from_secs(60),
            takeover: true,
            mismatch: "",
        };
        let caller = self.caller(Duration::from_secs(20)).await;
        match self
            .tokens
            .begin::<String>(&once, &self.alipay, &caller)
            .await
            .unwrap()
        {
            Begun::First(claim) => claim,
            Begun::Repeat(_) => panic!("it was not done before"),
        }
    }

    /// Keeps what a login of this app granted.
    pub async fn keep(&self, scope: Option<&str>, granted: &UserGrant, asked_at: SystemTime) {
        let login = Login {
            app_id: &self.app.app_id,
            auth_app_id: None,
            scope,
            granted,
            asked_at,
        };
        let claim = self.claim().await;
        let seen = self.tokens.look(&login).await;
        self.tokens
            .keep_login(&login, seen, claim, &"")
            .await
            .unwrap();
    }

    /// What a process with all keys makes of a row, as the function `refresh-tokens` does.
    pub async fn refresh(
        &self,
        key: TokenKey,
        because: Because,
    ) -> Result<RefreshOutcome, StoreError> {
        let request = RefreshRequest::new(key, because);
        let deadline = Deadline::after(self.clock.now(), Duration::from_secs(30));
        self.tokens
            .refresh(&self.alipay, &request, deadline, &NoRescueQueue)
            .await
    }
}

fn keeping(client: &Client) -> Tokens {
    let keys = TokenKeys::for_keeping(keyring('A'), keyring('B'));
    Tokens::keeping(client.clone(), TABLE, keys, DueShards::default())
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

/// A keyring of one key, whose bytes are told by `letter`.
fn keyring(letter: char) -> Keyring {
    let document = format!(
        r#"{{"active":"2026-11","keys":{{"2026-11":"{}="}}}}"#,
        letter.to_string().repeat(42) + "A"
    );
    Keyring::from_json(&document.into()).unwrap()
}
