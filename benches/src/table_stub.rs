//! The stand-in for DynamoDB: one reply for each operation. A row that is read is an alias of a user who has logged in before; each
//! write succeeds.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::http::{Connection, Request, prepared};
use crate::stub::Replies;

/// The replies, each a whole response.
pub struct TableReplies {
    row: Vec<u8>,
    written: Vec<u8>,
    head: Vec<u8>,
}

impl Default for TableReplies {
    fn default() -> Self {
        let row = json!({"Item": {
            "pk": {"S": "ALIAS#bench"},
            "uid": {"S": "0123456789abcdef0123456789abcdef"},
            "linked_at": {"N": "1795341600000"},
        }});
        Self {
            row: reply(&row),
            written: reply(&json!({})),
            head: prepared("200 OK", &[("Connection", "keep-alive")], b""),
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
            Some(name) if name.ends_with(b".GetItem") => &self.row,
            _ => &self.written,
        }
    }
}
