use std::ops::Deref;

use function_kit::checked::{Object, OpenId, Rule, Text, optional};
use function_kit::{EarlierCheck, Failure};
use serde::Deserialize;

/// The most characters of one text. Alipay states no limit; this is twice that of WeChat's check.
const MAX_CHARACTERS: usize = 5_000;
/// The most texts of one call, so that all are judged before the function's time is over.
const MAX_TASKS: usize = 20;

/// The arguments of vk's `security.msgSecCheck`. Its `version`, `scene`, `title`, `nickname` and `signature` are accepted and
/// ignored: Alipay's checks have no such arguments.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The text.
    #[serde(default, deserialize_with = "optional")]
    content: Option<Content>,
    /// Several texts, in vk's form for Douyin.
    #[serde(default)]
    tasks: Option<Tasks>,
    /// Who wrote it; a user who is signed in can name themselves only.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) openid: Option<OpenId>,
    /// The text's own number at the caller's; with `eventId` the number of an earlier check.
    #[serde(
        default,
        rename = "dataId",
        alias = "app_scene_data_id",
        deserialize_with = "optional"
    )]
    data_id: Option<Text<100>>,
    /// The number of an earlier check whose judgement was to come later.
    #[serde(
        default,
        rename = "eventId",
        alias = "event_id",
        deserialize_with = "optional"
    )]
    event_id: Option<Text<128>>,
}

/// What is asked: exactly one of the three.
#[derive(Debug)]
pub(crate) enum Question<'a> {
    /// Whether one text may be published.
    One {
        content: &'a str,
        data_id: Option<&'a str>,
    },
    /// Whether several may.
    Several(&'a [Task]),
    /// What became of an earlier check.
    Earlier(EarlierCheck<'a>),
}

impl Input {
    pub(crate) fn question(&self) -> Result<Question<'_>, Failure> {
        let tasks = self.tasks.as_ref().map(|Tasks(tasks)| tasks.as_slice());
        let tasks = tasks.filter(|tasks| !tasks.is_empty());
        let data_id = self.data_id.as_deref();
        match (self.content.as_deref(), tasks, self.event_id.as_deref()) {
            (Some(content), None, None) => Ok(Question::One { content, data_id }),
            (None, Some(_), None) if data_id.is_some() => Err(Failure::invalid(
                "dataId",
                "is for one text; tasks are numbered by themselves",
            )),
            (None, Some(tasks), None) => Ok(Question::Several(tasks)),
            (None, None, Some(event_id)) => {
                EarlierCheck::new(event_id, data_id).map(Question::Earlier)
            }
            (None, None, None) => Err(Failure::invalid(
                "content",
                "is required, or tasks with several texts",
            )),
            _ => Err(Failure::invalid(
                "content",
                "give one of content, tasks and eventId",
            )),
        }
    }
}

/// A text to be checked: not blank, so that nothing invisible passes for checked.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Content(String);

impl TryFrom<String> for Content {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.chars().all(is_invisible) {
            return Err(Rule("must not be blank".to_owned()));
        }
        if text.chars().count() > MAX_CHARACTERS {
            return Err(Rule(format!(
                "must have at most {MAX_CHARACTERS} characters; send longer texts as tasks"
            )));
        }
        Ok(Self(text))
    }
}

impl Deref for Content {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Spaces, control characters, and the characters of no width that are neither to Rust.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{00ad}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
        )
}

/// One of several texts.
#[derive(Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Object<Task>>")]
struct Tasks(Vec<Task>);

impl TryFrom<Vec<Object<Task>>> for Tasks {
    type Error = Rule;

    fn try_from(tasks: Vec<Object<Task>>) -> Result<Self, Rule> {
        if tasks.len() > MAX_TASKS {
            return Err(Rule(format!("must have at most {MAX_TASKS} entries")));
        }
        Ok(Self(tasks.into_iter().map(|Object(task)| task).collect()))
    }
}

#[cfg(test)]
mod tests {
    use function_kit::Outcome;
    use serde_json::{Value, json};

    use super::*;

    fn read(input: Value) -> Result<Input, String> {
        serde_json::from_value(input).map_err(|error| error.to_string())
    }

    fn refused_field(input: Value) -> String {
        match read(input).unwrap().question().unwrap_err().outcome() {
            Outcome::InvalidArgument { field, .. } => field.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_blank_text_is_refused_however_it_is_blank() {
        for blank in [
            " ",
            "\n\t",
            "\u{3000}",
            "\u{200b}\u{feff}",
            "\u{0}",
            "\u{2060} \u{fe0f}",
        ] {
            let text = read(json!({"content": blank})).unwrap_err();
            assert!(text.contains("must not be blank"), "{blank:?}: {text}");
            assert!(read(json!({"tasks": [{"content": "好"}, {"content": blank}]})).is_err());
        }
        // What a vk client sends for a text that it leaves out is no text either.
        for absent in [json!(""), json!(null)] {
            assert_eq!(refused_field(json!({"content": absent})), "content");
        }
        assert!(read(json!({"tasks": [{"content": ""}]})).is_err());
        assert!(read(json!({"tasks": [{}]})).is_err());
        assert!(read(json!({"tasks": [["好"]]})).is_err());
    }

    #[test]
    fn five_thousand_characters_are_checked_and_one_more_is_not() {
        let text = |length: usize| json!({"content": "字".repeat(length)});
        assert!(read(text(5_000)).is_ok());
        assert!(read(text(5_001)).unwrap_err().contains("at most 5000"));
    }

    #[test]
    fn twenty_tasks_are_checked_and_one_more_is_not() {
        let tasks = |count: usize| json!({"tasks": vec![json!({"content": "好"}); count]});
        assert!(read(tasks(20)).is_ok());
        assert!(read(tasks(21)).unwrap_err().contains("at most 20"));
    }

    #[test]
    fn vks_other_arguments_are_ignored() {
        let input = json!({
            "content": "好", "version": 2, "scene": 1, "title": "t", "nickname": "n", "signature": "s", "tasks": [],
            "openid": "", "eventId": null,
        });
        let input = read(input).unwrap();
        assert!(matches!(
            input.question(),
            Ok(Question::One {
                content: "好",
                data_id: None
            })
        ));
    }

    #[test]
    fn exactly_one_question_is_asked() {
        let task = json!([{"content": "好"}]);
        for (input, field) in [
            (json!({}), "content"),
            (json!({"tasks": []}), "content"),
            (json!({"content": "好", "tasks": task}), "content"),
            (
                json!({"content": "好", "eventId": "e", "dataId": "d"}),
                "content",
            ),
            (json!({"tasks": task, "dataId": "d"}), "dataId"),
            (json!({"eventId": "e"}), "dataId"),
            (json!({"dataId": "d"}), "content"),
        ] {
            assert_eq!(refused_field(input.clone()), field, "{input}");
        }
    }

    #[test]
    fn an_earlier_answers_own_names_ask_again() {
        for input in [
            json!({"eventId": "e", "dataId": "d"}),
            json!({"event_id": "e", "app_scene_data_id": "d"}),
        ] {
            let expected = EarlierCheck::new("e", Some("d")).unwrap();
            let input = read(input).unwrap();
            assert!(matches!(input.question(), Ok(Question::Earlier(found)) if found == expected));
        }
    }
}
