//! What is proved about logins.

use dev_server::{DevServer, IDENTITY_TABLE, LocalTable, Options};
use serde_json::{Value, json};

use crate::bench::{Bench, Said, in_key_mode, run};

const ISSUER: &str = "https://login.example.com";

/// A login document whose one client logs users of `app_id` in.
async fn document(app_id: &str) -> Value {
    let server = DevServer::start(&Options::default()).await.unwrap();
    let mut document: Value = serde_json::from_str(server.login().text()).unwrap();
    document["clients"][0]["appid"] = app_id.into();
    document
}

/// The doctor with these settings, the table at `endpoint` and `document`. The table is served by the runtime's own threads.
async fn doctor(bench: &Bench, endpoint: &str, document: &Value, issuer: &str) -> Said {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document.to_string()).unwrap();
    let said = run(
        &bench.document,
        &[],
        &[
            ("IDENTITY_TABLE", IDENTITY_TABLE),
            ("LOGIN_FILE", file.path().to_str().unwrap()),
            ("LOGIN_ISSUER", issuer),
            ("AWS_REGION", "local"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ],
    );
    said.has_not("canarysecretaccesskey");
    for secret in secrets(document) {
        said.has_not(secret);
    }
    said
}

fn secrets(document: &Value) -> impl Iterator<Item = &str> {
    let members = |value: &'static str| document[value].as_object().into_iter().flatten();
    let signing = members("signing").map(|(_, key)| &key["privateKey"]);
    let sessions = document["sessions"]["keys"]
        .as_object()
        .into_iter()
        .flatten();
    let clients = document["clients"].as_array().into_iter().flatten();
    signing
        .chain(sessions.map(|(_, key)| key))
        .chain(clients.map(|client| &client["clientSecret"]))
        .filter_map(Value::as_str)
}

/// The name of the one key of a fresh document.
fn key_name(document: &Value) -> String {
    let keys = document["signing"].as_object().unwrap();
    keys.keys().next().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn right_logins_are_all_well_and_leave_nothing_in_the_table() {
    let bench = Bench::new(in_key_mode()).await;
    let table = LocalTable::start(None).await.unwrap();
    let document = document(&bench.app.app_id).await;
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .is_all_well()
        .has("ok     login document: loads, with 1 client(s)")
        .has(&format!(
            "ok     signing keys: {} signs",
            key_name(&document)
        ))
        .has("ok     clients: each has the appid of an app of the document")
        .has("ok     issuer: https://login.example.com")
        .has("ok     table identity: is there, with the right keys")
        .has("ok     table: a row was written, read back and deleted");
    let rows = table.client().scan().table_name(IDENTITY_TABLE).send();
    assert_eq!(rows.await.unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_signs_is_named_and_so_are_the_next_one_and_the_past_one() {
    let bench = Bench::new(in_key_mode()).await;
    let table = LocalTable::start(None).await.unwrap();
    let mut document = document(&bench.app.app_id).await;
    let first = key_name(&document);
    document["signing"][&first]["signFrom"] = "2020-01-01T00:00:00Z".into();
    for (name, sign_from) in [("now", "2021-01-01"), ("next", "2999-01-01")] {
        // Each app has another key.
        let key = bench.simulator.add_app(in_key_mode()).private_key;
        document["signing"][name] =
            json!({"privateKey": key, "signFrom": format!("{sign_from}T00:00:00Z")});
    }
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .has("ok     signing keys: now signs")
        .has("next signs in ")
        .has(&format!(
            "warn   signing keys: no valid token was signed by {first}"
        ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_an_app_that_is_not_configured_or_of_none_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    let table = LocalTable::start(None).await.unwrap();
    let mut document = document("2021000000009999").await;
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .fails()
        .has("FAIL   client local: its appid 2021000000009999 is not in the document of apps");
    document["clients"][0]
        .as_object_mut()
        .unwrap()
        .remove("appid");
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .has("warn   client local: has no appid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_no_origin_or_on_this_machine_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    let table = LocalTable::start(None).await.unwrap();
    let document = document(&bench.app.app_id).await;
    doctor(
        &bench,
        table.endpoint(),
        &document,
        "https://login.example.com/",
    )
    .await
    .fails()
    .has("FAIL   LOGIN_ISSUER: must be the address");
    doctor(&bench, table.endpoint(), &document, "http://127.0.0.1:3000")
        .await
        .has("warn   issuer: http://127.0.0.1:3000 is on this machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_document_that_does_not_load_is_named_by_its_field() {
    let bench = Bench::new(in_key_mode()).await;
    let table = LocalTable::start(None).await.unwrap();
    let mut document = document(&bench.app.app_id).await;
    let key = key_name(&document);
    document["sessions"]["keys"][&key] = "canarycanarycanary".into();
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .fails()
        .has(&format!(
            "FAIL   login document: sessions.keys.{key}: must be 32 bytes in base64"
        ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_identities_that_is_another_table_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    let table = LocalTable::start(None).await.unwrap();
    let document = document(&bench.app.app_id).await;
    let client = table.client();
    let deleting = client.delete_table().table_name(IDENTITY_TABLE);
    deleting.send().await.unwrap();
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .fails()
        .has("FAIL   table identity: does not exist in this account and region")
        .has("check IDENTITY_TABLE");
    token_store::create_table(client, IDENTITY_TABLE)
        .await
        .unwrap();
    doctor(&bench, table.endpoint(), &document, ISSUER)
        .await
        .fails()
        .has("FAIL   table identity: has other keys")
        .has("partition key pk, a text, and no sort key");
}
