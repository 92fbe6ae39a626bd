//! A gateway whose replies are signed with a key of the test's choice: the simulator's, signed anew.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use alipay_signing::{SignType, SigningKey};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Its address. It lives as long as the runtime.
pub async fn gateway_signing_with(key: String, upstream: SocketAddr) -> SocketAddr {
    let key = Arc::new(SigningKey::from_text(&key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let key = Arc::clone(&key);
            // A closed connection is how either side ends.
            tokio::spawn(async move { carry(client, upstream, &key).await.ok() });
        }
    });
    address
}

async fn carry(client: TcpStream, upstream: SocketAddr, key: &SigningKey) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(upstream).await?);
    loop {
        let (head, body) = message(&mut client).await?;
        server
            .write_all(&[head.as_bytes(), &body[..]].concat())
            .await?;
        let (_, body) = message(&mut server).await?;
        let body = signed_anew(&body, key);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .await?;
    }
}

fn signed_anew(body: &[u8], key: &SigningKey) -> String {
    let mut reply: Map<String, Value> = serde_json::from_slice(body).unwrap();
    let node = reply
        .values()
        .find(|value| value.is_object())
        .unwrap()
        .to_string();
    let sign = key.sign(SignType::Rsa2, node.as_bytes()).unwrap();
    reply.insert("sign".to_owned(), sign.into());
    Value::Object(reply).to_string()
}

async fn message(stream: &mut BufReader<TcpStream>) -> io::Result<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok((head, body))
}
