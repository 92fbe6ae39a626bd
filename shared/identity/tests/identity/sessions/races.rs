//! Many at once. Each has a table handle of its own, as in another process.

use std::sync::Arc;
use std::time::Duration;

use embedded_dynamodb::{Fault, Proxy};
use identity::{IdentityError, Refusal, Sessions};
use secrecy::{ExposeSecret, SecretString};

use super::{CLIENT, begin, keys, read, refusal, rotate, row, same, sessions};
use crate::bench::{Bench, after, text};

fn sessions_of_another_process(bench: &Bench) -> Sessions {
    Sessions::new(bench.table_of_another_process(), keys("2026-11"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_rotations_at_once_make_one_generation_and_give_one_token() {
    let bench = Bench::new().await;
    let processes: Vec<_> = (0..8)
        .map(|_| sessions_of_another_process(&bench))
        .collect();
    let mut token = begin(&processes[0]).await.token;
    for generation in 2..=4 {
        let now = after(generation * 60);
        let rotations: Vec<_> = (0..64)
            .map(|number| {
                let (sessions, token) = (processes[number % 8].clone(), token.clone());
                tokio::spawn(async move { rotate(&sessions, &token, now).await })
            })
            .collect();
        let mut answers = Vec::new();
        for rotation in rotations {
            answers.push(rotation.await.unwrap().unwrap());
        }
        assert_eq!(answers.len(), 64);
        for answer in &answers {
            assert!(same(&answer.token, &answers[0].token));
            assert_eq!(answer.session, answers[0].session);
        }
        assert_eq!(
            text(&row(&bench).await, "generation"),
            generation.to_string()
        );
        token = answers.remove(0).token;
    }
}

#[tokio::test]
async fn a_rotation_that_is_overtaken_by_another_gives_the_same_token() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let slow = Sessions::new(bench.table_through(proxy.address), keys("2026-11"));
    let first = begin(&sessions).await;
    proxy.arm("UpdateItem", Fault::HoldRequest, 1);
    let token = first.token.clone();
    let overtaken = tokio::spawn(async move { rotate(&slow, &token, after(1)).await });
    proxy.wait_for_suffering().await;
    let second = rotate(&sessions, &first.token, after(2)).await.unwrap();
    proxy.let_go();
    let overtaken = overtaken.await.unwrap().unwrap();
    assert!(same(&overtaken.token, &second.token));
    assert_eq!(overtaken.session, second.session);
}

#[tokio::test]
async fn a_rotation_that_is_overtaken_by_a_logout_gives_nothing() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let slow = Sessions::new(bench.table_through(proxy.address), keys("2026-11"));
    let first = begin(&sessions).await;
    proxy.arm("UpdateItem", Fault::HoldRequest, 1);
    let token = first.token.clone();
    let overtaken = tokio::spawn(async move { rotate(&slow, &token, after(1)).await });
    proxy.wait_for_suffering().await;
    let revoke = sessions.revoke(&first.token, CLIENT, after(1));
    revoke.await.unwrap();
    let revoked = row(&bench).await;
    proxy.let_go();
    assert_eq!(refusal(overtaken.await.unwrap()), Refusal::Revoked);
    assert_eq!(row(&bench).await, revoked);
}

#[tokio::test]
async fn a_rotation_that_is_overtaken_by_the_return_of_a_spent_token_gives_nothing() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let slow = Sessions::new(bench.table_through(proxy.address), keys("2026-11"));
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(0)).await.unwrap();
    proxy.arm("UpdateItem", Fault::HoldRequest, 1);
    let overtaken = tokio::spawn(async move { rotate(&slow, &second.token, after(60)).await });
    proxy.wait_for_suffering().await;
    let reused = read(&sessions, &first.token, after(60)).await;
    assert_eq!(refusal(reused), Refusal::Reused);
    proxy.let_go();
    assert_eq!(refusal(overtaken.await.unwrap()), Refusal::Revoked);
}

/// Three chains of rotations and a logout, in whatever order the machine runs them; every round begins the logout a little later.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_logout_among_rotations_no_token_lives() {
    let bench = Bench::new().await;
    let processes: Arc<Vec<_>> = Arc::new(
        (0..4)
            .map(|_| sessions_of_another_process(&bench))
            .collect(),
    );
    let (mut before, mut in_flight) = (0, 0);
    for round in 0..60_u64 {
        let first = begin(&processes[0]).await;
        let chains: Vec<_> = (0..3)
            .map(|number| {
                let (processes, token) = (Arc::clone(&processes), first.token.clone());
                tokio::spawn(async move { chain(&processes[number], token).await })
            })
            .collect();
        let revoked = {
            let (processes, token) = (Arc::clone(&processes), first.token.clone());
            tokio::spawn(async move {
                // Not to wait for anything: to begin at another point of the chains in every round.
                tokio::time::sleep(Duration::from_micros(150 * round)).await;
                processes[3].revoke(&token, CLIENT, after(1)).await
            })
        };
        let mut given = vec![first.token];
        for chain in chains {
            let (tokens, was_stopped) = chain.await.unwrap();
            given.extend(tokens);
            if was_stopped {
                in_flight += 1;
            } else {
                before += 1;
            }
        }
        revoked.await.unwrap().unwrap();
        for token in &given {
            let rotated = rotate(&processes[0], token, after(1)).await;
            assert_eq!(refusal(rotated), Refusal::Revoked);
            let read = read(&processes[0], token, after(1)).await;
            assert_eq!(refusal(read), Refusal::Revoked);
        }
    }
    assert!(
        in_flight > 0,
        "no chain was stopped ({before} ended before)"
    );
}

/// Rotates up to eight times. All tokens that were given, and whether it was a revocation that ended it.
async fn chain(sessions: &Sessions, mut token: SecretString) -> (Vec<SecretString>, bool) {
    let mut given = Vec::new();
    for _ in 0..8 {
        match rotate(sessions, &token, after(1)).await {
            Ok(begun) => {
                given.push(begun.token.clone());
                token = begun.token;
            }
            Err(IdentityError::Refused(Refusal::Revoked)) => return (given, true),
            // Another chain is two ahead: a token before the last, which ends the session as well.
            Err(IdentityError::Refused(Refusal::Reused)) => return (given, false),
            Err(other) => panic!("{other:?}"),
        }
    }
    (given, false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_sessions_of_one_person_each_goes_its_own_way() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let mut tokens = Vec::new();
    for _ in 0..16 {
        let begun = begin(&sessions).await;
        assert!(
            tokens
                .iter()
                .all(|token: &SecretString| token.expose_secret() != begun.token.expose_secret())
        );
        tokens.push(begun.token);
    }
    for token in tokens.iter().step_by(2) {
        sessions.revoke(token, CLIENT, after(1)).await.unwrap();
    }
    for (number, token) in tokens.iter().enumerate() {
        let is_revoked = read(&sessions, token, after(2)).await.is_err();
        assert_eq!(is_revoked, number % 2 == 0);
    }
}
