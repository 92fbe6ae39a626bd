//! Limits on what is read from outside, checked in one pass before anything is built from it.

use serde::de::IgnoredAny;

use crate::{Failure, Outcome};

/// The longest body or direct event in bytes. API Gateway itself lets 10 MB through.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 64;
const MAX_MEMBERS: usize = 10_000;

/// Checks that `text` is one JSON object within the limits.
pub(crate) fn check_json(text: &str) -> Result<(), Failure> {
    if text.len() > MAX_BODY_BYTES {
        return Err(too_large());
    }
    check_structure(text).map_err(|rule| Failure::invalid("body", rule))?;
    if !text.trim_start().starts_with('{') || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Err(Failure::invalid("body", "must be a JSON object"));
    }
    Ok(())
}

/// The rule about depth and number of members that `text` breaks.
pub(crate) fn check_structure(text: &str) -> Result<(), &'static str> {
    let (depth, members) = measure(text);
    if depth > MAX_DEPTH {
        return Err("is nested deeper than 64 levels");
    }
    if members > MAX_MEMBERS {
        return Err("has more than 10,000 members");
    }
    Ok(())
}

pub(crate) fn too_large() -> Failure {
    Failure::new(Outcome::TooLarge {
        limit: "1 MiB at most".to_owned(),
    })
}

/// The nesting depth and the number of members and elements, counted outside strings (a container's first one with its bracket).
/// Harmless for what is not JSON.
fn measure(text: &str) -> (usize, usize) {
    let (mut depth, mut deepest, mut members) = (0_usize, 0, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                members += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => members += 1,
            _ => {}
        }
    }
    (deepest, members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        // The object itself is the first level.
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    }

    #[test]
    fn sixty_four_levels_are_read_and_sixty_five_are_not() {
        assert!(check_json(&nested(64)).is_ok());
        let failure = check_json(&nested(65)).unwrap_err();
        assert!(
            matches!(failure.outcome(), Outcome::InvalidArgument { field, .. } if field == "body")
        );
    }

    #[test]
    fn one_mebibyte_is_read_and_one_byte_more_is_not() {
        let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(check_json(&text(MAX_BODY_BYTES)).is_ok());
        let failure = check_json(&text(MAX_BODY_BYTES + 1)).unwrap_err();
        assert!(matches!(failure.outcome(), Outcome::TooLarge { .. }));
    }

    #[test]
    fn ten_thousand_members_are_the_limit() {
        let text = |count: usize| format!("{{\"a\":[{}]}}", vec!["1"; count].join(","));
        assert!(check_json(&text(9_999)).is_ok());
        assert!(check_json(&text(10_000)).is_err());
    }

    #[test]
    fn brackets_inside_texts_do_not_count() {
        assert!(check_json(&format!("{{\"a\":\"{}\\\"[\"}}", "[".repeat(100))).is_ok());
    }

    #[test]
    fn lone_surrogates_and_rubbish_are_refused_without_a_panic() {
        for text in ["{", "[1]", "nul", "{\"a\":1} x", "{\"a\":01}", ""] {
            assert!(check_json(text).is_err(), "{text}");
        }
    }
}
