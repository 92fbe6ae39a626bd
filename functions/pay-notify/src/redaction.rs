//! What of a message may be told: all but the values that open something. An event goes to whoever has a rule on the bus, and stays in
//! archives.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

/// In the place of a value that is not told.
const WITHHELD: &str = "…";

/// A member whose name holds one of these, in whatever letters, is not told.
const TELLTALE: [&str; 5] = ["token", "secret", "code", "password", "sign"];

/// What is nested deeper is not told.
const MOST_LEVELS: usize = 64;

/// `fields` with the secret values withheld, those inside JSON texts too.
pub(crate) fn without_secrets(fields: &BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|(name, value)| {
            let told = if is_telltale(name) {
                WITHHELD.to_owned()
            } else {
                told_text(value, MOST_LEVELS)
            };
            ((*name).to_owned(), told)
        })
        .collect()
}

fn is_telltale(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    TELLTALE.iter().any(|word| text.contains(word))
}

/// Whether a text that is no JSON gives a telltale name a value, as a form, an address or XML does.
fn is_assigned(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    TELLTALE
        .iter()
        .flat_map(|word| text.match_indices(word))
        .any(|(at, _)| {
            let rest = &text[at..];
            rest.trim_start_matches(|letter: char| {
                letter.is_ascii_alphanumeric() || "_-\"".contains(letter)
            })
            .trim_start()
            .starts_with(['=', ':', '>'])
        })
}

/// A text stays as it was written, unless it is JSON that may name a secret (an escape can hide a name). What looks like JSON and is
/// none cannot be told apart, and is withheld.
fn told_text(text: &str, levels: usize) -> String {
    let is_harmless = !is_telltale(text) && !text.contains('\\');
    if is_harmless {
        return text.to_owned();
    }
    if !text.trim_start().starts_with(['{', '[', '"']) {
        let told = if is_assigned(text) { WITHHELD } else { text };
        return told.to_owned();
    }
    serde_json::from_str::<&RawValue>(text)
        .and_then(|json| told_json(json, levels))
        .map_or_else(|_| WITHHELD.to_owned(), |json| json.get().to_owned())
}

/// Of a name that stands twice the last value is told. Numbers stay as they were written.
fn told_json(json: &RawValue, levels: usize) -> serde_json::Result<Box<RawValue>> {
    let Some(levels) = levels.checked_sub(1) else {
        return to_raw_value(WITHHELD);
    };
    match json.get().as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json.get())?;
            let told = members.into_iter().map(|(name, value)| {
                let value = if is_telltale(&name) {
                    to_raw_value(WITHHELD)
                } else {
                    told_json(value, levels)
                };
                Ok((name, value?))
            });
            to_raw_value(&told.collect::<serde_json::Result<BTreeMap<_, _>>>()?)
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(json.get())?;
            let told = elements.into_iter().map(|value| told_json(value, levels));
            to_raw_value(&told.collect::<serde_json::Result<Vec<_>>>()?)
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(json.get())?;
            to_raw_value(&told_text(&text, levels))
        }
        _ => Ok(json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, value: &str) -> String {
        without_secrets(&BTreeMap::from([(name, value)]))[name].clone()
    }

    #[test]
    fn the_values_of_telltale_names_are_withheld_wherever_they_stand() {
        for (name, value, expected) in [
            ("app_auth_token", "canary", "…"),
            ("AppAuthToken", "canary", "…"),
            ("authorization_code", "canary", "…"),
            ("sign_type", "RSA2", "…"),
            ("merchant_password", "", "…"),
            ("clientSecret", "canary", "…"),
            (
                "biz_content",
                r#"{"app_auth_token":"canary","user_id":"2088"}"#,
                r#"{"app_auth_token":"…","user_id":"2088"}"#,
            ),
            (
                "biz_content",
                r#" {"detail":{"App_Auth_Token":{"a":"canary"}}}"#,
                r#"{"detail":{"App_Auth_Token":"…"}}"#,
            ),
            (
                "biz_content",
                r#"{"detail":[{"n":0.10,"code":7},8]}"#,
                r#"{"detail":[{"code":"…","n":0.10},8]}"#,
            ),
            (
                "biz_content",
                r#"{"detail":"{\"token\":\"canary\"}"}"#,
                r#"{"detail":"{\"token\":\"…\"}"}"#,
            ),
            (
                "biz_content",
                r#"{"to\u006ben":"canary"}"#,
                r#"{"token":"…"}"#,
            ),
            ("biz_content", "user=1&app_auth_token=canary", "…"),
            (
                "biz_content",
                "<a><app_auth_token>canary</app_auth_token></a>",
                "…",
            ),
            ("biz_content", "\u{feff}{\"Token\" : \"canary\"}", "…"),
            (
                "biz_content",
                r#"{"url":"https://a.example/?code=canary"}"#,
                r#"{"url":"…"}"#,
            ),
            (
                "biz_content",
                r#"{"a":{"token":"canary"},"a":1}"#,
                r#"{"a":1}"#,
            ),
            ("biz_content", r#"{"a":1,"token":"canary""#, "…"),
        ] {
            assert_eq!(told(name, value), expected, "{name} {value}");
        }
    }

    #[test]
    fn everything_else_is_told_as_it_was_written() {
        for value in [
            "plain",
            "",
            "the code of conduct",
            "a token of thanks = 1",
            "[new] shop",
            r#"{"total":0.10, "n":123456789012345678901234567890}"#,
            "{",
            "&quot;",
        ] {
            assert_eq!(told("title", value), value);
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_withheld_and_nothing_breaks() {
        let deep = |levels: usize| {
            format!(
                "{}{{\"token\":\"canary\"}}{}",
                "[".repeat(levels),
                "]".repeat(levels)
            )
        };
        assert!(told("biz_content", &deep(60)).contains(r#"{"token":"…"}"#));
        for levels in [63, 64, 20_000] {
            assert!(!told("biz_content", &deep(levels)).contains("canary"));
        }
    }
}
