//! A proxy in front of DynamoDB that loses replies or answers in its place.

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
    /// The same, but the connection stays open until [`Proxy::close`].
    LoseReplyLater,
    /// DynamoDB does not see it; the answer is this error code.
    Answer { status: u16, code: &'static str },
    /// DynamoDB does not see it, and the connection stays open without an answer.
    Silence,
}

struct Plan {
    operation: &'static str,
    fault: Fault,
    /// How many requests pass first.
    passing: usize,
    remaining: usize,
    done: usize,
}

pub struct Proxy {
    pub address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    requests: Arc<Mutex<Vec<String>>>,
    closing: Arc<Notify>,
}

impl Proxy {
    pub async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan {
            operation: "",
            fault: Fault::LoseReply,
            passing: 0,
            remaining: 0,
            done: 0,
        }));
        let requests = Arc::default();
        let closing = Arc::default();
        let shared = (
            Arc::clone(&plan),
            Arc::clone(&requests),
            Arc::clone(&closing),
        );
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (plan, requests, closing) = shared.clone();
                // A closed connection is how either side ends.
                tokio::spawn(async move {
                    carry(client, upstream, &plan, &requests, &closing)
                        .await
                        .ok()
                });
            }
        });
        Self {
            address,
            plan,
            requests,
            closing,
        }
    }

    /// Closes the connection whose reply is lost later.
    pub fn close(&self) {
        self.closing.notify_one();
    }

    /// Lets the next `times` requests of `operation` suffer `fault`.
    pub fn arm(&self, operation: &'static str, fault: Fault, times: usize) {
        self.arm_after(0, operation, fault, times);
    }

    /// The same once `passing` requests of `operation` have passed.
    pub fn arm_after(&self, passing: usize, operation: &'static str, fault: Fault, times: usize) {
        *self.plan.lock().unwrap() = Plan {
            operation,
            fault,
            passing,
            remaining: times,
            done: 0,
        };
    }

    /// How many requests have suffered since it was armed.
    pub fn suffered(&self) -> usize {
        self.plan.lock().unwrap().done
    }

    /// All requests so far: head and body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn fault_for(head: &str, plan: &Mutex<Plan>) -> Option<Fault> {
    let mut plan = plan.lock().unwrap();
    let hit = plan.remaining > 0
        && head
            .lines()
            .any(|line| line.ends_with(&format!(".{}", plan.operation)));
    if hit && plan.passing > 0 {
        plan.passing -= 1;
        return None;
    }
    hit.then(|| {
        plan.remaining -= 1;
        plan.done += 1;
        plan.fault
    })
}

async fn carry(
    client: TcpStream,
    upstream: SocketAddr,
    plan: &Mutex<Plan>,
    requests: &Mutex<Vec<String>>,
    closing: &Notify,
) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(upstream).await?);
    loop {
        let (head, request) = message(&mut client).await?;
        let fault = fault_for(&head, plan);
        let whole = String::from_utf8_lossy(&request).into_owned();
        requests.lock().unwrap().push(whole);
        if let Some(Fault::Silence) = fault {
            std::future::pending::<()>().await;
        }
        if let Some(Fault::Answer { status, code }) = fault {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}"}}"#);
            let reply = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            client.write_all(reply.as_bytes()).await?;
            continue;
        }
        server.write_all(&request).await?;
        let (_, reply) = message(&mut server).await?;
        if let Some(Fault::LoseReplyLater) = fault {
            closing.notified().await;
        }
        if fault.is_some() {
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
