use alipay_gateway::methods::{ContentVerdict, Judgement, Pending};
use serde::Serialize;

use crate::Success;

/// The fields of a check's answer, beside `code` and `msg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckAnswer {
    result: CheckResult,
    /// Which of several texts is meant, counted from 0.
    #[serde(rename = "taskIndex", skip_serializing_if = "Option::is_none")]
    task_index: Option<usize>,
    #[serde(rename = "needReview", skip_serializing_if = "is_false")]
    need_review: bool,
    #[serde(flatten)]
    numbers: Numbers,
    /// All doubted ones of several texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reviews: Vec<Doubted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CheckResult {
    suggest: &'static str,
    /// Always there in a risky result.
    #[serde(skip_serializing_if = "Option::is_none")]
    keywords: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
}

/// Alipay's numbers for a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Numbers {
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_id: Option<String>,
    /// This and the next ask again, where the judgement comes later.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_scene_data_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Doubted {
    #[serde(rename = "taskIndex")]
    task_index: usize,
    #[serde(flatten)]
    numbers: Numbers,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl CheckAnswer {
    /// The answer for an image. A pass and a doubt have code 0, a risky image vk's 87014 and `risky_message`.
    pub fn to_image(judgement: Judgement, risky_message: &'static str) -> Success<Self> {
        Self::answer(judgement, None, Vec::new(), risky_message)
    }

    /// The answer for one text, as [`Self::to_image`]. A risky text is `taskIndex` 0, as in vk.
    pub fn to_text(judgement: Judgement, risky_message: &'static str) -> Success<Self> {
        let task_index = (judgement.verdict == ContentVerdict::Risky).then_some(0);
        Self::answer(judgement, task_index, Vec::new(), risky_message)
    }

    /// The answer for several texts, in their order: that for the first risky one, else for the first doubted one, else a pass.
    /// Nothing judged is a doubt.
    pub fn to_texts(judgements: Vec<Judgement>, risky_message: &'static str) -> Success<Self> {
        let first = |verdict: ContentVerdict| {
            judgements
                .iter()
                .position(|judgement| judgement.verdict == verdict)
        };
        let doubted = || {
            let doubted = judgements.iter().enumerate();
            doubted
                .filter(|(_, judgement)| judgement.verdict == ContentVerdict::Review)
                .map(|(task_index, judgement)| Doubted {
                    task_index,
                    numbers: Numbers::of(judgement),
                })
                .collect()
        };
        let (decisive, reviews) = match first(ContentVerdict::Risky) {
            Some(index) => (Some(index), Vec::new()),
            None => (first(ContentVerdict::Review), doubted()),
        };
        let whole = |verdict| Judgement {
            verdict,
            keywords: Vec::new(),
            labels: Vec::new(),
            unique_id: None,
            pending: None,
        };
        let judgement = match decisive.and_then(|index| judgements.get(index)) {
            Some(judgement) => judgement.clone(),
            None if judgements.is_empty() => whole(ContentVerdict::Review),
            None => whole(ContentVerdict::Pass),
        };
        Self::answer(judgement, decisive, reviews, risky_message)
    }

    fn answer(
        judgement: Judgement,
        task_index: Option<usize>,
        reviews: Vec<Doubted>,
        risky_message: &'static str,
    ) -> Success<Self> {
        let numbers = Numbers::of(&judgement);
        let keywords = judgement.keywords;
        let (suggest, keywords) = match judgement.verdict {
            ContentVerdict::Pass => ("pass", None),
            ContentVerdict::Risky => ("risky", Some(keywords)),
            ContentVerdict::Review => ("review", Some(keywords).filter(|words| !words.is_empty())),
        };
        let fields = Self {
            result: CheckResult {
                suggest,
                keywords,
                labels: judgement.labels,
            },
            task_index,
            need_review: judgement.verdict == ContentVerdict::Review,
            numbers,
            reviews,
        };
        match judgement.verdict {
            ContentVerdict::Risky => Success::risky_content(risky_message, fields),
            ContentVerdict::Pass | ContentVerdict::Review => Success::new("ok", fields),
        }
    }
}

impl Numbers {
    fn of(judgement: &Judgement) -> Self {
        let pending = judgement.pending.as_ref();
        Self {
            unique_id: judgement.unique_id.clone(),
            event_id: pending.map(|pending: &Pending| pending.event_id.clone()),
            app_scene_data_id: pending.and_then(|pending| pending.app_scene_data_id.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judgement(verdict: ContentVerdict) -> Judgement {
        Judgement {
            verdict,
            keywords: Vec::new(),
            labels: Vec::new(),
            unique_id: Some("u-1".to_owned()),
            pending: None,
        }
    }

    fn pending(event_id: &str) -> Judgement {
        Judgement {
            unique_id: None,
            pending: Some(Pending {
                event_id: event_id.to_owned(),
                app_scene_data_id: Some(format!("data of {event_id}")),
            }),
            ..judgement(ContentVerdict::Review)
        }
    }

    fn body(answer: Success<CheckAnswer>) -> Value {
        serde_json::to_value(answer).unwrap()
    }

    #[test]
    fn a_pass_says_so_and_nothing_else() {
        let pass = || judgement(ContentVerdict::Pass);
        let expected =
            json!({"code": 0, "msg": "ok", "result": {"suggest": "pass"}, "unique_id": "u-1"});
        assert_eq!(body(CheckAnswer::to_text(pass(), "违规")), expected);
        assert_eq!(body(CheckAnswer::to_image(pass(), "违规")), expected);
        assert_eq!(
            body(CheckAnswer::to_texts(vec![pass(), pass()], "违规")),
            json!({"code": 0, "msg": "ok", "result": {"suggest": "pass"}})
        );
    }

    #[test]
    fn a_risky_content_has_vks_code_and_no_error() {
        let risky = || Judgement {
            keywords: vec!["张三".to_owned()],
            labels: vec!["abuse".to_owned()],
            ..judgement(ContentVerdict::Risky)
        };
        assert_eq!(
            body(CheckAnswer::to_text(risky(), "违规")),
            json!({
                "code": 87014, "msg": "违规", "result": {"suggest": "risky", "keywords": ["张三"], "labels": ["abuse"]},
                "taskIndex": 0, "unique_id": "u-1",
            })
        );
        assert_eq!(
            body(CheckAnswer::to_image(
                judgement(ContentVerdict::Risky),
                "图片"
            )),
            json!({"code": 87014, "msg": "图片", "result": {"suggest": "risky", "keywords": []}, "unique_id": "u-1"})
        );
    }

    #[test]
    fn a_doubt_says_what_to_ask_again_with() {
        assert_eq!(
            body(CheckAnswer::to_text(pending("e-1"), "违规")),
            json!({
                "code": 0, "msg": "ok", "result": {"suggest": "review"}, "needReview": true,
                "event_id": "e-1", "app_scene_data_id": "data of e-1",
            })
        );
    }

    #[test]
    fn the_first_risky_text_decides_whatever_else_is_doubted() {
        let texts = vec![
            judgement(ContentVerdict::Pass),
            pending("e-1"),
            judgement(ContentVerdict::Risky),
        ];
        let answer = body(CheckAnswer::to_texts(texts, "违规"));
        assert_eq!(
            (&answer["code"], &answer["taskIndex"], &answer["reviews"]),
            (&json!(87014), &json!(2), &Value::Null)
        );
    }

    #[test]
    fn every_doubted_text_is_named() {
        let texts = vec![
            judgement(ContentVerdict::Pass),
            pending("e-1"),
            judgement(ContentVerdict::Review),
        ];
        assert_eq!(
            body(CheckAnswer::to_texts(texts, "违规")),
            json!({
                "code": 0, "msg": "ok", "result": {"suggest": "review"}, "needReview": true, "taskIndex": 1,
                "event_id": "e-1", "app_scene_data_id": "data of e-1",
                "reviews": [
                    {"taskIndex": 1, "event_id": "e-1", "app_scene_data_id": "data of e-1"},
                    {"taskIndex": 2, "unique_id": "u-1"},
                ],
            })
        );
    }

    #[test]
    fn nothing_judged_is_no_pass() {
        let answer = body(CheckAnswer::to_texts(Vec::new(), "违规"));
        assert_eq!(answer["needReview"], true, "{answer}");
    }
}
