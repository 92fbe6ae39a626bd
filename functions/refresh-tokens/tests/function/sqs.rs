//! A double of SQS, as far as the function writes to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::http::{Message, reply};

pub const REFRESH_QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/1/refresh";
pub const RESCUE_QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/1/rescue";

#[derive(Default)]
struct State {
    /// Queue and body of each message that was taken.
    sent: Vec<(String, String)>,
    requests: usize,
    /// What it says when it is asked how many wait; absent: it is not known.
    waiting: Option<u64>,
    /// Whether it takes no message of a batch whose number in it is odd.
    refuses_odd_entries: bool,
    down: bool,
}

pub struct Sqs {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Sqs {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            waiting: Some(0),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let mut client = BufReader::new(client);
                    // A closed connection is how the client ends.
                    while let Ok(request) = Message::read(&mut client).await {
                        let (status, body) = state.lock().unwrap().answer(&request);
                        if client.write_all(&reply(status, &body)).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, state }
    }

    pub fn client(&self) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .retry_config(RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }

    /// The bodies of the messages in `queue`, in the order in which they came.
    pub fn messages(&self, queue: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let of_queue = state.sent.iter().filter(|(known, _)| known == queue);
        of_queue.map(|(_, body)| body.clone()).collect()
    }

    /// The messages in `queue`, which are in it no more.
    pub fn take(&self, queue: &str) -> Vec<String> {
        let taken = self.messages(queue);
        let mut state = self.state.lock().unwrap();
        state.sent.retain(|(known, _)| known != queue);
        taken
    }

    pub fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    pub fn say_waiting(&self, waiting: Option<u64>) {
        self.state.lock().unwrap().waiting = waiting;
    }

    pub fn refuse_odd_entries(&self, refuses: bool) {
        self.state.lock().unwrap().refuses_odd_entries = refuses;
    }

    pub fn be_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }
}

impl State {
    fn answer(&mut self, request: &Message) -> (u16, String) {
        self.requests += 1;
        let unavailable = || (503, json!({"__type": "ServiceUnavailable"}).to_string());
        if self.down {
            return unavailable();
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let queue = body["QueueUrl"].as_str().unwrap().to_owned();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match request.operation() {
            "GetQueueAttributes" => match self.waiting {
                Some(waiting) => {
                    let count = waiting.to_string();
                    let attributes = json!({"ApproximateNumberOfMessages": count});
                    (200, json!({"Attributes": attributes}).to_string())
                }
                None => unavailable(),
            },
            "SendMessage" => {
                self.sent.push((queue, text(&body["MessageBody"])));
                (200, json!({"MessageId": "m"}).to_string())
            }
            "SendMessageBatch" => {
                let entries = body["Entries"].as_array().unwrap();
                assert!((1..=10).contains(&entries.len()), "SQS takes ten at most");
                let (mut taken, mut refused) = (Vec::new(), Vec::new());
                for (number, entry) in entries.iter().enumerate() {
                    if self.refuses_odd_entries && number % 2 == 1 {
                        refused.push(json!({
                            "Id": entry["Id"], "SenderFault": false, "Code": "InternalError",
                        }));
                    } else {
                        self.sent.push((queue.clone(), text(&entry["MessageBody"])));
                        taken.push(json!({
                            "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "",
                        }));
                    }
                }
                let answer = json!({"Successful": taken, "Failed": refused});
                (200, answer.to_string())
            }
            operation => panic!("SQS was asked for {operation}"),
        }
    }
}
