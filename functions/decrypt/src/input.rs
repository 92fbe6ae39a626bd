use alipay_gateway::FrontEndData;
use function_kit::checked::{Rule, optional};
use serde::Deserialize;

/// Bytes. A phone number's answer has half a KiB; a month of step counts has some.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Bytes. A signature of an RSA key of 8192 bits has 1368.
const MAX_PART_BYTES: usize = 2048;

/// The arguments of vk's `decrypt.getPhoneNumber` and `decrypt.decryptData`: what the front-end API gave to the page. WeChat's
/// `iv`, `sessionKey`, `encryptedKey` and `code` are accepted and ignored: Alipay has no such things.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Input {
    pub(crate) data: FrontEndData,
}

/// The arguments as written: the ciphertext (or the whole answer) has two names, Alipay's and vk's.
#[derive(Deserialize)]
struct Written {
    #[serde(default, deserialize_with = "optional")]
    response: Option<Part<MAX_RESPONSE_BYTES>>,
    #[serde(default, rename = "encryptedData", deserialize_with = "optional")]
    encrypted_data: Option<Part<MAX_RESPONSE_BYTES>>,
    #[serde(default, deserialize_with = "optional")]
    sign: Option<Part<MAX_PART_BYTES>>,
    #[serde(default, deserialize_with = "optional")]
    sign_type: Option<Part<MAX_PART_BYTES>>,
    #[serde(default, deserialize_with = "optional")]
    encrypt_type: Option<Part<MAX_PART_BYTES>>,
    #[serde(default, deserialize_with = "optional")]
    charset: Option<Part<MAX_PART_BYTES>>,
}

impl TryFrom<Written> for Input {
    type Error = Rule;

    fn try_from(written: Written) -> Result<Self, Rule> {
        // Said in serde's words, which the kit turns into "response: is required".
        let response = written
            .response
            .or(written.encrypted_data)
            .ok_or_else(|| Rule("missing field `response`".to_owned()))?;
        Ok(Self {
            data: FrontEndData {
                response: response.0,
                sign: written.sign.map(|part| part.0),
                sign_type: written.sign_type.map(|part| part.0),
                encrypt_type: written.encrypt_type.map(|part| part.0),
                charset: written.charset.map(|part| part.0),
            },
        })
    }
}

/// A text of at most `MAX` bytes. What is in it, the signature decides.
struct Part<const MAX: usize>(String);

impl<const MAX: usize> TryFrom<String> for Part<MAX> {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.len() > MAX {
            return Err(Rule(format!("must have at most {MAX} bytes")));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<FrontEndData, String> {
        serde_json::from_str::<Input>(arguments)
            .map(|input| input.data)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_answer_comes_whole_or_in_parts_under_alipays_name_or_vks() {
        let whole = read(r#"{"response":"{\"response\":\"c\"}"}"#).unwrap();
        assert_eq!(whole.response, r#"{"response":"c"}"#);
        for name in ["response", "encryptedData"] {
            let parts = read(&format!(
                r#"{{"{name}":"c","sign":"s","sign_type":"RSA2","encrypt_type":"AES","charset":"UTF-8"}}"#
            ))
            .unwrap();
            assert_eq!((&*parts.response, parts.sign.as_deref()), ("c", Some("s")));
        }
    }

    #[test]
    fn what_wechat_needs_and_alipay_has_not_is_ignored() {
        let data = read(
            r#"{"response":"","encryptedData":"c","iv":7,"sessionKey":null,"encryptedKey":"k","code":"x","sign":""}"#,
        )
        .unwrap();
        assert_eq!((&*data.response, data.sign), ("c", None));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(read("{}").unwrap_err().contains("missing field `response`"));
        let longest = |bytes| format!(r#"{{"response":"{}"}}"#, "c".repeat(bytes));
        assert!(read(&longest(MAX_RESPONSE_BYTES)).is_ok());
        assert!(
            read(&longest(MAX_RESPONSE_BYTES + 1))
                .unwrap_err()
                .contains("at most 65536 bytes")
        );
    }

    #[test]
    fn debug_shows_nothing_of_the_data() {
        let input: Input =
            serde_json::from_str(r#"{"response":"canary","sign":"canary"}"#).unwrap();
        assert!(!format!("{input:?}").contains("canary"));
    }
}
