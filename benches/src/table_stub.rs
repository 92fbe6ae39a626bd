//! The stand-in for DynamoDB: one reply for each operation. Whoever is asked for has been there before: an alias that is read is an
//! account's, and the rows of tokens and orders are those of [`Fixtures::rows`](crate::Fixtures::rows); no other row is there. Each write
//! succeeds, no query finds anything. Events that are put on a bus come here too, and are taken.

use std::io::{Read, Write};

use embedded_dynamodb::dynoxide::{AttributeValue, Item};
use serde_json::{Value, json};

use crate::http::{Connection, Request, prepared};
use crate::stub::{Replies, contains};

/// How the partition key of an alias begins, as it stands in a request.
const ALIAS: &[u8] = br#"{"S":"ALIAS#"#;
/// What a request has that wants a part of a row. There is one: a login looks which pair of tokens it follows.
const PROJECTION: &[u8] = br#""ProjectionExpression""#;
/// The attributes that it wants.
const LINEAGE: [&str; 3] = ["generation", "grant_id", "commit_id"];

/// The replies, each a whole response.
pub struct TableReplies {
    alias: Vec<u8>,
    rows: Vec<Row>,
    nothing: Vec<u8>,
    nothing_found: Vec<u8>,
    head: Vec<u8>,
}

struct Row {
    /// In quotes, as a request has it.
    key: String,
    whole: Vec<u8>,
    lineage: Vec<u8>,
}

impl Row {
    /// `None` where it has no partition key.
    fn of(row: &Item) -> Option<Self> {
        let Some(AttributeValue::S(key)) = row.get("pk") else {
            return None;
        };
        let mut lineage = row.clone();
        lineage.retain(|name, _| LINEAGE.contains(&name.as_str()));
        Some(Self {
            key: format!("\"{key}\""),
            whole: reply(&json!({"Item": row})),
            lineage: reply(&json!({"Item": lineage})),
        })
    }
}

impl TableReplies {
    /// Of tables with these rows.
    pub fn with(rows: &[Item]) -> Self {
        let alias = json!({"Item": {
            "pk": {"S": "ALIAS#bench"},
            "uid": {"S": "0123456789abcdef0123456789abcdef"},
            "linked_at": {"N": "1795341600000"},
        }});
        Self {
            alias: reply(&alias),
            rows: rows.iter().filter_map(Row::of).collect(),
            nothing: reply(&json!({})),
            nothing_found: reply(&json!({"Items": [], "Count": 0, "ScannedCount": 0})),
            head: prepared("200 OK", &[("Connection", "keep-alive")], b""),
        }
    }

    fn row(&self, request: &[u8]) -> &[u8] {
        if contains(request, ALIAS) {
            return &self.alias;
        }
        let asked_for = |row: &&Row| contains(request, row.key.as_bytes());
        match self.rows.iter().find(asked_for) {
            None => &self.nothing,
            Some(row) if contains(request, PROJECTION) => &row.lineage,
            Some(row) => &row.whole,
        }
    }
}

/// As DynamoDB answers, checksum included: boto3 compares it.
fn reply(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let checksum = crc32fast::hash(body.as_bytes()).to_string();
    let headers = [
        ("Server", "Server"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("Connection", "keep-alive"),
        (
            "x-amzn-RequestId",
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF",
        ),
        ("x-amz-crc32", checksum.as_str()),
    ];
    prepared("200 OK", &headers, body.as_bytes())
}

impl Replies for TableReplies {
    fn reply<S: Read + Write>(&self, connection: &Connection<S>, request: &Request) -> &[u8] {
        let operation = request.operation.as_ref();
        if request.is_head {
            return &self.head;
        }
        match operation.map(|place| connection.bytes(place)) {
            Some(name) if name.ends_with(b".GetItem") => self.row(connection.bytes(&request.body)),
            Some(name) if name.ends_with(b".Query") => &self.nothing_found,
            _ => &self.nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use token_store::{DueShards, TokenStore, WallTime};

    use super::*;
    use crate::Fixtures;
    use crate::stub::Stub;
    use crate::token_table::{TOKEN_TABLE, grant, token_keys};

    #[test]
    fn a_row_of_tokens_is_given_to_who_asks_for_it_and_an_alias_for_any() {
        let row: Item = serde_json::from_value(json!({
            "pk": {"S": "APP#1#user#2"},
            "generation": {"N": "1"},
            "grant_id": {"S": "g"},
            "state": {"S": "active"},
        }))
        .unwrap();
        let replies = TableReplies::with(&[row]);
        let asked_for = |key: &str, projection: &str| {
            let request = format!(r#"{{"Key":{{"pk":{{"S":"{key}"}}}}{projection}}}"#);
            String::from_utf8_lossy(replies.row(request.as_bytes())).into_owned()
        };
        assert!(asked_for("APP#1#user#2", "").contains(r#""state":{"S":"active"}"#));
        let lineage = asked_for(
            "APP#1#user#2",
            r#","ProjectionExpression":"generation,grant_id""#,
        );
        assert!(lineage.contains(r#""generation":{"N":"1"}"#), "{lineage}");
        assert!(!lineage.contains("state"), "{lineage}");
        assert!(asked_for("ALIAS#2", "").contains("linked_at"));
        // The key of another begins as this one's does.
        for nobody in ["APP#1#user#22", "ACCOUNT#2"] {
            let reply = asked_for(nobody, "");
            assert!(reply.ends_with("\r\n\r\n{}"), "{nobody}: {reply}");
        }
    }

    #[tokio::test]
    async fn a_login_finds_the_pair_that_it_follows() {
        let fixtures = tokio::task::spawn_blocking(|| Fixtures::make().unwrap())
            .await
            .unwrap();
        let replies = Arc::new(TableReplies::with(fixtures.rows()));
        let stub = Stub::start(replies, None, Duration::ZERO).unwrap();
        let client = embedded_dynamodb::client_at(stub.address());
        let keys = token_keys(&fixtures).unwrap();
        let store = TokenStore::new(client, TOKEN_TABLE, keys, DueShards::default());
        let now = WallTime::from(SystemTime::now());
        for key in Fixtures::stored_tokens() {
            let seen = store.look(&key).await.unwrap();
            let generation = store.put_login(&key, seen, &grant(now), now, None).await;
            assert_eq!(generation.unwrap().get(), 2);
        }
    }
}
