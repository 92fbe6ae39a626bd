//! As much DER as it takes to tell what kind of key a user pasted, and to read a certificate. The
//! keys themselves are parsed and checked by aws-lc.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Reads one element after another from the content of a structure.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// The next element's tag and content, or `None` at the end and where the length is wrong.
    pub(crate) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, after_tag) = self.rest.split_first()?;
        let (&first, after_length) = after_tag.split_first()?;
        let (length, after_length) = if first < 0x80 {
            (usize::from(first), after_length)
        } else {
            // Keys and certificates are far under 64 KiB: two length bytes are enough.
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 2 {
                return None;
            }
            let (digits, after) = after_length.split_at_checked(count)?;
            let length = digits
                .iter()
                .fold(0, |sum, &digit| sum << 8 | usize::from(digit));
            (length, after)
        };
        let (content, rest) = after_length.split_at_checked(length)?;
        self.rest = rest;
        Some((tag, content))
    }

    /// The content of the next element if it has this tag. Takes nothing otherwise.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = *self;
        match self.element() {
            Some((found, content)) if found == tag => Some(content),
            _ => {
                *self = before;
                None
            }
        }
    }

    /// The next element as it was written, tag and length included.
    pub(crate) fn whole_element(&mut self) -> Option<&'a [u8]> {
        let before = self.rest;
        self.element()?;
        before.get(..before.len() - self.rest.len())
    }

    pub(crate) fn sequence(&mut self) -> Option<Reader<'a>> {
        self.take(SEQUENCE).map(Reader::new)
    }

    /// The magnitude of the next element, a positive integer, without leading zeros.
    pub(crate) fn positive_integer(&mut self) -> Option<&'a [u8]> {
        let content = self.take(INTEGER)?;
        if content.first()? & 0x80 != 0 {
            return None;
        }
        let zeros = content.iter().take_while(|&&byte| byte == 0).count();
        content.get(zeros..)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}
