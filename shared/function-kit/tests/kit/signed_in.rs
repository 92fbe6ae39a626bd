//! The user who is signed in (security cases G-01, G-03).

use std::sync::Arc;
use std::time::SystemTime;

use function_kit::checked::{OpenId, optional};
use function_kit::{
    Access, Alipay, Apps, Caller, Failure, Function, Handler, Service, SignedIn, Success,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator::{AppOptions, SimulatedApp, Simulator};

use crate::bench::{TRADE_QUERY, entry, gateway, http_event, invocation, open_http};

/// Says whom it serves. `ACCESS` of a type is a constant, so there is one function for each.
#[derive(Clone)]
struct Serves<const ACCESS: u8>(Alipay);

const PUBLIC: u8 = 0;
const SIGNED_IN: u8 = 1;
const SERVER_SIDE: u8 = 2;

#[derive(Deserialize)]
struct Input {
    #[serde(default, deserialize_with = "optional")]
    openid: Option<OpenId>,
}

#[derive(Serialize)]
struct Fields {
    appid: String,
    uid: Option<String>,
    merchant: Option<String>,
    client: Option<String>,
    subject: Option<String>,
}

impl<const ACCESS: u8> Function for Serves<ACCESS> {
    const NAME: &'static str = "serves";
    const ACCESS: Access = match ACCESS {
        PUBLIC => Access::Public,
        SIGNED_IN => Access::SignedIn,
        _ => Access::ServerSide,
    };
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let subject = caller.subject(input.openid.as_ref())?;
        let call = alipay_gateway::Call::new(TRADE_QUERY)
            .with_biz_content(json!({"out_trade_no": "none"}).to_string());
        // That the app is asked at all is what is counted.
        self.0.answer_to(caller, &call).await.ok();
        let user = caller.user.as_ref();
        Ok(Success::new(
            "ok",
            Fields {
                appid: caller.app.id().to_owned(),
                uid: user.map(|user| user.uid.clone()),
                merchant: user.and_then(|user| user.auth_app_id.clone()),
                client: user.map(|user| user.client_id.clone()),
                subject: subject.map(|openid| openid.to_string()),
            },
        ))
    }
}

struct Bench {
    simulator: Simulator,
    first: SimulatedApp,
    second: SimulatedApp,
    alipay: Alipay,
}

impl Bench {
    async fn new() -> Self {
        let simulator = Simulator::start().await.unwrap();
        let first = simulator.add_app(AppOptions::default());
        let second = simulator.add_app(AppOptions::default());
        let document = json!({
            "default": first.app_id,
            "apps": [entry(&simulator, &first), entry(&simulator, &second)],
        });
        let apps = Apps::from_document(&document.to_string().into(), None).unwrap();
        let alipay = Alipay::new(gateway(), apps, Arc::new(SystemTime::now), true);
        Self {
            simulator,
            first,
            second,
            alipay,
        }
    }

    /// The claims of a user of the second app, which is not the default one.
    fn claims(&self) -> Value {
        json!({
            "iss": "https://login.example.com", "sub": "u1", "aud": "client-1", "app_id": self.second.app_id, "openid": "2088000000000001",
            "iat": "1795341600", "exp": "1795348800",
        })
    }

    async fn answer<const ACCESS: u8>(&self, event: &Value) -> Value {
        let service = Service::new(Serves::<ACCESS>(self.alipay.clone()), self.alipay.clone());
        let answer = service.handle(&event.to_string(), invocation()).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    /// Status and envelope for a user of `claims` who sends `arguments`.
    async fn signed_in(&self, claims: &Value, arguments: &Value) -> (u64, Value) {
        let event = event(
            json!({"jwt": {"claims": claims, "scopes": null}}),
            arguments,
        );
        let (status, _, body) = open_http(&self.answer::<SIGNED_IN>(&event).await);
        (status, body)
    }
}

fn event(authorizer: Value, arguments: &Value) -> Value {
    let mut event = http_event(&arguments.to_string());
    event["requestContext"]["authorizer"] = authorizer;
    event
}

#[tokio::test]
async fn who_is_signed_in_needs_to_name_neither_the_app_nor_themselves() {
    let bench = Bench::new().await;
    let own = json!({"appid": bench.second.app_id, "openid": "2088000000000001"});
    for arguments in [json!({}), json!({"appid": "", "openid": ""}), own] {
        let (status, body) = bench.signed_in(&bench.claims(), &arguments).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            body,
            json!({
                "code": 0, "msg": "ok", "appid": bench.second.app_id, "uid": "u1", "merchant": null, "client": "client-1",
                "subject": "2088000000000001",
            })
        );
    }
    let mut of_merchant = bench.claims();
    of_merchant["auth_app_id"] = json!("2021000000000009");
    let (_, body) = bench.signed_in(&of_merchant, &json!({})).await;
    assert_eq!(body["merchant"], "2021000000000009");
}

#[tokio::test]
async fn another_app_or_another_user_than_the_own_is_forbidden() {
    let bench = Bench::new().await;
    for (arguments, named) in [
        (json!({"appid": bench.first.app_id}), "appid"),
        // Whether it exists is not said.
        (json!({"appid": "2021999999999999"}), "appid"),
        (json!({"openid": "2088000000000002"}), "openid"),
        (json!({"openid": "o1"}), "openid"),
        (json!({"privateKey": "x"}), "privateKey"),
    ] {
        let (status, body) = bench.signed_in(&bench.claims(), &arguments).await;
        assert_eq!(
            (status, &body["error"]),
            (403, &json!("forbidden")),
            "{arguments}"
        );
        let message = body["msg"].as_str().unwrap();
        assert!(message.starts_with(named), "{message}");
    }
    assert_eq!(bench.simulator.received().len(), 0);
}

#[tokio::test]
async fn a_user_whose_app_is_configured_no_longer_gets_no_other_one() {
    let bench = Bench::new().await;
    let mut claims = bench.claims();
    claims["app_id"] = json!("2021999999999999");
    let (status, body) = bench.signed_in(&claims, &json!({})).await;
    assert_eq!((status, &body["error"]), (404, &json!("unknown_app")));
}

#[tokio::test]
async fn without_the_claims_of_a_login_of_ours_nobody_is_signed_in() {
    let bench = Bench::new().await;
    let claims = bench.claims();
    let without = |name: &str| {
        let mut claims = bench.claims();
        claims.as_object_mut().unwrap().remove(name);
        json!({"jwt": {"claims": claims}})
    };
    let with = |name: &str, value: Value| {
        let mut claims = bench.claims();
        claims[name] = value;
        json!({"jwt": {"claims": claims}})
    };
    for authorizer in [
        json!(null),
        json!({}),
        json!("jwt"),
        json!({"jwt": null}),
        json!({"jwt": {"claims": null}}),
        json!({"jwt": {"claims": {}}}),
        // Other authorizers than that of JWTs.
        json!({"claims": claims}),
        json!({"lambda": {"claims": claims, "jwt": {"claims": claims}}}),
        json!({"iam": {"userArn": "arn", "claims": claims}}),
        claims.clone(),
        without("sub"),
        without("aud"),
        without("app_id"),
        without("openid"),
        with("sub", json!("")),
        with("sub", json!(7)),
        with("sub", json!(["u1"])),
        with("sub", json!("x".repeat(129))),
        with("app_id", json!(null)),
        with("openid", json!("a b")),
        with("auth_app_id", json!(7)),
    ] {
        let mut event = event(authorizer.clone(), &json!({}));
        // What the caller says counts for nothing.
        event["headers"]["authorization"] = json!("Bearer eyJhbGciOiJub25lIn0.e30.");
        event["authorizer"] = json!({"jwt": {"claims": claims}});
        let (status, _, body) = open_http(&bench.answer::<SIGNED_IN>(&event).await);
        assert_eq!(
            (status, &body["error"]),
            (401, &json!("unauthenticated")),
            "{authorizer}"
        );
    }
    // Before anything is read of the arguments.
    let event = http_event("not even JSON");
    let (status, _, _) = open_http(&bench.answer::<SIGNED_IN>(&event).await);
    assert_eq!(status, 401);
    assert_eq!(bench.simulator.received().len(), 0);
}

#[tokio::test]
async fn a_direct_invoke_names_app_and_user_itself() {
    let bench = Bench::new().await;
    let answer = bench.answer::<SIGNED_IN>(&json!({"openid": "o1"})).await;
    assert_eq!(
        (&answer["appid"], &answer["uid"], &answer["subject"]),
        (&json!(bench.first.app_id), &json!(null), &json!("o1"))
    );
    let answer = bench
        .answer::<SIGNED_IN>(&json!({"appid": bench.second.app_id}))
        .await;
    assert_eq!(
        (&answer["appid"], &answer["subject"]),
        (&json!(bench.second.app_id), &json!(null))
    );
}

#[tokio::test]
async fn functions_for_anybody_and_for_servers_know_no_user() {
    let bench = Bench::new().await;
    let arguments = json!({"appid": bench.first.app_id, "openid": "o1"});
    let event = event(json!({"jwt": {"claims": bench.claims()}}), &arguments);
    for answer in [
        bench.answer::<PUBLIC>(&event).await,
        bench.answer::<SERVER_SIDE>(&event).await,
    ] {
        let (status, _, body) = open_http(&answer);
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            (&body["appid"], &body["uid"], &body["subject"]),
            (&json!(bench.first.app_id), &json!(null), &json!("o1"))
        );
    }
}

#[test]
fn debug_shows_no_user() {
    let user = SignedIn {
        uid: "canary".to_owned(),
        app_id: "2021".to_owned(),
        openid: OpenId::try_from("canary".to_owned()).unwrap(),
        auth_app_id: None,
        client_id: "client-1".to_owned(),
    };
    assert_eq!(
        format!("{user:?}"),
        r#"SignedIn { app_id: "2021", client_id: "client-1", .. }"#
    );
}
