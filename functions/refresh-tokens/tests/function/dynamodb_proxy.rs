//! A proxy in front of DynamoDB that refuses writes when it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{Message, reply};

#[derive(Clone, Copy, Default)]
enum Plan {
    #[default]
    Pass,
    /// So many updates pass, the others are throttled.
    ThrottleUpdatesAfter(usize),
}

pub struct Proxy {
    pub address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    pub async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let shared = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let plan = Arc::clone(&shared);
                // A closed connection is how either side ends.
                tokio::spawn(async move { carry(client, upstream, &plan).await.ok() });
            }
        });
        Self { address, plan }
    }

    /// From now on `passing` updates pass, and every later one is throttled.
    pub fn throttle_updates_after(&self, passing: usize) {
        *self.plan.lock().unwrap() = Plan::ThrottleUpdatesAfter(passing);
    }

    /// From now on everything passes.
    pub fn pass(&self) {
        *self.plan.lock().unwrap() = Plan::Pass;
    }
}

fn is_throttled(operation: &str, plan: &Mutex<Plan>) -> bool {
    let mut plan = plan.lock().unwrap();
    match &mut *plan {
        Plan::ThrottleUpdatesAfter(passing) if operation == "UpdateItem" => {
            let throttled = *passing == 0;
            *passing = passing.saturating_sub(1);
            throttled
        }
        _ => false,
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, plan: &Mutex<Plan>) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(upstream).await?);
    loop {
        let request = Message::read(&mut client).await?;
        if is_throttled(request.operation(), plan) {
            let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#;
            client.write_all(&reply(400, body)).await?;
            continue;
        }
        server.write_all(request.head.as_bytes()).await?;
        server.write_all(&request.body).await?;
        let answer = Message::read(&mut server).await?;
        client.write_all(answer.head.as_bytes()).await?;
        client.write_all(&answer.body).await?;
    }
}
