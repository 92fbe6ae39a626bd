use std::collections::HashMap;

use alipay_signing::{
    EmptyValues, NoticeRule, SignType, VerifyingKey, canonical_string, notice_text,
};
use serde::Deserialize;

use crate::{form_decode, json};

use EmptyValues::{Dropped, Kept};
use NoticeRule::{WithSignType, WithoutSignType};

const FIELDS: [(&str, &str); 7] = [
    ("trade_no", "1"),
    ("sign", "abc"),
    ("sign_type", "RSA2"),
    ("body", ""),
    ("a1", "1 + 1 = 2 & 100%"),
    ("a", "中文"),
    ("signature", "kept"),
];

#[test]
fn a_notice_has_its_own_rule_for_sign_type_and_for_empty_values() {
    for (rule, empty_values, expected) in [
        (
            WithoutSignType,
            Kept,
            "a=中文&a1=1 + 1 = 2 & 100%&body=&signature=kept&trade_no=1",
        ),
        (
            WithoutSignType,
            Dropped,
            "a=中文&a1=1 + 1 = 2 & 100%&signature=kept&trade_no=1",
        ),
        (
            WithSignType,
            Kept,
            "a=中文&a1=1 + 1 = 2 & 100%&body=&sign_type=RSA2&signature=kept&trade_no=1",
        ),
        (
            WithSignType,
            Dropped,
            "a=中文&a1=1 + 1 = 2 & 100%&sign_type=RSA2&signature=kept&trade_no=1",
        ),
    ] {
        assert_eq!(notice_text(FIELDS, rule, empty_values), expected);
    }
    assert_eq!(notice_text([("sign", "abc")], WithSignType, Kept), "");
}

#[test]
fn only_with_sign_type_and_without_empty_values_it_is_the_rule_of_requests() {
    assert_eq!(
        notice_text(FIELDS, WithSignType, Dropped),
        canonical_string(FIELDS)
    );
    // A field without a name is refused by whoever reads a notice; here none is hidden.
    assert_eq!(
        notice_text([("", "x"), ("a", "y")], WithSignType, Dropped),
        "=x&a=y"
    );
}

#[derive(Deserialize)]
struct Key {
    public_spki_b64: String,
}

#[derive(Deserialize)]
struct Notice {
    id: String,
    alipay_key: String,
    form_body: String,
    rule: String,
    empty_values: Option<String>,
    sign_string: String,
    expect_valid: bool,
}

#[derive(Deserialize)]
struct Synthetic {
    notify: Vec<Notice>,
}

/// The text under each of the four rules verifies where it is the stated one, and nowhere else.
fn check(notice: &Notice, keys: &HashMap<String, Key>) {
    let id = &notice.id;
    let key = VerifyingKey::from_text(&keys[&notice.alipay_key].public_spki_b64).expect("a key");
    let fields = form_decode(&notice.form_body, alipay_signing::Charset::Utf8);
    let pairs = || {
        fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let (_, sign) = pairs().find(|(name, _)| *name == "sign").expect("a sign");
    let stated_rule = match notice.rule.starts_with("V1") {
        true => WithoutSignType,
        false => WithSignType,
    };
    let stated_empty = match notice.empty_values.as_deref() {
        Some("dropped") => Dropped,
        _ => Kept,
    };
    assert_eq!(
        notice_text(pairs(), stated_rule, stated_empty),
        notice.sign_string,
        "{id}"
    );
    for rule in [WithoutSignType, WithSignType] {
        for empty_values in [Kept, Dropped] {
            let text = notice_text(pairs(), rule, empty_values);
            let is_valid = key.verify(SignType::Rsa2, text.as_bytes(), sign).is_ok();
            let expected = notice.expect_valid && text == notice.sign_string;
            assert_eq!(is_valid, expected, "{id} {rule:?} {empty_values:?}");
        }
    }
}

#[test]
fn real_notices_verify_under_the_rule_of_their_kind_only() {
    let (Some(keys), Some(notices)) = (json("keys.json"), json::<Vec<Notice>>("notify.json"))
    else {
        return;
    };
    assert_eq!(notices.len(), 4);
    for notice in &notices {
        check(notice, &keys);
    }
}

#[test]
fn synthetic_notices_verify_under_the_stated_rule_only() {
    let (Some(keys), Some(file)) = (json("keys.json"), json::<Synthetic>("synthetic.json")) else {
        return;
    };
    assert_eq!(file.notify.len(), 3);
    for notice in &file.notify {
        check(notice, &keys);
    }
}
