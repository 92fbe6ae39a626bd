//! What is no token, or is not this holder's. All of it costs one read and changes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use embedded_dynamodb::Proxy;
use identity::{Holder, Refusal, Sessions};
use secrecy::{ExposeSecret, SecretString};

use super::{CLIENT, HOLDER, begin, keys, read, refusal, rotate, row, sessions, some_keys};
use crate::bench::{Bench, START, after};

/// A session, and the way to it through a proxy that counts.
struct Counted {
    bench: Bench,
    proxy: Proxy,
    sessions: Sessions,
    token: SecretString,
}

impl Counted {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let proxy = Proxy::before(bench.endpoint).await.unwrap();
        let sessions = Sessions::new(bench.table_through(proxy.address), keys("2026-11"));
        let token = begin(&sessions).await.token;
        Self {
            bench,
            proxy,
            sessions,
            token,
        }
    }

    /// Reads, rotates and revokes with `token`: each is refused for `reason` with one read.
    async fn refuses(&self, token: &SecretString, holder: &Holder<'_>, reason: Refusal) {
        let before = self.bench.items().await;
        self.proxy.take_operations();
        let read = self.sessions.read(token, holder, after(1)).await;
        assert_eq!(refusal(read), reason);
        assert_eq!(self.proxy.take_operations(), ["GetItem"]);
        let rotated = self.sessions.rotate(token, holder, after(1)).await;
        assert_eq!(refusal(rotated), reason);
        assert_eq!(self.proxy.take_operations(), ["GetItem"]);
        let revoked = self.sessions.revoke(token, holder.client_id, after(1));
        assert_eq!(refusal(revoked.await), reason);
        assert_eq!(self.proxy.take_operations(), ["GetItem"]);
        assert_eq!(self.bench.items().await, before);
    }
}

fn bytes_of(token: &SecretString) -> Vec<u8> {
    let encoded = token.expose_secret().strip_prefix("bts").unwrap();
    URL_SAFE_NO_PAD.decode(encoded).unwrap()
}

#[tokio::test]
async fn a_token_with_any_bit_changed_is_none_of_ours() {
    let counted = Counted::new().await;
    let bytes = bytes_of(&counted.token);
    assert_eq!(bytes.len(), 52);
    // Reading alone: three calls for each of 416 bits would say nothing more.
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = format!("bts{}", URL_SAFE_NO_PAD.encode(changed)).into();
        counted.proxy.take_operations();
        let read = read(&counted.sessions, &changed, after(1)).await;
        assert_eq!(refusal(read), Refusal::Malformed, "bit {bit}");
        assert_eq!(counted.proxy.take_operations(), ["GetItem"]);
    }
    read(&counted.sessions, &counted.token, after(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn texts_that_are_no_tokens_cost_as_much_as_tokens() {
    let counted = Counted::new().await;
    let token = counted.token.expose_secret();
    let bytes = bytes_of(&counted.token);
    let mut last_changed = token.to_owned();
    let last = last_changed.pop().unwrap();
    // The lowest bits of the last character mean nothing: only one spelling is ours.
    assert!("AQgw".contains(last));
    last_changed.push(char::from(u8::try_from(last).unwrap() + 1));
    let texts = [
        String::new(),
        "bts".to_owned(),
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!("{token}\n"),
        format!(" {token}"),
        token.replace("bts", "BTS"),
        token[3..].to_owned(),
        last_changed,
        format!("bts{}", URL_SAFE.encode(&bytes)),
        format!("bts{}", STANDARD.encode([0xff; 52])),
        format!("bts{}", URL_SAFE_NO_PAD.encode([0; 52])),
        format!("bts{}", "é".repeat(35)),
        "#".repeat(73),
        "x".repeat(1024 * 1024),
    ];
    for text in texts {
        counted
            .refuses(&text.into(), &HOLDER, Refusal::Malformed)
            .await;
    }
    read(&counted.sessions, &counted.token, after(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn another_client_can_neither_use_nor_end_a_session() {
    let counted = Counted::new().await;
    let other = Holder {
        client_id: "client-2",
        ..HOLDER
    };
    counted
        .refuses(&counted.token, &other, Refusal::OtherClient)
        .await;
    // Not even with a token whose return would end it.
    let sessions = &counted.sessions;
    let second = rotate(sessions, &counted.token, START).await.unwrap();
    let third = rotate(sessions, &second.token, START).await.unwrap();
    counted
        .refuses(&counted.token, &other, Refusal::OtherClient)
        .await;
    read(sessions, &third.token, after(1)).await.unwrap();
}

#[tokio::test]
async fn a_token_whose_session_is_gone_is_unknown() {
    let counted = Counted::new().await;
    let elsewhere = Bench::new().await;
    let stranger = begin(&sessions(&elsewhere)).await;
    counted
        .refuses(&stranger.token, &HOLDER, Refusal::Unknown)
        .await;
}

#[tokio::test]
async fn a_token_made_with_another_key_is_none_of_ours() {
    let bench = Bench::new().await;
    let forger = Sessions::new(bench.table(), some_keys("2026-10", &["2026-10"]));
    let begun = begin(&forger).await;
    let sessions = Sessions::new(bench.table(), some_keys("2026-11", &["2026-11"]));
    let read = read(&sessions, &begun.token, after(1)).await;
    assert_eq!(refusal(read), Refusal::Malformed);
    let revoked = sessions.revoke(&begun.token, CLIENT, after(1)).await;
    assert_eq!(refusal(revoked), Refusal::Malformed);
}

#[tokio::test]
async fn a_token_newer_than_the_table_is_unknown_and_ends_nothing() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let backup = row(&bench).await;
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    bench.overwrite(backup).await;
    let read_newer = read(&sessions, &second.token, after(2)).await;
    assert_eq!(refusal(read_newer), Refusal::Unknown);
    read(&sessions, &first.token, after(2)).await.unwrap();
}

#[tokio::test]
async fn an_expired_a_revoked_and_a_reused_token_cost_one_read_as_well() {
    let counted = Counted::new().await;
    let sessions = &counted.sessions;
    let second = rotate(sessions, &counted.token, START).await.unwrap();
    counted.proxy.take_operations();
    let expired = read(sessions, &second.token, second.session.expires_at).await;
    assert_eq!(refusal(expired), Refusal::Expired);
    assert_eq!(counted.proxy.take_operations(), ["GetItem"]);
    let reused = read(sessions, &counted.token, after(10)).await;
    assert_eq!(refusal(reused), Refusal::Reused);
    // This once the family is burnt.
    assert_eq!(counted.proxy.take_operations(), ["GetItem", "UpdateItem"]);
    for token in [&counted.token, &second.token] {
        let revoked = read(sessions, token, after(11)).await;
        assert_eq!(refusal(revoked), Refusal::Revoked);
        assert_eq!(counted.proxy.take_operations(), ["GetItem"]);
    }
}
