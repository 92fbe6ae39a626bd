//! Sends notices: a task of the simulator's that wakes when one is due, and what tests have sent out of turn.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Host, Url};

use super::{NoticeAnswer, NoticeAttempt};
use crate::trades::milliseconds;
use crate::world::Shared;

const FORM: &str = "application/x-www-form-urlencoded";
/// How long a merchant's server may take for its answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Bytes of an answer; nothing longer is `success`.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How long nothing is looked at where nothing is expected.
const IDLE: Duration = Duration::from_secs(3600);

/// Sends what is due, and closes trades that are, until the simulator stops.
pub(crate) async fn run(shared: Shared) {
    let mut changes = shared.world().notices.changes();
    loop {
        changes.mark_unchanged();
        let (due, pause) = {
            let mut world = shared.world();
            world.close_expired_trades();
            let now = world.clock.now();
            let due = world.notices.take_due(now);
            let next = world.notices.next_due().into_iter();
            let next = next.chain(world.next_closing()).min();
            let pause = next.map_or(IDLE, |next| next.duration_since(now).unwrap_or_default());
            (due, pause)
        };
        for notify_id in due {
            let shared = shared.clone();
            tokio::spawn(async move { send(&shared, &notify_id, true).await });
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Sends this notice if it waits, whether notices are held or not.
pub(crate) async fn send_now(shared: &Shared, notify_id: &str) {
    let is_taken = shared.world().notices.take(notify_id);
    if is_taken {
        send(shared, notify_id, true).await;
    }
}

/// Sends this notice as often as said, all at once, whatever became of it so far; what came back.
pub(crate) async fn repeat(shared: &Shared, notify_id: &str, times: usize) -> Vec<NoticeAnswer> {
    let repeats = (0..times).map(|_| send(shared, notify_id, false));
    futures_util::future::join_all(repeats).await
}

async fn send(shared: &Shared, notify_id: &str, is_scheduled: bool) -> NoticeAnswer {
    let (notice, sent_at) = {
        let world = shared.world();
        let notice = world.notices.find(notify_id);
        let notice = notice.map(|notice| {
            let charset = notice.fields.get("charset").cloned();
            (notice.url.clone(), notice.body.clone(), charset)
        });
        (notice, milliseconds(world.clock.now()))
    };
    let answer = match notice {
        None => not_answered("no notice of this notify_id"),
        Some((url, body, charset)) => {
            match tokio::time::timeout(ANSWER_TIME, post(&url, body, charset)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => not_answered(error),
                Err(_) => not_answered("no answer within 5 seconds"),
            }
        }
    };
    let attempt = NoticeAttempt {
        sent_at,
        answer: answer.clone(),
    };
    (shared.world().notices).attempted(notify_id, attempt, is_scheduled);
    answer
}

fn not_answered(reason: impl ToString) -> NoticeAnswer {
    NoticeAnswer::NotAnswered {
        reason: reason.to_string(),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn post(url: &str, body: String, charset: Option<String>) -> Result<NoticeAnswer, Failure> {
    let (address, url) = address(url).ok_or("not an http address of this machine")?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = url.authority().to_owned();
    let content_type = match charset {
        Some(charset) => format!("{FORM}; charset={charset}"),
        None => FORM.to_owned(),
    };
    let request = Request::post(target)
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body))?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = to_bytes(Body::new(response.into_body()), ANSWER_LIMIT).await?;
    connection.abort();
    Ok(NoticeAnswer::Answered {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// Where to connect for an `http` address of this machine; `None` for every other: a notice must not leave it.
pub(crate) fn address(text: &str) -> Option<(SocketAddr, Url)> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "http")?;
    let address = match url.host()? {
        Host::Domain("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Host::Domain(_) => return None,
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    let port = url.port_or_known_default()?;
    let is_here = address.is_loopback();
    is_here.then(|| (SocketAddr::new(address, port), url))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn notices_stay_on_this_machine() {
        for (text, is_sent) in [
            ("http://127.0.0.1:3000/notify/2021", true),
            ("http://127.8.8.8/notify", true),
            ("http://localhost:3000/notify?a=1", true),
            ("http://[::1]:3000/", true),
            ("https://127.0.0.1:3000/", false),
            ("http://localhost.example.com/", false),
            ("http://169.254.169.254/latest", false),
            ("http://10.0.0.1/", false),
            ("http://0.0.0.0:3000/", false),
            ("http://127.0.0.1.example.com/", false),
            ("file:///etc/hosts", false),
            ("", false),
        ] {
            assert_eq!(address(text).is_some(), is_sent, "{text}");
        }
    }
}
