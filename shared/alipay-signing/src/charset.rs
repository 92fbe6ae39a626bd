//! The three charsets that the gateway takes, strict in both directions.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use encoding_rs::{EncoderResult, GBK};

/// The charset of an app's requests: over its bytes a request is signed and percent-encoded, and
/// in it a reply comes.
///
/// All three are strict, because a replaced character would be signed and sent unseen:
/// [`encode`](Charset::encode) never writes a stand-in (no `?`, no `&#8364;`), and
/// [`decode`](Charset::decode) only takes bytes that `encode` gives back unchanged, so that a
/// reply may be decoded, cut, and encoded again to check its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Charset {
    /// UTF-8, the usual one.
    #[default]
    Utf8,
    /// GBK, one or two bytes a character, never the four-byte forms of GB 18030.
    ///
    /// The same 21,791 characters beyond ASCII as Python's `gbk`, and the euro sign, which is
    /// written 0xA2E3 as in Java's GBK and GB 18030 (browsers write 0x80, Python refuses it).
    /// What browsers add further is an error: private-use characters, and those that entered
    /// GB 18030 after GBK, some of which share their bytes with another character.
    Gbk,
    /// GB2312 (EUC-CN), the part of GBK with simplified characters, both bytes from 0xA1 up.
    ///
    /// The same 7,445 byte pairs as Python's `gb2312`, with GBK's characters for them. That
    /// differs from Python, and from Java's EUC_CN, in two pairs: 0xA1A4 is U+00B7 (the dot in
    /// names) and 0xA1AA is U+2014 (the dash) here, U+30FB and U+2015 there; those two are
    /// errors here.
    Gb2312,
}

/// The text holds a character that the charset has no bytes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the character U+{code:04X} cannot be written in {charset}", code = u32::from(*.character))]
pub struct Unmappable {
    /// The first such character.
    pub character: char,
    /// The charset that lacks it.
    pub charset: Charset,
}

/// The bytes are not text in the charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not valid {charset} text")]
pub struct Undecodable {
    /// The charset in which they were read.
    pub charset: Charset,
}

/// The name is none of the charsets that the gateway takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown charset: use utf-8, GBK or GB2312")]
pub struct UnknownCharset;

impl Charset {
    /// The value of the parameter `charset`: `"utf-8"`, `"GBK"` or `"GB2312"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Charset::Utf8 => "utf-8",
            Charset::Gbk => "GBK",
            Charset::Gb2312 => "GB2312",
        }
    }

    /// The bytes of `text` in this charset.
    ///
    /// # Errors
    /// [`Unmappable`] names the first character that the charset lacks.
    pub fn encode<'a>(self, text: &'a str) -> Result<Cow<'a, [u8]>, Unmappable> {
        if self == Charset::Utf8 || text.is_ascii() {
            return Ok(Cow::Borrowed(text.as_bytes()));
        }
        let mut bytes = Vec::with_capacity(text.len());
        for character in text.chars() {
            if character.is_ascii() {
                bytes.push(character as u8);
                continue;
            }
            match gbk_pair(character) {
                Some([lead, trail]) if self == Charset::Gbk || is_gb2312(lead, trail) => {
                    bytes.extend([lead, trail]);
                }
                _ => {
                    return Err(Unmappable {
                        character,
                        charset: self,
                    });
                }
            }
        }
        Ok(Cow::Owned(bytes))
    }

    /// The text of `bytes` in this charset. A byte order mark is not taken away.
    ///
    /// # Errors
    /// [`Undecodable`] when the bytes are not valid, or are not what
    /// [`encode`](Charset::encode) makes of their text.
    pub fn decode<'a>(self, bytes: &'a [u8]) -> Result<Cow<'a, str>, Undecodable> {
        let undecodable = Undecodable { charset: self };
        if self == Charset::Utf8 || bytes.is_ascii() {
            return std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| undecodable);
        }
        let text = GBK
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or(undecodable)?;
        match self.encode(&text) {
            Ok(again) if again == bytes => Ok(text),
            _ => Err(undecodable),
        }
    }
}

/// The two bytes of a character in GBK. encoding_rs encodes for browsers, which is a wider thing.
fn gbk_pair(character: char) -> Option<[u8; 2]> {
    match character {
        '\u{20ac}' => return Some([0xa2, 0xe3]),
        '\u{e000}'..='\u{f8ff}' => return None,
        _ => {}
    }
    let mut utf8 = [0; 4];
    let mut bytes = [0; 4];
    let (result, _, written) = GBK.new_encoder().encode_from_utf8_without_replacement(
        character.encode_utf8(&mut utf8),
        &mut bytes,
        true,
    );
    match (result, written, bytes) {
        (EncoderResult::InputEmpty, 2, [lead, trail, ..]) if !is_later_than_gbk(lead, trail) => {
            Some([lead, trail])
        }
        _ => None,
    }
}

/// The pairs that GB 18030 assigned and GBK had left empty or to private use.
fn is_later_than_gbk(lead: u8, trail: u8) -> bool {
    matches!(
        (lead, trail),
        (0xa6, 0xd9..=0xdf | 0xec..=0xed | 0xf3)
            | (0xa8, 0xbc | 0xbf)
            | (0xa9, 0x89..=0x95)
            | (0xfe, 0x50..)
    )
}

/// The pairs that GB 2312 assigns, row by row.
fn is_gb2312(lead: u8, trail: u8) -> bool {
    match lead {
        0xa2 => matches!(trail, 0xb1..=0xe2 | 0xe5..=0xee | 0xf1..=0xfc),
        0xa4 => matches!(trail, 0xa1..=0xf3),
        0xa5 => matches!(trail, 0xa1..=0xf6),
        0xa6 => matches!(trail, 0xa1..=0xb8 | 0xc1..=0xd8),
        0xa7 => matches!(trail, 0xa1..=0xc1 | 0xd1..=0xf1),
        0xa8 => matches!(trail, 0xa1..=0xba | 0xc5..=0xe9),
        0xa9 => matches!(trail, 0xa4..=0xef),
        0xd7 => matches!(trail, 0xa1..=0xf9),
        0xa1 | 0xa3 | 0xb0..=0xf7 => matches!(trail, 0xa1..=0xfe),
        _ => false,
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Charset {
    type Err = UnknownCharset;

    /// Reads `utf-8`, `utf8`, `gbk` or `gb2312`, whatever the case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Charset::Utf8),
            "gbk" => Ok(Charset::Gbk),
            "gb2312" => Ok(Charset::Gb2312),
            _ => Err(UnknownCharset),
        }
    }
}
