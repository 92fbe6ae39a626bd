//! From a reply's node to a judgement. What is not clearly a pass never becomes one: every member is read as any JSON value, so
//! that a wrong type is a doubt and not a lost refusal.

use serde::Deserialize;
use serde_json::Value;

/// More keywords or labels than this are left out.
const MAX_WORDS: usize = 20;
/// A longer keyword or label is cut.
const MAX_WORD_CHARACTERS: usize = 64;
/// A longer number of Alipay's is taken for none.
const MAX_NUMBER_BYTES: usize = 128;

/// What Alipay thinks of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentVerdict {
    /// It may be published.
    Pass,
    /// It must not be published.
    Risky,
    /// A person has to look, or the judgement is not there yet, or it was not understood.
    Review,
}

/// A judgement with what Alipay says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: ContentVerdict,
    /// The words that were hit; at most 20 of at most 64 characters.
    pub keywords: Vec<String>,
    /// The kinds of risk; at most 20 of at most 64 characters.
    pub labels: Vec<String>,
    /// Alipay's number for the check.
    pub unique_id: Option<String>,
    /// What to ask again with, where the judgement comes later.
    pub pending: Option<Pending>,
}

/// An analysis whose judgement comes later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The number of the analysis.
    pub event_id: String,
    /// The content's number, where the reply repeats it.
    pub app_scene_data_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Detection {
    #[serde(default)]
    action: Value,
    #[serde(default)]
    keywords: Value,
    #[serde(default)]
    unique_id: Value,
}

pub(super) fn of_detection(node: Detection) -> Judgement {
    Judgement {
        verdict: verdict(&node.action, "PASSED"),
        keywords: words(texts(&node.keywords)),
        labels: Vec::new(),
        unique_id: number(&node.unique_id),
        pending: None,
    }
    .without_contradiction()
}

#[derive(Deserialize)]
pub(super) struct SyncDetection {
    #[serde(default)]
    suggestion: Value,
    #[serde(default)]
    is_sync: Value,
    #[serde(default)]
    detect_check_labels: Value,
    #[serde(default)]
    request_id: Value,
    #[serde(default)]
    result_code: Value,
}

pub(super) fn of_sync_detection(node: SyncDetection) -> Judgement {
    let suggested = verdict(&node.suggestion, "pass");
    // A suggestion before the whole check is done is not the last word.
    let is_whole = match &node.is_sync {
        Value::Null => true,
        value => is_true(value),
    };
    let judgement = Judgement {
        verdict: match suggested {
            ContentVerdict::Pass if !is_whole || !says_success(&node.result_code) => {
                ContentVerdict::Review
            }
            suggested => suggested,
        },
        keywords: Vec::new(),
        labels: words(members(&node.detect_check_labels, "label")),
        unique_id: number(&node.request_id),
        pending: None,
    };
    judgement.without_contradiction()
}

/// The values of `result_code` are documented nowhere. Absent, or one of the usual words for a success.
fn says_success(result_code: &Value) -> bool {
    match result_code {
        Value::Null => true,
        Value::String(word) => {
            matches!(
                word.to_ascii_uppercase().as_str(),
                "" | "SUCCESS" | "OK" | "0" | "200" | "10000"
            )
        }
        Value::Number(number) => matches!(number.as_u64(), Some(0 | 200 | 10000)),
        _ => false,
    }
}

impl Judgement {
    /// A pass that names what it found is none. `normal` and `pass` are the labels of content in which nothing was found.
    fn without_contradiction(mut self) -> Self {
        let harmless = |label: &String| matches!(label.as_str(), "normal" | "pass");
        let found_something = !self.keywords.is_empty() || !self.labels.iter().all(harmless);
        if self.verdict == ContentVerdict::Pass && found_something {
            self.verdict = ContentVerdict::Review;
        }
        self
    }
}

#[derive(Deserialize)]
pub(super) struct Analysis {
    #[serde(default)]
    result_action: Value,
    #[serde(default)]
    need_query: Value,
    #[serde(default)]
    event_id: Value,
    #[serde(default)]
    app_scene_data_id: Value,
    #[serde(default)]
    hit_detect_items: Value,
    #[serde(default)]
    risk_labels: Value,
}

pub(super) fn of_analysis(node: Analysis) -> Judgement {
    let is_last_word = node.need_query.as_str() == Some("no_need");
    let verdict = match verdict(&node.result_action, "PASSED") {
        ContentVerdict::Pass if !is_last_word => ContentVerdict::Review,
        verdict => verdict,
    };
    let event_id = number(&node.event_id);
    let comes_later = verdict == ContentVerdict::Review && !is_last_word;
    Judgement {
        pending: event_id
            .clone()
            .filter(|_| comes_later)
            .map(|event_id| Pending {
                event_id,
                app_scene_data_id: number(&node.app_scene_data_id),
            }),
        unique_id: event_id,
        ..of_result(verdict, &node.hit_detect_items, &node.risk_labels)
    }
}

#[derive(Deserialize)]
pub(super) struct AnalysisResult {
    #[serde(default)]
    result_action: Value,
    #[serde(default)]
    hit_detect_items: Value,
    #[serde(default)]
    risk_labels: Value,
}

pub(super) fn of_analysis_result(node: AnalysisResult) -> Judgement {
    let verdict = verdict(&node.result_action, "PASSED");
    of_result(verdict, &node.hit_detect_items, &node.risk_labels)
}

fn of_result(verdict: ContentVerdict, hit_items: &Value, risk_labels: &Value) -> Judgement {
    Judgement {
        verdict,
        keywords: words(members(hit_items, "hit_content")),
        labels: words(texts(risk_labels)),
        unique_id: None,
        pending: None,
    }
    .without_contradiction()
}

/// `pass` is the one word by which the method passes a content.
///
/// Of the analysis' words, CC (only its author sees it), REPLACE, WARNING and RECOVER leave a decision to the caller.
fn verdict(word: &Value, pass: &str) -> ContentVerdict {
    match word.as_str() {
        Some(word) if word == pass => ContentVerdict::Pass,
        Some("REJECTED" | "DELETE" | "block") => ContentVerdict::Risky,
        _ => ContentVerdict::Review,
    }
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true) || value.as_str() == Some("true")
}

fn number(value: &Value) -> Option<String> {
    let fits = |text: &&str| {
        (1..=MAX_NUMBER_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    value.as_str().filter(fits).map(str::to_owned)
}

/// The texts in a text or in an array of texts.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(entries) => entries.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The texts called `name` in an object or in an array of objects.
fn members<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    let entries = match value {
        Value::Array(entries) => entries.as_slice(),
        one => std::slice::from_ref(one),
    };
    entries
        .iter()
        .filter_map(|entry| entry.get(name)?.as_str())
        .collect()
}

/// The single words in Alipay's lists, whose elements may be pieces of a list written as text: `[ "x"` and ` "y" ]` were seen.
fn words(lists: Vec<&str>) -> Vec<String> {
    let is_around = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '[' | ']' | '\'' | '\\')
    };
    let mut words = Vec::new();
    for word in lists.iter().flat_map(|list| list.split(['"', ',', '，'])) {
        let word: String = word
            .trim_matches(is_around)
            .chars()
            .filter(|character| !character.is_control())
            .take(MAX_WORD_CHARACTERS)
            .collect();
        if !word.is_empty() && !words.contains(&word) && words.len() < MAX_WORDS {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn judge<Node: DeserializeOwned>(read: fn(Node) -> Judgement, node: Value) -> Judgement {
        read(serde_json::from_value(node).unwrap())
    }

    /// Every word that any of the methods has, and values that none of them has.
    fn every_value() -> Vec<Value> {
        let words = [
            "PASSED",
            "REJECTED",
            "CC",
            "DELETE",
            "REPLACE",
            "WARNING",
            "RECOVER",
            "pass",
            "block",
            "review",
            "Pass",
            "passed",
            " PASSED",
            "PASSED ",
            "PASS",
            "pass;block",
            "NEW",
            "",
        ];
        let others = [
            json!(null),
            json!(true),
            json!(0),
            json!(["PASSED"]),
            json!(["pass"]),
            json!({"action": "PASSED"}),
        ];
        words.into_iter().map(Value::from).chain(others).collect()
    }

    /// What the table below says about `value`, where `pass` is the one word that passes.
    fn expected(value: &Value, pass: &str) -> ContentVerdict {
        match value.as_str() {
            Some(word) if word == pass => ContentVerdict::Pass,
            Some("REJECTED" | "DELETE" | "block") => ContentVerdict::Risky,
            _ => ContentVerdict::Review,
        }
    }

    #[test]
    fn only_the_methods_own_word_is_a_pass() {
        for value in every_value() {
            assert_eq!(
                judge(of_detection, json!({"action": value})).verdict,
                expected(&value, "PASSED"),
                "detect {value}"
            );
            assert_eq!(
                judge(of_sync_detection, json!({"suggestion": value})).verdict,
                expected(&value, "pass"),
                "sync.detect {value}"
            );
            assert_eq!(
                judge(
                    of_analysis,
                    json!({"result_action": value, "need_query": "no_need"})
                )
                .verdict,
                expected(&value, "PASSED"),
                "analyze {value}"
            );
            assert_eq!(
                judge(of_analysis_result, json!({"result_action": value})).verdict,
                expected(&value, "PASSED"),
                "result.get {value}"
            );
        }
    }

    #[test]
    fn a_missing_verdict_is_a_doubt_in_every_method() {
        let verdicts = [
            judge(of_detection, json!({})).verdict,
            judge(of_sync_detection, json!({})).verdict,
            judge(of_analysis, json!({})).verdict,
            judge(of_analysis, json!({"need_query": "no_need"})).verdict,
            judge(of_analysis_result, json!({})).verdict,
        ];
        assert_eq!(verdicts, [ContentVerdict::Review; 5]);
    }

    #[test]
    fn an_analysis_passes_only_when_nothing_is_left_to_ask() {
        for need_query in [
            json!("need"),
            json!(""),
            json!(null),
            json!("NO_NEED"),
            json!(false),
        ] {
            let node = |action: &str| json!({"result_action": action, "need_query": need_query, "event_id": "e-1", "app_scene_data_id": "d-1"});
            let passed = judge(of_analysis, node("PASSED"));
            assert_eq!(passed.verdict, ContentVerdict::Review, "{need_query}");
            assert_eq!(
                passed.pending,
                Some(Pending {
                    event_id: "e-1".to_owned(),
                    app_scene_data_id: Some("d-1".to_owned())
                })
            );
            let rejected = judge(of_analysis, node("REJECTED"));
            assert_eq!(
                (rejected.verdict, rejected.pending),
                (ContentVerdict::Risky, None)
            );
        }
        let doubted = json!({"result_action": "CC", "need_query": "no_need", "event_id": "e-1"});
        let doubted = judge(of_analysis, doubted);
        assert_eq!(
            (doubted.verdict, doubted.pending),
            (ContentVerdict::Review, None)
        );
    }

    #[test]
    fn a_suggestion_before_the_check_is_done_is_no_pass() {
        for is_sync in [json!(false), json!("false"), json!(0), json!("")] {
            let node = |suggestion: &str| json!({"suggestion": suggestion, "is_sync": is_sync});
            assert_eq!(
                judge(of_sync_detection, node("pass")).verdict,
                ContentVerdict::Review,
                "{is_sync}"
            );
            assert_eq!(
                judge(of_sync_detection, node("block")).verdict,
                ContentVerdict::Risky
            );
        }
        for is_sync in [json!(true), json!("true"), json!(null)] {
            let node = json!({"suggestion": "pass", "is_sync": is_sync});
            assert_eq!(
                judge(of_sync_detection, node).verdict,
                ContentVerdict::Pass,
                "{is_sync}"
            );
        }
    }

    #[test]
    fn pieces_of_a_list_written_as_text_become_words() {
        for (keywords, expected) in [
            (json!(["[ \"张三\"", " \"李四\" ]"]), vec!["张三", "李四"]),
            (json!("[\"张三\",\"李四\"]"), vec!["张三", "李四"]),
            (json!("张三，李四"), vec!["张三", "李四"]),
            (json!(["张三", "张三", "", "[", " ]"]), vec!["张三"]),
            (json!(["two words", "a\u{0}b"]), vec!["two words", "ab"]),
            (json!(["张三", 7, null, {"word": "x"}]), vec!["张三"]),
            (json!(7), vec![]),
            (json!(null), vec![]),
        ] {
            let judgement = judge(
                of_detection,
                json!({"action": "REJECTED", "keywords": keywords}),
            );
            assert_eq!(judgement.verdict, ContentVerdict::Risky);
            assert_eq!(judgement.keywords, expected, "{keywords}");
        }
    }

    #[test]
    fn a_list_of_any_size_is_cut() {
        let many: Vec<_> = (0..1_000).map(|index| format!("word{index}")).collect();
        let judgement = judge(of_detection, json!({"keywords": many}));
        assert_eq!(judgement.keywords.len(), MAX_WORDS);
        let long = judge(of_detection, json!({"keywords": ["字".repeat(10_000)]}));
        assert_eq!(long.keywords[0].chars().count(), MAX_WORD_CHARACTERS);
    }

    #[test]
    fn labels_and_hits_are_read_from_one_object_or_several() {
        for labels in [
            json!({"label": "porn", "rate": "99.9"}),
            json!([{"label": "porn"}, {"rate": "1"}]),
        ] {
            let node =
                json!({"suggestion": "block", "detect_check_labels": labels, "request_id": "r-1"});
            let judgement = judge(of_sync_detection, node);
            assert_eq!(judgement.labels, ["porn"]);
            assert_eq!(judgement.unique_id.as_deref(), Some("r-1"));
        }
        let node = json!({
            "result_action": "REJECTED", "risk_labels": "porn,abuse",
            "hit_detect_items": [{"hit_content": "张三"}, {"hit_content": null}],
        });
        let judgement = judge(of_analysis_result, node);
        assert_eq!(judgement.labels, ["porn", "abuse"]);
        assert_eq!(judgement.keywords, ["张三"]);
    }

    #[test]
    fn a_number_that_is_none_is_left_out() {
        for unique_id in [
            json!(""),
            json!(7),
            json!(null),
            json!("a b"),
            json!("x".repeat(129)),
        ] {
            let node = json!({"action": "PASSED", "unique_id": unique_id});
            let judgement = judge(of_detection, node);
            assert_eq!(
                (judgement.verdict, judgement.unique_id),
                (ContentVerdict::Pass, None)
            );
        }
    }

    #[test]
    fn a_pass_that_contradicts_itself_is_a_doubt() {
        let sync = |rest: &str| {
            let node = format!(r#"{{"suggestion":"pass"{rest}}}"#);
            of_sync_detection(serde_json::from_str(&node).unwrap()).verdict
        };
        for rest in [
            "",
            r#","result_code":"SUCCESS""#,
            r#","result_code":200"#,
            r#","detect_check_labels":[{"label":"normal"}]"#,
        ] {
            assert_eq!(sync(rest), ContentVerdict::Pass, "{rest}");
        }
        for rest in [
            r#","result_code":"SYSTEM_ERROR""#,
            r#","result_code":"FAIL""#,
            r#","result_code":{}"#,
            r#","detect_check_labels":[{"label":"porn","rate":99}]"#,
        ] {
            assert_eq!(sync(rest), ContentVerdict::Review, "{rest}");
        }
        let detected = serde_json::from_str(r#"{"action":"PASSED","keywords":["x"]}"#).unwrap();
        assert_eq!(of_detection(detected).verdict, ContentVerdict::Review);
        let result = r#"{"result_action":"PASSED","risk_labels":["porn"]}"#;
        let result = of_analysis_result(serde_json::from_str(result).unwrap());
        assert_eq!(result.verdict, ContentVerdict::Review);
    }
}
