mod trace_id;

use std::error::Error;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

pub use trace_id::TraceId;

/// How a call can fail. Each variant is an outcome that a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The gateway could not be reached, or what came back is not an answer of the gateway (reset, HTTP error, HTML, half a body).
    #[error("the gateway was not reached: {reason}")]
    Unreachable {
        /// What happened, without the URL or anything of the request.
        reason: &'static str,
        /// False when the request certainly did not leave this process, so that nothing was executed.
        sent: bool,
        /// The transport's error, for the log.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// No answer inside the time limit. The call may or may not have been executed.
    #[error("the gateway did not answer in time")]
    TimedOut,
    /// Too little time was left before the deadline to start the call. Nothing was sent.
    #[error("too little time was left to call the gateway")]
    NoTimeLeft,
    /// The reply's signature is missing or wrong, or the reply is built so that what was signed is in doubt.
    #[error("the gateway's reply could not be verified: {reason}")]
    Unverified {
        /// Which rule the reply breaks.
        reason: &'static str,
    },
    /// Alipay answered with an error of its own.
    #[error("the gateway refused the call: {0}")]
    Refused(Refusal),
    /// A verified reply without what its method promises.
    #[error("the gateway's reply was not understood: {reason}")]
    Malformed {
        /// What is missing or of the wrong form; never a value.
        reason: String,
    },
    /// The call cannot be made with the app's settings, or not in its protocol. Nothing was sent.
    #[error("the request could not be built: {reason}")]
    Unbuildable {
        /// Which setting or argument is missing or does not fit.
        reason: &'static str,
    },
    /// An argument holds a character that the app's charset cannot express. Nothing was sent.
    #[error("{0}")]
    Unencodable(#[from] alipay_signing::Unmappable),
    /// Signing failed. Nothing was sent.
    #[error("the request could not be signed")]
    Signing(#[from] alipay_signing::SignError),
}

/// Alipay's own error. `Display` and `Debug` leave `sub_msg` out, because signature errors echo the whole signed text in it, with
/// its codes and tokens, and never show a token. What is kept or sent of it (its serialised form) has no token either.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{code} {}", sub_code.as_deref().unwrap_or("without sub_code"))]
pub struct Refusal {
    /// The gateway's code, such as `40002`. Protocol V3 has no such number: there it is the one that V2 answers in the same case.
    pub code: String,
    /// The precise reason, such as `isv.code-invalid`; absent for a few gateway errors.
    pub sub_code: Option<String>,
    /// Text for `code`.
    pub msg: String,
    /// Text for `sub_code`. Its wording is not stable, and it may quote the request.
    pub sub_msg: Option<String>,
    /// The header `trace_id` (in V3 `alipay-trace-id`), which Alipay's support asks for. Small, because every `Result` on the way
    /// carries the space for a refusal.
    pub trace_id: Option<TraceId>,
    /// Whether the refusal came with a signature, and the signature was right: then the configured key of Alipay's is the right
    /// one, or in certificate mode the configured certificate, or a newer one of the same name and roots. Many errors are unsigned, so `false` says nothing about the key.
    #[serde(default)]
    pub verified: bool,
    /// The refresh token that took the place of the one in the call. Only with `isv.refreshed-token-invalid` of
    /// `alipay.system.oauth.token`, where it means that Alipay has refreshed the pair already and wants the newer token, and of
    /// `alipay.open.auth.token.app`, of which no document says it. Where the refusal is not [`verified`](Self::verified) it is one
    /// more token to try, and nothing that may replace a kept one. At most 512 ASCII characters. Boxed for the same reason as above.
    #[serde(skip)]
    pub refresh_token: Option<Box<SecretString>>,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Refusal")
            .field("code", &self.code)
            .field("sub_code", &self.sub_code)
            .field("msg", &self.msg)
            .field("has_sub_msg", &self.sub_msg.is_some())
            .field("trace_id", &self.trace_id)
            .field("verified", &self.verified)
            .field("has_refresh_token", &self.refresh_token.is_some())
            .finish()
    }
}

/// By hand, because a [`SecretString`] has no equality of its own.
impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            code,
            sub_code,
            msg,
            sub_msg,
            trace_id,
            verified,
            refresh_token,
        } = self;
        *code == other.code
            && *sub_code == other.sub_code
            && *msg == other.msg
            && *sub_msg == other.sub_msg
            && *trace_id == other.trace_id
            && *verified == other.verified
            && exposed(refresh_token.as_deref()) == exposed(other.refresh_token.as_deref())
    }
}

impl Eq for Refusal {}

fn exposed(token: Option<&SecretString>) -> Option<&str> {
    token.map(ExposeSecret::expose_secret)
}

impl Refusal {
    /// Whether the refusal is Alipay's "service unavailable" class (code 20000, or a sub_code that means the same).
    ///
    /// `isp.unknow-error` is spelled so by Alipay.
    pub fn is_transient(&self) -> bool {
        const TRANSIENT: [&str; 5] = [
            "isp.unknow-error",
            "aop.unknow-error",
            "isp.service-not-available",
            "ACQ.SYSTEM_ERROR",
            "SYSTEM_ERROR",
        ];
        self.code == "20000"
            || self
                .sub_code
                .as_deref()
                .is_some_and(|sub_code| TRANSIENT.contains(&sub_code))
    }

    /// Whether Alipay took too many calls of this app and wants fewer: gateway code 40005, or the sub_code of the limit.
    pub fn is_call_limit(&self) -> bool {
        self.code == "40005"
            || self.sub_code.as_deref().is_some_and(|sub_code| {
                matches!(
                    sub_code,
                    "isv.call-limited" | "isp.call-limited" | "aop.call-limited"
                )
            })
    }

    /// Whether the gateway says that the request's signature is wrong: the configured key is not (or no longer) the right one.
    pub fn is_wrong_signature(&self) -> bool {
        self.sub_code.as_deref() == Some("isv.invalid-signature")
    }
}

impl GatewayError {
    pub(crate) fn unreachable(reason: &'static str) -> Self {
        Self::Unreachable {
            reason,
            sent: true,
            source: None,
        }
    }

    pub(crate) fn unbuildable(reason: &'static str) -> Self {
        Self::Unbuildable { reason }
    }

    pub(crate) fn unverified(reason: &'static str) -> Self {
        Self::Unverified { reason }
    }

    /// Whether the same call may succeed later without anything being changed. Says nothing about whether it may be repeated:
    /// a code exchange that timed out is spent.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut | Self::NoTimeLeft => true,
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Unverified { .. }
            | Self::Malformed { .. }
            | Self::Unbuildable { .. }
            | Self::Unencodable(_)
            | Self::Signing(_) => false,
        }
    }

    /// Whether Alipay certainly did not execute the call, because it never left this process.
    pub fn was_never_sent(&self) -> bool {
        match self {
            Self::Unreachable { sent, .. } => !sent,
            Self::NoTimeLeft
            | Self::Unbuildable { .. }
            | Self::Unencodable(_)
            | Self::Signing(_) => true,
            Self::TimedOut
            | Self::Unverified { .. }
            | Self::Refused(_)
            | Self::Malformed { .. } => false,
        }
    }
}
