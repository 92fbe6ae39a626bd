//! A server of prepared replies, plain or over TLS, a thread for each connection. It computes nothing but where a request ends and which
//! of its replies is asked for.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::BenchError;
use crate::http::{Connection, Request};

/// Which reply a request gets.
pub trait Replies: Send + Sync + 'static {
    /// The bytes of the whole response to `request`, which lies in `connection`'s buffer.
    fn reply<S: Read + Write>(&self, connection: &Connection<S>, request: &Request) -> &[u8];
}

/// Whether `part` stands in `text`: all that a reply is chosen by.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A running stub. Its threads end with the process.
pub struct Stub {
    address: SocketAddr,
    is_tls: bool,
    requests: Arc<AtomicU64>,
}

impl Stub {
    /// Starts one on a free loopback port: over TLS with `tls`, plain without. Each reply waits for `wait` first.
    ///
    /// # Errors
    /// When no port is to be had.
    pub fn start(
        replies: Arc<impl Replies>,
        tls: Option<Arc<ServerConfig>>,
        wait: Duration,
    ) -> Result<Self, BenchError> {
        let (listener, address) = listen()?;
        let requests = Arc::new(AtomicU64::new(0));
        let is_tls = tls.is_some();
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (replies, tls, counter) =
                    (Arc::clone(&replies), tls.clone(), Arc::clone(&counter));
                // A closed connection is how a contestant ends.
                thread::spawn(move || carry(stream, tls, &*replies, &counter, wait).ok());
            }
        });
        Ok(Self {
            address,
            is_tls,
            requests,
        })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// How many requests it has answered, `HEAD`s left out: those open connections.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// A listener on a free loopback port.
pub(crate) fn listen() -> Result<(TcpListener, SocketAddr), BenchError> {
    let failed = || BenchError::system("listening on a loopback port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?;
    Ok((listener, address))
}

fn carry(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    replies: &impl Replies,
    counter: &AtomicU64,
    wait: Duration,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => answer(stream, replies, counter, wait),
        Some(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            answer(StreamOwned::new(session, stream), replies, counter, wait)
        }
    }
}

fn answer(
    stream: impl Read + Write,
    replies: &impl Replies,
    counter: &AtomicU64,
    wait: Duration,
) -> io::Result<()> {
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.next_request()? {
        let reply = replies.reply(&connection, &request);
        if !request.is_head {
            counter.fetch_add(1, Ordering::Relaxed);
            if !wait.is_zero() {
                thread::sleep(wait);
            }
        }
        connection.write(reply)?;
    }
    Ok(())
}
