//! The members of a notice, its signature, and the form that is sent.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::{NoticeForgery, NoticeOccasion, NoticeOptions, SignedText};
use crate::apps::AppRecord;
use crate::charset::Charset;
use crate::clock::beijing_text;
use crate::grants::random_text;
use crate::keys::{self, SignType};
use crate::signer::Signer;
use crate::trades::{Trade, moment, yuan};
use crate::users::{self, SimulatedUser};

/// A notice ready to be sent.
pub(crate) struct Form {
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Form {
    /// Signs the fields as Alipay does, and then lets the options have their way.
    pub(super) fn new(
        mut fields: BTreeMap<String, String>,
        charset: &str,
        signed_text: SignedText,
        options: &NoticeOptions,
        signer: &Signer,
    ) -> Result<Self, &'static str> {
        fields.insert("charset".to_owned(), charset.to_owned());
        fields.extend(options.fields.clone());
        fields.retain(|name, _| !options.without.contains(name));
        let charset = Charset::parse(charset).ok_or("no charset of this name")?;
        let signed_text = options.signed_text.unwrap_or(signed_text);
        let forgery = options.forgery.as_ref();

        let mut text = text_to_sign(&fields, charset, signed_text, options.empty_values_unsigned);
        if forgery == Some(&NoticeForgery::BadSignature) {
            text.push(b' ');
        }
        let key = match forgery {
            Some(NoticeForgery::ForeignKey) => keys::foreign_key(),
            _ => signer.key,
        };
        let named = fields.get("sign_type").map(String::as_str);
        let sign_type = match forgery {
            Some(NoticeForgery::Sha1Signature) => SignType::Rsa,
            _ => named.and_then(SignType::parse).unwrap_or(SignType::Rsa2),
        };
        let sign = match forgery {
            Some(NoticeForgery::NoSignature) => None,
            Some(NoticeForgery::Signature(text)) => Some(text.clone()),
            _ => Some(keys::sign(key, sign_type, &text)),
        };
        fields.extend(sign.map(|sign| ("sign".to_owned(), sign)));
        if let Some(NoticeForgery::ChangedFields(changed)) = forgery {
            fields.extend(changed.clone());
        }
        let body = encoded(&fields, charset);
        Ok(Self { fields, body })
    }
}

/// `name=value` joined by `&`, sorted by name, in the charset's bytes. Members without a value stay in it, as in the
/// checks of Alipay's SDKs.
fn text_to_sign(
    fields: &BTreeMap<String, String>,
    charset: Charset,
    signed_text: SignedText,
    without_empty_values: bool,
) -> Vec<u8> {
    let is_signed = |(name, value): &(&String, &String)| {
        let is_sign_type = name.as_str() == "sign_type";
        name.as_str() != "sign"
            && !(is_sign_type && signed_text == SignedText::WithoutSignType)
            && !(without_empty_values && value.is_empty())
    };
    let pairs = fields.iter().filter(is_signed);
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    charset.encode(&pairs.join("&"))
}

/// `application/x-www-form-urlencoded`, with the charset's bytes.
fn encoded(fields: &BTreeMap<String, String>, charset: Charset) -> String {
    let component = |text: &str| byte_serialize(&charset.encode(text)).collect::<String>();
    let pairs = fields.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{}={}", component(name), component(value)))
        .collect();
    pairs.join("&")
}

/// What every notice has.
fn common_fields(app_id: &str, now: SystemTime) -> BTreeMap<String, String> {
    [
        ("app_id", app_id.to_owned()),
        ("auth_app_id", app_id.to_owned()),
        ("notify_id", random_text("", 34)),
        ("notify_time", beijing_text(now)),
        ("sign_type", "RSA2".to_owned()),
        ("version", "1.0".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

pub(super) fn message_fields(
    app_id: &str,
    app: &AppRecord,
    now: SystemTime,
) -> BTreeMap<String, String> {
    let mut fields = common_fields(app_id, now);
    // An old app has SHA-1 alone.
    if app.options.sign_types == [SignType::Rsa] {
        fields.insert("sign_type".to_owned(), "RSA".to_owned());
    }
    fields
}

pub(super) fn trade_fields(
    trade: &Trade,
    app: &AppRecord,
    users: &BTreeMap<String, SimulatedUser>,
    occasion: &NoticeOccasion,
    now: SystemTime,
) -> BTreeMap<String, String> {
    let mut fields = common_fields(&trade.app_id, now);
    let mut add = |name: &str, value: String| {
        fields.insert(name.to_owned(), value);
    };
    let time = |milliseconds: u64| beijing_text(moment(milliseconds));
    add("notify_type", "trade_status_sync".to_owned());
    add(
        "sign_type",
        match trade.sign_type {
            SignType::Rsa2 => "RSA2",
            SignType::Rsa => "RSA",
        }
        .to_owned(),
    );
    add("trade_no", trade.trade_no.clone());
    add("out_trade_no", trade.out_trade_no.clone());
    add("trade_status", trade.trade_status.clone());
    add("total_amount", trade.total_amount.clone());
    add("subject", trade.subject.clone());
    // A member without a value, as Alipay sends some: it is signed.
    add("body", String::new());
    add("seller_id", app.options.pid.clone());
    add("seller_email", "sel***@example.com".to_owned());
    if let Some(text) = &trade.passback_params {
        add("passback_params", text.clone());
    }
    if !trade.buyer.is_empty() {
        if app.options.identifiers.has_user_id() {
            add("buyer_id", trade.buyer.clone());
        }
        if app.options.identifiers.has_open_id() {
            add("buyer_open_id", users::open_id(&trade.app_id, &trade.buyer));
        }
        add("buyer_logon_id", users::logon_id(users, &trade.buyer));
    }
    add("gmt_create", time(trade.created_at.unwrap_or_default()));
    if let Some(paid_at) = trade.paid_at {
        add("gmt_payment", time(paid_at));
        for name in ["receipt_amount", "invoice_amount", "buyer_pay_amount"] {
            add(name, trade.total_amount.clone());
        }
        add("point_amount", "0.00".to_owned());
        let bills = json!([{ "amount": trade.total_amount, "fundChannel": "ALIPAYACCOUNT" }]);
        add("fund_bill_list", bills.to_string());
    }
    if let Some(closed_at) = trade.closed_at {
        add("gmt_close", time(closed_at));
    }
    if let NoticeOccasion::Refund { out_request_no } = occasion {
        let mut refunds = trade.refunds.iter();
        let refund = refunds.find(|refund| refund.out_request_no == *out_request_no);
        add("out_biz_no", out_request_no.clone());
        // What has gone back altogether.
        add("refund_fee", yuan(trade.refunded()));
        let refunded_at = refund.map_or(0, |refund| refund.refunded_at);
        let gmt_refund = format!("{}.{:03}", time(refunded_at), refunded_at % 1000);
        add("gmt_refund", gmt_refund);
    }
    fields
}
