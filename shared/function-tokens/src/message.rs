use std::future::Future;
use std::time::Duration;

use alipay_gateway::GatewayError;
use function_kit::{Alipay, Caller, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Begun, ClaimToken, Once, Tokens};

/// How long a repeat with the same idempotency key gets the first answer.
const REPEAT_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// A message on its way out. Alipay documents no idempotency key, so it is sent once and never tried again by itself. A caller
/// who names a key of their own may repeat the request: the first answer comes back and nothing is sent.
pub struct Message<'a> {
    /// The function's name: keys of different functions never meet.
    pub function: &'static str,
    /// The caller's key; without one every request is a message.
    pub idempotency_key: Option<&'a str>,
    /// What must be the same for a repeat to be a repeat.
    pub same: &'a [&'a str],
}

impl Tokens {
    /// Sends `message` by `send`, at most once under its key.
    ///
    /// # Errors
    /// What `send` ended with, also for repeats; `conflict` when the key was used for another message; `gateway_timeout` when
    /// nobody knows what became of the first one. A refusal frees the key: after mending it, the same key may be used again.
    pub async fn send_once<T, S>(
        &self,
        message: &Message<'_>,
        alipay: &Alipay,
        caller: &Caller,
        send: S,
    ) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        S: Future<Output = Result<T, GatewayError>>,
    {
        let Some(key) = message.idempotency_key else {
            return Ok(send.await?);
        };
        let once = Once {
            function: message.function,
            key,
            same: message.same,
            keep: REPEAT_WINDOW,
            takeover: false,
            mismatch: "idempotencyKey: was used for another message",
        };
        match self.begin(&once, alipay, caller).await? {
            Begun::First(claim) => self.sent(claim, send.await).await,
            Begun::Repeat(answer) => answer,
        }
    }

    /// Keeps the answer of the one who sent, for repeats.
    async fn sent<T: Serialize>(
        &self,
        claim: ClaimToken,
        answer: Result<T, GatewayError>,
    ) -> Result<T, Failure> {
        let answer = match answer {
            // Nothing was sent to the user. Of a "service unavailable" nobody knows that.
            Err(error) if error.was_never_sent() || is_final_refusal(&error) => {
                self.release(claim).await;
                return Err(error.into());
            }
            answer => answer.map_err(Failure::from),
        };
        if let Err(error) = self.finish(claim, answer.as_ref()).await {
            tracing::error!(%error, "the answer to an idempotency key could not be kept; its repeats hear of a timeout");
        }
        answer
    }
}

fn is_final_refusal(error: &GatewayError) -> bool {
    matches!(error, GatewayError::Refused(refusal) if !refusal.is_transient())
}
