//! Content encryption and protocol V3 as an app's settings, and `needEncrypt` as an input of every function.

use std::sync::Arc;
use std::time::SystemTime;

use alipay_gateway::{Call, GatewayError, Protocol};
use function_kit::{Alipay, Apps, Caller, Failure, Function, Handler, Service, Success};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator::{AppOptions, SimulatedApp, Simulator};

use crate::bench::{TRADE_QUERY, entry, gateway, http_event, invocation, open_http};
use crate::keys;

const KEY: &str = "Y2FuYXJ5YWVza2V5MTIzNA==";

fn written(members: &Value) -> Value {
    let mut entry = json!({
        "appid": "2021000000000001",
        "privateKey": keys::app().private_text(),
        "alipayPublicKey": keys::alipay().public_text(),
    });
    for (name, value) in members.as_object().unwrap() {
        entry[name] = value.clone();
    }
    json!({ "apps": [entry] })
}

fn read(members: &Value) -> Result<Apps, function_kit::AppsError> {
    Apps::from_document(&written(members).to_string().into(), None)
}

#[test]
fn an_app_has_its_aes_key_and_says_whether_it_is_used_unasked() {
    let apps = read(&json!({"aesKey": KEY})).unwrap();
    assert!(apps.default_app().app.content_key.is_some());
    assert!(!apps.default_app().need_encrypt);
    let apps = read(&json!({"aesKey": format!(" {KEY}\n"), "needEncrypt": true})).unwrap();
    assert!(apps.default_app().need_encrypt);
    assert!(
        read(&json!({}))
            .unwrap()
            .default_app()
            .app
            .content_key
            .is_none()
    );
}

#[test]
fn a_wrong_setting_of_encryption_protocol_or_pid_is_named_without_the_value() {
    for (members, field, mend) in [
        (json!({"aesKey": "canary"}), "aesKey", "接口内容加密方式"),
        (json!({"aesKey": ""}), "aesKey", "empty"),
        (json!({"aesKey": "Y2FuYXJ5"}), "aesKey", "must have 16"),
        (
            json!({"aesKey": "Y2FuYXJ5YWVza2V5MTIzNGNhbmFyeWFlc2tleTEyMzQ="}),
            "aesKey",
            "32 bytes",
        ),
        (json!({"needEncrypt": true}), "needEncrypt", "aesKey"),
        (json!({"protocol": "canary"}), "protocol", "v2 or v3"),
        (
            json!({"protocol": "v3", "signType": "RSA"}),
            "signType",
            "v3",
        ),
        (json!({"protocol": "v3", "charset": "GBK"}), "charset", "v3"),
        (json!({"pid": "2088canary000000"}), "pid", "2088"),
        (json!({"pid": "1088000000000001"}), "pid", "2088"),
        (json!({"pid": "208800000000001"}), "pid", "16 digits"),
    ] {
        let error = read(&members).unwrap_err();
        assert_eq!(error.field, format!("apps[0].{field}"));
        assert!(error.problem.contains(mend), "{mend}: {error}");
        let said = error.to_string();
        assert!(
            !said.contains("canary") && !said.contains("Y2FuYXJ5"),
            "{said}"
        );
    }
}

#[test]
fn the_protocol_is_v2_unless_an_app_says_v3() {
    let protocol = |members: Value| read(&members).unwrap().default_app().app.protocol;
    assert_eq!(protocol(json!({})), Protocol::V2);
    assert_eq!(protocol(json!({"protocol": "v2"})), Protocol::V2);
    assert_eq!(protocol(json!({"protocol": "V3"})), Protocol::V3);
    let apps = read(&json!({"pid": "2088000000000001"})).unwrap();
    assert_eq!(apps.default_app().pid.as_deref(), Some("2088000000000001"));
}

#[test]
fn an_order_string_is_signed_by_the_clock_and_encrypted_as_a_call_would_be() {
    let order = Call::new("alipay.trade.app.pay").with_biz_content(r#"{"subject":"tea"}"#);
    for protocol in ["v2", "v3"] {
        for need_encrypt in [false, true] {
            let settings =
                json!({"aesKey": KEY, "needEncrypt": need_encrypt, "protocol": protocol});
            let clock = Arc::new(|| SystemTime::UNIX_EPOCH);
            let alipay = Alipay::new(gateway(), read(&settings).unwrap(), clock, false);
            let app = alipay.app(None).unwrap();
            let text = alipay.order_string(&app, &order).unwrap();
            assert!(text.contains("&timestamp=1970-01-01%2008%3A00%3A00&"));
            assert_eq!(text.contains("encrypt_type=AES"), need_encrypt);
            assert_eq!(text.contains("tea"), !need_encrypt);
        }
    }
    let keyless = Alipay::new(
        gateway(),
        read(&json!({})).unwrap(),
        Arc::new(SystemTime::now),
        false,
    );
    let app = keyless.app(None).unwrap();
    let error = keyless.order_string(&app, &order.encrypted()).unwrap_err();
    assert!(matches!(error, GatewayError::Unbuildable { .. }), "{error}");
}

/// Makes one call of the method that it is told, with or without contents.
struct Calling {
    alipay: Alipay,
}

#[derive(Deserialize)]
struct Input {
    method: String,
    #[serde(default)]
    contents: Option<String>,
    #[serde(default)]
    upkeep: bool,
}

#[derive(Serialize)]
struct Nothing {}

impl Function for Calling {
    const NAME: &'static str = "calling";
    type Input = Input;
    type Fields = Nothing;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Nothing>, Failure> {
        let mut call = Call::new(input.method);
        call.biz_content = input.contents;
        let app = match input.upkeep {
            true => caller.app.for_upkeep(),
            false => caller.app.clone(),
        };
        match self.alipay.call(&app, &call, caller.deadline).await {
            // It went through and was understood.
            Err(GatewayError::Refused(refusal))
                if refusal.sub_code.as_deref() == Some("ACQ.TRADE_NOT_EXIST") => {}
            result => {
                result?;
            }
        }
        Ok(Success::new("ok", Nothing {}))
    }
}

struct Bench {
    simulator: Simulator,
    service: Service<Calling>,
}

impl Bench {
    async fn new(options: AppOptions, change: impl Fn(&mut Value, &SimulatedApp)) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(options);
        let mut entry = entry(&simulator, &app);
        change(&mut entry, &app);
        let document = json!({ "apps": [entry] }).to_string();
        let apps = Apps::from_document(&document.into(), None).unwrap();
        let alipay = Alipay::new(gateway(), apps, Arc::new(SystemTime::now), true);
        let function = Calling {
            alipay: alipay.clone(),
        };
        Self {
            simulator,
            service: Service::new(function, alipay),
        }
    }

    async fn with_aes_key(need_encrypt: bool) -> Self {
        Self::new(AppOptions::default(), |entry, app| {
            entry["aesKey"] = json!(app.aes_key);
            entry["needEncrypt"] = json!(need_encrypt);
        })
        .await
    }

    async fn answer(&self, arguments: &Value) -> Value {
        let event = http_event(&arguments.to_string()).to_string();
        let answer = self.service.handle(&event, invocation()).await;
        open_http(&serde_json::from_str(answer.get()).unwrap()).2
    }

    async fn direct_answer(&self, arguments: &Value) -> Value {
        let event = arguments.to_string();
        let answer = self.service.handle(&event, invocation()).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// Queries a trade by direct invoke; whether the contents arrived encrypted.
    async fn query_encrypted(&self, need_encrypt: Value) -> bool {
        let mut arguments =
            json!({"method": TRADE_QUERY, "contents": "{\"out_trade_no\":\"none\"}"});
        if !need_encrypt.is_null() {
            arguments["needEncrypt"] = need_encrypt;
        }
        let answer = self.direct_answer(&arguments).await;
        assert_eq!(answer["code"], 0, "{answer}");
        self.last_was_encrypted()
    }

    fn last_was_encrypted(&self) -> bool {
        let calls = self.simulator.received();
        calls
            .last()
            .unwrap()
            .parameters
            .iter()
            .any(|(name, value)| name == "encrypt_type" && value == "AES")
    }
}

#[tokio::test]
async fn the_callers_wish_comes_before_the_apps() {
    for apps_default in [false, true] {
        let bench = Bench::with_aes_key(apps_default).await;
        assert_eq!(bench.query_encrypted(Value::Null).await, apps_default);
        assert!(bench.query_encrypted(json!(true)).await);
        assert!(!bench.query_encrypted(json!(false)).await);
    }
}

/// Over HTTP a front end may be calling. What the app encrypts it cannot have sent in the clear.
#[tokio::test]
async fn a_caller_over_http_cannot_switch_the_apps_encryption_off() {
    let query = |wish: bool| json!({"method": TRADE_QUERY, "contents": "{\"out_trade_no\":\"none\"}", "needEncrypt": wish});
    let encrypting = Bench::with_aes_key(true).await;
    let answer = encrypting.answer(&query(false)).await;
    assert_eq!(answer["error"], "forbidden", "{answer}");
    assert!(encrypting.simulator.received().is_empty());
    assert_eq!(encrypting.answer(&query(true)).await["code"], 0);
    let plain = Bench::with_aes_key(false).await;
    assert_eq!(plain.answer(&query(false)).await["code"], 0);
}

#[tokio::test]
async fn a_wish_without_a_key_is_refused_before_anything_is_sent() {
    let bench = Bench::new(AppOptions::default(), |_, _| {}).await;
    let arguments = json!({"method": TRADE_QUERY, "contents": "{}", "needEncrypt": true});
    let answer = bench.answer(&arguments).await;
    assert_eq!(answer["error"], "invalid_argument");
    let said = answer["msg"].as_str().unwrap();
    assert!(
        said.starts_with("needEncrypt: ") && said.contains("aesKey"),
        "{said}"
    );
    assert!(bench.simulator.received().is_empty());
    let wrong = bench
        .answer(&json!({"method": "x", "needEncrypt": "yes"}))
        .await;
    assert_eq!(wrong["msg"], "needEncrypt: must be a boolean");
}

#[tokio::test]
async fn a_wish_for_a_call_that_has_no_contents_is_refused_and_the_apps_default_leaves_it_alone() {
    let bench = Bench::with_aes_key(true).await;
    let exchange = json!({"method": "alipay.system.oauth.token", "needEncrypt": true});
    let answer = bench.answer(&exchange).await;
    assert_eq!(answer["error"], "invalid_argument");
    assert!(
        answer["msg"].as_str().unwrap().contains("needEncrypt"),
        "{answer}"
    );
    assert!(bench.simulator.received().is_empty());

    // Refused for what it lacks, and not for being encrypted.
    let unasked = bench
        .answer(&json!({"method": "alipay.system.oauth.token"}))
        .await;
    assert_eq!(unasked["error"], "gateway_refused", "{unasked}");
    assert!(!bench.last_was_encrypted());
    // So are the calls that serve the one that was asked for.
    let mut upkeep = exchange;
    upkeep["upkeep"] = json!(true);
    let answer = bench.answer(&upkeep).await;
    assert_eq!(answer["error"], "gateway_refused", "{answer}");
}

/// V3 asks by GET, which has no body that could be encrypted, where V2 has contents.
#[tokio::test]
async fn the_apps_default_leaves_a_call_alone_that_its_protocol_cannot_encrypt() {
    let bench = Bench::new(AppOptions::default(), |entry, app| {
        entry["aesKey"] = json!(app.aes_key);
        entry["needEncrypt"] = json!(true);
        entry["protocol"] = json!("v3");
    })
    .await;
    let mut query = json!({
        "method": "alipay.open.auth.token.app.query",
        "contents": "{\"app_auth_token\":\"none\"}",
    });
    let answer = bench.answer(&query).await;
    assert_eq!(answer["error"], "gateway_refused", "{answer}");
    // A wish of the caller's own is not dropped in silence.
    query["needEncrypt"] = json!(true);
    let answer = bench.answer(&query).await;
    assert_eq!(answer["error"], "invalid_argument", "{answer}");
}

#[tokio::test]
async fn a_callers_key_does_not_fit_an_app_in_certificate_mode() {
    let options = AppOptions {
        certificates: true,
        ..AppOptions::default()
    };
    let bench = Bench::new(options, |entry, app| {
        entry["alipayPublicKey"] = Value::Null;
        entry["appCert"] = json!(app.app_certificate);
        entry["alipayCert"] = json!(app.alipay_certificate);
        entry["alipayRootCert"] = json!(app.alipay_root_certificate);
    })
    .await;
    assert!(!bench.query_encrypted(Value::Null).await);
    let arguments = json!({"method": TRADE_QUERY, "privateKey": keys::app().private_text()});
    let answer = bench.direct_answer(&arguments).await;
    assert_eq!(answer["error"], "invalid_argument");
    assert!(
        answer["msg"].as_str().unwrap().contains("certificate mode"),
        "{answer}"
    );
}
