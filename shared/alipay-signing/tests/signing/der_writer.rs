//! Writes the DER that the key tests need and no key generator makes.

pub const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
pub const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
pub const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];

pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u16::try_from(content.len()).expect("a short element") {
        length @ 0..0x80 => der.push(length as u8),
        length => {
            der.push(0x82);
            der.extend(length.to_be_bytes());
        }
    }
    der.extend(content);
    der
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub fn integer(magnitude: &[u8]) -> Vec<u8> {
    let mut content = magnitude.to_vec();
    if magnitude.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(0x02, &content)
}

pub fn algorithm(identifier: &[u8]) -> Vec<u8> {
    sequence(&[element(0x06, identifier), element(0x05, &[])])
}

pub fn octet_string(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

pub fn bit_string(content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], content].concat())
}

pub fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    sequence(&[integer(modulus), integer(exponent)])
}

pub fn public_key_info(identifier: &[u8], key: &[u8]) -> Vec<u8> {
    sequence(&[algorithm(identifier), bit_string(key)])
}

/// The first content after the outer tag and length of `der`.
pub fn content(der: &[u8]) -> &[u8] {
    let header = if der[1] < 0x80 {
        2
    } else {
        2 + usize::from(der[1] & 0x7f)
    };
    &der[header..]
}

/// PKCS#1 out of a PKCS#8 of an RSA key: after version (3 bytes) and algorithm (15 bytes).
pub fn pkcs1_of_pkcs8(pkcs8: &[u8]) -> Vec<u8> {
    content(&content(pkcs8)[18..]).to_vec()
}
