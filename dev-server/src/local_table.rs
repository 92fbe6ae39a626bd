use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_dynamodb::{EmbeddedDynamoDb, StartError, client_config};
use function_tokens::{DueShards, Keyring, RefreshFunction, TokenKeys, Tokens};
use identity::create_identity_table;
use payments::create_order_table;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use token_store::create_table;

use crate::DevServerError;
use crate::functions::{LocalTokens, REFRESH_TOKENS};
use crate::owners_file::write_for_owner;

/// The name of the table of tokens on this machine.
pub const TOKEN_TABLE: &str = "tokens";

/// The name of the table of accounts, sessions and one-time values on this machine.
pub const IDENTITY_TABLE: &str = "identity";

/// The name of the table of orders on this machine.
pub const ORDER_TABLE: &str = "orders";

/// Where a table is that needs no credentials.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TableAddress {
    pub endpoint: String,
    pub table: String,
}

/// An embedded DynamoDB that speaks the real protocol on a loopback port, with all three tables made. Ends when dropped.
pub struct LocalTable {
    dynamodb: EmbeddedDynamoDb,
    endpoint: String,
    client: Client,
    keys: String,
    refresh_keys: String,
}

impl LocalTable {
    /// In memory, or kept in `folder` between runs (the tables and the keys that seal what is in them).
    ///
    /// # Errors
    /// Names the file or the reason.
    pub async fn start(folder: Option<&Path>) -> Result<Self, DevServerError> {
        let failed = |error: &dyn std::fmt::Display| DevServerError::Table(error.to_string());
        let dynamodb = match folder {
            None => EmbeddedDynamoDb::start().await,
            Some(folder) => EmbeddedDynamoDb::start_in(folder).await,
        }
        .map_err(|error| match error {
            StartError::Folder { path, source } => DevServerError::Data { path, source },
            error => failed(&error),
        })?;
        let endpoint = dynamodb.endpoint();
        let client = client(&endpoint);
        create_table(&client, TOKEN_TABLE)
            .await
            .map_err(|error| failed(&error))?;
        create_identity_table(&client, IDENTITY_TABLE)
            .await
            .map_err(|error| failed(&error))?;
        create_order_table(&client, ORDER_TABLE)
            .await
            .map_err(|error| failed(&error))?;
        let keys_of = |file| keys(folder, file);
        Ok(Self {
            dynamodb,
            endpoint,
            client,
            keys: keys_of("token-keys.json")?,
            refresh_keys: keys_of("refresh-token-keys.json")?,
        })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The same with the name of the table of tokens.
    pub(crate) fn address(&self) -> TableAddress {
        TableAddress {
            endpoint: self.endpoint.clone(),
            table: TOKEN_TABLE.to_owned(),
        }
    }

    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The document of keys that seal access tokens, as `TOKEN_KEYS_FILE` has it.
    pub fn keys(&self) -> &str {
        &self.keys
    }

    /// The document of keys that seal refresh tokens, as `REFRESH_TOKEN_KEYS_FILE` has it.
    pub fn refresh_keys(&self) -> &str {
        &self.refresh_keys
    }

    /// Takes the table away, as an outage does: from now on nothing answers at its endpoint.
    pub fn stop(&self) {
        self.dynamodb.stop();
    }

    /// The tokens in it, for functions that keep them and for functions that only read them and have them refreshed by the
    /// function `refresh-tokens` behind Lambda's Invoke API at `invoke_api`.
    pub(crate) fn tokens(&self, invoke_api: SocketAddr) -> Result<LocalTokens, DevServerError> {
        let access = Keyring::from_json(&self.keys.clone().into())?;
        let refresh = Keyring::from_json(&self.refresh_keys.clone().into())?;
        let keys = TokenKeys::for_keeping(access.clone(), refresh);
        let client = || self.client.clone();
        let shards = DueShards::default();
        let refresh_function = RefreshFunction::new(lambda_client(invoke_api), REFRESH_TOKENS);
        Ok(LocalTokens {
            keeping: Tokens::keeping(client(), TOKEN_TABLE, keys, shards),
            reading: Tokens::reading(client(), TOKEN_TABLE, access, refresh_function),
        })
    }
}

/// A client of the table that a development server has there.
pub(crate) fn client(endpoint: &str) -> Client {
    let patience = TimeoutConfig::builder().operation_timeout(Duration::from_secs(4));
    let config = client_config(endpoint).timeout_config(patience.build());
    Client::from_conf(config.build())
}

/// A client of the Invoke API of a development server.
pub(crate) fn lambda_client(invoke_api: SocketAddr) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
        .region(aws_sdk_lambda::config::Region::new("local"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(format!("http://{invoke_api}"))
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// Fresh keys, or those of `folder`, so that what was stored there opens again.
fn keys(folder: Option<&Path>, file: &str) -> Result<String, DevServerError> {
    let fresh = || {
        json!({"active": "local", "keys": {"local": STANDARD.encode(rand::rng().random::<[u8; 32]>())}}).to_string()
    };
    let Some(folder) = folder else {
        return Ok(fresh());
    };
    let path = folder.join(file);
    let failed = |source| DevServerError::Data {
        path: path.clone(),
        source,
    };
    if path.exists() {
        return std::fs::read_to_string(&path).map_err(failed);
    }
    let keys = fresh();
    write_for_owner(&path, &keys).map_err(failed)?;
    Ok(keys)
}
