//! Writes that took place and whose replies were lost, and writes that arrive when nobody waits for them any more.

use embedded_dynamodb::{Fault, Proxy};
use identity::{IdentityError, Refusal, Sessions};

use super::{CLIENT, begin, keys, new_session, read, refusal, rotate, row, same, sessions, uid};
use crate::bench::{Bench, START, after, text};

/// A table, and sessions that reach it through the proxy.
async fn through_a_proxy() -> (Bench, Proxy, Sessions) {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let sessions = Sessions::new(bench.table_through(proxy.address), keys("2026-11"));
    (bench, proxy, sessions)
}

#[tokio::test]
async fn a_rotation_whose_reply_is_lost_once_is_recognised_as_its_own() {
    let (bench, proxy, sessions) = through_a_proxy().await;
    let first = begin(&sessions).await;
    proxy.arm("UpdateItem", Fault::LoseReply, 1);
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    assert_eq!(proxy.suffered(), 1);
    assert_eq!(second.session.generation, 2);
    assert_eq!(text(&row(&bench).await, "generation"), "2");
    read(&sessions, &second.token, after(60)).await.unwrap();
}

#[tokio::test]
async fn a_client_whose_rotation_was_never_answered_gets_its_successor_with_the_old_token() {
    let (bench, proxy, lossy) = through_a_proxy().await;
    let first = begin(&lossy).await;
    proxy.arm("UpdateItem", Fault::LoseReply, 3);
    let unanswered = rotate(&lossy, &first.token, after(1)).await.unwrap_err();
    assert!(unanswered.is_transient());
    assert_eq!(proxy.suffered(), 3);
    let sessions = sessions(&bench);
    let second = rotate(&sessions, &first.token, after(9)).await.unwrap();
    assert_eq!(second.session.generation, 2);
    let stored = row(&bench).await;
    assert_eq!(text(&stored, "generation"), "2");
    let again = rotate(&sessions, &first.token, after(10)).await.unwrap();
    assert!(same(&again.token, &second.token));
    read(&sessions, &second.token, after(60)).await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_did_not_take_place_can_be_made_later() {
    let (_bench, proxy, sessions) = through_a_proxy().await;
    let first = begin(&sessions).await;
    proxy.arm("UpdateItem", Fault::LoseRequest, 3);
    let failed = rotate(&sessions, &first.token, after(1)).await.unwrap_err();
    assert!(failed.is_transient());
    let second = rotate(&sessions, &first.token, after(600)).await.unwrap();
    assert_eq!(second.session.generation, 2);
}

#[tokio::test]
async fn a_session_whose_beginning_was_answered_late_has_one_row() {
    let (bench, proxy, sessions) = through_a_proxy().await;
    proxy.arm("PutItem", Fault::LoseReply, 1);
    let begun = begin(&sessions).await;
    assert_eq!(proxy.suffered(), 1);
    assert_eq!(bench.items().await.len(), 1);
    read(&sessions, &begun.token, after(1)).await.unwrap();
}

#[tokio::test]
async fn a_beginning_that_was_never_answered_gives_no_token() {
    let (_bench, proxy, sessions) = through_a_proxy().await;
    proxy.arm("PutItem", Fault::LoseReply, 3);
    let failed = sessions.begin(&new_session(&uid()), START).await;
    assert!(matches!(failed, Err(IdentityError::Table(_))));
}

#[tokio::test]
async fn a_logout_whose_reply_was_lost_is_done() {
    let (_bench, proxy, sessions) = through_a_proxy().await;
    let begun = begin(&sessions).await;
    proxy.arm("UpdateItem", Fault::LoseReply, 1);
    sessions
        .revoke(&begun.token, CLIENT, after(1))
        .await
        .unwrap();
    assert_eq!(proxy.suffered(), 1);
    let read = read(&sessions, &begun.token, after(2)).await;
    assert_eq!(refusal(read), Refusal::Revoked);
}

#[tokio::test]
async fn while_a_spent_tokens_session_cannot_be_ended_the_answer_is_a_failure_and_no_refusal() {
    let (_bench, proxy, sessions) = through_a_proxy().await;
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(0)).await.unwrap();
    proxy.arm("UpdateItem", Fault::LoseRequest, 3);
    let failed = read(&sessions, &first.token, after(60)).await.unwrap_err();
    assert!(failed.is_transient());
    let reused = read(&sessions, &first.token, after(61)).await;
    assert_eq!(refusal(reused), Refusal::Reused);
    let revoked = read(&sessions, &second.token, after(61)).await;
    assert_eq!(refusal(revoked), Refusal::Revoked);
}

#[tokio::test]
async fn a_beginning_that_arrives_late_does_not_take_back_a_logout() {
    let (bench, proxy, sessions) = through_a_proxy().await;
    proxy.arm("PutItem", Fault::DelayRequest, 1);
    let begun = begin(&sessions).await;
    sessions
        .revoke(&begun.token, CLIENT, after(1))
        .await
        .unwrap();
    let revoked = row(&bench).await;
    proxy.let_arrive().await;
    assert_eq!(row(&bench).await, revoked);
}

#[tokio::test]
async fn a_rotation_that_arrives_late_does_not_take_back_the_next() {
    let (bench, proxy, sessions) = through_a_proxy().await;
    let first = begin(&sessions).await;
    proxy.arm("UpdateItem", Fault::DelayRequest, 1);
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    let third = rotate(&sessions, &second.token, after(2)).await.unwrap();
    let before = row(&bench).await;
    proxy.let_arrive().await;
    assert_eq!(row(&bench).await, before);
    read(&sessions, &third.token, after(60)).await.unwrap();
}
