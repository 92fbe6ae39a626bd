use std::ops::Deref;

use function_kit::checked::{Rule, TemplateData, Text, optional};
use serde::Deserialize;

/// The arguments of `subscribeMessage.batchSend`, in Alipay's names.
#[derive(Debug, Deserialize)]
pub struct Input {
    pub(crate) template_id: Text<64>,
    pub(crate) data: TemplateData,
    /// May carry `?k=v`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) page: Option<Text<128>>,
    /// Absent: everybody who subscribed to the template.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) crowd_code: Option<Text<128>>,
    /// Absent: at once.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) schedule_send_time: Option<SendTime>,
    #[serde(default, rename = "idempotencyKey", deserialize_with = "optional")]
    pub(crate) idempotency_key: Option<Text<128>>,
}

/// A moment as Alipay writes it: `yyyy-MM-dd HH:mm:ss`. Whether it is in the future is for Alipay to say, whose clock decides.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SendTime(String);

impl TryFrom<String> for SendTime {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if is_moment(&text) {
            Ok(Self(text))
        } else {
            Err(Rule(
                "must be a moment such as 2026-11-21 10:00:00 (China time)".to_owned(),
            ))
        }
    }
}

impl Deref for SendTime {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

fn is_moment(text: &str) -> bool {
    const FORM: &str = "0000-00-00 00:00:00";
    let has_form = text.len() == FORM.len()
        && text.bytes().zip(FORM.bytes()).all(|(byte, form)| {
            if form == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == form
            }
        });
    let number = |from: usize| {
        text.get(from..from + 2)
            .and_then(|digits| digits.parse::<u8>().ok())
    };
    let within =
        |from, least, most| number(from).is_some_and(|number| (least..=most).contains(&number));
    has_form
        && within(5, 1, 12)
        && within(8, 1, 31)
        && within(11, 0, 23)
        && within(14, 0, 59)
        && within(17, 0, 59)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_time_has_alipays_form() {
        assert!(is_moment("2026-11-21 10:00:00"));
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21 10:00:00Z",
            "2026-13-21 10:00:00",
            "2026-11-32 10:00:00",
            "2026-11-21 24:00:00",
            "2026-11-21 10:60:00",
            "+026-11-21 10:00:00",
            "２026-11-21 10:00",
        ] {
            assert!(!is_moment(text), "{text}");
        }
    }
}
