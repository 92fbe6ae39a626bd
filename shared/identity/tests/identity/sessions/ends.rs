//! The end of a session, however it is used.

use std::time::Duration;

use identity::{NewSession, Refusal};
use table_rows::WallTime;

use super::{LIFE, LONGEST_LIFE, begin, new_session, read, refusal, rotate, row, sessions, uid};
use crate::bench::{Bench, START, text};

const ONE_MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_session_that_nobody_rotates_is_over_after_its_life() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let begun = begin(&sessions).await;
    let end = START.plus(LIFE);
    let just_before = end.minus(ONE_MILLISECOND);
    read(&sessions, &begun.token, just_before).await.unwrap();
    let read = read(&sessions, &begun.token, end).await;
    assert_eq!(refusal(read), Refusal::Expired);
    let rotated = rotate(&sessions, &begun.token, end).await;
    assert_eq!(refusal(rotated), Refusal::Expired);
}

#[tokio::test]
async fn rotations_do_not_carry_a_session_beyond_its_longest_life() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let mut begun = begin(&sessions).await;
    let end = START.plus(LONGEST_LIFE);
    let mut now = START;
    while begun.session.expires_at < end {
        now = now.plus(LIFE - ONE_MILLISECOND);
        begun = rotate(&sessions, &begun.token, now).await.unwrap();
        assert!(begun.session.expires_at <= end);
    }
    let last = end.minus(ONE_MILLISECOND);
    let begun = rotate(&sessions, &begun.token, last).await.unwrap();
    assert_eq!(begun.session.expires_at, end);
    let refused = rotate(&sessions, &begun.token, end).await;
    assert_eq!(refusal(refused), Refusal::Expired);
}

#[tokio::test]
async fn a_replaced_token_is_not_taken_after_the_absolute_end_though_its_ten_seconds_last() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let uid = uid();
    let short = NewSession {
        life: Duration::from_secs(60),
        longest_life: Duration::from_secs(60),
        ..new_session(&uid)
    };
    let first = sessions.begin(&short, START).await.unwrap();
    let end = START.plus(short.longest_life);
    let late = end.minus(Duration::from_secs(3));
    let second = rotate(&sessions, &first.token, late).await.unwrap();
    assert_eq!(second.session.expires_at, end);
    rotate(&sessions, &first.token, end.minus(ONE_MILLISECOND))
        .await
        .unwrap();
    for token in [&first.token, &second.token] {
        let rotated = rotate(&sessions, token, end).await;
        assert_eq!(refusal(rotated), Refusal::Expired);
        let read = read(&sessions, token, end).await;
        assert_eq!(refusal(read), Refusal::Expired);
    }
}

#[tokio::test]
async fn an_old_token_of_a_session_that_is_over_is_no_alarm() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    rotate(&sessions, &first.token, START).await.unwrap();
    let over = rotate(&sessions, &first.token, START.plus(LIFE)).await;
    assert_eq!(refusal(over), Refusal::Expired);
    assert!(!row(&bench).await.contains_key("revoked_at"));
}

#[tokio::test]
async fn the_longest_life_is_the_end_also_of_one_that_began_with_a_longer_life() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let uid = uid();
    let new = NewSession {
        life: LONGEST_LIFE * 2,
        ..new_session(&uid)
    };
    let begun = sessions.begin(&new, START).await.unwrap();
    assert_eq!(begun.session.expires_at, START.plus(LONGEST_LIFE));
}

#[tokio::test]
async fn absurd_lives_end_in_the_far_future() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let uid = uid();
    let new = NewSession {
        life: Duration::MAX,
        longest_life: Duration::MAX,
        ..new_session(&uid)
    };
    let begun = sessions.begin(&new, START).await.unwrap();
    let far = WallTime::from_millis(u64::MAX - 1);
    let next = rotate(&sessions, &begun.token, far).await.unwrap();
    assert_eq!(next.session.expires_at, WallTime::from_millis(u64::MAX));
}

#[tokio::test]
async fn a_row_is_tidied_up_a_week_after_its_session_is_over() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let kept = Duration::from_secs(7 * 24 * 3600);
    let second = rotate(&sessions, &first.token, START.plus(LIFE / 2)).await;
    let end = second.unwrap().session.expires_at.plus(kept);
    let ttl = end.as_secs_rounded_up().to_string();
    assert_eq!(text(&row(&bench).await, "ttl"), ttl);
}
