use std::ops::Deref;

use function_kit::Failure;
use function_kit::checked::{Object, Rule, Text, optional};
use serde::{Deserialize, Deserializer};

/// The arguments of vk's `urlscheme.generate` and `urllink.generate`: `path` and `query`, either by themselves or in `jump_wxa`.
#[derive(Debug, Deserialize)]
pub struct Input {
    #[serde(default, deserialize_with = "optional")]
    path: Option<PageLocation>,
    #[serde(default, deserialize_with = "optional")]
    query: Option<Query>,
    #[serde(default, rename = "env_version", deserialize_with = "optional")]
    _released: Option<Released>,
    #[serde(default)]
    jump_wxa: Option<Object<Target>>,
    #[serde(default)]
    is_expire: Option<bool>,
    #[serde(default, deserialize_with = "is_given")]
    expire_time: bool,
    #[serde(default, deserialize_with = "is_given")]
    expire_interval: bool,
}

/// What a link opens.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Target {
    /// The page; absent: the app's `homePage`, or the start page.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) path: Option<PageLocation>,
    /// What the mini-program gets as launch query.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) query: Option<Query>,
    #[serde(default, rename = "env_version", deserialize_with = "optional")]
    _released: Option<Released>,
}

impl Input {
    /// What the link is to open.
    ///
    /// # Errors
    /// For what no link of Alipay's can do: ignored, the caller would give out a link that stays open for ever.
    pub(crate) fn target(self) -> Result<Target, Failure> {
        if self
            .is_expire
            .unwrap_or(self.expire_time || self.expire_interval)
        {
            return Err(Failure::invalid(
                "is_expire",
                "these links never expire; leave is_expire, expire_time and expire_interval out",
            ));
        }
        let beside = Target {
            path: self.path,
            query: self.query,
            ..Target::default()
        };
        match self.jump_wxa {
            None => Ok(beside),
            Some(Object(inner)) if beside.is_empty() => Ok(inner),
            Some(Object(inner)) if inner.is_empty() => Ok(beside),
            Some(_) => Err(Failure::invalid(
                "jump_wxa",
                "cannot be given together with path or query; give one of them",
            )),
        }
    }
}

impl Target {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.query.is_none()
    }
}

/// Whether a time is given: 0, like what is left out, is none.
fn is_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.is_some_and(|time| time > 0))
}

/// WeChat's name for the published version. A link of Alipay's opens that and no other.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Released;

impl TryFrom<String> for Released {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text == "release" {
            Ok(Self)
        } else {
            Err(Rule(
                "must be release: these links open the published version".to_owned(),
            ))
        }
    }
}

/// A page's path as in app.json, without leading slash; behind `?` may stand what that page gets.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PageLocation(Text<256>);

impl TryFrom<String> for PageLocation {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.starts_with('/') {
            return Err(Rule(
                "must not begin with /; write pages/index/index".to_owned(),
            ));
        }
        let text = Text::try_from(text)?;
        let (page, query) = text
            .split_once('?')
            .map_or((&*text, None), |(page, query)| (page, Some(query)));
        if !page.split('/').all(is_name) {
            return Err(Rule(
                "must be a page of the mini-program such as pages/index/index: names joined by /, no address and no .."
                    .to_owned(),
            ));
        }
        if query.is_some_and(|query| !are_pairs(query)) {
            return Err(Rule("must have k=v&k=v behind the ?".to_owned()));
        }
        Ok(Self(text))
    }
}

impl Deref for PageLocation {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A launch query, `k=v&k=v`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Query(Text<1024>);

impl TryFrom<String> for Query {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.starts_with('?') {
            return Err(Rule("must not begin with ?; write k=v&k=v".to_owned()));
        }
        let text = Text::try_from(text)?;
        if are_pairs(&text) {
            Ok(Self(text))
        } else {
            Err(Rule("must be k=v&k=v".to_owned()))
        }
    }
}

impl Deref for Query {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// One part of a page's path. `.` and `..` would lead elsewhere.
fn is_name(part: &str) -> bool {
    let is_of_a_name =
        |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    part.chars().any(|character| character != '.') && part.chars().all(is_of_a_name)
}

fn are_pairs(query: &str) -> bool {
    query.split('&').all(|pair| {
        pair.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use function_kit::Outcome;

    use super::*;

    fn target(arguments: &str) -> Result<(Option<String>, Option<String>), String> {
        let input: Input = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
        let target = input.target().map_err(|failure| match failure.outcome() {
            Outcome::InvalidArgument { field, rule } => format!("{field}: {rule}"),
            other => format!("{other:?}"),
        })?;
        Ok((
            target.path.map(|path| path.to_owned()),
            target.query.map(|query| query.to_owned()),
        ))
    }

    fn rule_of(path: &str) -> String {
        PageLocation::try_from(path.to_owned()).unwrap_err().0
    }

    #[test]
    fn path_and_query_stand_by_themselves_or_in_vks_jump_wxa() {
        let expected = Ok((Some("pages/a".to_owned()), Some("k=v".to_owned())));
        for arguments in [
            r#"{"path":"pages/a","query":"k=v"}"#,
            r#"{"jump_wxa":{"path":"pages/a","query":"k=v"},"path":"","query":null}"#,
            r#"{"path":"pages/a","query":"k=v","jump_wxa":{}}"#,
            r#"{"path":"pages/a","query":"k=v","jump_wxa":null,"env_version":"release"}"#,
        ] {
            assert_eq!(target(arguments), expected, "{arguments}");
        }
        assert_eq!(target("{}"), Ok((None, None)));
        let both = target(r#"{"path":"pages/a","jump_wxa":{"path":"pages/b"}}"#);
        assert!(both.unwrap_err().starts_with("jump_wxa: "));
        assert!(target(r#"{"jump_wxa":["pages/a","k=v"]}"#).is_err());
    }

    #[test]
    fn a_link_that_expires_or_opens_another_version_is_refused_rather_than_made_without() {
        for arguments in [
            r#"{"is_expire":true}"#,
            r#"{"is_expire":true,"expire_type":1,"expire_interval":30}"#,
            r#"{"expire_time":1794643200}"#,
            r#"{"expire_type":1,"expire_interval":30}"#,
        ] {
            let refused = target(arguments).unwrap_err();
            assert!(refused.starts_with("is_expire: "), "{arguments}: {refused}");
        }
        for arguments in [
            r#"{"is_expire":false,"expire_time":1794643200}"#,
            r#"{"is_expire":null,"expire_time":0,"expire_interval":null}"#,
        ] {
            assert!(target(arguments).is_ok(), "{arguments}");
        }
        for arguments in [
            r#"{"env_version":"trial"}"#,
            r#"{"jump_wxa":{"env_version":"develop"}}"#,
        ] {
            assert!(
                target(arguments).unwrap_err().contains("must be release"),
                "{arguments}"
            );
        }
    }

    #[test]
    fn a_path_is_a_page_of_the_mini_program_and_nothing_else() {
        for path in [
            "pages/index/index",
            "pages/a?k=v&url=https://example.com/..",
            "index",
            "页面/首页",
            "pages/a.b-c_d",
        ] {
            assert!(PageLocation::try_from(path.to_owned()).is_ok(), "{path}");
        }
        for path in ["/pages/a", "//example.com", "/"] {
            assert!(rule_of(path).contains("begin with /"), "{path}");
        }
        for path in [
            "javascript:alert(1)",
            "https://example.com",
            "alipays://platformapi/startapp",
            "../a",
            "pages/../../a",
            "pages/./a",
            "pages//a",
            "pages/a/",
            "pages\\a",
            "%2e%2e/a",
            "pages/a&appId=1",
            "pages/a#b",
            "pages/a b",
            "?k=v",
        ] {
            assert!(
                rule_of(path).contains("a page of the mini-program"),
                "{path}"
            );
        }
        for path in ["pages/a?", "pages/a?k", "pages/a?=v", "pages/a?k=v&"] {
            assert!(rule_of(path).contains("behind the ?"), "{path}");
        }
        for path in ["pages/a\n", "pages/\u{0}a", "pages/a?k=\u{7f}"] {
            assert!(rule_of(path).contains("control characters"), "{path:?}");
        }
        assert!(rule_of(&"p".repeat(257)).contains("256"));
    }

    #[test]
    fn a_query_is_pairs_without_a_question_mark() {
        for query in [
            "k=v",
            "k=",
            "a=1&b=2",
            "url=https://example.com/?x",
            "推广=是",
        ] {
            assert!(Query::try_from(query.to_owned()).is_ok(), "{query}");
        }
        for query in ["?k=v", "k", "=v", "&k=v", "a=1&&b=2", "k=\t"] {
            assert!(Query::try_from(query.to_owned()).is_err(), "{query:?}");
        }
        assert!(Query::try_from(format!("k={}", "v".repeat(1022))).is_ok());
        assert!(Query::try_from(format!("k={}", "v".repeat(1023))).is_err());
    }
}
