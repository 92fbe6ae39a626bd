use std::path::PathBuf;

use dev_server::{Api, PUBLISH_EVENTS, REFRESH_TOKENS, ROUTES};
use serde_json::Value;

use crate::root;

/// Stands in events for what `my.getPhoneNumber` hands over, which is another text in each run.
const PHONE_NUMBER: &str = "events-phone-number";
/// Stands in events for the code of a merchant's authorisation, which works once.
const APP_AUTH_CODE: &str = "events-app-auth-code";

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
        let arguments = self.arguments();
        let code = ["code", "js_code", "auth_code"]
            .into_iter()
            .find_map(|name| arguments[name].as_str())?;
        code.starts_with("events-").then(|| code.to_owned())
    }

    /// The user in it who must have logged in before the event is sent; `None` where it needs none.
    pub fn user_to_log_in(&self) -> Option<String> {
        if self.is_about_nobody() {
            return None;
        }
        let arguments = self.arguments();
        let named = |user: &Value| user.as_str().map(str::to_owned);
        match &*self.function {
            "user-info" => named(&arguments["openid"]).or_else(|| self.signed_in_as()),
            "refresh-tokens" if arguments["refresh"]["kind"] != "isv" => {
                named(&arguments["refresh"]["subject"])
            }
            "link-open-ids" => named(&arguments["userIds"][0]),
            _ => None,
        }
    }

    /// The merchant's app in it that must have authorised the stack's app before the event is sent; `None` where it needs none.
    pub fn merchant_to_authorize(&self) -> Option<String> {
        if self.is_about_nobody() {
            return None;
        }
        let arguments = self.arguments();
        let merchant = match &*self.function {
            "isv-auth-query" => arguments["authAppId"].as_str(),
            "refresh-tokens" if arguments["refresh"]["kind"] == "isv" => {
                arguments["refresh"]["subject"].as_str()
            }
            _ => None,
        };
        merchant.map(str::to_owned)
    }

    /// Whether nobody has to be known for it.
    fn is_about_nobody(&self) -> bool {
        self.name.starts_with("wrong") || self.name.contains("unknown")
    }

    /// The event with `handed_over` in the place kept for what `my.getPhoneNumber` hands over; unchanged where there is none.
    pub fn with_phone_number(&self, handed_over: &str) -> Self {
        self.with_text(PHONE_NUMBER, handed_over)
    }

    /// Whether it has a place for the code of a merchant's authorisation.
    pub fn wants_app_auth_code(&self) -> bool {
        self.text.contains(APP_AUTH_CODE)
    }

    /// The event with `code` in that place.
    pub fn with_app_auth_code(&self, code: &str) -> Self {
        self.with_text(APP_AUTH_CODE, code)
    }

    /// The event with `text` wherever it has `place`, in its body or beside it.
    pub(crate) fn with_text(&self, place: &str, text: &str) -> Self {
        let quoted = Value::from(text).to_string();
        let inside_a_text = &quoted[1..quoted.len() - 1];
        let mut event: Value = serde_json::from_str(&self.text).unwrap();
        let text = match event["body"].as_str() {
            Some(body) if body.contains(place) => {
                event["body"] = body.replace(place, inside_a_text).into();
                event.to_string()
            }
            _ => self.text.clone(),
        };
        let text = text.replace(place, inside_a_text);
        Self {
            text,
            ..self.clone()
        }
    }

    /// The openid of the signed-in user who calls.
    fn signed_in_as(&self) -> Option<String> {
        let event: Value = serde_json::from_str(&self.text).unwrap();
        let claims = &event["requestContext"]["authorizer"]["jwt"]["claims"];
        claims["openid"].as_str().map(str::to_owned)
    }

    fn arguments(&self) -> Value {
        let event: Value = serde_json::from_str(&self.text).unwrap();
        match event["body"].as_str() {
            Some(body) => serde_json::from_str(body).unwrap_or_default(),
            None => event,
        }
    }
}

/// The events of `function`, sorted by name. There are at least two wrong ones, and one for each way in: directly and through API
/// Gateway where the function has a route for arguments, through API Gateway alone where its interface is HTTP itself; to the one
/// that refreshes tokens directly, by the schedule and by a queue, to the one that publishes what was left directly and by the schedule, to others without a route directly.
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
    let route = ROUTES.iter().find(|route| route.function == function);
    let ways_in: &[&str] = match route.map(|route| route.api) {
        Some(Api::Functions) => &["direct", "http"],
        Some(Api::Login) => &["http"],
        None if function == REFRESH_TOKENS => &["direct", "schedule", "queue"],
        None if function == PUBLISH_EVENTS => &["direct", "schedule"],
        None => &["direct"],
    };
    assert!(
        count("wrong") >= 2 && ways_in.iter().all(|way_in| count(way_in) >= 1),
        "events/{function} is incomplete"
    );
    events
}
