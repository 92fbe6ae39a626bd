//! What Alipay sends of its own accord, to `notify_url` or to the app's gateway address: a form whose fields are signed. Pure.
//!
//! Anybody can post such a form, so it is taken apart by rules that leave one reading only, its signature is checked before
//! anything in it is believed, and neither the key nor the algorithm nor the app is taken from it. The pairs are joined by `&` before
//! they are signed, so one signed text may be cut into fields in more than one way: what a notice says is a reason to ask Alipay,
//! and nothing to act on.

mod error;
mod form;

pub use error::NoticeError;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use alipay_signing::{Charset, EmptyValues, NoticeRule, VerifyingKey, notice_text};

use crate::{App, KeyNeeded};

/// The kind of notice that tells of a trade. Every other one is a message.
const TRADE_NOTICE: &str = "trade_status_sync";

/// Longer ids and names of methods are none of Alipay's.
const MAX_PLAIN_CHARACTERS: usize = 128;

/// A notice, taken apart and not yet trusted.
#[derive(Clone)]
pub struct UnverifiedNotice {
    fields: Fields,
    charset: Charset,
}

/// A notice that Alipay signed for the app.
#[derive(Debug, Clone)]
pub enum Notice {
    /// Of a trade: paid, closed, refunded.
    Trade(TradeNotice),
    /// Of anything else.
    Message(MessageNotice),
}

/// A notice of a trade. The fields that every one has are there; an empty value counts as none.
#[derive(Clone)]
pub struct TradeNotice {
    fields: Fields,
}

/// A message of Alipay's to an app: authorisations by merchants, orders of the service market, and whatever else it tells.
#[derive(Clone)]
pub struct MessageNotice {
    fields: Fields,
}

#[derive(Clone)]
struct Fields(BTreeMap<String, String>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Trade,
    Message,
}

impl UnverifiedNotice {
    /// Takes the body of a notice apart: `application/x-www-form-urlencoded`, decoded exactly once, in the charset that its field
    /// `charset` names (without one UTF-8). At most 64 KiB and 200 fields.
    ///
    /// # Errors
    /// The rule of the form that the body breaks. Nothing is guessed and nothing replaced.
    pub fn read(body: &str) -> Result<Self, NoticeError> {
        let (fields, charset) = form::decode(body)?;
        Ok(Self {
            fields: Fields(fields),
            charset,
        })
    }

    /// The app that the notice names, not verified: for a log, and to choose nothing by.
    pub fn app_id(&self) -> Option<&str> {
        self.fields.get("app_id")
    }

    /// Verifies at `now` that Alipay signed the notice for `app`, by the rule of its kind, and that it holds what its kind needs. At
    /// most four signatures are computed.
    ///
    /// # Errors
    /// See [`NoticeError`].
    pub fn verify(&self, app: &App, now: SystemTime) -> Result<Notice, NoticeError> {
        let sign = self.fields.get("sign").ok_or(NoticeError::Unsigned)?;
        let sign_type = (self.fields.get("sign_type")).ok_or(NoticeError::NoSignType)?;
        // Whoever could choose the algorithm could choose the weaker one.
        if sign_type != app.sign_type.as_str() {
            return Err(NoticeError::OtherSignType);
        }
        let Ok(KeyNeeded::Configured(key)) = KeyNeeded::of_signed(app, None, now) else {
            return Err(NoticeError::CertificateOutOfDate);
        };
        let kind = self.kind();
        let rule =
            (self.rule_signed_by(kind, app, key, sign)).ok_or(NoticeError::WrongSignature)?;
        self.check_app(app)?;
        if kind == Kind::Message && self.is_cut_out_of_a_trade_notice(rule) {
            return Err(NoticeError::NotPlain("notify_type"));
        }
        match kind {
            Kind::Trade => TradeNotice::new(self.fields.clone()).map(Notice::Trade),
            Kind::Message => MessageNotice::new(self.fields.clone()).map(Notice::Message),
        }
    }

    fn kind(&self) -> Kind {
        let names_a_method = ["method", "msg_method"]
            .iter()
            .any(|name| self.fields.get(name).is_some());
        match self.fields.get("notify_type") {
            _ if names_a_method => Kind::Message,
            Some(other) if other != TRADE_NOTICE => Kind::Message,
            _ => Kind::Trade,
        }
    }

    /// A message may be signed by either rule; the one that leaves `sign_type` in is the one seen.
    fn rule_signed_by(
        &self,
        kind: Kind,
        app: &App,
        key: &VerifyingKey,
        sign: &str,
    ) -> Option<NoticeRule> {
        let rules: &[NoticeRule] = match kind {
            Kind::Trade => &[NoticeRule::WithoutSignType],
            Kind::Message => &[NoticeRule::WithSignType, NoticeRule::WithoutSignType],
        };
        let empty_values: &[EmptyValues] = match self.fields.0.values().any(String::is_empty) {
            true => &[EmptyValues::Kept, EmptyValues::Dropped],
            false => &[EmptyValues::Kept],
        };
        let readings = rules
            .iter()
            .flat_map(|rule| empty_values.iter().map(move |empty| (*rule, *empty)));
        let mut readings = readings.into_iter();
        let reading = readings.find(|(rule, empty)| {
            let text = notice_text(self.fields.pairs(), *rule, *empty);
            (self.charset.encode(&text))
                .is_ok_and(|bytes| key.verify(app.sign_type, &bytes, sign).is_ok())
        });
        reading.map(|(rule, _)| rule)
    }

    /// Whether the signed text is that of a notice of a trade, cut into other fields inside a text of the merchant's or the buyer's: a
    /// message is told to others, and Alipay cannot be asked about it. A message of that `notify_type` is one by its own rule only.
    fn is_cut_out_of_a_trade_notice(&self, rule: NoticeRule) -> bool {
        let is_named = self.fields.get("notify_type") == Some(TRADE_NOTICE);
        let is_told = notice_text(self.fields.pairs(), rule, EmptyValues::Kept)
            .split('&')
            .any(|pair| pair.strip_prefix("notify_type=") == Some(TRADE_NOTICE));
        is_told && !(is_named && rule == NoticeRule::WithSignType)
    }

    /// Alipay signs with one key for many apps, so its signature alone does not say for whom.
    fn check_app(&self, app: &App) -> Result<(), NoticeError> {
        let named = (self.fields.get("app_id")).ok_or(NoticeError::Missing("app_id"))?;
        let authorized = self.fields.get("auth_app_id").unwrap_or(named);
        if named == app.app_id && authorized == app.app_id {
            Ok(())
        } else {
            Err(NoticeError::OfAnotherApp)
        }
    }
}

impl TradeNotice {
    fn new(fields: Fields) -> Result<Self, NoticeError> {
        for name in [
            "notify_id",
            "out_trade_no",
            "trade_no",
            "total_amount",
            "seller_id",
        ] {
            fields.required(name)?;
        }
        fields.check_plain("notify_id")?;
        Ok(Self { fields })
    }

    /// Names this notice; the same when it is sent again. Plain ASCII, at most 128 characters.
    pub fn notify_id(&self) -> &str {
        self.text("notify_id")
    }

    /// The order's number.
    pub fn out_trade_no(&self) -> &str {
        self.text("out_trade_no")
    }

    /// Alipay's number of the trade.
    pub fn trade_no(&self) -> &str {
        self.text("trade_no")
    }

    /// The trade's status as written; empty where there is none.
    pub fn trade_status(&self) -> &str {
        self.text("trade_status")
    }

    /// The trade's amount in yuan, as written. Nothing says that it is a number.
    pub fn total_amount(&self) -> &str {
        self.text("total_amount")
    }

    /// The merchant whose trade it is, as a PID.
    pub fn seller_id(&self) -> &str {
        self.text("seller_id")
    }

    /// Whether it tells of a refund: it has a `refund_fee`, a `gmt_refund` or an `out_biz_no`. `refund_status` alone says nothing.
    pub fn mentions_refund(&self) -> bool {
        ["refund_fee", "gmt_refund", "out_biz_no"]
            .iter()
            .any(|name| self.fields.get(name).is_some())
    }

    /// The number of the refund that it tells of, where it tells of one: `out_biz_no`, else the order's number, which is the refund's
    /// where none was given.
    pub fn out_request_no(&self) -> &str {
        self.fields
            .get("out_biz_no")
            .unwrap_or_else(|| self.out_trade_no())
    }

    /// What was refunded so far, in yuan, as written.
    pub fn refund_fee(&self) -> Option<&str> {
        self.fields.get("refund_fee")
    }

    /// Any field, as written; `None` where it is absent or empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }
}

impl MessageNotice {
    fn new(fields: Fields) -> Result<Self, NoticeError> {
        fields.required("notify_id")?;
        // `method` alone is what the parameters of a return page have, which are signed too.
        if fields.get("msg_method").is_none() {
            fields.required("notify_type")?;
        }
        for name in ["notify_id", "notify_type", "msg_method", "method"] {
            fields.check_plain(name)?;
        }
        Ok(Self { fields })
    }

    /// Names this message; the same when it is sent again. Plain ASCII, at most 128 characters.
    pub fn notify_id(&self) -> &str {
        self.fields.get("notify_id").unwrap_or_default()
    }

    /// What kind of message it is, as older messages say it.
    pub fn notify_type(&self) -> Option<&str> {
        self.fields.get("notify_type")
    }

    /// What kind of message it is, as a method's name.
    pub fn method(&self) -> Option<&str> {
        self.fields
            .get("msg_method")
            .or_else(|| self.fields.get("method"))
    }

    /// All fields but `sign`, as written. They may hold tokens.
    pub fn fields(&self) -> BTreeMap<&str, &str> {
        self.fields
            .pairs()
            .filter(|(name, _)| *name != "sign")
            .collect()
    }
}

impl Fields {
    /// A field's value; an empty one is none.
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<&str, NoticeError> {
        self.get(name).ok_or(NoticeError::Missing(name))
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Refuses what is no id and no method. An `&` in it would be a sign of a signed text that was cut elsewhere than Alipay cut it.
    fn check_plain(&self, name: &'static str) -> Result<(), NoticeError> {
        let is_plain = |value: &str| {
            value.len() <= MAX_PLAIN_CHARACTERS
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        };
        match self.get(name) {
            Some(value) if !is_plain(value) => Err(NoticeError::NotPlain(name)),
            _ => Ok(()),
        }
    }
}

/// Names only: the values are personal, and together with the signature good for a repeat.
impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The number of fields only: even their names may be anything.
impl fmt::Debug for UnverifiedNotice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UnverifiedNotice")
            .field("fields", &self.fields.0.len())
            .field("charset", &self.charset)
            .finish()
    }
}

impl fmt::Debug for TradeNotice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TradeNotice")
            .field("fields", &self.fields)
            .finish()
    }
}

impl fmt::Debug for MessageNotice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MessageNotice")
            .field("fields", &self.fields)
            .finish()
    }
}
