//! The smallest HTTP/1.1 server that the clients of a function accept, and the two AWS services behind it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub struct Request {
    /// Such as `GET /2018-06-01/runtime/invocation/next`.
    pub line: String,
    /// The line and the headers, as they came.
    pub head: String,
    pub body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether it bears the AWS signature (version 4) of a `POST /` to `service` with the test's credentials, worked out here from
    /// AWS's description of it.
    fn is_aws_signed(&self, service: &str) -> bool {
        let Some(authorization) = self.header("authorization") else {
            return false;
        };
        let part = |name: &str| {
            authorization
                .split(&[' ', ','][..])
                .find_map(|part| part.strip_prefix(name))
        };
        let (Some(credential), Some(signed), Some(signature)) = (
            part("Credential="),
            part("SignedHeaders="),
            part("Signature="),
        ) else {
            return false;
        };
        let Some((ACCESS_KEY_ID, scope)) = credential.split_once('/') else {
            return false;
        };
        let at = self.header("x-amz-date").unwrap_or_default();
        let day = at.get(..8).unwrap_or_default();
        let headers: String = signed
            .split(';')
            .map(|name| format!("{name}:{}\n", self.header(name).unwrap_or_default()))
            .collect();
        let canonical = format!("POST\n/\n\n{headers}\n{signed}\n{}", hash(&self.body));
        let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hash(&canonical));
        let first = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
        let key = [day, "eu-central-1", service, "aws4_request"]
            .into_iter()
            .fold(first, |key, part| keyed_hash(&key, part));
        ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"]
            .iter()
            .all(|name| signed.split(';').any(|signed| signed == *name))
            && self.header("x-amz-security-token") == Some(SESSION_TOKEN)
            && scope == format!("{day}/eu-central-1/{service}/aws4_request")
            && signature == in_hex(&keyed_hash(&key, &to_sign))
    }
}

/// The credentials of the processes under test.
pub const ACCESS_KEY_ID: &str = "AKIACANARY";
pub const SECRET_ACCESS_KEY: &str = "canarysecretaccesskey";
pub const SESSION_TOKEN: &str = "canarysessiontoken";

fn hash(text: &str) -> String {
    in_hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn keyed_hash(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn in_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Response {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/x-amz-json-1.1".to_owned())],
            body: body.to_string(),
        }
    }
}

/// Serves on a free port for as long as the test's runtime lives.
async fn serve<H, F>(handler: H) -> SocketAddr
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let handler = Arc::clone(&handler);
            // A closed connection is how the client ends.
            tokio::spawn(async move { converse(connection, &*handler).await.ok() });
        }
    });
    address
}

async fn converse<H, F>(connection: TcpStream, handler: &H) -> std::io::Result<()>
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let mut connection = BufReader::new(connection);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if connection.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        let line = head.lines().next().unwrap_or_default();
        let request = Request {
            line: line.trim_end_matches(" HTTP/1.1").to_owned(),
            head: head.clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let Response {
            status,
            headers,
            body,
        } = handler(request).await;
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let reply = format!(
            "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(reply.as_bytes()).await?;
    }
}

/// What Secrets Manager answers.
#[derive(Clone)]
pub enum Secret {
    Text(String),
    Binary,
    /// An error type with its message, as AWS writes it.
    Refused(&'static str, &'static str),
    /// A failure of the service itself the first time it is asked, and then the text.
    FailingOnce(String),
}

/// Starts a Secrets Manager that has one answer, which can be changed.
pub async fn secrets_manager(secret: Secret) -> (SocketAddr, Arc<Mutex<Secret>>) {
    let secret = Arc::new(Mutex::new(secret));
    let answer = Arc::clone(&secret);
    let address = serve(move |request| {
        let secret = {
            let mut answer = answer.lock().unwrap();
            let secret = answer.clone();
            if let Secret::FailingOnce(text) = &secret {
                *answer = Secret::Text(text.clone());
            }
            secret
        };
        async move {
            if !request.is_aws_signed("secretsmanager") {
                return Response::json(403, &json!({"__type": "InvalidSignatureException", "message": "wrong"}));
            }
            let id = serde_json::from_str::<Value>(&request.body).unwrap()["SecretId"].clone();
            match secret {
                Secret::FailingOnce(_) => Response {
                    status: 503,
                    headers: vec![],
                    body: "<html>".to_owned(),
                },
                Secret::Text(text) => Response::json(
                    200,
                    &json!({"ARN": id, "Name": "n", "VersionId": "v", "SecretString": text, "CreatedDate": 1.0}),
                ),
                Secret::Binary => Response::json(200, &json!({"ARN": id, "Name": "n", "SecretBinary": "e30="})),
                Secret::Refused(kind, message) => {
                    Response::json(400, &json!({"__type": kind, "message": message}))
                }
            }
        }
    })
    .await;
    (address, secret)
}

/// A Lambda Runtime API that hands out the events it is given.
pub struct RuntimeApi {
    pub address: SocketAddr,
    events: UnboundedSender<(String, String)>,
    answers: tokio::sync::Mutex<UnboundedReceiver<(String, String)>>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let (events, waiting) = unbounded_channel::<(String, String)>();
        let (answered, answers) = unbounded_channel();
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let address = serve(move |request: Request| {
            let waiting = Arc::clone(&waiting);
            let answered = answered.clone();
            async move {
                if request.line.ends_with("/invocation/next") {
                    let event = waiting.lock().await.recv().await;
                    let Some((request_id, event)) = event else {
                        return std::future::pending().await;
                    };
                    let deadline = std::time::SystemTime::now()
                        .duration_since(std::time::UNIX_EPOCH)
                        .unwrap()
                        .as_millis()
                        + 20_000;
                    return Response {
                        status: 200,
                        headers: vec![
                            ("lambda-runtime-aws-request-id", request_id),
                            ("lambda-runtime-deadline-ms", deadline.to_string()),
                            (
                                "lambda-runtime-invoked-function-arn",
                                "arn:aws:lambda:x".to_owned(),
                            ),
                            (
                                "lambda-runtime-trace-id",
                                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned(),
                            ),
                        ],
                        body: event,
                    };
                }
                // POST …/invocation/{id}/response or …/error, POST …/init/error
                let what = request
                    .line
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                answered.send((what, request.body)).ok();
                Response::json(202, &json!({"status": "OK"}))
            }
        })
        .await;
        Self {
            address,
            events,
            answers: tokio::sync::Mutex::new(answers),
        }
    }

    /// Hands out `event` and gives the answer to it: whether it is a `response` or an `error`, and the text.
    pub async fn invoke(&self, request_id: &str, event: &str) -> (String, String) {
        self.events
            .send((request_id.to_owned(), event.to_owned()))
            .unwrap();
        let answer = async { self.answers.lock().await.recv().await.unwrap() };
        tokio::time::timeout(std::time::Duration::from_secs(30), answer)
            .await
            .expect("an answer within 30 s")
    }
}
