//! A proxy in front of DynamoDB that loses replies or requests, holds requests back, and counts them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What happens to the requests of one operation.
#[derive(Clone, Copy)]
pub enum Fault {
    /// The request is carried out and the connection closed without its reply.
    LoseReply,
    /// The connection is closed; DynamoDB does not see the request.
    LoseRequest,
    /// The request waits until [`Proxy::let_go`].
    HoldRequest,
    /// The connection is closed at once; the request goes on at [`Proxy::let_arrive`], when its sender has long sent another.
    DelayRequest,
}

struct Plan {
    operation: &'static str,
    fault: Fault,
    /// How many requests pass first.
    passing: usize,
    remaining: usize,
    suffered: usize,
}

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections share.
struct Shared {
    plan: Mutex<Plan>,
    operations: Mutex<Vec<String>>,
    /// Told of every request that suffers.
    suffering: Notify,
    letting_go: Notify,
    /// Told when a delayed request has been answered.
    arriving: Notify,
}

impl Proxy {
    pub async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Plan {
            operation: "",
            fault: Fault::LoseReply,
            passing: 0,
            remaining: 0,
            suffered: 0,
        };
        let shared = Arc::new(Shared {
            plan: Mutex::new(plan),
            operations: Mutex::default(),
            suffering: Notify::new(),
            letting_go: Notify::new(),
            arriving: Notify::new(),
        });
        let proxy = Self {
            address,
            shared: Arc::clone(&shared),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                // A closed connection is how either side ends.
                tokio::spawn(async move { carry(client, upstream, &shared).await.ok() });
            }
        });
        proxy
    }

    /// Lets the next `times` requests of `operation`, such as `UpdateItem`, suffer `fault`.
    pub fn arm(&self, operation: &'static str, fault: Fault, times: usize) {
        self.arm_after(0, operation, fault, times);
    }

    /// The same once `passing` requests of `operation` have passed.
    pub fn arm_after(&self, passing: usize, operation: &'static str, fault: Fault, times: usize) {
        *self.shared.plan.lock().unwrap() = Plan {
            operation,
            fault,
            passing,
            remaining: times,
            suffered: 0,
        };
    }

    /// How many requests have suffered since it was armed.
    pub fn suffered(&self) -> usize {
        self.shared.plan.lock().unwrap().suffered
    }

    /// Waits until a request suffers.
    pub async fn wait_for_suffering(&self) {
        self.shared.suffering.notified().await;
    }

    /// Lets a request go on that is held.
    pub fn let_go(&self) {
        self.shared.letting_go.notify_one();
    }

    /// Lets a request go on that is delayed, and waits until DynamoDB has answered it.
    pub async fn let_arrive(&self) {
        self.shared.letting_go.notify_one();
        self.shared.arriving.notified().await;
    }

    /// The operations that were asked for since the last call of this.
    pub fn take_operations(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.operations.lock().unwrap())
    }
}

fn fault_for(head: &str, shared: &Shared) -> Option<Fault> {
    let operation = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("x-amz-target:"))
        .and_then(|line| line.rsplit('.').next())
        .unwrap_or_default();
    shared.operations.lock().unwrap().push(operation.to_owned());
    let mut plan = shared.plan.lock().unwrap();
    if plan.remaining == 0 || operation != plan.operation {
        return None;
    }
    if plan.passing > 0 {
        plan.passing -= 1;
        return None;
    }
    plan.remaining -= 1;
    plan.suffered += 1;
    shared.suffering.notify_one();
    Some(plan.fault)
}

async fn carry(client: TcpStream, upstream: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(upstream).await?);
    loop {
        let (head, request) = message(&mut client).await?;
        let fault = fault_for(&head, shared);
        match fault {
            Some(Fault::LoseRequest) => return Ok(()),
            Some(Fault::HoldRequest) => shared.letting_go.notified().await,
            Some(Fault::DelayRequest) => {
                drop(client);
                shared.letting_go.notified().await;
                server.write_all(&request).await?;
                message(&mut server).await?;
                shared.arriving.notify_one();
                return Ok(());
            }
            Some(Fault::LoseReply) | None => {}
        }
        server.write_all(&request).await?;
        let (_, reply) = message(&mut server).await?;
        if matches!(fault, Some(Fault::LoseReply)) {
            return Ok(());
        }
        client.write_all(&reply).await?;
    }
}

/// One HTTP/1.1 message with a `content-length`: its head, and all of it.
async fn message(stream: &mut BufReader<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut whole = head.clone().into_bytes();
    let start = whole.len();
    whole.resize(start + length, 0);
    stream.read_exact(&mut whole[start..]).await?;
    Ok((head, whole))
}
