//! Where the tokens are: in the development server on this machine, or on AWS.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use function_kit::{StartUpError, aws_settings, required, setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::TokensError;
use crate::doors::LOCAL_TABLE;
use crate::functions::REFRESH_TOKENS;
use crate::local_table::{TableAddress, client, lambda_client};

/// Where the development server listens if nobody says otherwise.
pub const DEFAULT_PORT: u16 = 3000;

const TABLE: &str = "TOKEN_TABLE";
const REFRESH_FUNCTION: &str = "REFRESH_FUNCTION";
/// A server on this machine that takes longer is none of ours.
const PATIENCE: Duration = Duration::from_secs(2);
/// Its answer is much shorter.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Local { port: u16 },
    Aws,
}

/// Who refreshes.
pub(super) struct Refreshing {
    pub client: aws_sdk_lambda::Client,
    pub function: String,
}

impl Place {
    /// A port that was named is meant, whatever the environment says.
    pub(super) fn chosen(port: Option<u16>) -> Self {
        let aws = || {
            setting(TABLE)
                .or_else(|| setting(REFRESH_FUNCTION))
                .is_some()
        };
        match port {
            Some(port) => Self::Local { port },
            None if aws() => Self::Aws,
            None => Self::Local { port: DEFAULT_PORT },
        }
    }

    /// The table and a client for it.
    pub(super) async fn table(self) -> Result<(Client, String), TokensError> {
        match self {
            Self::Local { port } => {
                let TableAddress { endpoint, table } = table_of_server(port).await?;
                Ok((client(&endpoint), table))
            }
            Self::Aws => {
                let table = required(TABLE).map_err(StartUpError::from)?;
                let settings = aws_settings("AWS_ENDPOINT_URL_DYNAMODB")?;
                Ok((Client::new(&settings), table))
            }
        }
    }

    /// The function that refreshes and a client for it.
    pub(super) async fn refreshing(self) -> Result<Refreshing, TokensError> {
        match self {
            Self::Local { port } => {
                table_of_server(port).await?;
                Ok(Refreshing {
                    client: lambda_client(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
                    function: REFRESH_TOKENS.to_owned(),
                })
            }
            Self::Aws => {
                let function = required(REFRESH_FUNCTION).map_err(StartUpError::from)?;
                let settings = aws_settings("AWS_ENDPOINT_URL_LAMBDA")?;
                Ok(Refreshing {
                    client: aws_sdk_lambda::Client::new(&settings),
                    function,
                })
            }
        }
    }
}

/// Asks the development server on `port` where its table is.
async fn table_of_server(port: u16) -> Result<TableAddress, TokensError> {
    let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let Ok(Ok(stream)) = timeout(PATIENCE, connecting).await else {
        return Err(TokensError::NoServer { port });
    };
    let answer = timeout(PATIENCE, get(stream, LOCAL_TABLE)).await;
    answer
        .ok()
        .and_then(Result::ok)
        .and_then(|text| {
            let (_, body) = text.split_once("\r\n\r\n")?;
            serde_json::from_str(body).ok()
        })
        .ok_or(TokensError::AnotherServer { port })
}

/// One request is all that is ever made, so it is written by hand: the HTTP client of the project is the gateway's.
async fn get(mut stream: TcpStream, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream
        .take(LONGEST_ANSWER)
        .read_to_string(&mut answer)
        .await?;
    Ok(answer)
}
