//! A table of its own for each test, an app at the simulated gateway, and a clock that can be moved on.

use std::net::SocketAddr;
use std::time::Duration;

use alipay_gateway::methods::{UserGrant, exchange_code, user_grant};
use alipay_gateway::{Deadline, Gateway};
use aws_sdk_dynamodb::Client;
use embedded_dynamodb::{EmbeddedDynamoDb, Fault, client_at};
use function_kit::{Alipay, Apps, Handler, Invocation};
use function_tokens::{DueShards, Keyring, TokenKey, TokenKeys, TokenKind, Tokens};
use refresh_tokens::{RefreshTokens, Settings};
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};
use table_rows::MovableClock;
use token_store::{Grant, Seen, WallTime};
use tokio::net::TcpSocket;

use crate::sqs::{REFRESH_QUEUE, RESCUE_QUEUE, Sqs};

const TABLE: &str = "tokens";
/// An app that no document names.
pub const UNKNOWN_APP: &str = "2021000000000999";
/// The life of a token in most of these tests; the shortest that the schedule takes care of.
pub const LIFE: Duration = Duration::from_secs(3600);
/// As long as the function may run.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a table answers that is written to too much.
pub const THROTTLED: Fault = Fault::Answer {
    status: 400,
    code: "ProvisionedThroughputExceededException",
};

pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    pub alipay: Alipay,
    pub endpoint: SocketAddr,
    client: Client,
    clock: MovableClock,
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    pub async fn new() -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        token_store::create_table(&client, TABLE).await.unwrap();
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(AppOptions::default());
        let document = json!({"apps": [{
            "appid": app.app_id,
            "privateKey": app.private_key,
            "alipayPublicKey": app.alipay_public_key,
            "gateway": simulator.gateway_url(),
        }]});
        let apps = Apps::from_document(&document.to_string().into(), None).unwrap();
        let clock = MovableClock::default();
        // The gateway's timestamps follow the moved clock: a test moves it by less than ten minutes where it calls the gateway.
        let gateway = Gateway::new(clock.clock()).unwrap();
        Self {
            alipay: Alipay::new(gateway, apps, clock.clock(), false),
            simulator,
            app,
            endpoint: dynamodb.address(),
            client,
            clock,
            _dynamodb: dynamodb,
        }
    }

    pub fn now(&self) -> WallTime {
        self.clock.wall_time()
    }

    pub fn move_on(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance_clock(by);
    }

    /// As a process with all keys has them.
    pub fn tokens(&self) -> Tokens {
        self.tokens_in("16")
    }

    pub fn tokens_in(&self, shards: &str) -> Tokens {
        tokens_over(self.client.clone(), shards)
    }

    /// The same, with their table behind a proxy.
    pub fn tokens_through(&self, proxy: SocketAddr) -> Tokens {
        tokens_over(client_at(proxy), "16")
    }

    /// The function without queues.
    pub fn alone(&self) -> RefreshTokens {
        self.function(self.tokens(), Settings::default())
    }

    /// The function with both queues of `sqs`.
    pub fn with_queues(&self, sqs: &Sqs) -> RefreshTokens {
        self.function(self.tokens(), queues(sqs))
    }

    /// The same, with its table behind `proxy`.
    pub fn with_queues_through(&self, sqs: &Sqs, proxy: SocketAddr) -> RefreshTokens {
        self.function(self.tokens_through(proxy), queues(sqs))
    }

    pub fn function(&self, tokens: Tokens, settings: Settings) -> RefreshTokens {
        RefreshTokens::new(self.alipay.clone(), tokens, settings)
    }

    pub async fn invoke(&self, function: &RefreshTokens, event: &Value) -> Value {
        self.invoke_within(function, event, TIMEOUT).await
    }

    pub async fn invoke_within(
        &self,
        function: &RefreshTokens,
        event: &Value,
        patience: Duration,
    ) -> Value {
        let invocation = Invocation {
            request_id: "r-1".to_owned(),
            deadline: Deadline::after(self.clock.now(), patience),
        };
        let answer = function.handle(&event.to_string(), invocation).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// What a sweep of everything says.
    pub async fn sweep(&self, function: &RefreshTokens) -> Value {
        let answer = self.invoke(function, &json!({})).await;
        assert_eq!(answer["code"], 0, "{answer}");
        answer["sweep"].clone()
    }

    /// A login of the user with this number at the gateway.
    pub async fn log_in(&self, user: usize) -> UserGrant {
        let code = self.simulator.issue_code(
            &self.app.app_id,
            CodeOptions {
                user: user_id(user),
                ..CodeOptions::default()
            },
        );
        let app = self.alipay.app_for_upkeep(&self.app.app_id).unwrap();
        let deadline = Deadline::after(self.clock.now(), TIMEOUT);
        let call = exchange_code(&code.into());
        let reply = self.alipay.call(&app, &call, deadline).await.unwrap();
        user_grant(&reply).unwrap()
    }

    /// The row of a login of this user, made so long ago.
    pub async fn log_in_ago(&self, user: usize, ago: Duration) -> UserGrant {
        let granted = self.log_in(user).await;
        self.put("16", &self.row(user), &granted, ago).await;
        granted
    }

    /// The row of a login so long ago, in the partitions of `shards`.
    pub async fn log_in_to(&self, shards: &str, user: usize, ago: Duration) {
        let granted = self.log_in(user).await;
        self.put(shards, &self.row(user), &granted, ago).await;
    }

    /// A row whose tokens the gateway does not know.
    pub async fn put_made_up(&self, key: &TokenKey, ago: Duration) {
        let granted = UserGrant {
            user_id: Some(key.subject.clone()),
            open_id: None,
            union_id: None,
            access_token: format!("access-{}", key.subject).into(),
            refresh_token: Some(format!("refresh-{}", key.subject).into()),
            expires_in: None,
            re_expires_in: None,
            auth_start: None,
        };
        self.put("16", key, &granted, ago).await;
    }

    /// The pair lives for [`LIFE`], as if it had been granted so long ago.
    async fn put(&self, shards: &str, key: &TokenKey, granted: &UserGrant, ago: Duration) {
        let start = self.now().minus(ago);
        let grant = Grant {
            access_token: granted.access_token.clone(),
            refresh_token: granted.refresh_token.clone(),
            expires_at: start.plus(LIFE),
            refresh_expires_at: Some(start.plus(30 * 24 * LIFE)),
        };
        let tokens = self.tokens_in(shards);
        let stored = tokens
            .store()
            .put_login(key, Seen::NOTHING, &grant, start, None)
            .await;
        stored.unwrap();
    }

    pub fn row(&self, user: usize) -> TokenKey {
        row_of(&self.app.app_id, user)
    }

    /// How many refreshes the gateway was asked for.
    pub fn refreshes(&self) -> u64 {
        self.simulator.refreshes_of_app(&self.app.app_id).received
    }

    /// The attributes of a row.
    pub async fn stored(
        &self,
        key: &TokenKey,
    ) -> std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
        let items = self.client.scan().table_name(TABLE).send().await.unwrap();
        let of_key = |item: &std::collections::HashMap<_, _>| {
            let text = |name: &str| {
                let value: Option<&aws_sdk_dynamodb::types::AttributeValue> = item.get(name);
                value.and_then(|value| value.as_s().ok().cloned())
            };
            let (pk, sk) = (text("pk").unwrap(), text("sk").unwrap());
            TokenKey::from_row(&pk, &sk).is_ok_and(|found| found == *key)
        };
        let found = items.items.unwrap_or_default().into_iter().find(of_key);
        found.unwrap()
    }

    pub async fn generation(&self, key: &TokenKey) -> u64 {
        let row = self.stored(key).await;
        row["generation"].as_n().unwrap().parse().unwrap()
    }

    /// Spoils the sealed refresh token of a row.
    pub async fn spoil(&self, key: &TokenKey) {
        let mut row = self.stored(key).await;
        let blob = aws_sdk_dynamodb::primitives::Blob::new([1; 64]);
        let value = aws_sdk_dynamodb::types::AttributeValue::B(blob);
        row.insert("refresh_token_sealed".to_owned(), value);
        let put = self.client.put_item().table_name(TABLE);
        put.set_item(Some(row)).send().await.unwrap();
    }
}

pub fn row_of(app_id: &str, user: usize) -> TokenKey {
    TokenKey {
        app_id: app_id.to_owned(),
        kind: TokenKind::User,
        subject: user_id(user),
        scopes: "default".to_owned(),
    }
}

pub fn user_id(user: usize) -> String {
    format!("2088{user:012}")
}

/// A message of a queue, as Lambda hands it over.
pub fn record(number: usize, body: &str) -> Value {
    json!({
        "messageId": format!("m{number}"),
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:1:refresh",
        "awsRegion": "eu-central-1",
    })
}

pub fn records(bodies: &[String]) -> Value {
    let records: Vec<Value> = (0..).zip(bodies).map(|(n, body)| record(n, body)).collect();
    json!({"Records": records})
}

/// The message that asks for this row.
pub fn due(key: &TokenKey) -> String {
    json!({"refresh": {
        "appid": key.app_id,
        "kind": "user",
        "subject": key.subject,
        "scopes": key.scopes,
        "because": "due",
    }})
    .to_string()
}

pub fn given_back(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let ids = failures
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned());
    ids.collect()
}

/// An address at which nobody listens, as long as it is held.
pub fn nobody() -> (SocketAddr, TcpSocket) {
    let held = TcpSocket::new_v4().unwrap();
    held.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (held.local_addr().unwrap(), held)
}

fn queues(sqs: &Sqs) -> Settings {
    Settings::default().with_queues(
        &sqs.client(),
        Some(REFRESH_QUEUE.to_owned()),
        Some(RESCUE_QUEUE.to_owned()),
    )
}

fn tokens_over(client: Client, shards: &str) -> Tokens {
    let keyring = |letter: &str| {
        let key = letter.repeat(42);
        let document = format!(r#"{{"active":"a","keys":{{"a":"{key}A="}}}}"#);
        Keyring::from_json(&document.into()).unwrap()
    };
    let keys = TokenKeys::for_keeping(keyring("A"), keyring("B"));
    let shards: DueShards = shards.parse().unwrap();
    Tokens::keeping(client, TABLE, keys, shards)
}
