//! Notices: what Alipay tells a merchant's server about a trade or an app, until the server says `success`.
//!
//! A notice goes out at once, then 4 minutes, 10 minutes, 10 minutes, 1 hour, 2, 6 and 15 hours after the time before it
//! (Alipay's document: 8 times within about 25 hours), by the simulator's clock, the same text each time. It ends with an
//! answer of status 200 whose body is `success` and nothing else.

pub(crate) mod delivery;
mod form;
mod record;
mod sending;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::form::Form;
pub(crate) use self::record::Notices;

/// A notice, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// `notify_id`: the same in every repeat.
    pub notify_id: String,
    /// The app whose server is told.
    pub app_id: String,
    /// The trade's number, where it is about a trade.
    pub out_trade_no: Option<String>,
    /// Where it goes.
    pub url: String,
    /// Its members, `sign` too.
    pub fields: BTreeMap<String, String>,
    /// The form as it is sent.
    pub body: String,
    /// How far it is.
    pub standing: NoticeStanding,
    /// What was answered, oldest first.
    pub attempts: Vec<NoticeAttempt>,
}

/// How far a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStanding {
    /// It is sent when its time has come.
    Waiting,
    /// It is being sent.
    InDelivery,
    /// It was answered with `success`.
    Acknowledged,
    /// It was sent for the last time, in vain.
    GivenUp,
    /// The address is none of this machine's, or not `http`: nothing is sent to it.
    Undeliverable,
}

/// One time that a notice was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeAttempt {
    /// Milliseconds since 1970 by the simulator's clock.
    pub sent_at: u64,
    /// What came back.
    pub answer: NoticeAnswer,
}

/// What came back for a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeAnswer {
    /// An HTTP answer.
    Answered {
        /// Its status.
        status: u16,
        /// Its body, as text.
        body: String,
    },
    /// No answer within 5 seconds.
    NotAnswered {
        /// Why.
        reason: String,
    },
}

impl NoticeAnswer {
    /// Whether the server has taken the notice.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status: 200, body } if body == "success")
    }
}

/// How a notice differs from the one that Alipay would send. The default is Alipay's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticeOptions {
    /// Members with these values in place of the usual ones; they are signed.
    pub fields: BTreeMap<String, String>,
    /// Members that are not there.
    pub without: Vec<String>,
    /// `utf-8`, `GBK` or `GB2312`; absent: the charset of the trade, and `utf-8` for a message.
    pub charset: Option<String>,
    /// What is signed; absent: for a trade all but `sign_type`, for a message all.
    pub signed_text: Option<SignedText>,
    /// Members without a value are sent, and left out of the signed text. Alipay's SDKs for servers leave them in.
    pub empty_values_unsigned: bool,
    /// What an attacker did to it.
    pub forgery: Option<NoticeForgery>,
}

/// What of a notice is signed, `sign` never being in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedText {
    /// All but `sign_type`: notices of trades (`rsaCheckV1` of Alipay's SDKs).
    WithoutSignType,
    /// All: messages to the app gateway (`rsaCheckV2`).
    WithSignType,
}

/// What an attacker did to a notice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeForgery {
    /// The signature is well-formed and wrong.
    BadSignature,
    /// There is no `sign`.
    NoSignature,
    /// `sign` has this value.
    Signature(String),
    /// Signed by a key that is nobody's.
    ForeignKey,
    /// Signed with SHA-1 whatever `sign_type` says.
    Sha1Signature,
    /// These members were changed or added after it was signed.
    ChangedFields(BTreeMap<String, String>),
}

/// What a notice is about.
#[derive(Clone, Debug)]
pub(crate) enum NoticeOccasion {
    /// The state of the trade.
    Status,
    /// A refund.
    Refund { out_request_no: String },
}
