//! How long a token lives, as Alipay writes it.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Longer lives are taken as this long (ten years), so that no arithmetic on them overflows.
const LONGEST_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// A number of seconds: a JSON number in real replies, a text in Alipay's documents. `None` for whatever is neither, so that no
/// token is lost for the life that stands beside it.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let named = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => digits(&text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    Ok(named.map(|seconds| seconds.min(LONGEST_SECONDS)))
}

/// What is too large for a `u64` ends at its largest.
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0).then_some(number as u64)
}

fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
