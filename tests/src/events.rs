use std::path::PathBuf;

use serde_json::Value;

use crate::root;

/// One file of `events/`.
#[derive(Debug, Clone)]
pub struct Event {
    /// The function it is for: its folder's name.
    pub function: String,
    /// The file's name without ending.
    pub name: String,
    /// The file's content.
    pub text: String,
}

impl Event {
    /// The login code in it, which must be issued before the event is sent; `None` where it has none that should work.
    pub fn code_to_issue(&self) -> Option<String> {
        let event: Value = serde_json::from_str(&self.text).unwrap();
        let arguments = match event["body"].as_str() {
            Some(body) => serde_json::from_str(body).unwrap_or_default(),
            None => event,
        };
        let code = arguments["code"]
            .as_str()
            .or_else(|| arguments["js_code"].as_str())?;
        code.starts_with("events-").then(|| code.to_owned())
    }
}

/// The events of `function`, sorted by name. There are at least a direct one, an HTTP one and two wrong ones.
pub fn events_of(function: &str) -> Vec<Event> {
    let folder = root().join("events").join(function);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let events: Vec<Event> = paths
        .iter()
        .map(|path| Event {
            function: function.to_owned(),
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            text: std::fs::read_to_string(path).unwrap(),
        })
        .collect();
    let count = |prefix: &str| {
        events
            .iter()
            .filter(|event| event.name.starts_with(prefix))
            .count()
    };
    assert!(
        count("direct") >= 1 && count("http") >= 1 && count("wrong") >= 2,
        "events/{function} is incomplete"
    );
    events
}
