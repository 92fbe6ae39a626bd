use std::borrow::Cow;

use alipay_signing::{Charset, Undecodable, UnknownCharset, Unmappable};
use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;

const ALL: [Charset; 3] = [Charset::Utf8, Charset::Gbk, Charset::Gb2312];

fn encoded(charset: Charset, character: char) -> Option<Vec<u8>> {
    charset
        .encode(&character.to_string())
        .ok()
        .map(Cow::into_owned)
}

/// The characters of the basic multilingual plane beyond ASCII that `charset` has, and the SHA-256
/// over the lines `XXXX:xxxx\n` of code point and bytes.
fn table(charset: Charset, but: &[char]) -> (usize, String) {
    let mut lines = String::new();
    let mut count = 0;
    for character in ('\u{80}'..='\u{ffff}').filter(|character| !but.contains(character)) {
        if let Some(bytes) = encoded(charset, character) {
            let [lead, trail] = bytes[..] else {
                panic!("{character:?} has {bytes:02x?}")
            };
            lines += &format!("{:04X}:{lead:02x}{trail:02x}\n", u32::from(character));
            count += 1;
        }
    }
    let hash = digest(&SHA256, lines.as_bytes());
    (
        count,
        hash.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

// The two hashes come from Python's own codecs:
//   lines = ''
//   for c in range(0x80, 0x10000):
//       try: lines += f'{c:04X}:{chr(c).encode("gbk").hex()}\n'
//       except UnicodeEncodeError: pass
//   hashlib.sha256(lines.encode()).hexdigest()
// and for gb2312 the same without U+30FB and U+2015.

#[test]
fn gbk_is_that_of_python_and_the_euro_sign() {
    let hash = "315bfe55f73df387626ebfbaaefd24a4711148776bd2a4a1590e0689e7ad4682";
    assert_eq!(table(Charset::Gbk, &['€']), (21791, hash.to_owned()));
    assert_eq!(encoded(Charset::Gbk, '€'), Some(vec![0xa2, 0xe3]));
}

#[test]
fn gb2312_is_that_of_python_but_for_the_dot_and_the_dash() {
    let hash = "6b34520d4d9726514538bf2f1624b17319d3dd327d16b1e1ca7af54ae8b41326";
    assert_eq!(table(Charset::Gb2312, &['·', '—']), (7443, hash.to_owned()));
    assert_eq!(encoded(Charset::Gb2312, '·'), Some(vec![0xa1, 0xa4]));
    assert_eq!(encoded(Charset::Gb2312, '—'), Some(vec![0xa1, 0xaa]));
    assert_eq!(encoded(Charset::Gb2312, '\u{30fb}'), None);
    assert_eq!(encoded(Charset::Gb2312, '\u{2015}'), None);
}

#[test]
fn gb2312_is_a_part_of_gbk() {
    for character in '\u{80}'..='\u{ffff}' {
        if let Some(bytes) = encoded(Charset::Gb2312, character) {
            assert_eq!(encoded(Charset::Gbk, character), Some(bytes));
        }
    }
    // Traditional characters are in GBK alone.
    for character in "龍鳳國镕".chars() {
        assert!(encoded(Charset::Gbk, character).is_some());
        assert_eq!(encoded(Charset::Gb2312, character), None);
    }
}

#[test]
fn every_pair_of_bytes_is_read_as_the_character_that_is_written_with_it_or_not_at_all() {
    for charset in [Charset::Gbk, Charset::Gb2312] {
        let mut count = 0;
        for lead in 0x80..=0xff {
            for trail in 0x00..=0xff {
                let bytes = [lead, trail];
                if let Ok(text) = charset.decode(&bytes) {
                    assert_eq!(text.chars().count(), 1, "{bytes:02x?}");
                    assert_eq!(charset.encode(&text).as_deref(), Ok(&bytes[..]));
                    count += 1;
                }
            }
        }
        assert_eq!(count, if charset == Charset::Gbk { 21792 } else { 7445 });
    }
}

#[test]
fn nothing_is_replaced_by_a_stand_in() {
    for (text, character) in [
        ("a😀b", '😀'),
        ("é", 'é'),
        ("中\u{e000}", '\u{e000}'),
        ("𠀀", '𠀀'),
    ] {
        // é is in GBK (it is used in pinyin), the others are not.
        let gbk = Charset::Gbk.encode(text);
        if character == 'é' {
            assert_eq!(gbk.as_deref(), Ok(&[0xa8, 0xa6][..]));
        } else {
            assert_eq!(
                gbk,
                Err(Unmappable {
                    character,
                    charset: Charset::Gbk
                })
            );
        }
    }
    assert_eq!(
        Charset::Gb2312.encode("中文€"),
        Err(Unmappable {
            character: '€',
            charset: Charset::Gb2312
        })
    );
}

#[test]
fn bytes_of_a_wider_or_broken_text_are_refused() {
    let four_bytes = [0x81, 0x30, 0x81, 0x30];
    let euro_of_browsers = [0x80];
    let half_a_character = [b'a', 0xd6];
    let user_defined = [0xaa, 0xa1];
    let later_than_gbk = [0xa8, 0xbf];
    for bytes in [
        &four_bytes[..],
        &euro_of_browsers,
        &half_a_character,
        &user_defined,
        &later_than_gbk,
        &[0xff],
    ] {
        for charset in [Charset::Gbk, Charset::Gb2312] {
            assert_eq!(
                charset.decode(bytes),
                Err(Undecodable { charset }),
                "{bytes:02x?}"
            );
        }
    }
    // 镕 is in GBK only.
    assert!(Charset::Gbk.decode(&[0xe9, 0x46]).is_ok());
    assert!(Charset::Gb2312.decode(&[0xe9, 0x46]).is_err());
    assert!(Charset::Utf8.decode(&[0xd6, 0xd0]).is_err());
    assert!(Charset::Utf8.decode(&[0xed, 0xa0, 0x80]).is_err());
}

#[test]
fn a_byte_order_mark_is_not_lost() {
    assert_eq!(
        Charset::Utf8.decode(b"\xef\xbb\xbf{}").as_deref(),
        Ok("\u{feff}{}")
    );
}

#[test]
fn utf_8_and_ascii_are_not_copied() {
    assert!(matches!(Charset::Utf8.encode("中文"), Ok(Cow::Borrowed(_))));
    assert!(matches!(
        Charset::Utf8.decode("中文".as_bytes()),
        Ok(Cow::Borrowed(_))
    ));
    for charset in ALL {
        assert!(matches!(
            charset.encode("plain"),
            Ok(Cow::Borrowed(b"plain"))
        ));
        assert!(matches!(
            charset.decode(b"plain"),
            Ok(Cow::Borrowed("plain"))
        ));
    }
}

#[test]
fn charsets_are_read_whatever_their_case() {
    for (text, charset) in [
        ("utf-8", Charset::Utf8),
        ("UTF-8", Charset::Utf8),
        ("utf8", Charset::Utf8),
        ("GBK", Charset::Gbk),
        ("gbk", Charset::Gbk),
        ("GB2312", Charset::Gb2312),
        ("gb2312", Charset::Gb2312),
    ] {
        assert_eq!(text.parse(), Ok(charset));
    }
    for text in ["", "gb18030", "latin1", "utf-16", " gbk"] {
        assert_eq!(text.parse::<Charset>(), Err(UnknownCharset));
    }
    assert_eq!(ALL.map(Charset::as_str), ["utf-8", "GBK", "GB2312"]);
    assert_eq!(ALL.map(|charset| charset.to_string().parse()), ALL.map(Ok));
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_back_byte_for_byte(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for charset in ALL {
            if let Ok(text) = charset.decode(&bytes) {
                let again = charset.encode(&text);
                prop_assert_eq!(again.as_deref(), Ok(&bytes[..]));
            }
        }
    }

    #[test]
    fn whatever_is_written_is_read_back(text in "[ -~一-龥·—€😀]{0,24}") {
        for charset in ALL {
            if let Ok(bytes) = charset.encode(&text) {
                let again = charset.decode(&bytes);
                prop_assert_eq!(again.as_deref(), Ok(text.as_str()));
            }
        }
    }
}
