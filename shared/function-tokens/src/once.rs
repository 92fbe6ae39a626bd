use std::time::Duration;

use alipay_gateway::GatewayError;
use aws_lc_rs::digest::{Context, SHA256};
use function_kit::{Alipay, Caller, Failure, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use token_store::{Claim, ClaimToken, StoreError, Waited, WallTime};

use crate::Tokens;
use crate::failure::store_failure;

/// Kept before the deadline when waiting for another's answer, to tell the caller in time.
const RESERVE: Duration = Duration::from_millis(500);

/// Something that must happen once however often it is asked for.
pub struct Once<'a> {
    /// The function's name: keys of different functions never meet.
    pub function: &'static str,
    /// What names the work, such as a login code or the caller's idempotency key.
    pub key: &'a str,
    /// What must be the same for a repeat to be a repeat. Only a hash of it is kept.
    pub same: &'a [&'a str],
    /// How long a repeat gets the first answer.
    pub keep: Duration,
    /// Whether a repeat may do the work itself when the first caller ended without leaving an answer. Where the work must not be
    /// done twice, it may not: nobody knows how far the first one came.
    pub takeover: bool,
    /// What to say when the key comes again with something else.
    pub mismatch: &'a str,
}

/// What [`Tokens::begin`] found.
pub enum Begun<T> {
    /// This caller does the work, then calls [`Tokens::finish`] (or releases).
    First(ClaimToken),
    /// It was done, and this was the answer.
    Repeat(Result<T, Failure>),
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept<T> {
    Answered(T),
    Failed { outcome: Outcome, repeatable: bool },
}

impl Tokens {
    /// Claims the work, or gives the first answer to it. A repeat that comes while the first is at work waits for its answer.
    ///
    /// # Errors
    /// `conflict` when the key was used for something else; `temporarily_unavailable` when the store is down (nothing may be
    /// done then) or the first one is still at work; `gateway_timeout` when the first one ended without an answer and its work
    /// may not be taken over.
    pub async fn begin<T: DeserializeOwned>(
        &self,
        once: &Once<'_>,
        alipay: &Alipay,
        caller: &Caller,
    ) -> Result<Begun<T>, Failure> {
        let clock = || WallTime::from(alipay.now());
        let scope = format!("{}/{}", once.function, caller.app.id());
        let fingerprint = fingerprint(once.same);
        let deadline = WallTime::from_millis(caller.deadline.unix_millis());
        loop {
            let now = clock();
            let keep_until = now.plus(once.keep).max(deadline);
            let in_progress_until = if once.takeover { deadline } else { keep_until };
            let claim = self
                .answers
                .claim(
                    &scope,
                    once.key,
                    &fingerprint,
                    now,
                    in_progress_until,
                    keep_until,
                )
                .await
                .map_err(store_failure)?;
            match claim {
                Claim::First(claim) => return Ok(Begun::First(claim)),
                Claim::Answered(answer) => return repeat(&answer),
                Claim::Mismatch => return Err(mismatch(once)),
                Claim::Running { .. } => {}
            }
            let patience = deadline.minus(RESERVE);
            match self
                .answers
                .wait(&scope, once.key, &fingerprint, &clock, patience)
                .await
                .map_err(store_failure)?
            {
                Waited::Answered(answer) => return repeat(&answer),
                Waited::Mismatch => return Err(mismatch(once)),
                Waited::Gone if clock() < patience => {}
                // As long as any caller may work: the first one is no more, and what it did is not known.
                Waited::StillRunning { .. } if !once.takeover => {
                    return Err(Failure::new(Outcome::GatewayTimeout).with_repeatable(false));
                }
                Waited::Gone | Waited::StillRunning { .. } => {
                    return Err(Failure::new(Outcome::TemporarilyUnavailable {
                        retry_after_seconds: 1,
                        advice: "the same request is still at work; repeat it to get its answer"
                            .to_owned(),
                    }));
                }
            }
        }
    }

    /// Records the answer, so that a repeat gets it.
    ///
    /// # Errors
    /// As the store's; the work itself is done whatever this says.
    pub async fn finish<T: Serialize>(
        &self,
        claim: ClaimToken,
        answer: Result<&T, &Failure>,
    ) -> Result<(), StoreError> {
        let Some(text) = kept_text(answer) else {
            return Err(StoreError::Sealing);
        };
        self.answers.complete(claim, &text).await
    }

    /// Ends the exchange of a code that works once with its error. A code that never left this process can be tried again; any
    /// other is spent, and a repeat hears the same.
    pub async fn exchange_failed(&self, claim: ClaimToken, error: GatewayError) -> Failure {
        if error.was_never_sent() {
            self.release(claim).await;
            return error.into();
        }
        self.failed(claim, error.into()).await
    }

    /// Ends the work with `failure`, which a repeat hears too.
    pub async fn failed(&self, claim: ClaimToken, failure: Failure) -> Failure {
        if let Err(error) = self.finish::<()>(claim, Err(&failure)).await {
            tracing::warn!(%error, "a failure could not be kept for repeats");
        }
        failure
    }

    /// Gives the claim back: nothing was done, and a repeat may try again. When the store is down, the claim stays until its end.
    pub async fn release(&self, claim: ClaimToken) {
        if let Err(error) = self.answers.release(claim).await {
            tracing::warn!(%error, "a claim could not be released; it stays until its end");
        }
    }
}

/// An answer in the form that [`Tokens::begin`] reads, for a [`token_store::Completion`].
pub(crate) fn kept_text<T: Serialize>(answer: Result<&T, &Failure>) -> Option<String> {
    let kept = match answer {
        Ok(answer) => Kept::Answered(answer),
        Err(failure) => Kept::Failed {
            outcome: failure.outcome().clone(),
            repeatable: failure.is_repeatable(),
        },
    };
    serde_json::to_string(&kept).ok()
}

fn repeat<T: DeserializeOwned>(text: &str) -> Result<Begun<T>, Failure> {
    let kept = serde_json::from_str(text)
        .map_err(|_| Failure::internal("a kept answer is not in the form of this version"))?;
    Ok(Begun::Repeat(match kept {
        Kept::Answered(answer) => Ok(answer),
        Kept::Failed {
            outcome,
            repeatable,
        } => Err(Failure::new(outcome).with_repeatable(repeatable)),
    }))
}

fn mismatch(once: &Once<'_>) -> Failure {
    Failure::new(Outcome::Conflict {
        reason: once.mismatch.to_owned(),
    })
}

/// A hash over the parts with their lengths, so that no two lists of parts run together.
fn fingerprint(parts: &[&str]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_eq!(fingerprint(&["ab", "c"]), fingerprint(&["ab", "c"]));
    }

    #[test]
    fn a_kept_failure_comes_back_as_the_same_outcome() {
        let failure = Failure::invalid("code", "is spent");
        let text = kept_text::<()>(Err(&failure)).unwrap();
        match repeat::<()>(&text).unwrap() {
            Begun::Repeat(Err(repeated)) => assert_eq!(repeated.outcome(), failure.outcome()),
            _ => panic!("a failure was kept"),
        }
    }
}
