//! The tables of tokens, of accounts and of orders in an embedded DynamoDB, in memory, and what the functions write them with: so no row
//! of the bench's is of another shape than theirs.

use std::time::{Duration, SystemTime};

use embedded_dynamodb::EmbeddedDynamoDb;
use embedded_dynamodb::dynoxide::Item;
use embedded_dynamodb::dynoxide::actions::scan::ScanRequest;
use payments::{OrderRequest, OrderTable, Orders, create_order_table};
use secrecy::SecretString;
use token_store::{DueShards, Grant, Seen, TokenKey, TokenKeys, TokenStore, WallTime};
use tokio::runtime::Runtime;

use crate::{BenchError, Fixtures};

pub(crate) const TOKEN_TABLE: &str = "tokens";
pub(crate) const IDENTITY_TABLE: &str = "identity";
pub(crate) const ORDER_TABLE: &str = "orders";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A running one.
pub(crate) struct TokenTable<'a> {
    runtime: &'a Runtime,
    pub(crate) embedded: EmbeddedDynamoDb,
    store: TokenStore,
}

impl<'a> TokenTable<'a> {
    /// Empty ones, with this run's keys.
    pub(crate) fn start(runtime: &'a Runtime, fixtures: &Fixtures) -> Result<Self, BenchError> {
        let keys = token_keys(fixtures)?;
        runtime.block_on(async {
            let embedded = EmbeddedDynamoDb::start().await.map_err(of_table)?;
            let client = embedded.client();
            token_store::create_table(&client, TOKEN_TABLE)
                .await
                .map_err(of_table)?;
            identity::create_identity_table(&client, IDENTITY_TABLE)
                .await
                .map_err(of_table)?;
            let store = TokenStore::new(client, TOKEN_TABLE, keys, DueShards::default());
            Ok(Self {
                runtime,
                embedded,
                store,
            })
        })
    }

    /// Stores the tokens of somebody who logged in at `when`.
    pub(crate) fn put_login(&self, key: &TokenKey, when: WallTime) -> Result<(), BenchError> {
        self.runtime
            .block_on(
                self.store
                    .put_login(key, Seen::NOTHING, &grant(when), when, None),
            )
            .map_err(of_table)?;
        Ok(())
    }

    /// Makes the table of orders, with this one in it.
    fn place(&self, order: &OrderRequest, now: WallTime) -> Result<(), BenchError> {
        let client = self.embedded.client();
        self.runtime
            .block_on(async {
                create_order_table(&client, ORDER_TABLE).await?;
                let orders = Orders::new(OrderTable::new(client, ORDER_TABLE));
                orders.place(order, now).await
            })
            .map_err(of_table)?;
        Ok(())
    }

    /// All rows of a table.
    fn rows(&self, table: &str) -> Result<Vec<Item>, BenchError> {
        let request = ScanRequest {
            table_name: table.to_owned(),
            ..ScanRequest::default()
        };
        let scanned = self.embedded.database().scan(request).map_err(of_table)?;
        Ok(scanned.items.unwrap_or_default())
    }
}

/// The tokens of a login at `when`: as long as Alipay's, and good for as long.
pub(crate) fn grant(when: WallTime) -> Grant {
    Grant {
        access_token: "authusrB0123456789abcdef0123456789abcX20".into(),
        refresh_token: Some("authusrB0123456789abcdef0123456789abcY20".into()),
        expires_at: when.plus(DAY * 15),
        refresh_expires_at: Some(when.plus(DAY * 30)),
    }
}

/// The keys that seal the tokens of this run.
pub(crate) fn token_keys(fixtures: &Fixtures) -> Result<TokenKeys, BenchError> {
    let keys = |name: &str| -> Result<SecretString, BenchError> {
        let path = fixtures.path(name);
        let text = std::fs::read_to_string(&path);
        Ok(text
            .map_err(|error| BenchError::system(path.display().to_string())(error))?
            .into())
    };
    TokenKeys::from_json(
        &keys("token-keys.json")?,
        Some(&keys("refresh-token-keys.json")?),
    )
    .map_err(|error| BenchError::Keys(error.to_string()))
}

/// The rows of `keys`, whose tokens were stored a moment ago, and that of `order`, which was placed then.
pub(crate) fn rows_of(
    keys: &[TokenKey],
    order: &OrderRequest,
    fixtures: &Fixtures,
) -> Result<Vec<Item>, BenchError> {
    let runtime = Runtime::new().map_err(BenchError::system("the async runtime"))?;
    let table = TokenTable::start(&runtime, fixtures)?;
    let now = WallTime::from(SystemTime::now());
    for key in keys {
        table.put_login(key, now)?;
    }
    table.place(order, now)?;
    let mut rows = table.rows(TOKEN_TABLE)?;
    rows.append(&mut table.rows(ORDER_TABLE)?);
    Ok(rows)
}

pub(crate) fn of_table(error: impl std::error::Error + Send + Sync + 'static) -> BenchError {
    BenchError::system("the embedded DynamoDB")(std::io::Error::other(error))
}
