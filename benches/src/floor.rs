//! The least that the jobs cost: the same round trips, one signature and one verification, and nothing else. No async runtime, no JSON, no
//! errors worth reading. Its answers are right all the same.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use alipay_signing::{SignType, SigningKey, VerifyingKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Job;
use crate::http::Connection;

/// A connection that may be encrypted.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// Runs the floor of a job until its Runtime API is gone.
///
/// # Errors
/// Whatever goes wrong first.
pub fn run(job: Job) -> io::Result<()> {
    let key = SigningKey::from_text(&file("ALIPAY_PRIVATE_KEY_FILE")?).map_err(io::Error::other)?;
    let alipay_key =
        VerifyingKey::from_text(&file("ALIPAY_PUBLIC_KEY_FILE")?).map_err(io::Error::other)?;
    let mut gateway = connect(&variable("ALIPAY_GATEWAY")?)?;
    let mut table = match job {
        Job::GetMiniCode => None,
        Job::Code2Session => Some(connect(&variable("AWS_ENDPOINT_URL_DYNAMODB")?)?),
    };
    let mut api = Connection::new(plain(&variable("AWS_LAMBDA_RUNTIME_API")?)?);
    loop {
        api.write(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: runtime\r\n\r\n")?;
        let event = api.next_response()?;
        let id = event.request_id.map(|place| api.bytes(&place).to_vec());
        let id = String::from_utf8(id.unwrap_or_default()).map_err(io::Error::other)?;
        let node = signed_call(job, &key, &alipay_key, &mut gateway)?;
        if let Some(table) = &mut table {
            table.write(&put_item())?;
            table.next_response()?;
        }
        let answer = answer(&id, &node);
        api.write(&answer)?;
        api.next_response()?;
    }
}

/// What is signed and sent: as long as what our functions and the SDKs send.
fn request_text(job: Job) -> &'static str {
    match job {
        Job::GetMiniCode => concat!(
            "app_id=2021000000000001&biz_content={\"url_param\":\"pages/index/index\",\"query_param\":\"a=1&b=2\",\"describe\":\"推广\"}",
            "&charset=utf-8&format=JSON&method=alipay.open.app.qrcode.create&sign_type=RSA2",
            "&timestamp=2026-11-22 10:00:00&version=1.0"
        ),
        Job::Code2Session => concat!(
            "app_id=2021000000000001&charset=utf-8&code=bench-0000000000000000000000000000&format=JSON",
            "&grant_type=authorization_code&method=alipay.system.oauth.token&sign_type=RSA2",
            "&timestamp=2026-11-22 10:00:00&version=1.0"
        ),
    }
}

/// One signed call; the node of the reply, whose signature holds.
fn signed_call(
    job: Job,
    key: &SigningKey,
    alipay_key: &VerifyingKey,
    gateway: &mut Connection<Box<dyn Stream>>,
) -> io::Result<String> {
    let text = request_text(job);
    let sign = key
        .sign(SignType::Rsa2, text.as_bytes())
        .map_err(io::Error::other)?;
    let sign = utf8_percent_encode(&sign, NON_ALPHANUMERIC);
    let (method, body) = match job {
        Job::GetMiniCode => (
            "alipay.open.app.qrcode.create",
            "biz_content=%7B%22url_param%22%3A%22pages%2Findex%2Findex%22%2C%22query_param%22%3A%22a%3D1%26b%3D2%22%2C%22describe%22%3A%22%E6%8E%A8%E5%B9%BF%22%7D",
        ),
        Job::Code2Session => (
            "alipay.system.oauth.token",
            "grant_type=authorization_code&code=bench-0000000000000000000000000000",
        ),
    };
    let request = format!(
        "POST /gateway.do?app_id=2021000000000001&charset=utf-8&format=JSON&method={method}&sign_type=RSA2\
         &timestamp=2026-11-22+10%3A00%3A00&version=1.0&sign={sign} HTTP/1.1\r\nhost: gateway\r\n\
         content-type: application/x-www-form-urlencoded;charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    gateway.write(request.as_bytes())?;
    let response = gateway.next_response()?;
    let body = std::str::from_utf8(gateway.bytes(&response.body)).map_err(io::Error::other)?;
    let parts = body
        .split_once("_response\":")
        .and_then(|(_, rest)| rest.rsplit_once(",\"sign\":\""))
        .and_then(|(node, rest)| Some((node, rest.strip_suffix("\"}")?)));
    let (node, sign) = parts.ok_or(io::ErrorKind::InvalidData)?;
    alipay_key
        .verify(SignType::Rsa2, node.as_bytes(), sign)
        .map_err(io::Error::other)?;
    Ok(node.to_owned())
}

/// As long as the SDKs'; its signature is not made, because that is none of the floor's two.
fn put_item() -> Vec<u8> {
    let body = r#"{"TableName":"tokens","Item":{"pk":{"S":"user#2021000000000001#0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKL"},"access_token":{"S":"authusrB0123456789abcdef0123456789abcX20"},"refresh_token":{"S":"authusrB0123456789abcdef0123456789abcY20"},"expires_at":{"N":"1796637600"}}}"#;
    format!(
        "POST / HTTP/1.1\r\nhost: dynamodb\r\nx-amz-target: DynamoDB_20120810.PutItem\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-date: 20261122T100000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=ASIA0123456789ABCDEF/20261122/eu-central-1/dynamodb/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={:064}\r\ncontent-length: {}\r\n\r\n{body}",
        0,
        body.len()
    )
    .into_bytes()
}

fn answer(id: &str, node: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"statusCode":200,"headers":{{"content-type":"application/json"}},"body":"{}"}}"#,
        node.replace('"', "\\\"")
    );
    format!(
        "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: runtime\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

fn file(name: &str) -> io::Result<String> {
    std::fs::read_to_string(variable(name)?)
}

fn plain(authority: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to `url`; the handshake of an encrypted one is made at once, as our functions do in INIT.
fn connect(url: &str) -> io::Result<Connection<Box<dyn Stream>>> {
    let (scheme, rest) = url.split_once("://").ok_or(io::ErrorKind::InvalidInput)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let mut stream = plain(authority)?;
    if scheme == "http" {
        return Ok(Connection::new(Box::new(stream)));
    }
    let mut roots = RootCertStore::empty();
    let root =
        CertificateDer::from_pem_file(variable("BENCH_ROOT_FILE")?).map_err(io::Error::other)?;
    roots.add(root).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = authority.split(':').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(Connection::new(Box::new(StreamOwned::new(session, stream))))
}
