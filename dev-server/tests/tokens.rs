//! `dev-server tokens` as a process, against a development server that runs in the test.
#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking; clippy.toml covers functions marked as tests and not their helpers"
)]

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alipay_gateway::Deadline;
use aws_sdk_dynamodb::types::AttributeValue;
use dev_server::{DevServer, Gateway, Options, TOKEN_TABLE};
use function_kit::Invocation;
use serde_json::{Value, json};
use simulator::{CodeOptions, SimulatedApp, SimulatedUser, Simulator};
use tokio::time::timeout;

const USER: &str = SimulatedUser::DEFAULT_USER_ID;
const MERCHANT: &str = "2021000000000101";
/// Much longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);
const HOUR: i64 = 3_600_000;

type Item = HashMap<String, AttributeValue>;

/// What the program says and whether it ends as a success.
struct Said {
    out: String,
    err: String,
    success: bool,
}

impl Said {
    #[track_caller]
    fn has(&self, text: &str) -> &Self {
        let Self { out, err, .. } = self;
        let all = format!("{out}{err}");
        assert!(all.contains(text), "no {text:?} in\n{all}");
        self
    }

    #[track_caller]
    fn ends(&self, success: bool) -> &Self {
        assert_eq!(self.success, success, "{}{}", self.out, self.err);
        self
    }
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .arg("tokens")
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Said {
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        success: status.success(),
    }
}

struct Bench {
    server: DevServer,
}

impl Bench {
    async fn new() -> Self {
        Self::with_schedule(None).await
    }

    async fn with_schedule(schedule: Option<Duration>) -> Self {
        let options = Options {
            schedule,
            ..Options::default()
        };
        Self {
            server: DevServer::start(&options).await.unwrap(),
        }
    }

    fn simulated(&self) -> &(Simulator, SimulatedApp) {
        match self.server.gateway() {
            Gateway::Simulated(simulated) => simulated,
            Gateway::Configured => panic!("it is simulated"),
        }
    }

    fn app_id(&self) -> &str {
        &self.simulated().1.app_id
    }

    async fn invoke(&self, function: &str, arguments: Value) -> Value {
        let invocation = Invocation {
            request_id: "test".to_owned(),
            deadline: Deadline::after(SystemTime::now(), Duration::from_secs(15)),
        };
        let handler = self.server.functions().get(function).unwrap();
        let answer = handler.handle(&arguments.to_string(), invocation).await;
        serde_json::from_str(answer.get()).unwrap()
    }

    async fn log_in(&self) {
        let (simulator, app) = self.simulated();
        let code = simulator.issue_code(&app.app_id, CodeOptions::default());
        let answer = self.invoke("code2session", json!({"code": code})).await;
        assert_eq!(answer["code"], 0, "{answer}");
    }

    async fn authorize(&self) {
        let (simulator, app) = self.simulated();
        let code = simulator.authorize_merchant(&app.app_id, MERCHANT);
        let answer = self
            .invoke("isv-auth-token", json!({"app_auth_code": code}))
            .await;
        assert_eq!(answer["code"], 0, "{answer}");
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let port = self.server.address().port().to_string();
        run(&[arguments, &["--port", &port]].concat(), &[])
    }

    fn refresh(&self, row: &[&str]) -> Said {
        self.run(&[&["refresh", "--appid", self.app_id()], row].concat())
    }

    fn list(&self) -> Value {
        let said = self.run(&["--json"]);
        said.ends(true);
        serde_json::from_str(&said.out).unwrap()
    }

    /// The row of the only user.
    async fn row(&self) -> Item {
        let client = self.server.table().client();
        let scan = client.scan().table_name(TOKEN_TABLE).consistent_read(true);
        let rows = scan.send().await.unwrap().items.unwrap();
        let is_users = |row: &Item| row["pk"].as_s().unwrap().contains("#USER#");
        rows.into_iter().find(is_users).unwrap()
    }

    async fn put(&self, row: Item) {
        let client = self.server.table().client();
        let put = client.put_item().table_name(TOKEN_TABLE);
        put.set_item(Some(row)).send().await.unwrap();
    }
}

/// So many milliseconds from now.
fn from_now(milliseconds: i64) -> AttributeValue {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    AttributeValue::N((now + milliseconds).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_says_how_to_fill_it() {
    let bench = Bench::new().await;
    bench
        .run(&[])
        .ends(true)
        .has("No tokens are stored")
        .has("auth.code2Session");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_by_app_and_kind_and_none_is_shown() {
    let bench = Bench::new().await;
    bench.log_in().await;
    bench.authorize().await;
    let said = bench.run(&[]);
    said.ends(true).has("Nothing is wrong.");
    let users = said
        .out
        .lines()
        .find(|line| line.contains(" users "))
        .unwrap();
    assert!(users.starts_with(bench.app_id()), "{users}");
    let merchants = said.out.lines().filter(|line| line.contains(" merchants "));
    assert_eq!(merchants.count(), 1, "{}", said.out);
    for out in [said.out, bench.run(&["--json"]).out] {
        assert!(!out.contains(USER) && !out.contains(MERCHANT), "{out}");
    }

    let list = bench.list();
    let app = &list["apps"][bench.app_id()];
    assert_eq!(app["users"]["active"], 1, "{list}");
    assert_eq!(app["merchants"]["active"], 1, "{list}");
    assert_eq!(
        (&list["wrong"], &list["table"]),
        (&json!([]), &json!("tokens"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_and_a_merchants_token_are_refreshed_on_demand() {
    let bench = Bench::new().await;
    bench.log_in().await;
    bench.authorize().await;
    let (simulator, app) = bench.simulated();
    bench
        .refresh(&["--openid", USER])
        .ends(true)
        .has("refreshed: a new pair of tokens is stored.");
    assert_eq!(simulator.refreshes_of_app(&app.app_id).done, 1);
    let said = bench.refresh(&["--auth-app-id", MERCHANT, "--json"]);
    assert_eq!(said.ends(true).out, "{\"outcome\":\"refreshed\"}\n");
    assert_eq!(simulator.refreshes_of_app(&app.app_id).done, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchants_user_has_a_row_of_its_own() {
    let bench = Bench::new().await;
    bench.log_in().await;
    bench
        .refresh(&["--openid", USER, "--merchant", MERCHANT])
        .ends(false)
        .has("gone:");
    bench
        .refresh(&["--openid", USER, "--scope", "other"])
        .ends(false)
        .has("gone: no such row is stored");
    // The same row as that of the app's own user, under both apps' name.
    let mut row = bench.row().await;
    let app_id = bench.app_id();
    let pk = AttributeValue::S(format!("APP#{app_id}@{MERCHANT}#USER#{USER}"));
    row.insert("pk".to_owned(), pk);
    bench.put(row).await;
    assert_eq!(bench.list()["apps"][app_id]["users"]["active"], 2);
    // It is found now; moved from its place, it does not open.
    let said = bench.refresh(&["--openid", USER, "--merchant", MERCHANT]);
    said.ends(false).has("refresh-tokens failed:");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_the_user_withdrew_is_in_doubt_and_counted_so() {
    let bench = Bench::new().await;
    bench.log_in().await;
    let (simulator, app) = bench.simulated();
    assert!(simulator.revoke(&app.app_id, USER) > 0);
    let said = bench.refresh(&["--openid", USER]);
    said.ends(false)
        .has("suspect: Alipay refused the refresh token")
        .has("in 2 min");
    let users = &bench.list()["apps"][bench.app_id()]["users"];
    assert_eq!(
        (&users["suspect"], &users["waiting"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_schedule_would_forget_is_wrong_and_a_refresh_mends_it() {
    let bench = Bench::new().await;
    bench.log_in().await;
    let mut row = bench.row().await;
    row.remove("due_shard");
    row.remove("due_at");
    row.insert("committed_at".to_owned(), from_now(-HOUR));
    bench.put(row).await;
    bench
        .run(&[])
        .ends(true)
        .has("wrong: 1 token is not in the index of due rows")
        .has("`tokens refresh`");
    bench.refresh(&["--openid", USER]).ends(true);
    bench.run(&[]).has("Nothing is wrong.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_refreshes_what_is_due() {
    let bench = Bench::with_schedule(Some(Duration::from_millis(20))).await;
    bench.log_in().await;
    let mut row = bench.row().await;
    assert_eq!(row["generation"], AttributeValue::N("1".to_owned()));
    row.insert("committed_at".to_owned(), from_now(-14 * 24 * HOUR));
    row.insert("expires_at".to_owned(), from_now(24 * HOUR));
    row.insert("due_at".to_owned(), from_now(-HOUR));
    bench.put(row).await;
    let is_refreshed = async {
        while bench.row().await["generation"] == AttributeValue::N("1".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, is_refreshed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_does_not_run_is_named() {
    let bench = Bench::new().await;
    bench.log_in().await;
    let mut row = bench.row().await;
    row.insert("committed_at".to_owned(), from_now(-14 * 24 * HOUR));
    row.insert("expires_at".to_owned(), from_now(24 * HOUR));
    row.insert("due_at".to_owned(), from_now(-3 * HOUR));
    bench.put(row).await;
    bench
        .run(&[])
        .ends(true)
        .has("wrong: the schedule is behind: 1 token is due, the oldest for 3 h")
        .has("--no-schedule");
}

#[test]
fn without_a_server_the_error_says_how_to_start_one() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port().to_string();
    drop(closed);
    let row = ["refresh", "--appid", "a", "--openid", "b"];
    for arguments in [&[][..], &row] {
        let said = run(&[arguments, &["--port", &port]].concat(), &[]);
        said.ends(false)
            .has(&format!(
                "no development server answers on 127.0.0.1:{port}"
            ))
            .has("cargo run -p dev-server");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_on_the_port_is_not_taken_for_the_server() {
    let simulator = Simulator::start().await.unwrap();
    let port = simulator.address().port().to_string();
    run(&["--port", &port], &[])
        .ends(false)
        .has("is no development server");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_of_a_function_leads_to_its_table_and_its_refresh_function() {
    let bench = Bench::new().await;
    bench.log_in().await;
    let base = bench.server.base_url();
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:refresh-tokens:live";
    let environment = [
        ("TOKEN_TABLE", TOKEN_TABLE),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
        ("AWS_ENDPOINT_URL_DYNAMODB", bench.server.table().endpoint()),
        ("AWS_ENDPOINT_URL_LAMBDA", &base),
        ("REFRESH_FUNCTION", arn),
    ];
    run(&[], &environment).ends(true).has(bench.app_id());
    let row = ["refresh", "--appid", bench.app_id(), "--openid", USER];
    run(&row, &environment).ends(true).has("refreshed:");

    run(&row, &environment[..6])
        .ends(false)
        .has("REFRESH_FUNCTION: is not set");
    run(&[], &environment[..1])
        .ends(false)
        .has("AWS_REGION: is not set");
    let other = [&environment[1..], &[("TOKEN_TABLE", "other")]].concat();
    run(&[], &other)
        .ends(false)
        .has("the table other could not be read");
    let unknown = [&environment[..6], &[("REFRESH_FUNCTION", "other")]].concat();
    run(&row, &unknown)
        .ends(false)
        .has("other could not be invoked")
        .has("Function not found: other");
}
