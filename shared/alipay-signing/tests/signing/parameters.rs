use std::collections::BTreeMap;

use alipay_signing::{Charset, Unmappable, canonical_string, form_encode};
use proptest::prelude::*;

use crate::form_decode;

#[test]
fn pairs_are_sorted_by_name_and_not_by_the_whole_pair() {
    // As whole pairs `a1=…` comes before `a=…`.
    let text = canonical_string([("a1", "1"), ("b", "2"), ("a", "3"), ("B", "4"), ("a_", "5")]);
    assert_eq!(text, "B=4&a=3&a1=1&a_=5&b=2");
}

#[test]
fn sign_and_empty_pairs_are_left_out_and_sign_type_stays() {
    let text = canonical_string([
        ("sign_type", "RSA2"),
        ("sign", "abc"),
        ("notify_url", ""),
        ("", "nameless"),
        ("app_id", "2021"),
        ("signature", "kept"),
    ]);
    assert_eq!(text, "app_id=2021&sign_type=RSA2&signature=kept");
    assert_eq!(canonical_string([("sign", "abc")]), "");
}

#[test]
fn values_stay_raw() {
    let text = canonical_string([
        ("biz_content", "{\"a\":\"1 + 1 = 2 & 100%\\n\"}"),
        ("zero", "0"),
    ]);
    assert_eq!(text, "biz_content={\"a\":\"1 + 1 = 2 & 100%\\n\"}&zero=0");
}

#[test]
fn a_form_keeps_its_order_and_its_sign_and_leaves_out_empty_pairs() {
    let form = form_encode(
        [
            ("b", "1 2+3"),
            ("sign", "a+/="),
            ("empty", ""),
            ("", "nameless"),
            ("a", "~-._*\""),
        ],
        Charset::Utf8,
    );
    assert_eq!(
        form.as_deref(),
        Ok("b=1%202%2B3&sign=a%2B%2F%3D&a=~-._%2A%22")
    );
}

#[test]
fn a_form_is_encoded_over_the_bytes_of_its_charset() {
    let encoded = |charset| form_encode([("名", "中文 a")], charset);
    assert_eq!(
        encoded(Charset::Utf8).as_deref(),
        Ok("%E5%90%8D=%E4%B8%AD%E6%96%87%20a")
    );
    assert_eq!(
        encoded(Charset::Gbk).as_deref(),
        Ok("%C3%FB=%D6%D0%CE%C4%20a")
    );
    assert_eq!(
        encoded(Charset::Gb2312).as_deref(),
        Ok("%C3%FB=%D6%D0%CE%C4%20a")
    );
}

#[test]
fn the_second_byte_of_a_gbk_character_is_encoded_also_where_it_is_a_letter() {
    // U+4E04 is 0x81 0x41, and 0x41 alone is the letter A.
    assert_eq!(
        form_encode([("k", "A丄A")], Charset::Gbk).as_deref(),
        Ok("k=A%81%41A")
    );
}

#[test]
fn a_character_that_the_charset_lacks_stops_the_form() {
    let error = Unmappable {
        character: '😀',
        charset: Charset::Gbk,
    };
    assert_eq!(
        form_encode([("a", "1"), ("k", "x😀")], Charset::Gbk),
        Err(error)
    );
    assert_eq!(form_encode([("😀", "1")], Charset::Gbk), Err(error));
    assert_eq!(
        error.to_string(),
        "the character U+1F600 cannot be written in GBK"
    );
}

/// Names and values with the awkward characters more often than chance has them.
fn text() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select(vec![
        '&', '=', '+', '%', ' ', '"', '\\', '/', '\n', '丄', '·', 'é', '😀', '0',
    ]);
    let character = prop_oneof![awkward, any::<char>(), prop::char::range('一', '龥')];
    prop::collection::vec(character, 0..12).prop_map(String::from_iter)
}

fn parameters() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(text(), text(), 0..8)
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    map.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

proptest! {
    #[test]
    fn the_canonical_string_does_not_depend_on_the_order(
        (map, shuffled) in parameters().prop_flat_map(|map| {
            let list: Vec<_> = map.clone().into_iter().collect();
            (Just(map), Just(list).prop_shuffle())
        }),
    ) {
        let shuffled = shuffled.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let expected = map.iter()
            .filter(|(name, value)| !name.is_empty() && !value.is_empty() && *name != "sign")
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("&");
        prop_assert_eq!(canonical_string(shuffled), expected);
    }

    #[test]
    fn a_form_decodes_to_what_went_in(map in parameters(), gbk in any::<bool>()) {
        let charset = if gbk { Charset::Gbk } else { Charset::Utf8 };
        match form_encode(pairs(&map), charset) {
            Ok(form) => {
                prop_assert!(form.is_ascii());
                let kept: Vec<_> = map.into_iter()
                    .filter(|(name, value)| !name.is_empty() && !value.is_empty())
                    .collect();
                prop_assert_eq!(form_decode(&form, charset), kept);
            }
            Err(Unmappable { character, .. }) => {
                prop_assert_eq!(charset, Charset::Gbk);
                prop_assert!(charset.encode(&character.to_string()).is_err());
            }
        }
    }
}
