use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// SQS, as far as `refresh-tokens` sends to it: takes every message and keeps it for the test to read. Ends when dropped.
pub struct Queues {
    endpoint: String,
    messages: Arc<Mutex<Vec<(String, String)>>>,
    serving: JoinHandle<()>,
}

impl Queues {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let messages: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let kept = Arc::clone(&messages);
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&kept)));
            }
        });
        Self {
            endpoint,
            messages,
            serving,
        }
    }

    /// What `AWS_ENDPOINT_URL_SQS` is to be.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The URL of the queue `name`; every name is a queue.
    pub fn url(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.endpoint)
    }

    /// The bodies of the messages in the queue `name`, in the order in which they came.
    pub fn messages(&self, name: &str) -> Vec<String> {
        let url = self.url(name);
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages
            .iter()
            .filter(|(queue, _)| *queue == url)
            .map(|(_, body)| body.clone())
            .collect()
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(connection: TcpStream, messages: Arc<Mutex<Vec<(String, String)>>>) {
    let mut connection = BufReader::new(connection);
    while let Some((action, request)) = next_request(&mut connection).await {
        let body = answer(&action, &request, &messages).to_string();
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if connection.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The action's name and the arguments of the next request; `None` when the connection ends.
async fn next_request(connection: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut action, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "x-amz-target" => action = value.trim().replace("AmazonSQS.", ""),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some((action, serde_json::from_slice(&body).ok()?))
}

fn answer(action: &str, request: &Value, messages: &Mutex<Vec<(String, String)>>) -> Value {
    let queue = request["QueueUrl"].as_str().unwrap_or_default();
    let keep = |message: &Value| {
        let body = message["MessageBody"].as_str().unwrap_or_default();
        let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push((queue.to_owned(), body.to_owned()));
    };
    match action {
        "GetQueueAttributes" => json!({"Attributes": {"ApproximateNumberOfMessages": "0"}}),
        "SendMessage" => {
            keep(request);
            json!({"MessageId": "1", "MD5OfMessageBody": ""})
        }
        _ => {
            let entries = request["Entries"].as_array().cloned().unwrap_or_default();
            entries.iter().for_each(keep);
            let taken: Vec<Value> = entries
                .iter()
                .map(|entry| json!({"Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": ""}))
                .collect();
            json!({"Successful": taken, "Failed": []})
        }
    }
}
