//! The three charsets of the OpenAPI, as the gateway reads and writes them.

use encoding_rs::GBK;

/// A charset that the `charset` parameter may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Gbk,
    Gb2312,
}

impl Charset {
    /// `utf-8`, `utf8`, `gbk`, `gb2312`, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "gbk" => Some(Self::Gbk),
            "gb2312" => Some(Self::Gb2312),
            _ => None,
        }
    }

    /// What the `Content-Type` of a reply says.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gbk => "GBK",
            Self::Gb2312 => "GB2312",
        }
    }

    /// The text of the bytes, or `None` where they are not of this charset.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Gbk => GBK
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(String::from),
            Self::Gb2312 if is_gb2312(bytes) => Self::Gbk.decode(bytes),
            Self::Gb2312 => None,
        }
    }

    /// The text of the bytes, with U+FFFD where they are not of this charset: for the log of received calls.
    pub(crate) fn decode_lossy(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Gbk | Self::Gb2312 => GBK.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }

    /// The bytes of the text; a character that the charset lacks becomes `?`, as the gateway's Java does it.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        if self == Self::Utf8 {
            return text.as_bytes().to_vec();
        }
        let mut bytes = Vec::with_capacity(text.len());
        for character in text.chars() {
            let mut buffer = [0; 4];
            let (encoded, _, unmappable) = GBK.encode(character.encode_utf8(&mut buffer));
            let outside = self == Self::Gb2312 && !is_gb2312(&encoded);
            if unmappable || outside {
                bytes.push(b'?')
            } else {
                bytes.extend_from_slice(&encoded)
            }
        }
        bytes
    }
}

/// ASCII, and pairs of which both bytes lie in the rows that GB 2312 has.
fn is_gb2312(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(&lead) = rest.next() {
        if lead.is_ascii() {
            continue;
        }
        let pair = (0xA1..=0xF7).contains(&lead) && matches!(rest.next(), Some(0xA1..=0xFE));
        if !pair {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::Charset;

    #[test]
    fn gbk_text_survives_a_round_trip_and_gb2312_refuses_what_it_lacks() {
        let bytes = Charset::Gbk.encode("你好，鎔");
        assert_eq!(Charset::Gbk.decode(&bytes).as_deref(), Some("你好，鎔"));
        assert_eq!(Charset::Gb2312.decode(&bytes), None);
        assert_eq!(Charset::Gb2312.encode("好鎔"), [0xBA, 0xC3, b'?']);
        assert_eq!(Charset::Utf8.decode(&[0xBA, 0xC3]), None);
    }
}
