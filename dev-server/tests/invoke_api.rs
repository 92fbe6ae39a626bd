//! The development server's Invoke API, called by AWS's own client and by curl.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

use std::process::Command;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Config, Region};
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use dev_server::{DevServer, Gateway, Options, TOKEN_TABLE};
use serde_json::{Value, json};
use simulator::CodeOptions;
use tokio::time::timeout;

/// Much longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn server() -> DevServer {
    DevServer::start(&Options::default()).await.unwrap()
}

fn client(server: &DevServer) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .endpoint_url(server.base_url())
        .build();
    Client::from_conf(config)
}

fn event(event: Value) -> Blob {
    Blob::new(event.to_string())
}

fn login(server: &DevServer) -> Blob {
    let Gateway::Simulated(simulated) = server.gateway() else {
        panic!("it is simulated");
    };
    let (simulator, app) = simulated.as_ref();
    let code = simulator.issue_code(&app.app_id, CodeOptions::default());
    event(json!({"code": code}))
}

async fn rows(server: &DevServer) -> i32 {
    let scan = server.table().client().scan().table_name(TOKEN_TABLE);
    scan.send().await.unwrap().count()
}

#[tokio::test]
async fn a_function_answers_whoever_waits_under_each_of_its_names() {
    let server = server().await;
    let arguments = json!({"path": "pages/index/index", "query": "a=1"});
    for name in [
        "launch-link",
        "launch-link:$LATEST",
        "123456789012:function:launch-link",
        "arn:aws:lambda:eu-central-1:123456789012:function:launch-link",
        "arn:aws:lambda:eu-central-1:123456789012:function:launch-link:live",
    ] {
        let invoking = client(&server).invoke().function_name(name);
        let reply = invoking.payload(event(arguments.clone())).send().await;
        let reply = reply.unwrap();
        assert_eq!((reply.status_code(), reply.function_error()), (200, None));
        assert_eq!(reply.executed_version(), Some("$LATEST"));
        assert!(reply.request_id().is_some_and(|id| !id.is_empty()));
        let answer: Value = serde_json::from_slice(reply.payload().unwrap().as_ref()).unwrap();
        assert_eq!(answer["code"], 0, "{name}: {answer}");
    }
}

#[tokio::test]
async fn an_unknown_function_is_the_error_that_the_sdk_knows() {
    let server = server().await;
    for name in [
        "decript",
        "arn:aws:lambda:eu-central-1:123456789012:function:decript",
    ] {
        let refused = client(&server).invoke().function_name(name).send().await;
        let error = refused.unwrap_err().into_service_error();
        let InvokeError::ResourceNotFoundException(error) = error else {
            panic!("{error:?}");
        };
        assert!(
            error
                .message()
                .unwrap()
                .contains("decript; there are app-auth, app-pay, code2session")
        );
    }
}

#[tokio::test]
async fn an_event_is_taken_at_once_and_worked_off_in_the_background() {
    let server = server().await;
    let reply = client(&server)
        .invoke()
        .function_name("code2session")
        .invocation_type(InvocationType::Event)
        .payload(login(&server))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status_code(), 202);
    assert_eq!(
        reply.payload().map_or(0, |payload| payload.as_ref().len()),
        0
    );
    // The login and its first answer.
    let both_are_there = async {
        while rows(&server).await < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, both_are_there).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_runs_nothing_and_still_knows_the_functions() {
    let server = server().await;
    let dry = |name: &str| {
        let invoking = client(&server).invoke().function_name(name);
        invoking
            .invocation_type(InvocationType::DryRun)
            .payload(login(&server))
            .send()
    };
    assert_eq!(dry("code2session").await.unwrap().status_code(), 204);
    let error = dry("decript").await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception());
    // Had it run, the gateway would have been called.
    let Gateway::Simulated(simulated) = server.gateway() else {
        panic!("it is simulated");
    };
    assert_eq!(simulated.0.received().len(), 0);
}

#[tokio::test]
async fn an_event_that_is_not_json_is_refused() {
    let server = server().await;
    let invoking = client(&server).invoke().function_name("decrypt");
    let refused = invoking.payload(Blob::new("{")).send().await;
    let error = refused.unwrap_err().into_service_error();
    assert!(error.is_invalid_request_content_exception(), "{error:?}");
}

/// The status line's number and the body.
fn curl(arguments: &[&str]) -> (String, String) {
    let output = Command::new("curl")
        .args(["-s", "-w", "\n%{http_code}"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_type_of_invocation_is_refused() {
    let server = server().await;
    let url = format!(
        "{}/2015-03-31/functions/decrypt/invocations",
        server.base_url()
    );
    let (status, body) = curl(&[&url, "-d", "{}", "-H", "x-amz-invocation-type: Later"]);
    assert_eq!(status, "400");
    assert!(body.contains("RequestResponse, Event or DryRun"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_the_developers_browser_invokes_anything() {
    let server = server().await;
    let url = format!(
        "{}/2015-03-31/functions/launch-link/invocations",
        server.base_url()
    );
    let event = r#"{"path":"pages/index/index"}"#;
    for said_by_browsers in [
        "origin: https://evil.example",
        "origin: null",
        "sec-fetch-site: cross-site",
    ] {
        // What a page of any site may post without asking first.
        let headers = ["-H", said_by_browsers, "-H", "content-type: text/plain"];
        let (status, body) = curl(&[&[&*url, "-d", event][..], &headers].concat());
        assert_eq!(status, "403", "{said_by_browsers}: {body}");
    }
    let (status, body) = curl(&[&url, "-d", event]);
    assert_eq!(status, "200", "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_table_is_can_be_asked_and_is_no_route_of_the_project() {
    let server = server().await;
    let url = format!("{}/_local/table", server.base_url());
    let (status, body) = curl(&[&url]);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, "200");
    let expected = json!({"endpoint": server.table().endpoint(), "table": TOKEN_TABLE});
    assert_eq!(body, expected);
    assert!(
        dev_server::ROUTES
            .iter()
            .all(|route| !route.path.starts_with("/_local"))
    );
}
