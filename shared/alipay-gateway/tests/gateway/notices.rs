//! Notices: what is taken for Alipay's, what is not, and what a notice then says.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime};

use alipay_gateway::{App, MessageNotice, Notice, NoticeError, TradeNotice, UnverifiedNotice};
use alipay_signing::{
    Charset, EmptyValues, NoticeRule, SignType, SigningKey, VerifyingKey, form_encode, notice_text,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;
use serde_json::Value;

use crate::{alipay_key, app, app_key, certified_app, vector_text, vectors};

use EmptyValues::{Dropped, Kept};
use NoticeRule::{WithSignType, WithoutSignType};

type Fields = BTreeMap<String, String>;

fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fields {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// As Alipay writes it.
fn trade() -> Fields {
    fields([
        ("app_id", "2021000000000000"),
        ("auth_app_id", "2021000000000000"),
        ("buyer_id", "2088000000000011"),
        ("charset", "utf-8"),
        ("gmt_payment", "2026-11-22 10:00:00"),
        ("notify_id", "2026112200222100000000000000000001"),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", "20261122_1"),
        ("seller_id", "2088000000000019"),
        ("sign_type", "RSA2"),
        ("subject", "一杯咖啡 100% a+b&c=d"),
        ("total_amount", "12.50"),
        ("trade_no", "2026112222001400000000000001"),
        ("trade_status", "TRADE_SUCCESS"),
        ("version", "1.0"),
    ])
}

fn message() -> Fields {
    fields([
        ("app_id", "2021000000000000"),
        ("biz_content", r#"{"detail":{"app_auth_token":"t"}}"#),
        ("charset", "UTF-8"),
        ("notify_id", "2026112200222100000000000000000002"),
        ("notify_type", "open_app_auth_notify"),
        ("sign_type", "RSA2"),
    ])
}

fn with(fields: Fields, more: &[(&str, &str)]) -> Fields {
    let more = more
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    fields.into_iter().chain(more).collect()
}

fn without(mut fields: Fields, name: &str) -> Fields {
    fields.remove(name);
    fields
}

fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The body of a notice of these fields, empty ones too, as `key` signs it.
fn signed_by(
    key: &SigningKey,
    sign_type: SignType,
    charset: Charset,
    fields: &Fields,
    (rule, empty_values): (NoticeRule, EmptyValues),
) -> String {
    let text = notice_text(pairs(fields), rule, empty_values);
    let message = charset.encode(&text).expect("text of the charset");
    let sign = key.sign(sign_type, &message).expect("a signature");
    form(&with(fields.clone(), &[("sign", &sign)]), charset)
}

fn form(fields: &Fields, charset: Charset) -> String {
    let encoded = |text: &str| {
        form_encode([("n", text)], charset)
            .expect("text of the charset")
            .strip_prefix("n=")
            .unwrap_or_default()
            .to_owned()
    };
    let pairs: Vec<_> = pairs(fields)
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

fn signed(fields: &Fields, how: (NoticeRule, EmptyValues)) -> String {
    signed_by(alipay_key(), SignType::Rsa2, Charset::Utf8, fields, how)
}

fn verified(app: &App, body: &str) -> Result<Notice, NoticeError> {
    UnverifiedNotice::read(body)?.verify(app, SystemTime::now())
}

fn trade_notice(body: &str) -> TradeNotice {
    match verified(&app(), body) {
        Ok(Notice::Trade(notice)) => notice,
        other => panic!("no notice of a trade: {other:?}"),
    }
}

fn message_notice(body: &str) -> MessageNotice {
    match verified(&app(), body) {
        Ok(Notice::Message(notice)) => notice,
        other => panic!("no message: {other:?}"),
    }
}

fn refusal(body: &str) -> NoticeError {
    match verified(&app(), body) {
        Ok(notice) => panic!("taken: {notice:?}"),
        Err(error) => error,
    }
}

#[test]
fn a_notice_of_a_trade_says_what_alipay_wrote() {
    let body = signed(&trade(), (WithoutSignType, Kept));
    let unverified = UnverifiedNotice::read(&body).unwrap();
    assert_eq!(unverified.app_id(), Some("2021000000000000"));
    let notice = trade_notice(&body);
    assert_eq!(notice.notify_id(), "2026112200222100000000000000000001");
    assert_eq!(notice.out_trade_no(), "20261122_1");
    assert_eq!(notice.trade_no(), "2026112222001400000000000001");
    assert_eq!(notice.trade_status(), "TRADE_SUCCESS");
    assert_eq!(notice.total_amount(), "12.50");
    assert_eq!(notice.seller_id(), "2088000000000019");
    assert_eq!(notice.field("subject"), Some("一杯咖啡 100% a+b&c=d"));
    assert_eq!(notice.field("body"), None);
    assert_eq!(
        (
            notice.mentions_refund(),
            notice.out_request_no(),
            notice.refund_fee()
        ),
        (false, "20261122_1", None)
    );
}

#[test]
fn a_notice_mentions_a_refund_where_a_field_of_one_holds_something() {
    for (more, mentions, out_request_no) in [
        (&[("refund_fee", "1.00")][..], true, "20261122_1"),
        (&[("gmt_refund", "2026-11-22 10:00:00")], true, "20261122_1"),
        (&[("out_biz_no", "r-1")], true, "r-1"),
        (
            &[("refund_fee", ""), ("gmt_refund", ""), ("out_biz_no", "")],
            false,
            "20261122_1",
        ),
        (&[("refund_status", "REFUND_SUCCESS")], false, "20261122_1"),
    ] {
        let notice = trade_notice(&signed(&with(trade(), more), (WithoutSignType, Kept)));
        assert_eq!(notice.mentions_refund(), mentions, "{more:?}");
        assert_eq!(notice.out_request_no(), out_request_no, "{more:?}");
    }
}

#[test]
fn a_message_says_what_alipay_wrote_without_its_signature() {
    let notice = message_notice(&signed(&message(), (WithSignType, Kept)));
    assert_eq!(notice.notify_id(), "2026112200222100000000000000000002");
    assert_eq!(notice.notify_type(), Some("open_app_auth_notify"));
    assert_eq!(notice.method(), None);
    let expected = message();
    assert_eq!(notice.fields(), pairs(&expected).collect());

    let newer = without(
        with(message(), &[("msg_method", "alipay.open.mini.changed")]),
        "notify_type",
    );
    let notice = message_notice(&signed(&newer, (WithSignType, Kept)));
    assert_eq!(
        (notice.notify_type(), notice.method()),
        (None, Some("alipay.open.mini.changed"))
    );
}

/// Which fields make a notice a message, and which rule then holds.
#[test]
fn the_kind_decides_the_rule() {
    let method = ("method", "alipay.open.servicemarket.order.notify");
    let msg_method = ("msg_method", "alipay.open.mini.changed");
    for (name, fields, is_message) in [
        ("trade", trade(), false),
        (
            "trade without notify_type",
            without(trade(), "notify_type"),
            false,
        ),
        ("empty method", with(trade(), &[("method", "")]), false),
        ("msg_method", with(message(), &[msg_method]), true),
        ("other notify_type", message(), true),
        (
            "other notify_type and method",
            with(message(), &[method]),
            true,
        ),
    ] {
        for empty_values in [Kept, Dropped] {
            for rule in [WithoutSignType, WithSignType] {
                let result = verified(&app(), &signed(&fields, (rule, empty_values)));
                match (is_message, rule, result) {
                    (true, _, Ok(Notice::Message(_)))
                    | (false, WithoutSignType, Ok(Notice::Trade(_)))
                    | (false, WithSignType, Err(NoticeError::WrongSignature)) => {}
                    (_, _, other) => panic!("{name} {rule:?} {empty_values:?}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn empty_values_may_be_in_the_signed_text_or_left_out_and_count_as_absent() {
    for empty_values in [Kept, Dropped] {
        let body = signed(
            &with(trade(), &[("body", ""), ("trade_status", "")]),
            (WithoutSignType, empty_values),
        );
        let notice = trade_notice(&body);
        assert_eq!((notice.field("body"), notice.trade_status()), (None, ""));
        let body = signed(
            &with(message(), &[("method", "")]),
            (WithSignType, empty_values),
        );
        assert_eq!(message_notice(&body).method(), None);
    }
    // Without its empty field a text with it is another text.
    let body = signed(&with(trade(), &[("body", "")]), (WithoutSignType, Kept));
    assert_eq!(
        refusal(&body.replace("&body=", "")),
        NoticeError::WrongSignature
    );
}

#[test]
fn what_every_notice_of_a_kind_has_must_be_there() {
    for name in [
        "notify_id",
        "out_trade_no",
        "trade_no",
        "total_amount",
        "seller_id",
    ] {
        for fields in [without(trade(), name), with(trade(), &[(name, "")])] {
            let error = refusal(&signed(&fields, (WithoutSignType, Kept)));
            assert_eq!(error, NoticeError::Missing(name));
        }
    }
    let error = refusal(&signed(
        &without(message(), "notify_id"),
        (WithSignType, Kept),
    ));
    assert_eq!(error, NoticeError::Missing("notify_id"));
    let error = refusal(&signed(
        &without(trade(), "app_id"),
        (WithoutSignType, Kept),
    ));
    assert_eq!(error, NoticeError::Missing("app_id"));
}

/// They are signed by the same key, by the rule of payments.
#[test]
fn parameters_of_a_return_page_are_no_notice() {
    let page = fields([
        ("app_id", "2021000000000000"),
        ("auth_app_id", "2021000000000000"),
        ("charset", "utf-8"),
        ("method", "alipay.trade.page.pay.return"),
        ("out_trade_no", "20261122_1"),
        ("seller_id", "2088000000000019"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-11-22 10:00:00"),
        ("total_amount", "12.50"),
        ("trade_no", "2026112222001400000000000001"),
        ("version", "1.0"),
    ]);
    let error = refusal(&signed(&page, (WithoutSignType, Kept)));
    assert_eq!(error, NoticeError::Missing("notify_id"));
    let error = refusal(&signed(
        &with(page, &[("notify_id", "n1")]),
        (WithoutSignType, Kept),
    ));
    assert_eq!(error, NoticeError::Missing("notify_type"));
}

/// Otherwise the text of a payment could be cut into one, with more fields that take the rest of it into their values.
#[test]
fn a_message_of_a_payments_notify_type_is_one_by_its_own_rule_only() {
    for name in ["method", "msg_method"] {
        let fields = with(trade(), &[(name, "alipay.open.mini.changed")]);
        for empty_values in [Kept, Dropped] {
            message_notice(&signed(&fields, (WithSignType, empty_values)));
            let other_rule = signed(&fields, (WithoutSignType, empty_values));
            assert_eq!(refusal(&other_rule), NoticeError::NotPlain("notify_type"));
        }
    }
    let taken_in = "1&notify_time=2026-11-22&notify_type=trade_status_sync&out_trade_no=1";
    let cut = with(message(), &[("zz", taken_in)]);
    for rule in [WithoutSignType, WithSignType] {
        let body = signed(&cut, (rule, Kept));
        assert_eq!(refusal(&body), NoticeError::NotPlain("notify_type"));
    }
}

/// A text chosen by a buyer, cut out of the middle of the signed text to be a field of its own, takes the fields behind it into its
/// value, as the names are sorted.
#[test]
fn a_signed_text_cut_elsewhere_does_not_make_a_message_of_a_payment() {
    let genuine = with(trade(), &[("body", "a&method=b"), ("subject", "c")]);
    let body = signed(&genuine, (WithoutSignType, Kept));
    trade_notice(&body);
    let taken_in: Vec<_> = pairs(&genuine)
        .filter(|(name, _)| ("body".."notify_id").contains(name) && *name != "body")
        .map(|(name, value)| format!("&{name}={value}"))
        .collect();
    let method = format!("b{}", taken_in.concat());
    let mut cut = with(genuine.clone(), &[("body", "a"), ("method", &method)]);
    cut.retain(|name, _| !("buyer_id".."method").contains(&name.as_str()));
    let text = |fields| notice_text(pairs(fields), WithoutSignType, Kept);
    assert_eq!(text(&cut), text(&genuine));
    let forged = signed(&cut, (WithoutSignType, Kept));
    assert_eq!(refusal(&forged), NoticeError::NotPlain("notify_type"));
}

#[test]
fn ids_and_methods_are_plain() {
    for (name, value) in [
        ("notify_id", "a&b"),
        ("notify_id", "a b"),
        ("notify_id", "通知"),
        ("notify_id", &"9".repeat(129)),
        ("method", "a=b"),
        ("msg_method", "a\nb"),
        ("notify_type", "open_app_auth_notify&x"),
    ] {
        let body = signed(&with(message(), &[(name, value)]), (WithSignType, Kept));
        assert_eq!(refusal(&body), NoticeError::NotPlain(name));
    }
    let body = signed(
        &with(trade(), &[("notify_id", "a&b")]),
        (WithoutSignType, Kept),
    );
    assert_eq!(refusal(&body), NoticeError::NotPlain("notify_id"));
}

#[test]
fn the_app_is_the_one_of_the_address_and_never_the_notices() {
    for more in [
        &[("app_id", "2021000000000009")][..],
        &[("auth_app_id", "2021000000000009")],
        &[
            ("app_id", "2021000000000009"),
            ("auth_app_id", "2021000000000009"),
        ],
        &[("app_id", "2021000000000000 ")],
    ] {
        let error = refusal(&signed(&with(trade(), more), (WithoutSignType, Kept)));
        assert_eq!(error, NoticeError::OfAnotherApp);
        assert!(error.is_of_another_app() && !error.is_signature());
    }
    trade_notice(&signed(
        &without(trade(), "auth_app_id"),
        (WithoutSignType, Kept),
    ));
    // Who cannot sign learns nothing of the apps.
    let other = with(trade(), &[("app_id", "2021000000000009")]);
    let forged = signed_by(
        app_key(),
        SignType::Rsa2,
        Charset::Utf8,
        &other,
        (WithoutSignType, Kept),
    );
    assert_eq!(refusal(&forged), NoticeError::WrongSignature);
}

#[test]
fn the_algorithm_is_the_apps_and_never_the_notices() {
    let old_app = App {
        sign_type: SignType::Rsa,
        ..app()
    };
    let body = |signed_as, stated: &str| {
        let fields = with(trade(), &[("sign_type", stated)]);
        signed_by(
            alipay_key(),
            signed_as,
            Charset::Utf8,
            &fields,
            (WithoutSignType, Kept),
        )
    };
    assert!(verified(&old_app, &body(SignType::Rsa, "RSA")).is_ok());
    for (body, app) in [
        (body(SignType::Rsa, "RSA"), &app()),
        (body(SignType::Rsa2, "RSA"), &app()),
        (body(SignType::Rsa2, "RSA2"), &old_app),
        (body(SignType::Rsa2, "MD5"), &app()),
        (body(SignType::Rsa2, "none"), &app()),
        (body(SignType::Rsa2, "rsa2"), &app()),
    ] {
        assert_eq!(
            verified(app, &body).unwrap_err(),
            NoticeError::OtherSignType
        );
    }
    assert_eq!(
        refusal(&body(SignType::Rsa, "RSA2")),
        NoticeError::WrongSignature
    );
    for fields in [
        without(trade(), "sign_type"),
        with(trade(), &[("sign_type", "")]),
    ] {
        let error = refusal(&signed(&fields, (WithoutSignType, Kept)));
        assert_eq!(error, NoticeError::NoSignType);
    }
}

#[test]
fn without_a_right_signature_nothing_is_taken() {
    let unsigned = form(&trade(), Charset::Utf8);
    for body in [unsigned.clone(), format!("{unsigned}&sign=")] {
        assert_eq!(refusal(&body), NoticeError::Unsigned);
    }
    let body = signed(&trade(), (WithoutSignType, Kept));
    let sign = body
        .split('&')
        .find(|pair| pair.starts_with("sign="))
        .unwrap();
    let with_sign = |other: &str| body.replace(sign, &format!("sign={other}"));
    let value = sign.strip_prefix("sign=").unwrap();
    for (name, other) in [
        ("raw plus", value.replace("%2B", "+")),
        ("line end", format!("{value}%0A")),
        ("no padding", value.trim_end_matches("%3D").to_owned()),
        ("encoded twice", value.replace('%', "%25")),
        ("no base64", "!".to_owned()),
    ] {
        // Not every signature has a plus.
        if other != value {
            assert_eq!(
                refusal(&with_sign(&other)),
                NoticeError::WrongSignature,
                "{name}"
            );
        }
    }
    let another = signed_by(
        app_key(),
        SignType::Rsa2,
        Charset::Utf8,
        &trade(),
        (WithoutSignType, Kept),
    );
    assert_eq!(refusal(&another), NoticeError::WrongSignature);
    assert!(NoticeError::WrongSignature.is_signature());
    // One more field, of whatever name, is another text.
    assert_eq!(refusal(&format!("{body}&x=1")), NoticeError::WrongSignature);
}

#[test]
fn a_form_that_can_be_read_in_two_ways_is_refused() {
    for (body, expected) in [
        ("a=1&a=2", NoticeError::RepeatedName),
        ("a=1&%61=2", NoticeError::RepeatedName),
        ("charset=utf-8&charset=utf-8", NoticeError::RepeatedName),
        ("a", NoticeError::NoEquals),
        ("", NoticeError::NoEquals),
        ("a=1&&b=2", NoticeError::NoEquals),
        ("a=1&", NoticeError::NoEquals),
        ("=1", NoticeError::NoName),
        ("a=%", NoticeError::BrokenEscape),
        ("a=%2", NoticeError::BrokenEscape),
        ("a=%2&b=0", NoticeError::BrokenEscape),
        ("a=%zz", NoticeError::BrokenEscape),
        ("a=%+1", NoticeError::BrokenEscape),
        ("a=%u4e2d", NoticeError::BrokenEscape),
        ("a=1 2", NoticeError::BareCharacter),
        ("a=1\n", NoticeError::BareCharacter),
        ("\u{feff}a=1", NoticeError::BareCharacter),
        ("a=中", NoticeError::BareCharacter),
        ("a=%ff", NoticeError::NotInCharset),
        ("a=%ED%A0%80", NoticeError::NotInCharset),
        ("a=%C0%80", NoticeError::NotInCharset),
        ("%ff=a", NoticeError::NotInCharset),
        ("a=%ff&charset=GBK", NoticeError::NotInCharset),
        ("a=%81%30%81%30&charset=GBK", NoticeError::NotInCharset),
        ("a=1&charset=latin1", NoticeError::UnknownCharset),
        ("a=1&charset=%ff", NoticeError::UnknownCharset),
    ] {
        assert_eq!(UnverifiedNotice::read(body).err(), Some(expected), "{body}");
    }
    for body in [
        "a=",
        "a=b=c",
        "a=1&charset=",
        "__proto__=1&constructor=2&hasOwnProperty=3",
    ] {
        assert!(UnverifiedNotice::read(body).is_ok(), "{body}");
    }
}

#[test]
fn size_and_number_of_fields_have_limits() {
    let of_length = |length: usize| format!("a={}", "x".repeat(length - 2));
    assert!(UnverifiedNotice::read(&of_length(64 * 1024)).is_ok());
    let error = UnverifiedNotice::read(&of_length(64 * 1024 + 1)).err();
    assert_eq!(error, Some(NoticeError::TooLong));
    let of_fields = |count: usize| {
        let fields: Vec<_> = (0..count).map(|index| format!("f{index}=1")).collect();
        fields.join("&")
    };
    assert!(UnverifiedNotice::read(&of_fields(200)).is_ok());
    let error = UnverifiedNotice::read(&of_fields(201)).err();
    assert_eq!(error, Some(NoticeError::TooManyFields));
}

#[test]
fn the_form_is_decoded_once_and_nothing_else_is_undone() {
    let value = r#"[{"amount":"12.50"}] %2B &quot; &amp; + %"#;
    let body = signed(
        &with(trade(), &[("fund_bill_list", value)]),
        (WithoutSignType, Kept),
    );
    assert_eq!(trade_notice(&body).field("fund_bill_list"), Some(value));
    // A plus is a space, and a lower-case escape is one.
    let body = body.replace("%20", "+").replace("%2F", "%2f");
    assert_eq!(trade_notice(&body).field("fund_bill_list"), Some(value));
}

#[test]
fn the_signature_is_over_the_bytes_of_the_notices_charset() {
    for charset in [Charset::Gbk, Charset::Gb2312] {
        // 誠 and its like have an ASCII letter as second byte in GBK.
        let subject = if charset == Charset::Gbk {
            "一杯誠亄咖啡"
        } else {
            "一杯咖啡"
        };
        let fields = with(
            trade(),
            &[("charset", charset.as_str()), ("subject", subject)],
        );
        let body = signed_by(
            alipay_key(),
            SignType::Rsa2,
            charset,
            &fields,
            (WithoutSignType, Kept),
        );
        assert_eq!(trade_notice(&body).field("subject"), Some(subject));
        // Over UTF-8 bytes it is another message.
        let text = notice_text(pairs(&fields), WithoutSignType, Kept);
        let sign = alipay_key().sign(SignType::Rsa2, text.as_bytes()).unwrap();
        let body = form(&with(fields, &[("sign", &sign)]), charset);
        assert_eq!(refusal(&body), NoticeError::WrongSignature);
    }
}

#[test]
fn in_certificate_mode_the_key_is_that_of_the_configured_certificate_while_it_is_valid() {
    let (app, key) = certified_app();
    let certificate = &app.certificates.as_ref().unwrap().alipay;
    let (first, last) = (certificate.not_before(), certificate.not_after());
    let how = (WithoutSignType, Kept);
    let body = signed_by(&key, SignType::Rsa2, Charset::Utf8, &trade(), how);
    let notice = UnverifiedNotice::read(&body).unwrap();
    let at = |now| notice.verify(&app, now).map(|_| ());
    let second = Duration::from_secs(1);
    assert_eq!((at(first), at(last)), (Ok(()), Ok(())));
    for now in [first - second, last + second] {
        assert_eq!(at(now), Err(NoticeError::CertificateOutOfDate));
    }
    assert!(NoticeError::CertificateOutOfDate.is_signature());
    // What is configured as Alipay's key beside it plays no part.
    let error = verified(&app, &signed(&trade(), how)).unwrap_err();
    assert_eq!(error, NoticeError::WrongSignature);
}

/// Four signatures at most, so a hundred forged notices a second are no load.
#[test]
fn a_forged_notice_costs_little() {
    let fields = with(
        message(),
        &[
            ("body", ""),
            ("method", "alipay.x"),
            ("biz_content", &"x".repeat(40_000)),
        ],
    );
    let forged = signed_by(
        app_key(),
        SignType::Rsa2,
        Charset::Utf8,
        &fields,
        (WithSignType, Kept),
    );
    let quickest = (0..10)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(refusal(&forged), NoticeError::WrongSignature);
            started.elapsed()
        })
        .min()
        .unwrap();
    // Two milliseconds are the budget of an optimised build.
    assert!(quickest < Duration::from_millis(20), "{quickest:?}");
}

#[test]
fn nothing_of_a_notice_is_shown() {
    let canary = [("subject", "canary"), ("buyer_id", "canary")];
    let body = signed(&with(trade(), &canary), (WithoutSignType, Kept));
    let shown = format!(
        "{:?} {:?}",
        UnverifiedNotice::read(&body),
        trade_notice(&body)
    );
    let body = signed(&with(message(), &canary), (WithSignType, Kept));
    let shown = format!("{shown} {:?}", message_notice(&body));
    assert!(shown.contains("subject"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

fn awkward_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z=&%+ ]{0,12}",
        select(vec!["一", "%20", "&amp;", ""]).prop_map(str::to_owned)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_fields_come_out_of_a_form_as_they_went_in(
        map in btree_map("[a-zA-Z_=&%一]{1,8}", awkward_text(), 0..12)
    ) {
        let expected = with(message(), &[]).into_iter().chain(map.clone()).collect::<Fields>();
        let expected = with(expected, &[
            ("app_id", "2021000000000000"), ("notify_id", "n1"), ("notify_type", "x"), ("charset", "utf-8"), ("sign_type", "RSA2"),
        ]);
        let expected = without(without(without(expected, "sign"), "method"), "msg_method");
        let expected = without(expected, "auth_app_id");
        let notice = message_notice(&signed(&expected, (WithSignType, Kept)));
        prop_assert_eq!(notice.fields(), pairs(&expected).collect());
    }

    #[test]
    fn any_changed_character_of_a_signed_notice_has_it_refused(position in any::<prop::sample::Index>(), replacement in "[ -~]") {
        let body = signed(&trade(), (WithoutSignType, Kept));
        let position = position.index(body.len());
        let mut changed = body.clone();
        changed.replace_range(position..=position, &replacement);
        let (before, after) = (fields_of(&body), fields_of(&changed));
        // A hexadecimal digit in the other case, `+` for a space: the same fields, written otherwise.
        prop_assume!(before != after);
        match verified(&app(), &changed) {
            Err(_) => {}
            // `charset` in another spelling of the same name is still signed, so even that is a refusal.
            Ok(notice) => prop_assert!(false, "{changed}: {notice:?}"),
        }
    }
}

/// What a lenient reader makes of a form.
fn fields_of(form: &str) -> Vec<(String, String)> {
    let text = |part: &str| {
        let part = part.replace('+', " ");
        percent_encoding::percent_decode_str(&part)
            .decode_utf8_lossy()
            .into_owned()
    };
    form.split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[derive(Deserialize)]
struct Key {
    public_spki_b64: String,
}

#[derive(Deserialize)]
struct Sample {
    id: String,
    alipay_key: String,
    params: Fields,
    form_body: String,
    rule: String,
    expect_valid: bool,
}

/// For the app that the sample names, with Alipay's key of the sample.
fn app_of(app_id: &str, alipay_key: VerifyingKey) -> App {
    App {
        app_id: app_id.to_owned(),
        alipay_key,
        ..app()
    }
}

#[test]
fn real_and_synthetic_notices_are_judged_as_their_files_say() {
    #[derive(Deserialize)]
    struct Synthetic {
        notify: Vec<Sample>,
    }
    let (Some(keys), Some(real), Some(synthetic)) = (
        vectors::<HashMap<String, Key>>("keys.json"),
        vectors::<Vec<Sample>>("notify.json"),
        vectors::<Synthetic>("synthetic.json"),
    ) else {
        return;
    };
    let mut taken = 0;
    for sample in real.iter().chain(&synthetic.notify) {
        let key = VerifyingKey::from_text(&keys[&sample.alipay_key].public_spki_b64).unwrap();
        let result = verified(&app_of(&sample.params["app_id"], key), &sample.form_body);
        let is_message = sample.params.contains_key("method");
        // The rule of messages over a notice of a trade is none of Alipay's.
        let is_rule_of_kind = is_message || sample.rule.starts_with("V1");
        match result {
            Ok(notice) => {
                assert!(sample.expect_valid && is_rule_of_kind, "{}", sample.id);
                assert_eq!(
                    matches!(notice, Notice::Message(_)),
                    is_message,
                    "{}",
                    sample.id
                );
                taken += 1;
            }
            Err(error) => {
                assert_eq!(error, NoticeError::WrongSignature, "{}", sample.id);
                assert!(!(sample.expect_valid && is_rule_of_kind), "{}", sample.id);
            }
        }
    }
    assert_eq!((real.len() + synthetic.notify.len(), taken), (7, 4));
}

#[test]
fn notices_of_the_node_sdks_tests_are_judged_as_the_sdk_judges_them() {
    #[derive(Deserialize)]
    struct File {
        keys: HashMap<String, String>,
        notify: Vec<Sample>,
    }
    #[derive(Deserialize)]
    struct Sample {
        params: BTreeMap<String, Value>,
        verifies_with: Vec<String>,
    }
    let Some(file) = vectors::<File>("alipay-real-signatures/node-sdk-vectors.json") else {
        return;
    };
    assert_eq!(file.notify.len(), 6);
    for (index, sample) in file.notify.iter().enumerate() {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let params: Fields = (sample.params.iter())
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let name = if params.contains_key("method") {
            "v2"
        } else {
            "v1"
        };
        let key = VerifyingKey::from_text(&file.keys[name]).unwrap();
        let result = verified(
            &app_of(&params["app_id"], key),
            &form(&params, Charset::Utf8),
        );
        match (
            params.contains_key("sign_type"),
            sample.verifies_with.is_empty(),
        ) {
            (true, false) => assert!(result.is_ok(), "notice {index}: {result:?}"),
            (true, true) => assert_eq!(
                result.unwrap_err(),
                NoticeError::WrongSignature,
                "notice {index}"
            ),
            // Published without it; from Alipay it comes with it.
            (false, _) => assert_eq!(
                result.unwrap_err(),
                NoticeError::NoSignType,
                "notice {index}"
            ),
        }
    }
}

/// What becomes of those that are taken is decided by the order and by Alipay's answer.
#[test]
fn attacks_that_form_or_signature_give_away_are_refused() {
    #[derive(Deserialize)]
    struct Attacks {
        alipay_public_key_pem: String,
        notify: Vec<Attack>,
    }
    #[derive(Deserialize)]
    struct Attack {
        id: String,
        body_b64: String,
        expect: String,
    }
    let Some(text) = vector_text("attack/attack-vectors.json") else {
        return;
    };
    let attacks: Attacks = serde_json::from_str(&text).unwrap();
    let app = app_of(
        "2014",
        VerifyingKey::from_text(&attacks.alipay_public_key_pem).unwrap(),
    );
    let mut judged = BTreeMap::new();
    for attack in &attacks.notify {
        let body = String::from_utf8(STANDARD.decode(&attack.body_b64).unwrap()).unwrap();
        let result = verified(&app, &body);
        match (attack.id.as_str(), &result) {
            ("N04b", Err(NoticeError::RepeatedName))
            | ("N06b", Err(NoticeError::Unsigned))
            | ("N07b", Err(NoticeError::OtherSignType))
            | ("N07d", Err(NoticeError::NoSignType))
            | ("N11k", Err(NoticeError::Missing("total_amount")))
            | ("N28", Err(NoticeError::BrokenEscape))
            | ("N02", Ok(Notice::Message(_))) => {}
            (_, Ok(Notice::Trade(notice))) => assert_eq!(notice.out_trade_no(), "T1"),
            (id, other) => panic!("{id}: {other:?}"),
        }
        // Only an order can tell that seller or amount are another's.
        if attack.expect == "fail" && result.is_ok() {
            assert!(
                attack.id.starts_with("N09") || attack.id.starts_with("N11"),
                "{}",
                attack.id
            );
        }
        judged.insert(attack.id.clone(), result.is_ok());
    }
    assert_eq!(
        (
            attacks.notify.len(),
            judged.values().filter(|taken| **taken).count()
        ),
        (23, 17)
    );
}
