//! The content checks of `alipay.security.risk.content.*`, and the rule that all of them judge by.
//!
//! The real ones judge by models that no test can foresee. Here words are forbidden or doubtful by order of the test,
//! and [`BUILT_IN_FORBIDDEN`] and [`BUILT_IN_DOUBTFUL`] always are, for play by hand.

pub(crate) mod analyze;
pub(super) mod detect;
pub(super) mod sync_detect;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Call;
use crate::refusal::Refusal;

/// A word that no content check lets pass.
pub(crate) const BUILT_IN_FORBIDDEN: &str = "simulator-reject";
/// A word that the content checks which know doubt send to a human.
pub(crate) const BUILT_IN_DOUBTFUL: &str = "simulator-review";

/// The words and addresses that a simulator objects to.
pub(crate) struct ContentRules {
    forbidden: BTreeSet<String>,
    doubtful: BTreeSet<String>,
}

impl Default for ContentRules {
    fn default() -> Self {
        Self {
            forbidden: BTreeSet::from([BUILT_IN_FORBIDDEN.to_owned()]),
            doubtful: BTreeSet::from([BUILT_IN_DOUBTFUL.to_owned()]),
        }
    }
}

/// What a check finds, with the words it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Passed,
    Doubtful(Vec<String>),
    Forbidden(Vec<String>),
}

impl Judgement {
    /// The words that were found.
    fn words(&self) -> &[String] {
        match self {
            Self::Passed => &[],
            Self::Doubtful(words) | Self::Forbidden(words) => words,
        }
    }
}

impl ContentRules {
    /// From now on this text, wherever it stands in a content, is forbidden. An empty text is no rule.
    pub(crate) fn forbid(&mut self, text: String) {
        if !text.is_empty() {
            self.forbidden.insert(text);
        }
    }

    /// From now on this text, wherever it stands in a content, is doubtful. An empty text is no rule.
    pub(crate) fn doubt(&mut self, text: String) {
        if !text.is_empty() {
            self.doubtful.insert(text);
        }
    }

    /// The forbidden texts, then the doubtful ones.
    pub(crate) fn texts(&self) -> (&BTreeSet<String>, &BTreeSet<String>) {
        (&self.forbidden, &self.doubtful)
    }

    /// Judges these texts and addresses together: the hardest judgement counts.
    fn judge<'a>(&self, contents: impl Iterator<Item = &'a str> + Clone) -> Judgement {
        let found = |words: &BTreeSet<String>| -> Vec<String> {
            words
                .iter()
                .filter(|word| {
                    contents
                        .clone()
                        .any(|content| content.contains(word.as_str()))
                })
                .cloned()
                .collect()
        };
        let forbidden = found(&self.forbidden);
        if !forbidden.is_empty() {
            return Judgement::Forbidden(forbidden);
        }
        let doubtful = found(&self.doubtful);
        if doubtful.is_empty() {
            Judgement::Passed
        } else {
            Judgement::Doubtful(doubtful)
        }
    }
}

/// No document lists the sub_codes of these methods; this one is the common one of Alipay's other methods.
fn invalid(name: &str) -> Refusal {
    Refusal::business("INVALID_PARAMETER", &format!("参数有误：{name}"))
}

fn biz_content(call: &Call<'_>) -> Result<Map<String, Value>, Refusal> {
    call.biz_content().map_err(|_| invalid("biz_content"))
}

/// A member that has to be a text with something in it.
fn required<'a>(biz_content: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    super::text(biz_content, name)
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| invalid(name))
}

/// A member that may be absent, and has to be a text with something in it where it is there.
fn optional<'a>(
    biz_content: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Refusal> {
    match biz_content.get(name) {
        None => Ok(None),
        Some(_) => required(biz_content, name).map(Some),
    }
}

/// Whether the gateway could fetch this: an absolute address of the web, without spaces.
fn is_web_address(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && !text.contains(char::is_whitespace)
}
