//! Faults that a test injects into the gateway.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A fault, and which calls it befalls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The one method it befalls; absent: every call.
    #[serde(default)]
    pub method: Option<String>,
    /// The one app whose calls it befalls; absent: every app's.
    #[serde(default)]
    pub app_id: Option<String>,
    /// Whether it befalls refreshes alone, of a user's tokens or a merchant's. An encrypted call does not show that it is one.
    #[serde(default)]
    pub refreshes: bool,
    /// How many calls it befalls; absent: all until the faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// Befalls the next call.
    #[must_use]
    pub fn once(kind: FaultKind) -> Self {
        Self::times(kind, 1)
    }

    /// Befalls the next `times` calls.
    #[must_use]
    pub fn times(kind: FaultKind, times: u32) -> Self {
        Self {
            times: Some(times),
            ..Self::always(kind)
        }
    }

    /// Befalls every call until the faults are cleared.
    #[must_use]
    pub fn always(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            app_id: None,
            refreshes: false,
            times: None,
        }
    }

    /// Only calls of this method.
    #[must_use]
    pub fn for_method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only calls of this app.
    #[must_use]
    pub fn for_app(mut self, app_id: impl Into<String>) -> Self {
        self.app_id = Some(app_id.into());
        self
    }

    /// Only refreshes, of a user's tokens or a merchant's; no exchange of a code.
    #[must_use]
    pub fn for_refreshes(mut self) -> Self {
        self.refreshes = true;
        self
    }

    fn befalls(&self, call: &Target<'_>) -> bool {
        let is_this = |wanted: &Option<String>, of_call: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == of_call
        };
        let refreshes_alone = self.refreshes || self.kind == FaultKind::AlreadyRefreshed;
        is_this(&self.method, call.method)
            && is_this(&self.app_id, call.app_id)
            && (call.is_refresh || !refreshes_alone)
    }
}

/// What the conditions of faults are about.
#[derive(Clone, Copy, Default)]
pub(crate) struct Target<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) app_id: Option<&'a str>,
    pub(crate) is_refresh: bool,
}

/// What goes wrong.
///
/// "Not done" kinds answer in place of the gateway: no code is spent, no message sent. With the others the call was
/// done and only its reply is spoiled, so a code is spent and a refresh has killed the old pair.
///
/// A reply of V3 has no node and its signature stands in headers: there `SignMember` is the header's text, and
/// `DuplicateNode`, `OtherMethodNode` and `BothNodes` change nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Done at once, answered later.
    Delay {
        /// How much later.
        milliseconds: u64,
    },
    /// Done, never answered; the connection stays open.
    NeverAnswer,
    /// Not done: the connection is reset before the request's body is read.
    ResetBeforeReading,
    /// Done: the connection is reset in place of the reply.
    ResetAfterDone,
    /// Done: the reply stops in the middle of its announced length, and the connection closes.
    HalfBody,
    /// Done: the body is cut in half, but its announced length fits.
    TruncatedBody,
    /// Done: the body comes byte by byte.
    SlowBody {
        /// Pause before each byte; 1000 for a byte a second.
        milliseconds_per_byte: u64,
    },
    /// Not done: a page of HTML, as a proxy on the way would send.
    Html {
        /// HTTP status, such as 502 or 200.
        status: u16,
    },
    /// Not done: nothing at all.
    EmptyBody {
        /// HTTP status, such as 502 or 200.
        status: u16,
    },
    /// Not done: this body with status 200, as it is.
    Body {
        /// The whole body.
        text: String,
    },
    /// Not done: 302.
    Redirect {
        /// Where to; absent: a path of this simulator that counts who follows.
        #[serde(default)]
        location: Option<String>,
    },
    /// Done: a valid, correctly signed reply of more than this many bytes.
    HugeBody {
        /// Least size of the body in bytes.
        bytes: usize,
    },
    /// Done: the signature is well-formed and wrong.
    BadSignature,
    /// Done: the reply has no `sign`.
    NoSignature,
    /// Done: `sign` is this JSON text, such as `""`, `null`, `0`, `"AA=="`.
    SignMember {
        /// JSON text.
        json: String,
    },
    /// Done: signed by a key that is nobody's.
    ForeignKey,
    /// Done: signed with SHA-1 whatever the app's sign type is.
    Sha1Signature,
    /// Done: `alipay_cert_sn` (V3: `alipay-sn`) names this certificate, or none. Certificate mode only.
    CertificateSn {
        /// What it says; absent: the member is left out.
        #[serde(default)]
        sn: Option<String>,
    },
    /// Done: one bit of the ciphertext was changed after it was signed. Encrypted calls only.
    ChangedCiphertext,
    /// Done: the ciphertext is validly signed, and its padding is wrong. Encrypted calls only.
    WrongPadding,
    /// Done: the call was encrypted, its reply is not, and is validly signed.
    PlainReply,
    /// Done: the node stands twice, once genuine (that is what the signature is of) and once forged.
    DuplicateNode {
        /// Whether the forged one stands first; else it stands after `sign`.
        #[serde(default)]
        forged_first: bool,
        /// Whether the forged one's name is spelled with a JSON escape.
        #[serde(default)]
        escaped_name: bool,
    },
    /// Done: the node carries another method's name; its signature is valid.
    OtherMethodNode,
    /// Done: `error_response` and the method's node, with a valid signature of the latter.
    BothNodes,
    /// Done: two JSON documents one after the other, both validly signed.
    TwoDocuments,
    /// Done: a byte order mark stands first.
    ByteOrderMark,
    /// Done: each `/` is sent as `\/`, and the signature is of the text with `/`.
    EscapedSlashes,
    /// Done: each `/` is sent as `\/`, and the signature is of the text as sent.
    EscapedSlashesSigned,
    /// Done: this JSON text stands in place of the node, validly signed.
    Node {
        /// JSON text.
        json: String,
    },
    /// Not done: this refusal.
    Refusal {
        /// Gateway code, such as `20000`.
        code: String,
        /// Such as `isp.unknow-error`.
        sub_code: String,
        /// Text.
        #[serde(default)]
        sub_msg: String,
        /// Whether it is signed.
        #[serde(default)]
        signed: bool,
        /// Whether it stands under `error_response` in place of the method's node.
        #[serde(default)]
        error_response: bool,
    },
    /// Done and refused: Alipay has refreshed the pair of its own accord. The pair of the call is dead, and the refusal
    /// `isv.refreshed-token-invalid` brings the refresh token of the one that is live; nobody is told its access token. Befalls
    /// refreshes alone; one that would be refused anyway is refused as ever. It is signed as the app's other refusals are.
    AlreadyRefreshed,
    /// Not done: 20000 `aop.unknow-error` whose text is GBK although UTF-8 was asked for, the last character ending in
    /// the byte of a backslash; signed over those bytes, as seen in real replies.
    GbkBytes,
}

impl FaultKind {
    /// A [`Refusal`](Self::Refusal) as those of `alipay.system.oauth.token` come: unsigned, under `error_response`.
    #[must_use]
    pub fn refusal(code: impl Into<String>, sub_code: impl Into<String>) -> Self {
        Self::Refusal {
            code: code.into(),
            sub_code: sub_code.into(),
            sub_msg: String::new(),
            signed: false,
            error_response: true,
        }
    }

    /// Whether the gateway answers without doing what was asked.
    pub(crate) fn prevents_the_call(&self) -> bool {
        matches!(
            self,
            Self::ResetBeforeReading
                | Self::Html { .. }
                | Self::EmptyBody { .. }
                | Self::Body { .. }
                | Self::Redirect { .. }
                | Self::Refusal { .. }
                | Self::GbkBytes
        )
    }

    /// How long the reply waits.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay { milliseconds } => Some(Duration::from_millis(*milliseconds)),
            _ => None,
        }
    }
}

/// The faults in force.
#[derive(Default)]
pub(crate) struct Faults {
    active: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.active.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn active(&self) -> &[Fault] {
        &self.active
    }

    /// The faults that befall this call, each used up by one.
    pub(crate) fn take(&mut self, call: &Target<'_>) -> Vec<FaultKind> {
        let mut taken = Vec::new();
        self.active.retain_mut(|fault| {
            if fault.times == Some(0) {
                return false;
            }
            if !fault.befalls(call) {
                return true;
            }
            taken.push(fault.kind.clone());
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            fault.times != Some(0)
        });
        taken
    }

    /// Like [`Self::take`], for the one kind that acts before the body is read. What only the body tells is not known yet.
    pub(crate) fn take_reset_before_reading(&mut self, call: &Target<'_>) -> bool {
        let found = self.active.iter_mut().find(|fault| {
            fault.kind == FaultKind::ResetBeforeReading
                && fault.times != Some(0)
                && fault.befalls(call)
        });
        let Some(fault) = found else { return false };
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        true
    }
}
