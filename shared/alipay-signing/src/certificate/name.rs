//! Names of issuers and subjects, as text.

use crate::der::{self, Reader};

const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 0.9.2342.19200300.100.1, the arc of UID and DC.
const PILOT_ATTRIBUTE: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01];

/// One type and value of a name.
struct Attribute<'a> {
    oid: &'a [u8],
    tag: u8,
    value: &'a [u8],
    /// Tag, length and value.
    whole_value: &'a [u8],
}

/// A name's attributes in the order in which they are encoded, grouped as they are there; `None` where it is no name.
fn attributes(name: &[u8]) -> Option<Vec<Vec<Attribute<'_>>>> {
    let mut document = Reader::new(name);
    let mut groups = document.sequence()?;
    let mut relative_names = Vec::new();
    while !groups.is_at_end() {
        let mut members = Reader::new(groups.take(SET)?);
        let mut group = Vec::new();
        while !members.is_at_end() {
            let mut pair = members.sequence()?;
            let oid = pair.take(der::OBJECT_IDENTIFIER)?;
            let (tag, value) = { pair }.element()?;
            let whole_value = pair.whole_element()?;
            if !pair.is_at_end() {
                return None;
            }
            group.push(Attribute {
                oid,
                tag,
                value,
                whole_value,
            });
        }
        if group.is_empty() {
            return None;
        }
        relative_names.push(group);
    }
    document.is_at_end().then_some(relative_names)
}

/// Whether `name` is the DER of a name.
pub(super) fn is_name(name: &[u8]) -> bool {
    attributes(name).is_some()
}

/// The name as RFC 2253 writes it, last part first: `CN=…,OU=…,O=…,C=…`. So does the official Java SDK, and the Node and PHP
/// SDKs do for names without special characters, which Alipay's are.
pub(super) fn rfc2253(name: &[u8]) -> String {
    let relative_names = attributes(name).unwrap_or_default();
    let parts: Vec<String> = relative_names
        .iter()
        .rev()
        .map(|group| {
            let pairs: Vec<String> = group.iter().map(Attribute::to_text).collect();
            pairs.join("+")
        })
        .collect();
    parts.join(",")
}

/// The first common name of a name.
pub(super) fn common_name(name: &[u8]) -> Option<String> {
    let relative_names = attributes(name)?;
    relative_names
        .iter()
        .flatten()
        .find(|attribute| attribute.oid == COMMON_NAME)
        .and_then(Attribute::text)
}

impl Attribute<'_> {
    fn to_text(&self) -> String {
        match (short_name(self.oid), self.text()) {
            (Some(name), Some(text)) => format!("{name}={}", escaped(&text)),
            (Some(name), None) => format!("{name}=#{}", hexadecimal(self.whole_value)),
            (None, _) => format!("{}=#{}", dotted(self.oid), hexadecimal(self.whole_value)),
        }
    }

    fn text(&self) -> Option<String> {
        match self.tag {
            UTF8_STRING | NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING => {
                std::str::from_utf8(self.value).ok().map(str::to_owned)
            }
            // Written as Latin-1 by those who still use it.
            TELETEX_STRING => Some(self.value.iter().copied().map(char::from).collect()),
            BMP_STRING => {
                let (units, rest) = self.value.as_chunks::<2>();
                let units: Vec<u16> = units.iter().copied().map(u16::from_be_bytes).collect();
                rest.is_empty().then(|| String::from_utf16(&units).ok())?
            }
            UNIVERSAL_STRING => {
                let (units, rest) = self.value.as_chunks::<4>();
                let text = units
                    .iter()
                    .map(|&unit| char::from_u32(u32::from_be_bytes(unit)))
                    .collect();
                if rest.is_empty() { text } else { None }
            }
            _ => None,
        }
    }
}

/// The types that RFC 2253 has a name for.
fn short_name(oid: &[u8]) -> Option<&'static str> {
    match oid {
        COMMON_NAME => Some("CN"),
        [0x55, 0x04, 0x06] => Some("C"),
        [0x55, 0x04, 0x07] => Some("L"),
        [0x55, 0x04, 0x08] => Some("ST"),
        [0x55, 0x04, 0x09] => Some("STREET"),
        [0x55, 0x04, 0x0a] => Some("O"),
        [0x55, 0x04, 0x0b] => Some("OU"),
        _ => match oid.strip_prefix(PILOT_ATTRIBUTE) {
            Some([0x01]) => Some("UID"),
            Some([0x19]) => Some("DC"),
            _ => None,
        },
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (position, character) in text.chars().enumerate() {
        let special = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            '#' => position == 0,
            ' ' => position == 0 || position == last,
            _ => false,
        };
        if special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object identifier in numbers and dots. Arcs beyond 64 bits, which nobody assigned, wrap around.
fn dotted(oid: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for &byte in oid {
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                // The first number holds the first two arcs, of which the first is 0, 1 or 2.
                let root = (arc / 40).min(2);
                arcs.push(root.to_string());
                arc -= root * 40;
            }
            arcs.push(arc.to_string());
            arc = 0;
        }
    }
    arcs.join(".")
}
