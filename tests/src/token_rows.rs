use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::Stack;

/// The attributes that are moments in milliseconds.
const MOMENTS: [&str; 8] = [
    "committed_at",
    "due_at",
    "expires_at",
    "lease_until",
    "not_before",
    "refresh_expires_at",
    "refused_since",
    "suspect_since",
];

/// A row of a token as it lies in the table.
#[derive(Clone, Debug)]
pub struct TokenRow(HashMap<String, AttributeValue>);

impl TokenRow {
    /// An attribute that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    /// An attribute that is a number; moments are milliseconds since 1970.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_n().ok()?.parse().ok()
    }

    /// Whether it has the attribute.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All bytes and texts in it.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().filter_map(|value| match value {
            AttributeValue::S(text) => Some(text.as_bytes()),
            AttributeValue::B(bytes) => Some(bytes.as_ref()),
            _ => None,
        })
    }
}

impl Stack {
    /// The one row of a token whose key begins with `prefix`.
    pub async fn token_row(&self, prefix: &str) -> TokenRow {
        let mut rows = self.token_rows(prefix).await;
        assert_eq!(rows.len(), 1, "rows of {prefix}");
        rows.remove(0)
    }

    /// The rows of tokens whose key begins with `prefix`; `APP#` is all of them.
    pub async fn token_rows(&self, prefix: &str) -> Vec<TokenRow> {
        let mut rows = self.all_rows().await;
        rows.retain(|row| row.text("pk").unwrap().starts_with(prefix));
        rows
    }

    /// Everything in the table, also what is no token.
    pub async fn all_rows(&self) -> Vec<TokenRow> {
        let scan = self
            .server
            .table()
            .client()
            .scan()
            .table_name(dev_server::TOKEN_TABLE)
            .consistent_read(true);
        let items = scan.send().await.unwrap().items.unwrap_or_default();
        items.into_iter().map(TokenRow).collect()
    }

    /// Lets `by` pass for the stored tokens and for the gateway: all moments in the rows move into the past, and the simulator's
    /// clock into the future. What a function holds in memory does not age, so read no token before that is to be read after.
    pub async fn let_pass(&self, by: Duration) {
        self.simulator().advance_clock(by);
        self.age_rows(by).await;
    }

    /// The same for the stored tokens alone.
    pub async fn age_rows(&self, by: Duration) {
        for row in self.token_rows("APP#").await {
            let by = u64::try_from(by.as_millis()).unwrap();
            let aged = MOMENTS
                .iter()
                .filter_map(|name| Some((*name, row.number(name)?.saturating_sub(by))));
            let table = self.server.table();
            let mut update = table
                .client()
                .update_item()
                .table_name(dev_server::TOKEN_TABLE)
                .key("pk", row.0["pk"].clone())
                .key("sk", row.0["sk"].clone());
            let mut changes = Vec::new();
            for (name, moment) in aged {
                changes.push(format!("{name} = :{name}"));
                update = update.expression_attribute_values(
                    format!(":{name}"),
                    AttributeValue::N(moment.to_string()),
                );
            }
            update
                .update_expression(format!("SET {}", changes.join(", ")))
                .send()
                .await
                .unwrap();
        }
    }
}
