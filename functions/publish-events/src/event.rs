//! What the function is woken by.

use std::collections::BTreeMap;

use function_kit::{Failure, parse_arguments};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The members by which events are told apart.
#[derive(Deserialize)]
struct Marks {
    #[serde(rename = "requestContext")]
    request_context: Option<IgnoredAny>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
}

/// Checks that `event` is the schedule's, or `{}`.
///
/// # Errors
/// `invalid_argument` and `forbidden`, for events that are none of this function's.
pub(crate) fn check(event: &str) -> Result<(), Failure> {
    let marks: Marks = parse_arguments(event)?;
    if marks.request_context.is_some() {
        return Err(Failure::forbidden(
            "this function has no HTTP route: the schedule and direct invokes start it",
        ));
    }
    match marks.detail_type {
        Some(kind) if kind == "Scheduled Event" => Ok(()),
        None if is_empty(event) => Ok(()),
        _ => Err(Failure::invalid(
            "body",
            "must be {}: this function has no arguments",
        )),
    }
}

fn is_empty(event: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, &RawValue>>(event)
        .is_ok_and(|members| members.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_and_an_empty_object_are_taken_and_nothing_else() {
        for (event, is_taken) in [
            ("{}", true),
            (" {\n} ", true),
            (
                r#"{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}"#,
                true,
            ),
            (r#"{"detail-type":"order.paid","detail":{}}"#, false),
            (r#"{"Records":[]}"#, false),
            (r#"{"limit":1}"#, false),
            (
                r#"{"requestContext":{"http":{"method":"POST"}},"body":"{}"}"#,
                false,
            ),
            ("[]", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(check(event).is_ok(), is_taken, "{event}");
        }
    }
}
