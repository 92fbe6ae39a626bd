use function_kit::checked::{Color, PagePath, Rule, Text, optional};
use serde::Deserialize;

/// How long a code works when the call does not say, and at most: a day.
const DAY: u32 = 24 * 60 * 60;

/// The arguments of `acode.getTempMiniCode`: those of vk's `acode.getMiniCode` as far as Alipay's temporary codes have them, and
/// how long the code works. `describe`, `size` and `access_token` are accepted and ignored: temporary codes have none.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The page that the code opens; absent: the app's `homePage`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) page: Option<PagePath>,
    /// The launch query.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) scene: Option<Text<256>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) line_color: Option<Color>,
    /// Alipay's name for the kind of code, passed on as it is.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) qrcode_type: Option<Text<32>>,
    /// Seconds from now; absent: a day.
    #[serde(default)]
    timeout: Option<Seconds>,
}

impl Input {
    pub(crate) fn timeout_seconds(&self) -> u32 {
        self.timeout.as_ref().map_or(DAY, |timeout| timeout.0)
    }
}

/// The life of a temporary code.
#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Seconds(u32);

impl TryFrom<i64> for Seconds {
    type Error = Rule;

    fn try_from(seconds: i64) -> Result<Self, Rule> {
        u32::try_from(seconds)
            .ok()
            .filter(|seconds| (1..=DAY).contains(seconds))
            .map(Self)
            .ok_or_else(|| Rule(format!("must be 1 to {DAY} seconds")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(text: &str) -> Result<u32, String> {
        serde_json::from_str::<Input>(text)
            .map(|input| input.timeout_seconds())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_code_works_for_a_day_at_most() {
        assert_eq!(timeout("{}").unwrap(), DAY);
        assert_eq!(timeout(r#"{"timeout":null}"#).unwrap(), DAY);
        assert_eq!(timeout(r#"{"timeout":60}"#).unwrap(), 60);
        assert_eq!(timeout(r#"{"timeout":86400}"#).unwrap(), DAY);
        for seconds in ["0", "86401", "-1", "99999999999"] {
            let text = format!(r#"{{"timeout":{seconds}}}"#);
            assert!(
                timeout(&text).unwrap_err().contains("1 to 86400 seconds"),
                "{text}"
            );
        }
        assert!(timeout(r#"{"timeout":"60"}"#).is_err() && timeout(r#"{"timeout":1.5}"#).is_err());
    }
}
