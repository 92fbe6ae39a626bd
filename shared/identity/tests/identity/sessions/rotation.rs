//! One token after the other.

use std::time::Duration;

use identity::Refusal;
use table_rows::WallTime;

use super::{LIFE, begin, read, refusal, rotate, row, same, sessions};
use crate::bench::{Bench, START, after, text};
use crate::logs::Logs;

#[tokio::test]
async fn a_session_is_read_with_what_it_began_with() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let begun = begin(&sessions).await;
    let session = read(&sessions, &begun.token, after(60)).await.unwrap();
    assert_eq!(session, begun.session);
    assert_eq!(session.uid, super::uid());
    assert_eq!(session.client_id, super::CLIENT);
    assert_eq!(session.app_id, "2021000000000001");
    assert_eq!(session.openid, "2088000000000001");
    assert_eq!(session.began_at, START);
    assert_eq!(session.expires_at, START.plus(LIFE));
    assert_eq!(session.generation, 1);
}

#[tokio::test]
async fn a_rotation_gives_another_token_and_moves_the_end() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let mut begun = begin(&sessions).await;
    for generation in 2..=5 {
        let now = after(u64::from(generation) * 3600);
        let next = rotate(&sessions, &begun.token, now).await.unwrap();
        assert!(!same(&next.token, &begun.token));
        assert_eq!(next.session.generation, generation);
        assert_eq!(next.session.expires_at, now.plus(LIFE));
        assert_eq!(next.session.began_at, START);
        assert_eq!(
            read(&sessions, &next.token, now).await.unwrap(),
            next.session
        );
        begun = next;
    }
}

#[tokio::test]
async fn a_token_used_again_within_ten_seconds_gets_the_same_successor() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(100)).await.unwrap();
    let rotated = row(&bench).await;
    for later in [0, 1, 9_999] {
        let now = after(100).plus(Duration::from_millis(later));
        let again = rotate(&sessions, &first.token, now).await.unwrap();
        assert!(same(&again.token, &second.token));
        assert_eq!(again.session, second.session);
        assert_eq!(row(&bench).await, rotated, "a repeat changes nothing");
    }
}

#[tokio::test]
async fn a_token_just_replaced_still_reads() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(100)).await.unwrap();
    let session = read(&sessions, &first.token, after(109)).await.unwrap();
    assert_eq!(session, second.session);
}

#[tokio::test]
async fn the_token_before_the_last_ends_the_session_also_within_the_ten_seconds() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    let third = rotate(&sessions, &second.token, after(2)).await.unwrap();
    let reused = rotate(&sessions, &first.token, after(3)).await;
    assert_eq!(refusal(reused), Refusal::Reused);
    for token in [&first.token, &second.token, &third.token] {
        let read = read(&sessions, token, after(3)).await;
        assert_eq!(refusal(read), Refusal::Revoked);
        let rotated = rotate(&sessions, token, after(3)).await;
        assert_eq!(refusal(rotated), Refusal::Revoked);
    }
}

#[tokio::test]
async fn a_rotated_token_that_comes_back_later_ends_the_session_and_rings_the_alarm() {
    for is_read in [false, true] {
        let bench = Bench::new().await;
        let sessions = sessions(&bench);
        let first = begin(&sessions).await;
        let second = rotate(&sessions, &first.token, after(100)).await.unwrap();
        let logs = Logs::kept();
        let refused = if is_read {
            refusal(read(&sessions, &first.token, after(110)).await)
        } else {
            refusal(rotate(&sessions, &first.token, after(110)).await)
        };
        assert_eq!(refused, Refusal::Reused);
        assert!(logs.has(&[
            "ERROR",
            "a spent session token came back",
            "refusal=reused",
            super::uid().as_str(),
            super::CLIENT,
        ]));
        let gone = rotate(&sessions, &second.token, after(110)).await;
        assert_eq!(refusal(gone), Refusal::Revoked);
        assert_eq!(text(&row(&bench).await, "revoked_because"), "reuse");
        let again = rotate(&sessions, &first.token, after(200)).await;
        assert_eq!(refusal(again), Refusal::Revoked);
    }
}

#[tokio::test]
async fn rotations_in_one_moment_are_told_apart_by_their_count() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, START).await.unwrap();
    let third = rotate(&sessions, &second.token, START).await.unwrap();
    assert_eq!(third.session.generation, 3);
    let again = rotate(&sessions, &second.token, START).await.unwrap();
    assert!(same(&again.token, &third.token));
    let reused = rotate(&sessions, &first.token, START).await;
    assert_eq!(refusal(reused), Refusal::Reused);
}

#[tokio::test]
async fn a_clock_that_runs_back_changes_no_order() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(100)).await.unwrap();
    let third = rotate(&sessions, &second.token, after(40)).await.unwrap();
    assert_eq!(third.session.generation, 3);
    let again = rotate(&sessions, &second.token, WallTime::from_millis(0)).await;
    assert!(same(&again.unwrap().token, &third.token));
    let reused = rotate(&sessions, &first.token, after(41)).await;
    assert_eq!(refusal(reused), Refusal::Reused);
}

#[tokio::test]
async fn after_a_logout_no_token_of_the_session_lives_and_a_second_logout_is_no_error() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let other = begin(&sessions).await;
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    // Also a token that has been replaced long ago ends its session.
    for token in [&first.token, &second.token, &first.token] {
        sessions
            .revoke(token, super::CLIENT, after(500))
            .await
            .unwrap();
    }
    for token in [&first.token, &second.token] {
        let read = read(&sessions, token, after(501)).await;
        assert_eq!(refusal(read), Refusal::Revoked);
    }
    read(&sessions, &other.token, after(501)).await.unwrap();
}

#[tokio::test]
async fn the_first_reason_of_a_revocation_stays() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let revoke = sessions.revoke(&first.token, super::CLIENT, after(5));
    revoke.await.unwrap();
    let revoked = row(&bench).await;
    let revoke = sessions.revoke(&first.token, super::CLIENT, after(6));
    revoke.await.unwrap();
    assert_eq!(row(&bench).await, revoked);
    assert_eq!(text(&revoked, "revoked_because"), "logout");
    assert_eq!(
        text(&revoked, "revoked_at"),
        after(5).as_millis().to_string()
    );
}
