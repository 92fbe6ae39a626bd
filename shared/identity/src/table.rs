//! The table of identities, and the addresses of its rows.

use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{BillingMode, KeyType, ScalarAttributeType};
use table_rows::{created, definition, enable_time_to_live, key, wait_until_active};

use crate::IdentityError;

/// The attribute that is to be the table's time to live, in seconds since 1970. DynamoDB only tidies up by it; what has expired is
/// judged when a row is read.
pub const IDENTITY_TTL_ATTRIBUTE: &str = "ttl";

/// The partition key; there is no sort key.
pub(crate) const PK: &str = "pk";

/// One table with a client of it. Cheap to clone.
#[derive(Clone)]
pub struct IdentityTable {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl IdentityTable {
    /// The table `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }
}

impl fmt::Debug for IdentityTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IdentityTable")
            .finish_non_exhaustive()
    }
}

/// Makes the table `name` (partition key `pk`, on demand, time to live on `ttl`) and waits until it can be used, for tests and the
/// development server. A table of that name that is already there is left as it is.
///
/// # Errors
/// [`IdentityError::Table`].
pub async fn create_identity_table(client: &Client, name: &str) -> Result<(), IdentityError> {
    let reply = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(definition(PK, ScalarAttributeType::S)?)
        .key_schema(key(PK, KeyType::Hash)?)
        .send()
        .await;
    created(reply)?;
    wait_until_active(client, name).await?;
    enable_time_to_live(client, name, IDENTITY_TTL_ATTRIBUTE).await?;
    Ok(())
}
