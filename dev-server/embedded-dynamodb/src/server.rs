use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use dynoxide::{Database, DynoxideError};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::client::client_at;

/// The file in the folder of a database that is kept.
const FILE: &str = "tables.sqlite";

/// Why no DynamoDB was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder is not there and cannot be made.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The folder asked for.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] DynoxideError),
    /// There is no port to listen at.
    #[error("no port on the loopback address can be had: {0}")]
    Port(io::Error),
}

/// A running DynamoDB. Ends when dropped.
pub struct EmbeddedDynamoDb {
    address: SocketAddr,
    client: Client,
    database: Database,
    ending: Arc<Notify>,
}

impl EmbeddedDynamoDb {
    /// Starts an empty one in memory.
    ///
    /// # Errors
    /// [`StartError::Database`] and [`StartError::Port`].
    pub async fn start() -> Result<Self, StartError> {
        Self::over(Database::memory()?).await
    }

    /// Starts one whose tables are kept in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// Each [`StartError`].
    pub async fn start_in(folder: &Path) -> Result<Self, StartError> {
        std::fs::create_dir_all(folder).map_err(|source| StartError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        Self::over(Database::new(&folder.join(FILE).to_string_lossy())?).await
    }

    async fn over(database: Database) -> Result<Self, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(StartError::Port)?;
        let address = listener.local_addr().map_err(StartError::Port)?;
        let ending = Arc::new(Notify::new());
        let ended = Arc::clone(&ending);
        tokio::spawn(dynoxide::server::serve_with_shutdown(
            listener,
            database.clone(),
            async move { ended.notified().await },
        ));
        Ok(Self {
            address,
            client: client_at(address),
            database,
            ending,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as an address of AWS' clients: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it. All of these share their connections; [`client_at`] makes one that does not.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What is behind it: for reading rows, or changing them, without its protocol.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Takes it away, as an outage does: a request that is being carried out is answered, later ones find nobody, on open
    /// connections too.
    pub fn stop(&self) {
        self.ending.notify_one();
    }
}

impl Drop for EmbeddedDynamoDb {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for EmbeddedDynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedDynamoDb")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
