use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What happens to the requests of one operation.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The request is carried out and the connection closed without its reply.
    LoseReply,
    /// The same, but the connection stays open until [`Proxy::let_go`].
    LoseReplyLater,
    /// The connection is closed; DynamoDB does not see the request.
    LoseRequest,
    /// The request waits until [`Proxy::let_go`].
    HoldRequest,
    /// The connection is closed at once; the request goes on at [`Proxy::let_arrive`], when its sender has long sent another.
    DelayRequest,
    /// DynamoDB does not see the request; the answer is this error code.
    Answer {
        /// The HTTP status.
        status: u16,
        /// DynamoDB's name of the error, such as `ThrottlingException`.
        code: &'static str,
    },
    /// DynamoDB does not see the request, and the connection stays open without an answer.
    Silence,
}

/// A proxy in front of a DynamoDB. Everything passes until it is armed, and is written down. It lives as long as the runtime.
pub struct Proxy {
    /// Where it listens, for [`client_at`](crate::client_at).
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections share.
struct Shared {
    plan: Mutex<Option<Plan>>,
    requests: Mutex<Vec<String>>,
    operations: Mutex<Vec<String>>,
    /// Told of every request that suffers.
    suffering: Notify,
    letting_go: Notify,
    /// Told when a delayed request has been answered.
    arriving: Notify,
}

struct Plan {
    operation: &'static str,
    fault: Fault,
    /// How many requests pass first.
    passing: usize,
    remaining: usize,
    suffered: usize,
}

impl Proxy {
    /// Starts a proxy on a free loopback port, whose requests go on to `upstream`.
    ///
    /// # Errors
    /// The system's, where there is no port to be had.
    pub async fn before(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            plan: Mutex::default(),
            requests: Mutex::default(),
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
        Ok(proxy)
    }

    /// Lets the next `times` requests of `operation`, such as `UpdateItem`, suffer `fault`. What was armed before is forgotten.
    pub fn arm(&self, operation: &'static str, fault: Fault, times: usize) {
        self.arm_after(0, operation, fault, times);
    }

    /// The same once `passing` requests of `operation` have passed.
    pub fn arm_after(&self, passing: usize, operation: &'static str, fault: Fault, times: usize) {
        *locked(&self.shared.plan) = Some(Plan {
            operation,
            fault,
            passing,
            remaining: times,
            suffered: 0,
        });
    }

    /// From now on everything passes.
    pub fn disarm(&self) {
        *locked(&self.shared.plan) = None;
    }

    /// How many requests have suffered since it was armed.
    pub fn suffered(&self) -> usize {
        let plan = locked(&self.shared.plan);
        plan.as_ref().map_or(0, |plan| plan.suffered)
    }

    /// Waits until a request suffers, or returns at once where one has since the last call.
    pub async fn wait_for_suffering(&self) {
        self.shared.suffering.notified().await;
    }

    /// Lets a request go on that is held, or closes a connection whose reply is lost later.
    pub fn let_go(&self) {
        self.shared.letting_go.notify_one();
    }

    /// Lets a request go on that is delayed, and waits until DynamoDB has answered it.
    pub async fn let_arrive(&self) {
        self.let_go();
        self.shared.arriving.notified().await;
    }

    /// All requests so far: head and body.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.shared.requests).clone()
    }

    /// The operations that were asked for since the last call of this.
    pub fn take_operations(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.shared.operations))
    }
}

impl Shared {
    /// Writes a request down, and says what is to happen to it.
    fn received(&self, request: &Message) -> Option<Fault> {
        let operation = request.operation();
        locked(&self.requests).push(request.to_text());
        locked(&self.operations).push(operation.to_owned());
        let mut plan = locked(&self.plan);
        let plan = plan
            .as_mut()
            .filter(|plan| plan.remaining > 0 && plan.operation == operation)?;
        if plan.passing > 0 {
            plan.passing -= 1;
            return None;
        }
        plan.remaining -= 1;
        plan.suffered += 1;
        self.suffering.notify_one();
        Some(plan.fault)
    }
}

/// What is behind these locks is whole after each statement, also of a test that has panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn carry(client: TcpStream, upstream: SocketAddr, shared: &Shared) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(upstream).await?);
    loop {
        let request = Message::read(&mut client).await?;
        let fault = shared.received(&request);
        match fault {
            Some(Fault::LoseRequest) => return Ok(()),
            Some(Fault::HoldRequest) => shared.letting_go.notified().await,
            Some(Fault::DelayRequest) => {
                drop(client);
                shared.letting_go.notified().await;
                request.write(&mut server).await?;
                Message::read(&mut server).await?;
                shared.arriving.notify_one();
                return Ok(());
            }
            Some(Fault::Answer { status, code }) => {
                Message::refusal(status, code).write(&mut client).await?;
                continue;
            }
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::LoseReply | Fault::LoseReplyLater) | None => {}
        }
        request.write(&mut server).await?;
        let reply = Message::read(&mut server).await?;
        match fault {
            Some(Fault::LoseReply) => return Ok(()),
            Some(Fault::LoseReplyLater) => {
                shared.letting_go.notified().await;
                return Ok(());
            }
            _ => reply.write(&mut client).await?,
        }
    }
}

/// One HTTP/1.1 message with a `content-length`.
struct Message {
    /// To the empty line, and with it.
    head: String,
    body: Vec<u8>,
}

impl Message {
    /// The longest body of a request to DynamoDB is 16 MiB; a reply is shorter.
    const LONGEST_BODY: usize = 16 << 20;

    async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = match header(&head, "content-length") {
            None => 0,
            Some(length) => length
                .parse()
                .ok()
                .filter(|length| *length <= Self::LONGEST_BODY)
                .ok_or(io::ErrorKind::InvalidData)?,
        };
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Ok(Self { head, body })
    }

    /// DynamoDB's answer that it does not do what was asked.
    fn refusal(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}"}}"#);
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self {
            head,
            body: body.into_bytes(),
        }
    }

    async fn write(&self, stream: &mut BufReader<TcpStream>) -> io::Result<()> {
        stream
            .write_all(&[self.head.as_bytes(), &self.body].concat())
            .await
    }

    /// The operation of a request, such as `UpdateItem`.
    fn operation(&self) -> &str {
        let target = header(&self.head, "x-amz-target").unwrap_or_default();
        target
            .rsplit_once('.')
            .map_or(target, |(_, operation)| operation)
    }

    fn to_text(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    headers
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
