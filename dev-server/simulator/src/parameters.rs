//! The parameters of a request: query and form body together, as bytes and as text.

use std::collections::BTreeMap;

use percent_encoding::percent_decode;

use crate::charset::Charset;

/// Names and values as they are after percent-decoding, in the charset of the request.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    raw: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Names from the query, in order.
    pub(crate) in_query: Vec<String>,
    /// Names from the form body, in order.
    pub(crate) in_body: Vec<String>,
    /// A name that came twice with different values.
    pub(crate) contradiction: Option<String>,
    /// `charset` as the query has it: the gateway must know it before it can read anything else.
    pub(crate) charset_in_query: Option<String>,
}

impl Parameters {
    pub(crate) fn parse(query: &[u8], body: &[u8]) -> Self {
        let mut parameters = Self::default();
        for (name, value) in pairs(query) {
            parameters
                .in_query
                .push(String::from_utf8_lossy(&name).into_owned());
            parameters.add(name, value);
        }
        parameters.charset_in_query = parameters
            .raw
            .get(b"charset".as_slice())
            .filter(|value| !value.is_empty())
            .map(|value| String::from_utf8_lossy(value).into_owned());
        for (name, value) in pairs(body) {
            parameters
                .in_body
                .push(String::from_utf8_lossy(&name).into_owned());
            parameters.add(name, value);
        }
        parameters
    }

    fn add(&mut self, name: Vec<u8>, value: Vec<u8>) {
        match self.raw.get(&name) {
            Some(known) if *known != value => {
                self.contradiction
                    .get_or_insert_with(|| String::from_utf8_lossy(&name).into_owned());
            }
            Some(_) => {}
            None => {
                self.raw.insert(name, value);
            }
        }
    }

    /// The text of all parameters, or `None` where one is not of this charset.
    pub(crate) fn decode(&self, charset: Charset) -> Option<BTreeMap<String, String>> {
        self.raw
            .iter()
            .map(|(name, value)| Some((charset.decode(name)?, charset.decode(value)?)))
            .collect()
    }

    /// The text of all parameters, for the log.
    pub(crate) fn decode_lossy(&self, charset: Charset) -> BTreeMap<String, String> {
        self.raw
            .iter()
            .map(|(name, value)| (charset.decode_lossy(name), charset.decode_lossy(value)))
            .collect()
    }

    /// The bytes that a request's signature is of: `name=value` joined by `&`, sorted by name, raw values, in the
    /// bytes that were sent; `sign` and whatever has an empty name or value left out.
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        let mut signed = Vec::new();
        for (name, value) in &self.raw {
            if name.is_empty() || value.is_empty() || name == b"sign" {
                continue;
            }
            if !signed.is_empty() {
                signed.push(b'&');
            }
            signed.extend_from_slice(name);
            signed.push(b'=');
            signed.extend_from_slice(value);
        }
        signed
    }
}

/// `application/x-www-form-urlencoded`, read as bytes.
fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    text.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut sides = pair.splitn(2, |&byte| byte == b'=');
            (
                decoded(sides.next().unwrap_or_default()),
                decoded(sides.next().unwrap_or_default()),
            )
        })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::Parameters;
    use crate::charset::Charset;
    use crate::keys::{SignType, public_key_from_text, verify};

    #[test]
    fn signed_bytes_are_sorted_raw_and_without_sign_or_empty_values() {
        let parameters = Parameters::parse(
            b"b=%E4%BD%A0+x&sign=zzz&charset=utf-8",
            b"B=1&a1=2&a=%26%3D&empty=&",
        );
        assert_eq!(
            parameters.signed_bytes(),
            "B=1&a=&=&a1=2&b=你 x&charset=utf-8".as_bytes()
        );
        assert_eq!(parameters.charset_in_query.as_deref(), Some("utf-8"));
        assert_eq!(parameters.contradiction, None);
    }

    #[test]
    fn a_name_with_two_values_is_noticed_and_with_one_value_twice_is_not() {
        assert_eq!(
            Parameters::parse(b"a=1&charset=GBK", b"charset=GBK").contradiction,
            None
        );
        let forged = Parameters::parse(b"a=1", b"a=2");
        assert_eq!(forged.contradiction.as_deref(), Some("a"));
        assert_eq!(forged.charset_in_query, None);
    }

    #[test]
    fn gbk_bytes_are_read_as_gbk() {
        let parameters = Parameters::parse(b"charset=GBK", b"describe=%C4%E3%BA%C3");
        let text = parameters.decode(Charset::Gbk).unwrap();
        assert_eq!(text.get("describe").map(String::as_str), Some("你好"));
        assert_eq!(parameters.decode(Charset::Utf8), None);
    }

    /// What the official SDKs made, with the keys beside it: see `tests/vectors/README.md` of the project.
    #[test]
    fn requests_of_the_official_sdks_are_read_and_verify() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors");
        let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        let mut cases = 0;
        for file in ["node-sdk.json", "python-sdk.json"] {
            let made: serde_json::Value = serde_json::from_str(&read(file)).unwrap();
            for case in made["cases"].as_array().unwrap() {
                let text = |name: &str| case[name].as_str().unwrap_or_default();
                let sent = [text("query"), text("order_string")].concat();
                let parameters = Parameters::parse(sent.as_bytes(), text("body").as_bytes());
                let charset = Charset::parse(text("charset")).unwrap();
                let mut texts = parameters.decode(charset).unwrap();
                let signature = texts.remove("sign").unwrap();
                assert_eq!(serde_json::json!(texts), case["params"], "{}", text("id"));
                let signed = parameters.signed_bytes();
                assert_eq!(
                    charset.encode(text("signed_text")),
                    signed,
                    "{}",
                    text("id")
                );
                let key = public_key_from_text(&read(&format!("keys/{}.public.pem", text("key"))))
                    .unwrap();
                let sign_type = SignType::parse(text("sign_type")).unwrap();
                assert!(
                    verify(&key, sign_type, &signed, &signature),
                    "{}",
                    text("id")
                );
                assert_eq!(signature, text("signature"));
                cases += 1;
            }
        }
        assert!(cases > 80, "{cases}");
    }
}
