//! What the function asks of the table of tokens for somebody who has logged in before, over an embedded DynamoDB and with the simulator
//! as Alipay.
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use alipay_gateway::{Deadline, Gateway};
use code2session::Code2Session;
use embedded_dynamodb::{EmbeddedDynamoDb, Fault, Proxy, client_at};
use function_kit::{Alipay, Apps, Handler, Invocation, Service};
use function_logins::{LoginDocument, Logins};
use function_tokens::{DueShards, Keyring, TokenKeys, Tokens};
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};

const TOKEN_TABLE: &str = "tokens";
const IDENTITY_TABLE: &str = "identity";
const ISSUER: &str = "https://login.example.com";

/// The function, with a proxy that sees what it asks of the table of tokens and of no other.
struct Bench {
    simulator: Simulator,
    app: SimulatedApp,
    function: Service<Code2Session>,
    token_table: Proxy,
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    async fn new() -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(AppOptions::default());
        let apps = json!({"apps": [{
            "appid": app.app_id,
            "privateKey": app.private_key,
            "alipayPublicKey": app.alipay_public_key,
            "gateway": simulator.gateway_url(),
        }]});
        let apps = Apps::from_document(&apps.to_string().into(), None).unwrap();
        let gateway = Gateway::new(Arc::new(SystemTime::now)).unwrap();
        let alipay = Alipay::new(gateway, apps, Arc::new(SystemTime::now), false);

        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        token_store::create_table(&client, TOKEN_TABLE)
            .await
            .unwrap();
        identity::create_identity_table(&client, IDENTITY_TABLE)
            .await
            .unwrap();
        let token_table = Proxy::before(dynamodb.address()).await.unwrap();
        let keys = TokenKeys::for_keeping(keyring('A'), keyring('B'));
        let tokens = Tokens::keeping(
            client_at(token_table.address),
            TOKEN_TABLE,
            keys,
            DueShards::default(),
        );
        // Any RSA key will do for signing tokens.
        let document = json!({
            "signing": {"2026-11": {"privateKey": app.private_key, "signFrom": "2026-11-01T00:00:00Z"}},
            "sessions": {"active": "2026-11", "keys": {"2026-11": key('C')}},
        });
        let document = LoginDocument::from_json(&document.to_string().into()).unwrap();
        let logins = Logins::new(client, IDENTITY_TABLE, document, ISSUER).unwrap();
        Self {
            function: Service::new(Code2Session::new(alipay.clone(), tokens, logins), alipay),
            simulator,
            app,
            token_table,
            _dynamodb: dynamodb,
        }
    }

    /// A login of the simulator's first user, and what it asked of the table of tokens.
    async fn log_in(&self) -> Vec<String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let code = self
            .simulator
            .issue_code(&self.app.app_id, CodeOptions::default());
        let invocation = Invocation {
            request_id: format!("r-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            deadline: Deadline::after(SystemTime::now(), Duration::from_secs(20)),
        };
        let event = json!({"code": code}).to_string();
        let answer = self.function.handle(&event, invocation).await;
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        assert_eq!(answer["code"], 0, "{answer}");
        self.token_table.take_operations()
    }
}

/// 32 bytes in base64, told by `letter`.
fn key(letter: char) -> String {
    format!("{}A=", letter.to_string().repeat(42))
}

fn keyring(letter: char) -> Keyring {
    let document = json!({"active": "2026-11", "keys": {"2026-11": key(letter)}});
    Keyring::from_json(&document.to_string().into()).unwrap()
}

#[tokio::test]
async fn a_first_login_and_a_later_one_make_one_transaction_each() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        let operations = bench.log_in().await;
        assert_eq!(operations, ["PutItem", "GetItem", "TransactWriteItems"]);
    }
}

#[tokio::test]
async fn a_login_for_which_nobody_could_look_is_a_login_all_the_same() {
    let bench = Bench::new().await;
    bench.log_in().await;
    let denied = Fault::Answer {
        status: 400,
        code: "AccessDeniedException",
    };
    for fault in [denied, Fault::Silence] {
        bench.token_table.arm("GetItem", fault, usize::MAX);
        let operations = bench.log_in().await;
        // The first of the two is refused, and hands back the row.
        let writes = ["TransactWriteItems"; 2];
        assert_eq!(operations, [&["PutItem", "GetItem"], &writes[..]].concat());
        assert_eq!(bench.token_table.suffered(), 1, "{fault:?}");
    }
}
