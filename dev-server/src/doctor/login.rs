//! Logins, as the environment of a function names them: keys, clients, issuer, and the table of accounts and sessions.

use std::time::Duration;

use alipay_gateway::Clock;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeyType, ScalarAttributeType};
use function_kit::{Apps, StartUpError, read_document, setting};
use identity::{IDENTITY_TTL_ATTRIBUTE, Issuer, KeyTimes, LoginDocument};
use token_store::WallTime;
use uuid::Uuid;

use super::report::Report;
use super::table_shape::{Wanted, client, examine_shape};
use crate::error::with_causes;
use crate::tokens::span;

const TABLE: &str = "IDENTITY_TABLE";
const PARTITION_KEY: &str = "pk";
const SHAPE: &str = "the table of accounts and sessions has the partition key pk, a text, and no sort key; deploy template.yaml, or name its table";
const DOCUMENT: &str =
    "set LOGIN_FILE or LOGIN_SECRET to the login document; dev-server login-keys new makes one";
/// The row is deleted at once. Should that fail, DynamoDB removes it after this time.
const PROOF_KEPT: Duration = Duration::from_secs(3600);

/// `apps` is the document of apps, where it could be read.
pub(super) async fn examine(
    apps: Option<&Apps>,
    offline: bool,
    clock: &Clock,
    report: &mut Report<'_>,
) {
    report.heading("\nlogins");
    let Some(table) = setting(TABLE) else {
        report.skipped(
            "IDENTITY_TABLE is not set, as for functions that neither log anybody in nor keep sessions",
        );
        return;
    };
    let Some(document) = document(report).await else {
        return;
    };
    signing_keys(&document.key_times(), WallTime::from(clock()), report);
    clients(&document, apps, report);
    issuer(&document, report);
    if offline {
        report.skipped("the table itself: --offline");
        return;
    }
    let Some(client) = client(report) else {
        return;
    };
    let wanted = Wanted {
        setting: TABLE,
        keys: &[(PARTITION_KEY, KeyType::Hash, ScalarAttributeType::S)],
        time_to_live: IDENTITY_TTL_ATTRIBUTE,
        mend: SHAPE,
    };
    if examine_shape(&client, &table, &wanted, report)
        .await
        .is_some()
    {
        takes_a_row(&client, &table, clock, report).await;
    }
}

async fn document(report: &mut Report<'_>) -> Option<LoginDocument> {
    let text = match read_document("LOGIN_FILE", "LOGIN_SECRET").await {
        Ok(text) => text,
        Err(error) => {
            let mend = match error {
                StartUpError::Secret { .. } => {
                    "check that the secret exists and that these credentials may read it"
                }
                _ => DOCUMENT,
            };
            report.wrong(&with_causes(&error), mend);
            return None;
        }
    };
    match LoginDocument::from_json(&text) {
        Ok(document) => {
            let clients = document.clients().len();
            report.right(&format!("login document: loads, with {clients} client(s)"));
            Some(document)
        }
        Err(error) => {
            report.wrong(
                &format!("login document: {error}"),
                "no function that logs anybody in starts with this document",
            );
            None
        }
    }
}

/// Which key signs now, which does next, and which are of no use any more. `keys` are in the order in which they sign.
fn signing_keys(keys: &[KeyTimes], now: WallTime, report: &mut Report<'_>) {
    let has_begun = |key: &&KeyTimes| key.signs_from <= now;
    match keys.iter().rfind(has_begun) {
        Some(key) => report.right(&format!("signing keys: {} signs", key.id)),
        None => report.doubtful(
            "signing keys: the time of none has come, so the first one signs",
            "look at signFrom, and at this machine's clock",
        ),
    }
    for next in keys.iter().filter(|key| !has_begun(key)) {
        let wait = span(next.signs_from.since(now));
        report.more(&format!("{} signs in {wait}", next.id));
    }
    let over = |key: &&KeyTimes| key.removable_from.is_some_and(|from| from <= now);
    for key in keys.iter().filter(over) {
        report.doubtful(
            &format!("signing keys: no valid token was signed by {}", key.id),
            "it can be taken out of the document",
        );
    }
}

/// Whether the clients' users are those of configured apps.
fn clients(document: &LoginDocument, apps: Option<&Apps>, report: &mut Report<'_>) {
    let Some(apps) = apps else {
        report.skipped("the clients' appids: there is no document of apps to look for them in");
        return;
    };
    let mut all_right = true;
    for client in document.clients() {
        let id = &client.id;
        match &client.app_id {
            Some(app_id) if apps.ids().any(|known| known == app_id) => {}
            Some(app_id) => {
                all_right = false;
                report.wrong(
                    &format!("client {id}: its appid {app_id} is not in the document of apps"),
                    "nobody can log in for this client: correct the appid, or add the app",
                );
            }
            None => {
                all_right = false;
                report.doubtful(
                    &format!("client {id}: has no appid"),
                    "it logs users of the default app in, and none of a web page (h5-oauth): give it the appid of its app",
                );
            }
        }
    }
    if all_right {
        report.right("clients: each has the appid of an app of the document");
    }
}

fn issuer(document: &LoginDocument, report: &mut Report<'_>) {
    let Some(url) = setting("LOGIN_ISSUER") else {
        report.wrong(
            "LOGIN_ISSUER: is not set",
            "set it to the address that the login functions are reached at",
        );
        return;
    };
    match Issuer::new(&url, document) {
        Ok(issuer) if issuer.url().starts_with("https:") => {
            report.right(&format!("issuer: {url}"));
        }
        Ok(_) => report.doubtful(
            &format!("issuer: {url} is on this machine"),
            "API Gateway and other verifiers cannot ask it for its keys",
        ),
        // It names the setting.
        Err(error) => report.wrong(
            &error.to_string(),
            "it stands in every id_token and is compared letter by letter",
        ),
    }
}

/// Writes a row of its own, reads it, and deletes it.
async fn takes_a_row(client: &Client, table: &str, clock: &Clock, report: &mut Report<'_>) {
    let proof = format!("PROOF#{}", Uuid::new_v4().simple());
    let proving = prove(client, table, &proof, WallTime::from(clock()));
    let proved = report
        .waiting("writing a row and reading it back", proving)
        .await;
    match proved {
        Ok(true) => report.right("table: a row was written, read back and deleted"),
        Ok(false) => report.wrong(
            "table: a row is not there after it was written",
            "look who else writes to this table",
        ),
        Err(error) => report.wrong(
            &format!("table: {}", with_causes(&error)),
            "these credentials need dynamodb:PutItem, GetItem and DeleteItem on the table; else check the network, and the table's capacity",
        ),
    }
}

async fn prove(
    client: &Client,
    table: &str,
    proof: &str,
    now: WallTime,
) -> Result<bool, aws_sdk_dynamodb::Error> {
    let key = || AttributeValue::S(proof.to_owned());
    let ends = now.plus(PROOF_KEPT).as_secs_rounded_up().to_string();
    let writing = client
        .put_item()
        .table_name(table)
        .item(PARTITION_KEY, key())
        .item(IDENTITY_TTL_ATTRIBUTE, AttributeValue::N(ends));
    writing.send().await?;
    let reading = client
        .get_item()
        .table_name(table)
        .key(PARTITION_KEY, key())
        .consistent_read(true)
        .send()
        .await;
    // Also when the reading failed.
    let deleting = client
        .delete_item()
        .table_name(table)
        .key(PARTITION_KEY, key());
    let deleted = deleting.send().await;
    let is_there = reading?.item.is_some();
    deleted?;
    Ok(is_there)
}
