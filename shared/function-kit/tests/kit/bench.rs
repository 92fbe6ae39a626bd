//! A small function over the simulated gateway.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::{Call, Deadline, Gateway};
use function_kit::checked::{OpenId, Text, optional};
use function_kit::{
    Alipay, Apps, Caller, Failure, Function, Handler, Invocation, Outcome, Service, Success,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator::{AppOptions, SimulatedApp, Simulator};

pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
pub const TRADE_QUERY: &str = "alipay.trade.query";

pub fn gateway() -> Gateway {
    // Its timestamps are judged by the real time.
    Gateway::new(Arc::new(SystemTime::now)).unwrap()
}

pub fn soon() -> Deadline {
    Deadline::after(SystemTime::now(), Duration::from_secs(30))
}

pub fn invocation() -> Invocation {
    Invocation {
        request_id: REQUEST_ID.to_owned(),
        deadline: soon(),
    }
}

/// An app's entry in the document of apps.
pub fn entry(simulator: &Simulator, app: &SimulatedApp) -> Value {
    json!({
        "appid": app.app_id,
        "privateKey": app.private_key,
        "alipayPublicKey": app.alipay_public_key,
        "gateway": simulator.gateway_url(),
    })
}

/// What the small function is asked to do.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Task {
    #[default]
    Answer,
    /// Query a trade of which the gateway knows nothing.
    Query,
    FailInside,
    Unavailable,
    /// Send back what came, as a function with `needKey` does.
    Reveal,
}

#[derive(Deserialize)]
pub struct Input {
    #[serde(default)]
    task: Task,
    #[serde(default, deserialize_with = "optional")]
    text: Option<Text<8>>,
    #[serde(default, deserialize_with = "optional")]
    user: Option<OpenId>,
    #[serde(default, deserialize_with = "optional")]
    code: Option<Text<128>>,
}

#[derive(Serialize)]
pub struct Fields {
    appid: String,
    echo: Option<String>,
    user: Option<String>,
    revealed: Option<String>,
    caller: String,
}

/// Does as it is told.
#[derive(Clone)]
pub struct Obedient {
    pub alipay: Alipay,
}

impl Function for Obedient {
    const NAME: &'static str = "obedient";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        match input.task {
            Task::Answer | Task::Reveal => {}
            Task::Query => {
                let call = Call::new(TRADE_QUERY).with_biz_content(
                    json!({"out_trade_no": "none", "note": input.code.as_deref()}).to_string(),
                );
                self.alipay
                    .call(&caller.app, &call, caller.deadline)
                    .await?;
            }
            Task::FailInside => {
                let cause = "User: arn:aws:sts::123456789012:x is not authorized on table/tokens";
                return Err(Failure::internal(cause));
            }
            Task::Unavailable => {
                return Err(Failure::new(Outcome::TemporarilyUnavailable {
                    retry_after_seconds: 7,
                    advice: "wait".to_owned(),
                }));
            }
        }
        let revealed = input
            .code
            .filter(|_| matches!(input.task, Task::Reveal))
            .map(|code| code.to_string());
        Ok(Success::new(
            "ok",
            Fields {
                appid: caller.app.id().to_owned(),
                echo: input.text.map(|text| text.to_string()),
                user: input.user.map(|user| user.to_string()),
                revealed,
                caller: caller.fingerprint(),
            },
        ))
    }
}

/// The small function for two apps of one simulator.
pub struct Bench {
    pub simulator: Simulator,
    pub first: SimulatedApp,
    pub second: SimulatedApp,
    pub service: Service<Obedient>,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with_caller_keys(false).await
    }

    pub async fn with_caller_keys(allowed: bool) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let first = simulator.add_app(AppOptions::default());
        let second = simulator.add_app(AppOptions::default());
        let document = json!({
            "default": first.app_id,
            "apps": [entry(&simulator, &first), entry(&simulator, &second)],
        });
        let apps = Apps::from_document(&document.to_string().into(), None).unwrap();
        let clock = Arc::new(SystemTime::now);
        let alipay = Alipay::new(gateway(), apps, clock, allowed);
        let function = Obedient {
            alipay: alipay.clone(),
        };
        Self {
            simulator,
            first,
            second,
            service: Service::new(function, alipay),
        }
    }

    /// The answer to an event, whatever its form.
    pub async fn answer(&self, event: &str) -> Value {
        let answer = self.service.handle(event, invocation()).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// The envelope that a direct invoke gets.
    pub async fn direct(&self, arguments: &Value) -> Value {
        self.answer(&arguments.to_string()).await
    }

    /// Status, headers and envelope that an HTTP call gets.
    pub async fn http(&self, arguments: &Value) -> (u64, Value, Value) {
        open_http(
            &self
                .answer(&http_event(&arguments.to_string()).to_string())
                .await,
        )
    }
}

/// The event of an HTTP API (payload 2.0) for a `POST` of this body.
pub fn http_event(body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "POST /x", "rawPath": "/x", "rawQueryString": "",
        "headers": { "content-type": "application/json", "x-forwarded-for": "192.0.2.1" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a", "requestId": "r", "stage": "$default",
            "http": { "method": "POST", "path": "/x", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "agent" },
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// Takes an HTTP answer apart; fails when it is none.
pub fn open_http(answer: &Value) -> (u64, Value, Value) {
    let status = answer["statusCode"].as_u64().expect("a status");
    let body = answer["body"].as_str().expect("a body");
    assert_eq!(
        answer["headers"]["content-type"],
        "application/json; charset=utf-8"
    );
    assert_eq!(answer["isBase64Encoded"], false);
    (
        status,
        answer["headers"].clone(),
        serde_json::from_str(body).expect("a JSON body"),
    )
}
