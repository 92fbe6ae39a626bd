//! TCP connections that the simulator can count and break.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Every connection that is open now.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    next: AtomicU64,
    open: Mutex<Vec<Weak<Connection>>>,
}

impl Connections {
    fn add(&self) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            id: self.next.fetch_add(1, Ordering::Relaxed) + 1,
            requests: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            waiting: Mutex::default(),
        });
        let mut open = lock(&self.open);
        open.retain(|known| known.strong_count() > 0);
        open.push(Arc::downgrade(&connection));
        connection
    }

    /// Resets every open connection and answers how many there were.
    pub(crate) fn reset_all(&self) -> usize {
        let open: Vec<_> = lock(&self.open).iter().filter_map(Weak::upgrade).collect();
        open.iter().for_each(|connection| connection.reset());
        open.len()
    }

    /// How many connections were ever accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}

/// One connection, as a handler sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    id: u64,
    requests: AtomicU32,
    broken: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Connection {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Counts a request; 1 for the first on this connection.
    pub(crate) fn count_request(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends the connection with a TCP reset (RST), not an orderly close.
    pub(crate) fn reset(&self) {
        self.broken.store(true, Ordering::SeqCst);
        lock(&self.waiting).drain(..).for_each(Waker::wake);
    }

    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        // The waker is left first, so that a reset between the two lines is not missed.
        let mut waiting = lock(&self.waiting);
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        drop(waiting);
        if self.broken.load(Ordering::SeqCst) {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What handlers get of the connection their request came on.
#[derive(Clone, Debug)]
pub(crate) struct Peer(pub(crate) Arc<Connection>);

impl Connected<IncomingStream<'_, BreakableListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BreakableListener>) -> Self {
        Self(Arc::clone(&stream.io().connection))
    }
}

/// A TCP listener whose connections can be reset.
pub(crate) struct BreakableListener {
    pub(crate) listener: TcpListener,
    pub(crate) connections: Arc<Connections>,
}

impl Listener for BreakableListener {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // A reply goes out in several small writes; none of them shall wait for an acknowledgement.
                    let _ = stream.set_nodelay(true);
                    return (
                        BreakableStream {
                            stream,
                            connection: self.connections.add(),
                        },
                        address,
                    );
                }
                // Out of file descriptors, or the peer is gone already: the next one may be fine.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A TCP stream that fails as soon as its connection is reset.
pub(crate) struct BreakableStream {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Drop for BreakableStream {
    fn drop(&mut self) {
        if self.connection.broken.load(Ordering::SeqCst) {
            // Closing with zero linger sends RST in place of FIN.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for BreakableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.connection.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly end (FIN) would come before the reset.
        self.connection.check(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
