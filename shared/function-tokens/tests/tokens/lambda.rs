//! A double of Lambda's Invoke API: one function behind it, which answers as the test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alipay_gateway::Deadline;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use function_kit::Alipay;
use function_tokens::{RefreshMessage, Tokens};
use serde_json::{Value, json};
use token_store::NoRescueQueue;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What an invocation ends with.
#[derive(Clone)]
pub enum Answer {
    /// The function's own answer.
    Payload(Value),
    /// The function did not handle its event: it ran out of time, or panicked.
    Unhandled(Value),
    /// Lambda's own refusal.
    Refused { status: u16, code: &'static str },
    /// Nothing; the connection stays open.
    Nothing,
}

/// One that came.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// Method and path.
    pub line: String,
    /// `Event`: nobody waits for an answer.
    pub kind: String,
    pub event: Value,
}

pub struct Lambda {
    address: SocketAddr,
    invoked: Arc<Mutex<Vec<Invoked>>>,
}

/// The function behind it.
#[derive(Clone)]
enum Behind {
    /// Refreshes, as `refresh-tokens` does.
    Worker(Box<(Tokens, Alipay)>),
    Always(Answer),
}

impl Lambda {
    /// With a function behind it that refreshes, with all keys.
    pub async fn that_refreshes(tokens: Tokens, alipay: Alipay) -> Self {
        Self::with(Behind::Worker(Box::new((tokens, alipay)))).await
    }

    pub async fn that_answers(answer: Answer) -> Self {
        Self::with(Behind::Always(answer)).await
    }

    async fn with(behind: Behind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let invoked: Arc<Mutex<Vec<Invoked>>> = Arc::default();
        let seen = Arc::clone(&invoked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (behind, seen) = (behind.clone(), Arc::clone(&seen));
                // A closed connection is how the client ends.
                tokio::spawn(async move { serve(client, &behind, &seen).await.ok() });
            }
        });
        Self { address, invoked }
    }

    pub fn client(&self) -> Client {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .build();
        Client::from_conf(config)
    }

    pub fn invoked(&self) -> Vec<Invoked> {
        self.invoked.lock().unwrap().clone()
    }
}

impl Behind {
    async fn answer(&self, event: Value) -> Answer {
        let (tokens, alipay) = match self {
            Self::Always(answer) => return answer.clone(),
            Self::Worker(worker) => (&worker.0, &worker.1),
        };
        let Ok(RefreshMessage::Refresh(request)) = serde_json::from_value(event) else {
            return Answer::Unhandled(json!({"errorMessage": "none of this function's events"}));
        };
        let deadline = Deadline::after(alipay.now(), Duration::from_secs(30));
        match tokens
            .refresh(alipay, &request, deadline, &NoRescueQueue)
            .await
        {
            Ok(outcome) => {
                let mut answer = json!({"code": 0, "msg": "ok", "request_id": "r"});
                let Value::Object(members) = json!(outcome) else {
                    unreachable!("an outcome is an object")
                };
                answer.as_object_mut().unwrap().extend(members);
                Answer::Payload(answer)
            }
            Err(error) => Answer::Payload(json!({"code": -1, "msg": error.to_string()})),
        }
    }
}

async fn serve(
    client: TcpStream,
    behind: &Behind,
    seen: &Mutex<Vec<Invoked>>,
) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    loop {
        let (head, event) = request(&mut client).await?;
        let event: Value = serde_json::from_slice(&event).unwrap();
        let kind = header(&head, "x-amz-invocation-type").unwrap_or("RequestResponse");
        seen.lock().unwrap().push(Invoked {
            line: head.lines().next().unwrap_or_default().to_owned(),
            kind: kind.to_owned(),
            event: event.clone(),
        });
        if kind == "Event" {
            let behind = behind.clone();
            tokio::spawn(async move { behind.answer(event).await });
            client
                .write_all(b"HTTP/1.1 202 X\r\ncontent-length: 0\r\n\r\n")
                .await?;
            continue;
        }
        let (status, header, body) = match behind.answer(event).await {
            Answer::Payload(body) => (200, String::new(), body),
            Answer::Unhandled(body) => {
                (200, "x-amz-function-error: Unhandled\r\n".to_owned(), body)
            }
            Answer::Refused { status, code } => (
                status,
                format!("x-amzn-errortype: {code}\r\n"),
                json!({"Message": "refused"}),
            ),
            Answer::Nothing => std::future::pending().await,
        };
        let body = body.to_string();
        let length = body.len();
        let reply = format!(
            "HTTP/1.1 {status} X\r\n{header}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        client.write_all(reply.as_bytes()).await?;
    }
}

/// One HTTP/1.1 request with a `content-length`: its head and its body.
async fn request(stream: &mut BufReader<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = header(&head, "content-length").unwrap_or("0").parse();
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).await?;
    Ok((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
