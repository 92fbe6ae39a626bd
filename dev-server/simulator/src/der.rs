//! DER (X.690) as far as a certificate needs it.

/// One value: tag, length, content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|&byte| byte == 0).collect();
    match significant.as_slice() {
        [] => bytes.push(0),
        [short] if *short < 0x80 => bytes.push(*short),
        long => {
            // A length has at most 8 bytes, so this fits.
            bytes.push(0x80 | long.len() as u8);
            bytes.extend_from_slice(long);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    value(0x31, &parts.concat())
}

/// A positive INTEGER: one more byte where the first would read as a sign.
pub(crate) fn integer(number: u128) -> Vec<u8> {
    let mut bytes: Vec<u8> = number
        .to_be_bytes()
        .into_iter()
        .skip_while(|&byte| byte == 0)
        .collect();
    if bytes.first().is_none_or(|&first| first >= 0x80) {
        bytes.insert(0, 0);
    }
    value(0x02, &bytes)
}

/// An OBJECT IDENTIFIER, given as its numbers.
pub(crate) fn object_identifier(numbers: &[u32]) -> Vec<u8> {
    let mut content = Vec::new();
    let (first, rest) = match numbers {
        [first, second, rest @ ..] => (first * 40 + second, rest),
        _ => (0, [].as_slice()),
    };
    for number in std::iter::once(&first).chain(rest) {
        let mut groups = vec![(number & 0x7F) as u8];
        let mut left = number >> 7;
        while left > 0 {
            groups.push(0x80 | (left & 0x7F) as u8);
            left >>= 7;
        }
        content.extend(groups.into_iter().rev());
    }
    value(0x06, &content)
}

pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], bytes].concat())
}

pub(crate) fn null() -> Vec<u8> {
    value(0x05, &[])
}

#[cfg(test)]
mod tests {
    use super::{integer, object_identifier, value};

    #[test]
    fn lengths_and_numbers_are_as_short_as_they_can_be() {
        assert_eq!(value(0x04, &[7; 127])[..2], [0x04, 127]);
        assert_eq!(value(0x04, &[7; 200])[..3], [0x04, 0x81, 200]);
        assert_eq!(value(0x04, &[7; 300])[..4], [0x04, 0x82, 1, 44]);
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(0x7F), [2, 1, 0x7F]);
        assert_eq!(integer(0x80), [2, 2, 0, 0x80], "it is no negative number");
        assert_eq!(integer(u128::MAX).len(), 2 + 17);
    }

    #[test]
    fn an_identifier_of_large_numbers_is_written_in_groups_of_seven_bits() {
        // sha256WithRSAEncryption
        assert_eq!(
            object_identifier(&[1, 2, 840, 113_549, 1, 1, 11]),
            [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11]
        );
    }
}
