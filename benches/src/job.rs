//! The two jobs that every contestant does, and the events that ask for them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gateway_stub::{OPEN_ID, QR_CODE_URL};
use crate::runtime_api::Event;

/// What a contestant is asked to do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// One signed call, its reply verified; nothing is kept.
    GetMiniCode,
    /// The same with the user's tokens kept in a table.
    #[serde(rename = "code2session")]
    #[value(name = "code2session")]
    Code2Session,
}

impl Job {
    /// Both.
    pub const ALL: [Self; 2] = [Self::GetMiniCode, Self::Code2Session];

    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetMiniCode => "get-mini-code",
            Self::Code2Session => "code2session",
        }
    }

    /// The event of the call `number`: each login has a code of its own.
    pub fn event(self, number: usize) -> Event {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        Event::new(&id, &self.event_text(number))
    }

    fn event_text(self, number: usize) -> Cow<'static, str> {
        match self {
            Self::GetMiniCode => include_str!("../../events/get-mini-code/http.json")
                .trim_end()
                .into(),
            Self::Code2Session => include_str!("../../events/code2session/http.json")
                .trim_end()
                .replace("events-http", &format!("bench-{number:028}"))
                .into(),
        }
    }

    /// What is wrong with `answer`; `None` where it is right.
    pub fn fault(self, answer: &[u8]) -> Option<String> {
        let expected = match self {
            Self::GetMiniCode => QR_CODE_URL,
            Self::Code2Session => OPEN_ID,
        };
        fault(answer, expected)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What is wrong with `answer`, which has to be a success that names `expected`.
pub(crate) fn fault(answer: &[u8], expected: &str) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let status = serde_json::from_slice::<Value>(answer)
        .ok()
        .and_then(|answer| answer.get("statusCode").cloned());
    let is_success = status.is_none_or(|status| status == 200);
    (!is_success || !text.contains(expected))
        .then(|| format!("its answer is not a success with `{expected}`: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_when_it_is_a_success_with_the_expected_value() {
        let answer = format!(r#"{{"statusCode":200,"body":"{{\"url\":\"{QR_CODE_URL}\"}}"}}"#);
        assert_eq!(Job::GetMiniCode.fault(answer.as_bytes()), None);
        assert!(Job::Code2Session.fault(answer.as_bytes()).is_some());
        let refused = answer.replace("200", "502");
        assert!(Job::GetMiniCode.fault(refused.as_bytes()).is_some());
    }

    #[test]
    fn the_code_of_the_event_is_another_each_time() {
        let text = include_str!("../../events/code2session/http.json");
        assert!(text.contains("events-http"));
        let first = Job::Code2Session.event_text(1);
        assert!(!first.contains("events-http"), "{first}");
        assert_ne!(first, Job::Code2Session.event_text(2));
    }
}
