//! A request and its answer in EventBridge's form.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::PublishedEvent;

/// EventBridge takes as many entries in one request.
const MOST_ENTRIES: usize = 10;
/// And as many bytes of all entries together.
const MOST_BYTES: usize = 256 * 1024;
/// What the time of an entry counts for.
const TIME_BYTES: usize = 14;
const LONGEST_SOURCE: usize = 256;
const LONGEST_DETAIL_TYPE: usize = 128;
const LONGEST_BUS_NAME: usize = 1600;
const DEFAULT_BUS: &str = "default";

/// What EventBridge answers to a request that it does not take as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl Refusal {
    pub(crate) const fn validation(message: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "ValidationException",
            message,
        }
    }

    pub(crate) fn body(&self) -> Value {
        json!({"__type": self.code, "message": self.message})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    time: Option<f64>,
    source: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// Why an entry is not published; the others of its request are.
pub(crate) struct EntryError {
    code: String,
    message: String,
}

impl EntryError {
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    fn required(argument: &str) -> Self {
        let message = format!(
            "Parameter {argument} is not valid. Reason: {argument} is a required argument."
        );
        Self::new("InvalidArgument", &message)
    }
}

/// What is to be published, entry by entry.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Result<PublishedEvent, EntryError>>, Refusal> {
    let request: Request = serde_json::from_slice(body).map_err(|_| Refusal {
        status: StatusCode::BAD_REQUEST,
        code: "SerializationException",
        message: "the body is no PutEvents request",
    })?;
    if !(1..=MOST_ENTRIES).contains(&request.entries.len()) {
        return Err(Refusal::validation("there must be 1 to 10 entries"));
    }
    if request.entries.iter().map(Entry::bytes).sum::<usize>() > MOST_BYTES {
        return Err(Refusal::validation(
            "Total size of the entries in the request is over the limit.",
        ));
    }
    Ok(request.entries.into_iter().map(Entry::event).collect())
}

/// The answer to the entries of a request.
pub(crate) fn answer<'a>(entries: impl Iterator<Item = Option<&'a EntryError>>) -> Value {
    let mut failed = 0;
    let entries: Vec<_> = entries
        .map(|error| match error {
            None => json!({"EventId": Uuid::new_v4().to_string()}),
            Some(EntryError { code, message }) => {
                failed += 1;
                json!({"ErrorCode": code, "ErrorMessage": message})
            }
        })
        .collect();
    json!({"FailedEntryCount": failed, "Entries": entries})
}

impl Entry {
    /// As EventBridge counts them.
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let resources: usize = self.resources.iter().map(String::len).sum();
        texts + resources + self.time.map_or(0, |_| TIME_BYTES)
    }

    fn event(self) -> Result<PublishedEvent, EntryError> {
        let of_length = |name, value: Option<String>, longest| match value {
            None => Err(EntryError::required(name)),
            Some(text) if text.is_empty() => Err(EntryError::required(name)),
            Some(text) if text.len() > longest => Err(EntryError::new(
                "InvalidArgument",
                &format!("Parameter {name} is not valid. Reason: it is too long."),
            )),
            Some(text) => Ok(text),
        };
        let source = of_length("Source", self.source, LONGEST_SOURCE)?;
        if source.starts_with("aws.") {
            return Err(EntryError::new(
                "NotAuthorizedForSourceException",
                "Not authorized for the source.",
            ));
        }
        let detail_type = of_length("DetailType", self.detail_type, LONGEST_DETAIL_TYPE)?;
        let detail = self.detail.ok_or_else(|| EntryError::required("Detail"))?;
        let detail: Map<String, Value> = serde_json::from_str(&detail)
            .map_err(|_| EntryError::new("MalformedDetail", "Detail is malformed."))?;
        let bus = match self.event_bus_name {
            None => DEFAULT_BUS.to_owned(),
            Some(name) => of_length("EventBusName", Some(name), LONGEST_BUS_NAME)?,
        };
        Ok(PublishedEvent {
            bus,
            source,
            detail_type,
            detail: detail.into(),
        })
    }
}
