use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::{Clock, Deadline, Gateway};
use aws_credential_types::Credentials;
use aws_sdk_lambda::config::{BehaviorVersion, Config, Region};
use dev_server::LOCAL_CLIENT;
use function_kit::{Alipay, Apps, Handler, Invocation, Service};
use function_tokens::{Keyring, RefreshFunction, Tokens};
use serde_json::{Value, json};
use user_info::UserInfo;

use crate::Stack;

/// `user-info` as one more environment of Lambda has it: with its own clients, locks and copies in memory, but in this process.
#[derive(Clone)]
pub struct Reader {
    service: Service<UserInfo>,
    app_id: String,
}

impl Reader {
    /// One that has tokens refreshed by the stack's own `refresh-tokens`.
    pub fn start(stack: &Stack) -> Self {
        Self::with_refresh_function(stack, &stack.server.base_url(), "refresh-tokens")
    }

    /// One that invokes `refresh_function` at the Lambda of `invoke_api` instead.
    pub fn with_refresh_function(stack: &Stack, invoke_api: &str, refresh_function: &str) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("local"))
            .credentials_provider(Credentials::from_keys("local", "local", None))
            .endpoint_url(invoke_api)
            .build();
        let client = aws_sdk_lambda::Client::from_conf(config);
        let table = stack.server.table();
        let tokens = Tokens::reading(
            table.client().clone(),
            dev_server::TOKEN_TABLE,
            Keyring::from_json(&table.keys().to_owned().into()).unwrap(),
            RefreshFunction::new(client, refresh_function),
        );
        let clock: Clock = Arc::new(SystemTime::now);
        let apps = Apps::from_document(&stack.apps_document().into(), None).unwrap();
        let alipay = Alipay::new(Gateway::new(clock.clone()).unwrap(), apps, clock, false);
        Self {
            service: Service::new(UserInfo::new(alipay.clone(), tokens), alipay),
            app_id: stack.app().app_id.clone(),
        }
    }

    /// Asks for the profile of `openid`, who is signed in, as API Gateway hands a request over; the whole answer, with `statusCode` and
    /// `headers`.
    pub async fn profile(&self, openid: &str) -> Value {
        let claims = json!({
            "aud": LOCAL_CLIENT,
            "sub": "0".repeat(32),
            "app_id": self.app_id,
            "openid": openid,
        });
        let event = json!({
            "version": "2.0",
            "requestContext": {
                "http": {"method": "POST", "path": "/", "sourceIp": "127.0.0.1"},
                "authorizer": {"jwt": {"claims": claims, "scopes": null}},
            },
            "body": "{}",
        });
        let invocation = Invocation {
            request_id: "test".to_owned(),
            deadline: Deadline::after(SystemTime::now(), Duration::from_secs(15)),
        };
        let answer = self.service.handle(&event.to_string(), invocation).await;
        let mut answer: Value = serde_json::from_str(answer.get()).unwrap();
        answer["body"] = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        answer
    }
}
