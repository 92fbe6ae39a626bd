//! Reads JSON into types. What does not fit is said with its place and the rule it breaks, never with its value: that may be a
//! key or a code.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Longer paths are cut: their names come from outside, and go into answers and logs.
const MAX_PATH_CHARACTERS: usize = 100;

/// Why a text is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Such as `apps[0].privateKey`; empty for the document itself.
    pub path: String,
    /// What the place must be.
    pub rule: String,
}

/// Reads all of `text`.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Misfit> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // "." is the document, "?" a member whose name was not read to its end.
        misfit(path.trim_end_matches(['.', '?']), &error.into_inner())
    })?;
    deserializer.end().map_err(|error| misfit("", &error))?;
    Ok(value)
}

fn misfit(path: &str, error: &serde_json::Error) -> Misfit {
    let at = |path: &str, rule: String| Misfit {
        path: path.chars().take(MAX_PATH_CHARACTERS).collect(),
        rule,
    };
    if error.classify() != Category::Data {
        let (line, column) = (error.line(), error.column());
        return at(path, format!("is not JSON (line {line}, column {column})"));
    }
    let text = error.to_string();
    // From the end, because a value that is quoted before it may hold anything.
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    let member = |prefix: &str| text.strip_prefix(prefix)?.split('`').next();
    let inside = |member: &str| match path {
        "" => member.to_owned(),
        // An unknown member is part of the path already.
        _ if path == member || path.ends_with(&format!(".{member}")) => path.to_owned(),
        _ => format!("{path}.{member}"),
    };
    let expected = || {
        text.rsplit_once(", expected ")
            .map(|(_, expected)| expected)
    };

    if let Some(name) = member("missing field `") {
        return at(&inside(name), "is required".to_owned());
    }
    if let Some(name) = member("duplicate field `") {
        return at(&inside(name), "stands twice".to_owned());
    }
    if let Some(name) = member("unknown field `") {
        let known = expected().unwrap_or("nothing");
        return at(&inside(name), format!("is not known here; known: {known}"));
    }
    // These quote the value.
    let quotes = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant ",
    ];
    if quotes.iter().any(|start| text.starts_with(start)) {
        return at(path, must_be(expected().unwrap_or("of another form")));
    }
    // The rule of one of our own types, which quotes nothing.
    at(path, text.to_owned())
}

/// serde's word for what it expected, in words of JSON.
fn must_be(expected: &str) -> String {
    let expected = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    };
    format!("must be {expected}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secrecy::SecretString;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Input {
        code: SecretString,
        #[serde(default)]
        data: Option<Inner>,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        table: BTreeMap<String, Inner>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Inner {
        size: u8,
    }

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        UserId,
        OpenId,
    }

    fn misfit_of(text: &str) -> (String, String) {
        let Misfit { path, rule } = parse::<Input>(text).unwrap_err();
        (path, rule)
    }

    fn said(path: &str, rule: &str) -> (String, String) {
        (path.to_owned(), rule.to_owned())
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place_and_rule() {
        for (text, path, rule) in [
            ("{}", "code", "is required"),
            (r#"{"code":1}"#, "code", "must be a string"),
            (r#"{"code":null}"#, "code", "must be a string"),
            (r#"{"code":"c","data":{}}"#, "data.size", "is required"),
            (r#"{"code":"c","data":7}"#, "data", "must be an object"),
            (r#"{"code":"c","list":{}}"#, "list", "must be an array"),
            (
                r#"{"code":"c","list":[{"size":1},{}]}"#,
                "list[1].size",
                "is required",
            ),
            (
                r#"{"code":"c","data":{"size":300}}"#,
                "data.size",
                "must be a whole number from 0 to 255",
            ),
            (
                r#"{"code":"c","data":{"size":-1}}"#,
                "data.size",
                "must be a whole number from 0 to 255",
            ),
            (
                r#"{"code":"c","data":{"size":1,"sise":1}}"#,
                "data.sise",
                "is not known here; known: `size`",
            ),
            (
                r#"{"code":"c","kind":"x"}"#,
                "kind",
                "must be `userId` or `openId`",
            ),
            (r#"{"code":"c","code":"d"}"#, "code", "stands twice"),
            ("[]", "", "must be an object"),
            ("7", "", "must be an object"),
            ("{", "", "is not JSON (line 1, column 1)"),
            (
                r#"{"code":"c","data":{"#,
                "data",
                "is not JSON (line 1, column 20)",
            ),
            (r#"{"code":"c"} x"#, "", "is not JSON (line 1, column 14)"),
            (
                r#"{"code":"\ud800"}"#,
                "code",
                "is not JSON (line 1, column 16)",
            ),
        ] {
            assert_eq!(misfit_of(text), said(path, rule), "{text}");
        }
    }

    #[test]
    fn no_value_is_quoted_whatever_stands_in_it() {
        for value in [
            "canary",
            "canary at line 1 column 2",
            "canary, expected canary",
            "canary`, expected canary at line 9",
            "missing field `canary",
        ] {
            let value = serde_json::to_string(value).unwrap();
            for text in [
                format!(r#"{{"code":"c","data":{value}}}"#),
                format!(r#"{{"code":"c","data":{{"size":{value}}}}}"#),
                format!(r#"{{"code":"c","kind":{value}}}"#),
                format!(r#"{{"code":"c","list":{value}}}"#),
                value.clone(),
            ] {
                let (path, rule) = misfit_of(&text);
                assert!(
                    !format!("{path}{rule}").contains("canary"),
                    "{text}: {path}: {rule}"
                );
            }
        }
    }

    #[test]
    fn a_path_of_any_length_is_cut() {
        let text = format!(r#"{{"code":"c","table":{{"{}":7}}}}"#, "x".repeat(100_000));
        let (path, rule) = misfit_of(&text);
        assert_eq!(
            (path.chars().count(), rule.as_str()),
            (MAX_PATH_CHARACTERS, "must be an object")
        );
    }
}
