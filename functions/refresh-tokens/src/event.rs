//! What the function is woken by.

use function_kit::{Failure, parse_arguments};
use function_tokens::RefreshRequest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::sweep::Sweep;

/// An event, taken apart.
pub(crate) enum Event {
    /// Messages of the queues.
    Records(Vec<Record>),
    /// The schedule, or somebody in its place.
    Sweep(Sweep),
    /// One row, wanted by somebody who waits.
    Refresh(RefreshRequest),
}

/// A message of a queue, as Lambda hands it over.
#[derive(Deserialize)]
pub(crate) struct Record {
    #[serde(rename = "messageId")]
    pub message_id: String,
    pub body: String,
}

/// The members by which events are told apart.
#[derive(Deserialize)]
struct Marks {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    #[serde(rename = "requestContext")]
    request_context: Option<IgnoredAny>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    sweep: Option<Sweep>,
    refresh: Option<RefreshRequest>,
}

impl Event {
    /// # Errors
    /// `invalid_argument` and `forbidden`, for events that are none of this function's.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let marks: Marks = parse_arguments(text)?;
        if marks.request_context.is_some() {
            return Err(Failure::forbidden(
                "this function has no HTTP route: the schedule, its queues and direct invokes start it",
            ));
        }
        match marks {
            Marks {
                records: Some(records),
                ..
            } => Ok(Self::Records(records)),
            Marks {
                refresh: Some(request),
                sweep: None,
                ..
            } => Ok(Self::Refresh(request)),
            Marks {
                sweep: Some(sweep),
                refresh: None,
                ..
            } => {
                sweep.check()?;
                Ok(Self::Sweep(sweep))
            }
            Marks {
                sweep: Some(_),
                refresh: Some(_),
                ..
            } => Err(Failure::invalid(
                "sweep",
                "cannot be asked for together with refresh",
            )),
            Marks {
                detail_type: Some(kind),
                ..
            } if kind == "Scheduled Event" => Ok(Self::Sweep(Sweep::default())),
            _ if is_empty(text) => Ok(Self::Sweep(Sweep::default())),
            _ => Err(Failure::invalid(
                "body",
                r#"must be {} or {"sweep":{}} for a sweep, or {"refresh":{"appid":…,"subject":…}} for one row"#,
            )),
        }
    }
}

fn is_empty(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
        .is_ok_and(|members| members.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> &'static str {
        match Event::read(text) {
            Ok(Event::Records(_)) => "records",
            Ok(Event::Sweep(_)) => "sweep",
            Ok(Event::Refresh(_)) => "refresh",
            Err(_) => "refused",
        }
    }

    #[test]
    fn events_are_told_apart_and_those_of_others_are_refused() {
        for (text, expected) in [
            ("{}", "sweep"),
            (r#"{"sweep":{}}"#, "sweep"),
            (r#"{"sweep":{"part":1,"of":4}}"#, "sweep"),
            (
                r#"{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}"#,
                "sweep",
            ),
            (r#"{"refresh":{"appid":"a","subject":"b"}}"#, "refresh"),
            (r#"{"Records":[{"messageId":"m","body":"{}"}]}"#, "records"),
            (r#"{"Records":[]}"#, "records"),
            (r#"{"sweep":{"part":4,"of":4}}"#, "refused"),
            (r#"{"sweep":{"part":0,"of":0}}"#, "refused"),
            (
                r#"{"sweep":{},"refresh":{"appid":"a","subject":"b"}}"#,
                "refused",
            ),
            (r#"{"refesh":{"appid":"a","subject":"b"}}"#, "refused"),
            (r#"{"refresh":{"appid":"a"}}"#, "refused"),
            (r#"{"detail-type":"Object Created"}"#, "refused"),
            (r#"{"Records":[{"s3":{}}]}"#, "refused"),
            (
                r#"{"requestContext":{"http":{"method":"POST"}},"body":"{}"}"#,
                "refused",
            ),
            ("[]", "refused"),
            ("", "refused"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
