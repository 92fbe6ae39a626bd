//! Random histories of one session, compared with a model of what a session promises.

use std::time::Duration;

use identity::{Holder, IdentityError, NewSession, Refusal};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use table_rows::WallTime;

use super::{CLIENT, DEVICE, new_session, sessions, uid};
use crate::bench::{Bench, START};

const LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(150);

#[derive(Clone, Copy, Debug)]
enum Act {
    Read,
    Rotate,
    Revoke,
}

/// Something done with one of the tokens given so far.
#[derive(Clone, Debug)]
struct Step {
    act: Act,
    /// How many tokens back from the newest.
    back: usize,
    /// Time that passes before it.
    pause: Duration,
    holder: Who,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Rightful,
    OtherClient,
    OtherDevice,
    UnknownDevice,
}

impl Who {
    fn holder(self) -> Holder<'static> {
        let (client_id, fingerprint) = match self {
            Self::Rightful => (CLIENT, Some(DEVICE)),
            Self::OtherClient => ("client-2", Some(DEVICE)),
            Self::OtherDevice => (CLIENT, Some("another")),
            Self::UnknownDevice => (CLIENT, None),
        };
        Holder {
            client_id,
            fingerprint,
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        6 => Just(Act::Rotate),
        4 => Just(Act::Read),
        1 => Just(Act::Revoke),
    ];
    let back = prop_oneof![8 => Just(0_usize), 3 => Just(1), 1 => 2_usize..6];
    // Around the edges of the ten seconds and of the session's life.
    let pause = prop_oneof![
        4 => Just(0),
        4 => 1_u64..4_000,
        2 => 9_998_u64..10_003,
        1 => 20_000_u64..61_000,
    ];
    let holder = prop_oneof![
        16 => Just(Who::Rightful),
        2 => Just(Who::UnknownDevice),
        1 => Just(Who::OtherDevice),
        1 => Just(Who::OtherClient),
    ];
    (act, back, pause, holder).prop_map(|(act, back, pause, holder)| Step {
        act,
        back,
        pause: Duration::from_millis(pause),
        holder,
    })
}

/// A session as it is promised: tokens are numbers.
struct Model {
    /// The current token's number, from 0.
    current: usize,
    rotated_at: WallTime,
    expires_at: WallTime,
    is_revoked: bool,
}

impl Model {
    /// Whether `token` holds the session, or why it does not. A spent token that comes back ends it.
    fn judge(&mut self, token: usize, who: Who, now: WallTime) -> Result<(), Refusal> {
        if matches!(who, Who::OtherClient) {
            return Err(Refusal::OtherClient);
        }
        if self.is_revoked {
            return Err(Refusal::Revoked);
        }
        if now >= self.expires_at {
            return Err(Refusal::Expired);
        }
        let is_lately_replaced =
            token + 1 == self.current && now.since(self.rotated_at) < Duration::from_secs(10);
        if token != self.current && !is_lately_replaced {
            self.is_revoked = true;
            return Err(Refusal::Reused);
        }
        if matches!(who, Who::OtherDevice) {
            return Err(Refusal::OtherDevice);
        }
        Ok(())
    }

    /// The number of the token that a rotation of `token` gives.
    fn rotate(&mut self, token: usize, who: Who, now: WallTime) -> Result<usize, Refusal> {
        self.judge(token, who, now)?;
        if token == self.current {
            self.current += 1;
            self.rotated_at = now;
            self.expires_at = now.plus(LIFE).min(START.plus(LONGEST_LIFE));
        }
        Ok(self.current)
    }

    fn revoke(&mut self, who: Who) -> Result<(), Refusal> {
        if matches!(who, Who::OtherClient) {
            return Err(Refusal::OtherClient);
        }
        self.is_revoked = true;
        Ok(())
    }
}

fn refusal_of<T>(result: Result<T, IdentityError>) -> Result<T, Refusal> {
    result.map_err(|error| match error {
        IdentityError::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    })
}

async fn lives_as_promised(bench: &Bench, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let sessions = sessions(bench);
    let uid = uid();
    let new = NewSession {
        life: LIFE,
        longest_life: LONGEST_LIFE,
        ..new_session(&uid)
    };
    let begun = sessions.begin(&new, START).await.unwrap();
    let mut model = Model {
        current: 0,
        rotated_at: START,
        expires_at: begun.session.expires_at,
        is_revoked: false,
    };
    let mut tokens: Vec<SecretString> = vec![begun.token];
    let mut now = START;
    for step in steps {
        now = now.plus(step.pause);
        let number = tokens.len() - 1 - step.back.min(tokens.len() - 1);
        let token = tokens[number].clone();
        let holder = step.holder.holder();
        match step.act {
            Act::Read => {
                let read = refusal_of(sessions.read(&token, &holder, now).await);
                let expected = model.judge(number, step.holder, now);
                prop_assert_eq!(read.as_ref().map(|_| ()), expected.as_ref().copied());
                if let Ok(session) = read {
                    prop_assert_eq!(session.generation as usize, model.current + 1);
                    prop_assert_eq!(session.expires_at, model.expires_at);
                }
            }
            Act::Rotate => {
                let rotated = refusal_of(sessions.rotate(&token, &holder, now).await);
                let expected = model.rotate(number, step.holder, now);
                match (rotated, expected) {
                    (Ok(begun), Ok(next)) => {
                        if next == tokens.len() {
                            tokens.push(begun.token.clone());
                        }
                        let same = tokens[next].expose_secret() == begun.token.expose_secret();
                        prop_assert!(same, "not the token of generation {}", next + 1);
                        prop_assert_eq!(begun.session.generation as usize, next + 1);
                        prop_assert_eq!(begun.session.expires_at, model.expires_at);
                    }
                    (rotated, expected) => {
                        prop_assert_eq!(rotated.map(|_| ()), expected.map(|_| ()));
                    }
                }
            }
            Act::Revoke => {
                let revoke = sessions.revoke(&token, holder.client_id, now).await;
                prop_assert_eq!(refusal_of(revoke), model.revoke(step.holder));
            }
        }
    }
    Ok(())
}

#[test]
fn a_session_lives_as_promised_whatever_is_done_with_its_tokens() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(Bench::new());
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    };
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..30))| {
        runtime.block_on(lives_as_promised(&bench, steps))?;
    });
}
