use proptest::prelude::*;

use super::*;

const PLACE: Place<'_> = Place {
    table: "tokens",
    pk: "APP#1#USER#2",
    sk: "SCOPES#auth_user",
    field: "access_token_sealed",
    generation: 7,
    grant_id: "grant",
};

fn encoded(byte: u8) -> String {
    STANDARD.encode([byte; KEY_BYTES])
}

fn ring(active: &str, keys: &[(&str, u8)]) -> Keyring {
    let keys: Vec<String> = keys
        .iter()
        .map(|(id, byte)| format!(r#""{id}":"{}""#, encoded(*byte)))
        .collect();
    let document = format!(r#"{{"active":"{active}","keys":{{{}}}}}"#, keys.join(","));
    Keyring::from_json(&document.into()).unwrap()
}

fn refused(document: &str) -> String {
    Keyring::from_json(&document.to_owned().into())
        .unwrap_err()
        .to_string()
}

fn open(ring: &Keyring, place: &Place<'_>, sealed: &Sealed) -> Result<String, OpenFailed> {
    ring.open(place, &sealed.key_id, &sealed.bytes)
        .map(|text| text.expose_secret().to_owned())
}

#[test]
fn what_is_sealed_opens_in_its_own_place() {
    let ring = ring("a", &[("a", 1)]);
    for text in ["", "authusrB1a", "中文 token"] {
        let sealed = ring.seal(&PLACE, text.as_bytes()).unwrap();
        assert_eq!(open(&ring, &PLACE, &sealed).unwrap(), text);
    }
}

#[test]
fn a_value_moved_to_any_other_place_does_not_open() {
    let ring = ring("a", &[("a", 1)]);
    let sealed = ring.seal(&PLACE, b"token").unwrap();
    let elsewhere = [
        Place {
            table: "other",
            ..PLACE
        },
        Place {
            pk: "APP#1#USER#3",
            ..PLACE
        },
        Place {
            sk: "SCOPES#auth_base",
            ..PLACE
        },
        Place {
            field: "refresh_token_sealed",
            ..PLACE
        },
        Place {
            generation: 8,
            ..PLACE
        },
        Place {
            grant_id: "another",
            ..PLACE
        },
    ];
    for place in elsewhere {
        assert_eq!(
            open(&ring, &place, &sealed).unwrap_err(),
            OpenFailed::Refused,
            "{place:?}"
        );
    }
}

#[test]
fn a_value_with_any_bit_changed_or_any_byte_cut_does_not_open() {
    let ring = ring("a", &[("a", 1)]);
    let sealed = ring.seal(&PLACE, b"token").unwrap();
    for bit in 0..sealed.bytes.len() * 8 {
        let mut bytes = sealed.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(&PLACE, "a", &bytes).is_err(), "bit {bit}");
    }
    for length in 0..sealed.bytes.len() {
        assert!(
            ring.open(&PLACE, "a", &sealed.bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
}

#[test]
fn an_unknown_format_and_an_unknown_key_are_named() {
    let ring = ring("a", &[("a", 1)]);
    let mut sealed = ring.seal(&PLACE, b"token").unwrap();
    sealed.bytes[0] = 9;
    assert_eq!(
        open(&ring, &PLACE, &sealed).unwrap_err(),
        OpenFailed::UnknownFormat(9)
    );
    sealed.key_id = "2020-01".into();
    assert_eq!(
        open(&ring, &PLACE, &sealed).unwrap_err(),
        OpenFailed::UnknownKey("2020-01".into())
    );
}

#[test]
fn after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() {
    let before = ring("old", &[("old", 1)]);
    let after = ring("new", &[("old", 1), ("new", 2)]);
    let sealed = before.seal(&PLACE, b"token").unwrap();
    assert_eq!(open(&after, &PLACE, &sealed).unwrap(), "token");
    assert_eq!(after.seal(&PLACE, b"token").unwrap().key_id, "new");
}

#[test]
fn another_key_of_the_same_id_does_not_open() {
    let sealed = ring("a", &[("a", 1)]).seal(&PLACE, b"token").unwrap();
    assert_eq!(
        open(&ring("a", &[("a", 2)]), &PLACE, &sealed).unwrap_err(),
        OpenFailed::Refused
    );
}

#[test]
fn no_nonce_repeats() {
    let ring = ring("a", &[("a", 1)]);
    let nonces: std::collections::HashSet<[u8; NONCE_LEN]> = (0..1 << 20)
        .map(|_| {
            let sealed = ring.seal(&PLACE, b"").unwrap();
            sealed.bytes[1..=NONCE_LEN].try_into().unwrap()
        })
        .collect();
    assert_eq!(nonces.len(), 1 << 20);
}

#[test]
fn a_wrong_document_is_refused_by_the_name_of_its_field() {
    let good = encoded(1);
    let short = STANDARD.encode([1; 16]);
    let cases = [
        ("", "TOKEN_KEYS: must be a JSON object".to_owned()),
        ("[]", "TOKEN_KEYS: must be a JSON object".to_owned()),
        ("{}", "active: is missing".to_owned()),
        (r#"{"active":"a"}"#, "keys: is missing".to_owned()),
        (
            r#"{"active":1,"keys":{}}"#,
            "active: must be a text".to_owned(),
        ),
        (
            r#"{"active":"a","active":"b"}"#,
            "active: is given twice".to_owned(),
        ),
        (
            r#"{"active":"a","keys":[]}"#,
            "keys: must be an object".to_owned(),
        ),
        (
            r#"{"active":"a","keys":{}}"#,
            "active: must be the id of one of `keys`".to_owned(),
        ),
        (
            r#"{"active":"a","keys":{"a":7}}"#,
            "keys.a: must be 32 bytes in base64".to_owned(),
        ),
        (
            r#"{"active":"a","keys":{"a":"SECRET!"}}"#,
            "keys.a: must be 32 bytes in base64".to_owned(),
        ),
    ];
    for (document, expected) in cases {
        assert_eq!(refused(document), expected);
    }
    assert_eq!(
        refused(&format!(
            r#"{{"active":"2026-11","keys":{{"2026-11":"{short}"}}}}"#
        )),
        "keys.2026-11: must be 32 bytes in base64"
    );
    assert_eq!(
        refused(&format!(
            r#"{{"active":"a","keys":{{"a":"{good}","a":"{good}"}}}}"#
        )),
        "keys.a: is given twice"
    );
    assert!(refused(&format!(r#"{{"active":"a","keys":{{"{good}":"x"}}}}"#)).starts_with("keys: "));
}

#[test]
fn neither_an_error_nor_debug_shows_a_key() {
    let value = encoded(0xA5);
    let ring = Keyring::from_json(
        &format!(r#"{{"active":"2026-11","keys":{{"2026-11":"{value}"}}}}"#).into(),
    )
    .unwrap();
    let shown = format!("{ring:?}");
    assert_eq!(shown, r#"Keyring { active: "2026-11", keys: ["2026-11"] }"#);
    let error = Keyring::from_json(
        &format!(r#"{{"active":"{value}","keys":{{"2026-11":"{value}x"}}}}"#).into(),
    )
    .unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&value));
}

#[test]
fn other_fields_of_the_document_are_ignored() {
    let document = format!(
        r#"{{"note":[1,null,{{"x":-1.5}}],"active":"a","keys":{{"a":" {}\n"}},"x":true}}"#,
        encoded(1)
    );
    assert!(Keyring::from_json(&document.into()).is_ok());
}

proptest! {
    /// Moving bytes from one part to its neighbour gives other authenticated data.
    #[test]
    fn parts_cannot_borrow_from_each_other(text in "[ -~]{2,24}", first in 0usize..24, second in 0usize..24) {
        let first = first % (text.len() + 1);
        let second = second % (text.len() + 1);
        prop_assume!(first != second);
        let split = |at: usize| Place { pk: &text[..at], sk: &text[at..], ..PLACE };
        prop_assert_ne!(split(first).authenticated(), split(second).authenticated());
        let split = |at: usize| Place { field: &text[..at], grant_id: &text[at..], ..PLACE };
        prop_assert_ne!(split(first).authenticated(), split(second).authenticated());
    }

    #[test]
    fn no_document_makes_it_panic(document in "\\PC*") {
        let _ = Keyring::from_json(&document.into());
    }

    #[test]
    fn no_bytes_make_opening_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(ring("a", &[("a", 1)]).open(&PLACE, "a", &bytes).is_err());
    }
}
