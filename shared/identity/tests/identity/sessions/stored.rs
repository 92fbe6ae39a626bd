//! What the table holds of a session, and what becomes of it when somebody changes that.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use identity::{Begun, IdentityError, NewSession};
use secrecy::{ExposeSecret, SecretString};

use super::{DEVICE, HOLDER, begin, new_session, read, rotate, row, sessions, uid};
use crate::bench::{Bench, Item, START, after};

/// Where secret and tag of a token begin: behind the family and the generation, which are no secrets.
const SECRET_START: usize = 20;

fn bytes_of(token: &SecretString) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&token.expose_secret()[3..]).unwrap()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blob(row: &Item, field: &str) -> Vec<u8> {
    row[field].as_b().unwrap().as_ref().to_vec()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// Every byte of every attribute, in whatever form it is stored.
fn dump(items: &[Item]) -> Vec<u8> {
    let mut dump = Vec::new();
    for (name, value) in items.iter().flatten() {
        dump.extend_from_slice(name.as_bytes());
        match value {
            AttributeValue::S(text) | AttributeValue::N(text) => {
                dump.extend_from_slice(text.as_bytes());
            }
            AttributeValue::B(bytes) => dump.extend_from_slice(bytes.as_ref()),
            other => panic!("{name} is of a kind that this test does not know: {other:?}"),
        }
        dump.push(0);
    }
    dump
}

/// Whether some 8 bytes of `secret` in a row are in `dump`: as they are, in hexadecimal digits, or in base64.
fn is_betrayed(dump: &[u8], secret: &[u8]) -> bool {
    let lowercase = dump.to_ascii_lowercase();
    secret.windows(8).any(|part| {
        contains(dump, part)
            || contains(&lowercase, hex(part).as_bytes())
            || (0..3).any(|offset| {
                // What base64 makes of the part wherever it stands, without the characters that its neighbours have a say in.
                let padded = [&vec![0; offset], part].concat();
                [STANDARD_NO_PAD, URL_SAFE_NO_PAD].iter().any(|alphabet| {
                    let encoded = alphabet.encode(&padded);
                    contains(dump, &encoded.as_bytes()[2 * offset..encoded.len() - 1])
                })
            })
    })
}

#[tokio::test]
async fn the_table_holds_nothing_that_a_token_can_be_made_of() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let mut tokens = vec![begin(&sessions).await.token];
    for seconds in 1..5 {
        let last = tokens.last().unwrap();
        let next = rotate(&sessions, last, after(seconds)).await.unwrap();
        tokens.push(next.token);
        let dump = dump(&bench.items().await);
        for token in &tokens {
            let bytes = bytes_of(token);
            assert!(!is_betrayed(&dump, &bytes[SECRET_START..]));
            assert!(!contains(&dump, token.expose_secret().as_bytes()));
        }
        assert!(!contains(&dump, DEVICE.as_bytes()));
        assert!(!contains(&dump, &sha256(DEVICE.as_bytes())));
    }
}

#[test]
fn the_search_for_secrets_finds_them_in_every_form() {
    let secret = b"sixteen bytes !!and sixteen more";
    let forms = [
        secret.to_vec(),
        hex(secret).into_bytes(),
        hex(secret).to_uppercase().into_bytes(),
        STANDARD.encode(secret).into_bytes(),
        URL_SAFE_NO_PAD.encode(&secret[5..20]).into_bytes(),
        STANDARD.encode([b"x", &secret[..]].concat()).into_bytes(),
        STANDARD.encode([b"xy", &secret[..]].concat()).into_bytes(),
    ];
    for form in forms {
        assert!(is_betrayed(&[b"..", &form[..], b".."].concat(), secret));
    }
    assert!(!is_betrayed(&sha256(secret), secret));
}

#[tokio::test]
async fn of_tokens_the_table_holds_the_hashes_of_the_last_two() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    let third = rotate(&sessions, &second.token, after(2)).await.unwrap();
    let row = row(&bench).await;
    let hash_of = |begun: &Begun| sha256(&bytes_of(&begun.token));
    assert_eq!(blob(&row, "token_sha256"), hash_of(&third));
    assert_eq!(blob(&row, "predecessor_sha256"), hash_of(&second));
    let names: BTreeSet<_> = row.keys().map(String::as_str).collect();
    let expected = [
        "app_id",
        "began_at",
        "client_id",
        "device_sha256",
        "ends_at",
        "expires_at",
        "generation",
        "life",
        "openid",
        "pk",
        "predecessor_sha256",
        "rotated_at",
        "token_sha256",
        "ttl",
        "uid",
    ];
    assert_eq!(names, BTreeSet::from(expected));
}

#[tokio::test]
async fn one_device_looks_different_in_every_session() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    begin(&sessions).await;
    begin(&sessions).await;
    let devices: BTreeSet<_> = bench
        .items()
        .await
        .iter()
        .map(|row| blob(row, "device_sha256"))
        .collect();
    assert_eq!(devices.len(), 2);
}

#[tokio::test]
async fn a_damaged_row_is_never_served() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let first = begin(&sessions).await;
    let second = rotate(&sessions, &first.token, after(1)).await.unwrap();
    let whole = row(&bench).await;
    let fields: Vec<_> = whole.keys().filter(|name| *name != "pk").collect();
    let damages = [
        None,
        Some(AttributeValue::Bool(true)),
        Some(AttributeValue::S("x".to_owned())),
        Some(AttributeValue::N("-1".to_owned())),
        Some(AttributeValue::N("18446744073709551616".to_owned())),
        Some(AttributeValue::B(Blob::new([0; 31]))),
    ];
    for field in fields {
        for damage in &damages {
            let mut damaged = whole.clone();
            match damage {
                None => damaged.remove(field),
                Some(value) => damaged.insert(field.clone(), value.clone()),
            };
            bench.overwrite(damaged).await;
            let outcome = read(&sessions, &second.token, after(2)).await;
            // These only tidy up, or are a text of somebody else's that has no form; and without a predecessor there is none.
            let is_harmless = field == "ttl"
                || matches!(
                    (field.as_str(), damage),
                    ("app_id" | "openid", Some(AttributeValue::S(_)))
                        | ("predecessor_sha256", None)
                );
            match (outcome, is_harmless) {
                (Ok(_), true) => {}
                (Err(IdentityError::Corrupt { .. } | IdentityError::Refused(_)), _) => {}
                (other, _) => panic!("{field}, {damage:?}: {other:?}"),
            }
        }
    }
    bench.overwrite(whole).await;
    read(&sessions, &second.token, after(2)).await.unwrap();
}

#[tokio::test]
async fn who_can_write_the_table_cannot_pass_one_session_off_as_another() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let own = begin(&sessions).await;
    let own_row = row(&bench).await;
    let foreign = begin(&sessions).await;
    let mut items = bench.items().await;
    items.retain(|item| *item != own_row);
    let mut copied = own_row;
    copied.insert("pk".to_owned(), items[0]["pk"].clone());
    bench.overwrite(copied).await;
    assert!(read(&sessions, &foreign.token, after(1)).await.is_err());
    read(&sessions, &own.token, after(1)).await.unwrap();
}

#[tokio::test]
async fn what_is_stored_has_a_longest_length() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let (uid, long) = (uid(), "x".repeat(257));
    let fits = NewSession {
        client_id: &long[..256],
        ..new_session(&uid)
    };
    sessions.begin(&fits, START).await.unwrap();
    let too_long = [
        NewSession {
            client_id: &long,
            ..fits
        },
        NewSession {
            app_id: &long,
            ..fits
        },
        NewSession {
            openid: &long,
            ..fits
        },
    ];
    for new in too_long {
        let refused = sessions.begin(&new, START).await;
        assert!(matches!(
            refused,
            Err(IdentityError::TooLarge { limit: 256, .. })
        ));
    }
    assert_eq!(bench.items().await.len(), 1);
}

#[tokio::test]
async fn nothing_shows_a_token_or_a_key() {
    let bench = Bench::new().await;
    let sessions = sessions(&bench);
    let begun = begin(&sessions).await;
    let token = begun.token.expose_secret();
    let shown = format!("{sessions:?} {begun:?} {:?}", super::keys("2026-11"));
    assert!(shown.contains("2026-11"));
    assert!(!shown.contains(&token[3..]));
    assert!(!shown.contains("BBBBBBBB") && !shown.contains("AAAAAAAA"));
    let refused = sessions
        .read(&format!("{token}x").into(), &HOLDER, after(1))
        .await
        .unwrap_err();
    let shown = format!("{refused} {refused:?}");
    assert!(!shown.contains(token));
}
