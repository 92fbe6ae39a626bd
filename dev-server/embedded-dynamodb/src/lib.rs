//! A DynamoDB in this process, for tests and local work: dynoxide's, which speaks the real protocol over SQLite
//! (`docs/decisions/0004-embedded-dynamodb.md` says why that one).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use embedded_dynamodb::EmbeddedDynamoDb;
//!
//! let dynamodb = EmbeddedDynamoDb::start().await?;
//! let client = dynamodb.client();
//! assert!(client.list_tables().send().await?.table_names().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! It listens on a free loopback port and checks no credentials. It ends when it is dropped, so who uses a table holds it.
//!
//! A [`Proxy`] before it loses, delays, holds or replaces what a store and its table say to each other.
//!
//! [`dynoxide`] itself is named again here, for tests that look at rows without a store or DynamoDB's protocol in between, as
//! [`EmbeddedDynamoDb::database`] lets them. Nobody else links it: an embedded database belongs to development.

mod client;
mod proxy;
mod server;

pub use client::{client_at, client_config};
pub use dynoxide;
pub use proxy::{Fault, Proxy};
pub use server::{EmbeddedDynamoDb, StartError};
