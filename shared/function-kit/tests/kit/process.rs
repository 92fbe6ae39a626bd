//! Whole processes: a function as Lambda runs it, with what it logs. Each is this test binary again, told by its environment to
//! be a function, because settings are those of a process.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use function_kit::{
    HttpService, StartUpError, no_powers, run, run_handler_without_apps, run_http,
    run_http_without_apps,
};
use serde_json::{Value, json};
use simulator::{AlipayCertificate, AppOptions, SimulatedApp, Simulator};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::bench::{Obedient, entry, http_event, open_http};
use crate::http::{Mirror, event as http_request};
use crate::keys;
use crate::stub::{
    ACCESS_KEY_ID, RuntimeApi, SECRET_ACCESS_KEY, SESSION_TOKEN, Secret, secrets_manager,
};

const BE_A_FUNCTION: &str = "KIT_TEST_BE_A_FUNCTION";
const SECRET_ID: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:canaryarn";

/// The function's process. Not a test of its own: it ends at once when it was not started as one.
#[test]
fn a_function_in_a_process_of_its_own() {
    match std::env::var(BE_A_FUNCTION).as_deref() {
        Ok("function") => {
            run(no_powers(), |alipay, ()| Obedient { alipay });
        }
        // As a function does that keeps tokens: another document, another power.
        Ok("reader") => {
            run(
                async {
                    function_kit::read_document("OTHER_FILE", "OTHER_SECRET").await?;
                    Ok::<_, StartUpError>(())
                },
                |alipay, ()| Obedient { alipay },
            );
        }
        Ok("http") => {
            run_http(no_powers(), |_alipay, ()| Mirror::default());
        }
        Ok("http without apps") => {
            run_http_without_apps(no_powers(), |()| Mirror::default());
        }
        Ok("handler without apps") => {
            run_handler_without_apps("handler", no_powers(), |()| {
                HttpService::new(Mirror::default())
            });
        }
        _ => {}
    }
}

/// A function's process with what it has written so far.
struct Process {
    child: Child,
    written: Arc<Mutex<String>>,
}

impl Process {
    fn start(kind: &str, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "process::a_function_in_a_process_of_its_own",
                "--nocapture",
            ])
            .env_clear()
            .env(BE_A_FUNCTION, kind)
            .envs([
                ("AWS_LAMBDA_FUNCTION_NAME", "obedient"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
                ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
                ("AWS_SESSION_TOKEN", SESSION_TOKEN),
            ])
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let written = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &written);
        collect(child.stderr.take().unwrap(), &written);
        Self { child, written }
    }

    /// What was written, once `marker` is in it.
    async fn written_with(&self, marker: &str) -> String {
        for _ in 0..3000 {
            let written = self.written.lock().unwrap().clone();
            if written.contains(marker) {
                return written;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no {marker} in {}", self.written.lock().unwrap());
    }

    /// What a process that does not start has written.
    async fn ended(mut self) -> String {
        let ended =
            tokio::time::timeout(std::time::Duration::from_secs(30), self.child.wait()).await;
        ended.expect("an end within 30 s").unwrap();
        self.written_with("test result").await
    }
}

fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static, written: &Arc<Mutex<String>>) {
    let written = Arc::clone(written);
    tokio::spawn(async move {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut part).await {
            written
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&part[..length]));
        }
    });
}

/// The log lines, each an object.
fn log_lines(written: &str) -> Vec<Value> {
    written
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

async fn gateway_with_app() -> (Simulator, SimulatedApp, String) {
    let simulator = Simulator::start().await.unwrap();
    let app = simulator.add_app(AppOptions::default());
    let mut entry = entry(&simulator, &app);
    entry["aesKey"] = json!("Y2FuYXJ5YWVza2V5MTIzNA==");
    let document = json!({ "apps": [entry] }).to_string();
    (simulator, app, document)
}

/// `secret` in every form in which a log line could show it: as it is, in hex, in base64 at each of the three alignments.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex, list.join(", ")];
    for skipped in 0..3 {
        let whole = (secret.len() - skipped) / 3 * 3;
        forms.push(STANDARD_NO_PAD.encode(&secret.as_bytes()[skipped..skipped + whole]));
    }
    forms
}

fn assert_free_of(written: &str, secrets: &[&str]) {
    let mut found = Vec::new();
    for secret in secrets {
        for form in forms(secret) {
            found.extend(
                written
                    .lines()
                    .filter(|line| line.contains(&form))
                    .map(|line| (*secret, line)),
            );
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn a_function_on_lambda_answers_both_doors_and_its_log_holds_no_secret_even_at_trace() {
    let (simulator, app, document) = gateway_with_app().await;
    let (secrets, _) = secrets_manager(Secret::Text(document)).await;
    let lambda = RuntimeApi::start().await;
    let process = Process::start(
        "function",
        &[
            ("AWS_LAMBDA_RUNTIME_API", &lambda.address.to_string()),
            (
                "AWS_ENDPOINT_URL_SECRETS_MANAGER",
                &format!("http://{secrets}"),
            ),
            ("ALIPAY_CONFIG_SECRET", SECRET_ID),
            ("ALIPAY_ALLOW_CALLER_KEYS", "true"),
            ("RUST_LOG", "trace"),
        ],
    );

    let caller_key = keys::app().private_text();
    let events = [
        (
            "r-1",
            json!({"task": "reveal", "code": "canarycode"}).to_string(),
        ),
        (
            "r-2",
            http_event("{\"task\":\"query\",\"code\":\"canarycode\"}").to_string(),
        ),
        (
            "r-3",
            json!({"task": "query", "code": "canarycode", "privateKey": caller_key}).to_string(),
        ),
        ("r-4", json!({"task": ["canarycode"]}).to_string()),
        (
            "r-5",
            json!({"privateKey": "canarybadprivatekey"}).to_string(),
        ),
        ("r-6", "{\"text\":\"\\ud800\"}".to_owned()),
        ("r-7", json!({"task": "fail_inside"}).to_string()),
        ("r-8", json!({"text": "a", "number": 1.50}).to_string()),
    ];
    let mut answers = Vec::new();
    for (request_id, event) in &events {
        let (kind, answer) = lambda.invoke(request_id, event).await;
        assert_eq!(kind, "response", "{answer}");
        answers.push(serde_json::from_str::<Value>(&answer).unwrap());
    }
    assert_eq!(answers[0]["revealed"], "canarycode");
    let (status, _, body) = open_http(&answers[1]);
    assert_eq!(
        (status, body["request_id"].as_str()),
        (422, Some("r-2")),
        "{body}"
    );
    assert_eq!(answers[2]["code"], "isv.invalid-signature");
    assert_eq!(answers[3]["error"], "invalid_argument");
    assert_eq!(answers[7]["echo"], "a");
    assert_eq!(simulator.received().len(), 2);

    let written = process.written_with("r-8").await;
    let own_key = app.private_key.lines().nth(5).unwrap();
    assert_free_of(
        &written,
        &[
            "canarycode",
            "canarybadprivatekey",
            "Y2FuYXJ5YWVza2V5MTIzNA==",
            "canarysecretaccesskey",
            "canarysessiontoken",
            own_key,
            &own_key[8..40],
            &caller_key[200..240],
            // The signature of a request, with which it could be sent again.
            &simulator.received()[0].parameters["sign"][..40],
        ],
    );

    let lines = log_lines(&written);
    for (request_id, outcome, level) in [
        ("r-2", "gateway_refused", "WARN"),
        ("r-3", "gateway_refused", "WARN"),
        ("r-4", "invalid_argument", "WARN"),
        ("r-5", "invalid_argument", "WARN"),
        ("r-6", "invalid_argument", "WARN"),
        ("r-7", "internal", "ERROR"),
    ] {
        let of_it: Vec<&Value> = lines
            .iter()
            .filter(|line| {
                line["span"]["request_id"] == request_id
                    && line["target"] == "function_kit::invocation_log"
            })
            .collect();
        assert_eq!(of_it.len(), 1, "{request_id}: {of_it:?}");
        let line = of_it[0];
        assert_eq!(
            (&line["outcome"], &line["level"]),
            (&json!(outcome), &json!(level))
        );
        assert_eq!(line["span"]["function"], "obedient");
        let has_app = !matches!(request_id, "r-4" | "r-5");
        if has_app {
            assert_eq!(line["span"]["appid"], json!(app.app_id), "{line}");
        }
    }
    let of_gateway = lines
        .iter()
        .find(|line| line["span"]["request_id"] == "r-2" && line["outcome"] == "gateway_refused")
        .unwrap();
    assert_eq!(of_gateway["span"]["trace_id"], body["trace_id"]);
}

#[tokio::test]
async fn a_failure_is_logged_with_its_request_whatever_rust_log_leaves_out() {
    let (_simulator, app, document) = gateway_with_app().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.json");
    std::fs::write(&file, document).unwrap();
    let lambda = RuntimeApi::start().await;
    let process = Process::start(
        "function",
        &[
            ("AWS_LAMBDA_RUNTIME_API", &lambda.address.to_string()),
            ("ALIPAY_CONFIG_FILE", file.to_str().unwrap()),
            ("RUST_LOG", "error"),
        ],
    );
    lambda.invoke("r-1", "{\"task\":\"fail_inside\"}").await;
    let written = process.written_with("r-1").await;
    let lines = log_lines(&written);
    assert_eq!(lines.len(), 1, "{written}");
    assert_eq!(lines[0]["span"]["appid"], json!(app.app_id));
}

#[tokio::test]
async fn a_handler_of_other_events_can_do_without_apps() {
    let lambda = RuntimeApi::start().await;
    let _process = Process::start(
        "handler without apps",
        &[("AWS_LAMBDA_RUNTIME_API", &lambda.address.to_string())],
    );
    let asked = http_request("GET", "/words", "");
    let (kind, answer) = lambda.invoke("r-1", &asked.to_string()).await;
    assert_eq!(kind, "response");
    assert!(answer.contains(r#""body":"success""#), "{answer}");
}

#[tokio::test]
async fn a_function_of_http_itself_needs_no_apps_and_logs_method_path_and_status_and_nothing_else_of_a_request()
 {
    let lambda = RuntimeApi::start().await;
    let process = Process::start(
        "http without apps",
        &[
            ("AWS_LAMBDA_RUNTIME_API", &lambda.address.to_string()),
            ("RUST_LOG", "trace"),
        ],
    );
    let mut asked = http_request("GET", "/seen", "x=canaryquery");
    asked["headers"]["authorization"] = json!("canaryheader");
    asked["cookies"] = json!(["a=canarycookie"]);
    asked["body"] = json!("canarybody");
    let long = format!("/{}", "x".repeat(10_000));
    for (request_id, event) in [
        ("r-1", &asked),
        ("r-2", &http_request("GET", "/unavailable", "")),
        ("r-3", &http_request("GET", "/fails", "")),
        ("r-4", &http_request("GET", &long, "")),
        ("r-5", &http_request("GET", "/away", "to=%0dcanaryplace")),
        (
            "r-6",
            &http_request("GET", "/away", "to=https://canaryplace"),
        ),
        ("r-7", &json!({"code": "canarycode"})),
    ] {
        let (kind, answer) = lambda.invoke(request_id, &event.to_string()).await;
        assert_eq!(kind, "response", "{answer}");
    }
    let written = process.written_with("r-7").await;
    assert_free_of(
        &written,
        &[
            "canaryquery",
            "canaryheader",
            "canarycookie",
            "canarybody",
            "canaryplace",
            "canarycode",
        ],
    );
    let lines = log_lines(&written);
    for (request_id, level, outcome, path, status) in [
        ("r-1", "INFO", "ok", json!("/seen"), json!(200)),
        ("r-2", "ERROR", "failed", json!("/unavailable"), json!(503)),
        ("r-3", "ERROR", "internal", json!("/fails"), json!(500)),
        ("r-4", "WARN", "not_found", json!(long[..200]), json!(404)),
        ("r-5", "ERROR", "internal", json!("/away"), json!(500)),
        ("r-6", "INFO", "ok", json!("/away"), json!(302)),
        ("r-7", "WARN", "invalid_argument", json!(null), json!(null)),
    ] {
        let of_it: Vec<&Value> = lines
            .iter()
            .filter(|line| {
                line["span"]["request_id"] == request_id
                    && line["target"] == "function_kit::invocation_log"
            })
            .collect();
        assert_eq!(of_it.len(), 1, "{request_id}: {of_it:?}");
        let line = of_it[0];
        assert_eq!(
            (
                &line["level"],
                &line["outcome"],
                &line["path"],
                &line["status"]
            ),
            (&json!(level), &json!(outcome), &path, &status),
            "{line}"
        );
        assert_eq!(line["span"]["function"], "mirror");
    }
    let failed = lines.iter().find(|line| line["path"] == "/fails").unwrap();
    assert_eq!(
        (&failed["method"], &failed["cause"]),
        (&json!("GET"), &json!("canarycause"))
    );
}

#[tokio::test]
async fn a_function_of_http_itself_that_has_apps_does_not_start_without_their_document() {
    let written = Process::start("http", &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")])
        .ended()
        .await;
    assert!(written.contains("ALIPAY_CONFIG_FILE"), "{written}");
    assert!(written.contains("the function did not start"), "{written}");
}

#[tokio::test]
async fn an_expired_certificate_is_logged_with_its_mend_and_the_function_starts() {
    let simulator = Simulator::start().await.unwrap();
    simulator.change_alipay_certificate(AlipayCertificate::Expired);
    let app = simulator.add_app(AppOptions {
        certificates: true,
        ..AppOptions::default()
    });
    let mut entry = entry(&simulator, &app);
    entry.as_object_mut().unwrap().remove("alipayPublicKey");
    entry["appCert"] = json!(app.app_certificate);
    entry["alipayCert"] = json!(app.alipay_certificate);
    entry["alipayRootCert"] = json!(app.alipay_root_certificate);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.json");
    std::fs::write(&file, json!({ "apps": [entry] }).to_string()).unwrap();
    let lambda = RuntimeApi::start().await;
    let process = Process::start(
        "function",
        &[
            ("AWS_LAMBDA_RUNTIME_API", &lambda.address.to_string()),
            ("ALIPAY_CONFIG_FILE", file.to_str().unwrap()),
        ],
    );
    let (kind, answer) = lambda.invoke("r-1", "{}").await;
    assert_eq!(kind, "response");
    assert!(answer.contains("\"code\":0"), "{answer}");
    let written = process.written_with("r-1").await;
    let lines = log_lines(&written);
    let wrong: Vec<_> = lines
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(wrong.len(), 1, "{written}");
    assert_eq!(wrong[0]["message"], "this setting is wrong");
    assert_eq!(wrong[0]["appid"], json!(app.app_id));
    assert_eq!(wrong[0]["field"], "alipayCert");
    for (member, said) in [("what", "ended on 20"), ("mend", "download")] {
        let text = wrong[0][member].as_str().unwrap();
        assert!(text.contains(said), "{text}");
    }
}

#[tokio::test]
async fn a_wrong_setting_stops_the_start_and_is_named() {
    let (_simulator, _, document) = gateway_with_app().await;
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("apps.json");
    std::fs::write(&good, &document).unwrap();
    let bad = folder.path().join("bad.json");
    let mut wrong: Value = serde_json::from_str(&document).unwrap();
    wrong["apps"][0]["privateKey"] = json!("MIIcanarycanarycanary");
    std::fs::write(&bad, wrong.to_string()).unwrap();
    let huge = folder.path().join("huge.json");
    std::fs::write(&huge, " ".repeat(4 * 1024 * 1024 + 1)).unwrap();
    let (good, bad, huge) = (
        good.to_str().unwrap(),
        bad.to_str().unwrap(),
        huge.to_str().unwrap(),
    );

    let cases: [(&[(&str, &str)], &str); 8] = [
        (
            &[],
            "ALIPAY_CONFIG_FILE: is not set, and ALIPAY_CONFIG_SECRET is not either",
        ),
        (
            &[("ALIPAY_CONFIG_FILE", " ")],
            "ALIPAY_CONFIG_FILE: is not set",
        ),
        (
            &[
                ("ALIPAY_CONFIG_FILE", good),
                ("ALIPAY_CONFIG_SECRET", SECRET_ID),
            ],
            "set only one of them",
        ),
        (
            &[("ALIPAY_CONFIG_FILE", "/nowhere/apps.json")],
            "ALIPAY_CONFIG_FILE: the file cannot be read",
        ),
        (
            &[("ALIPAY_CONFIG_FILE", huge)],
            "ALIPAY_CONFIG_FILE: the file is larger than 4 MiB",
        ),
        (
            &[("ALIPAY_CONFIG_FILE", bad)],
            "the document of apps: apps[0].privateKey: ",
        ),
        (
            &[("ALIPAY_CONFIG_SECRET", SECRET_ID), ("AWS_REGION", "")],
            "AWS_REGION: is not set",
        ),
        (
            &[
                ("ALIPAY_CONFIG_SECRET", SECRET_ID),
                ("AWS_SECRET_ACCESS_KEY", ""),
            ],
            "AWS_SECRET_ACCESS_KEY: is not set",
        ),
    ];
    for (settings, said) in cases {
        let written = Process::start("function", settings).ended().await;
        assert!(written.contains(said), "{said}: {written}");
        assert_free_of(
            &written,
            &[
                "canarycanary",
                "Y2FuYXJ5YWVza2V5MTIzNA==",
                "canarysecretaccesskey",
            ],
        );
    }
    let reader = &[("ALIPAY_CONFIG_FILE", good)];
    let written = Process::start("reader", reader).ended().await;
    assert!(
        written.contains("OTHER_FILE: is not set, and OTHER_SECRET is not either"),
        "{written}"
    );
}

/// What a function writes that does not start, with its document in a secret of the Secrets Manager at `endpoint`.
async fn ended_with_secret_at(endpoint: &str) -> String {
    let settings = &[
        ("ALIPAY_CONFIG_SECRET", SECRET_ID),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint),
    ];
    Process::start("function", settings).ended().await
}

/// The document is read, then: what is wrong in it is named.
#[tokio::test]
async fn a_secret_is_asked_for_again_where_the_service_fails_once() {
    let text = "{\"apps\":1}".to_owned();
    let (address, _) = secrets_manager(Secret::FailingOnce(text)).await;
    let written = ended_with_secret_at(&format!("http://{address}")).await;
    assert!(
        written.contains("the document of apps: apps: must be an array"),
        "{written}"
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_stops_the_start_and_names_its_variable() {
    for (secret, said, cause) in [
        (
            Secret::Binary,
            "ALIPAY_CONFIG_SECRET: the secret holds no text",
            "",
        ),
        (
            Secret::Text("{\"apps\":\"canaryvalue\"}".to_owned()),
            "the document of apps: apps: must be an array",
            "",
        ),
        (
            Secret::Refused(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            "ALIPAY_CONFIG_SECRET: the secret could not be read",
            "ResourceNotFoundException",
        ),
        (
            Secret::Refused(
                "AccessDeniedException",
                "not authorized to perform: secretsmanager:GetSecretValue",
            ),
            "ALIPAY_CONFIG_SECRET: the secret could not be read",
            "AccessDeniedException",
        ),
    ] {
        let (address, _) = secrets_manager(secret).await;
        let written = ended_with_secret_at(&format!("http://{address}")).await;
        assert!(
            written.contains(said) && written.contains(cause),
            "{said}: {written}"
        );
        assert_free_of(
            &written,
            &["canaryvalue", "canaryarn", "canarysecretaccesskey"],
        );
    }
    // Nobody listens.
    let written = ended_with_secret_at("http://127.0.0.1:9").await;
    assert!(
        written.contains("ALIPAY_CONFIG_SECRET: the secret could not be read"),
        "{written}"
    );
}
