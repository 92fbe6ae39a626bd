//! The device that a session began on.

use identity::{Holder, Refusal};

use super::{CLIENT, HOLDER, begin, refusal, rotate, row, sessions};
use crate::bench::{Bench, after};
use crate::logs::Logs;

const OTHER_DEVICE: Holder<'static> = Holder {
    client_id: CLIENT,
    fingerprint: Some("another phone"),
};

#[tokio::test]
async fn from_another_device_a_session_is_refused_and_lives_on() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let begun = begin(&sessions).await;
    let before = row(&bench).await;
    let logs = Logs::kept();
    let read = sessions.read(&begun.token, &OTHER_DEVICE, after(1)).await;
    assert_eq!(refusal(read), Refusal::OtherDevice);
    let rotated = sessions.rotate(&begun.token, &OTHER_DEVICE, after(1)).await;
    assert_eq!(refusal(rotated), Refusal::OtherDevice);
    assert!(logs.has(&[
        "WARN",
        "refusal=other device",
        super::uid().as_str(),
        CLIENT
    ]));
    assert!(!logs.has(&["another phone"]));
    assert_eq!(row(&bench).await, before);
    rotate(&sessions, &begun.token, after(2)).await.unwrap();
}

#[tokio::test]
async fn the_ten_seconds_are_for_the_same_device() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    rotate(&sessions, &first.token, after(1)).await.unwrap();
    let rotated = sessions.rotate(&first.token, &OTHER_DEVICE, after(2)).await;
    assert_eq!(refusal(rotated), Refusal::OtherDevice);
    rotate(&sessions, &first.token, after(2)).await.unwrap();
}

#[tokio::test]
async fn a_spent_token_from_another_device_ends_the_session_all_the_same() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    let reused = sessions.rotate(&first.token, &OTHER_DEVICE, after(60));
    assert_eq!(refusal(reused.await), Refusal::Reused);
    let rotated = rotate(&sessions, &second.token, after(61)).await;
    assert_eq!(refusal(rotated), Refusal::Revoked);
}

#[tokio::test]
async fn a_caller_that_cannot_know_the_device_is_not_asked_for_it() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let begun = begin(&sessions).await;
    let unknown = Holder {
        fingerprint: None,
        ..HOLDER
    };
    sessions
        .read(&begun.token, &unknown, after(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_device_without_a_token_is_nothing() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    begin(&sessions).await;
    let guess = format!("bts{}", "A".repeat(70)).into();
    let refused = sessions.rotate(&guess, &HOLDER, after(1)).await;
    assert_eq!(refusal(refused), Refusal::Malformed);
}
