//! `alipay.security.risk.content.detect`: a text passes or is rejected. It knows no doubt, so a doubtful text passes.

use serde_json::Value;

use super::{Judgement, biz_content, required};
use crate::grants::random_text;
use crate::methods::{Answer, Call};
use crate::refusal::success;
use crate::world::World;

pub(in crate::methods) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = biz_content(call)?;
    let content = required(&biz_content, "content")?;
    let judgement = world.content_rules.judge([content].into_iter());
    let unique_id = ("unique_id", Value::from(random_text("0b", 30)));
    Ok(match judgement {
        Judgement::Forbidden(words) => success([
            ("action", Value::from("REJECTED")),
            ("keywords", keywords(&words)),
            unique_id,
        ]),
        Judgement::Passed | Judgement::Doubtful(_) => {
            success([("action", Value::from("PASSED")), unique_id])
        }
    })
}

/// As in Alipay's sample of a reply: the list's own text cut at its commas, brackets and quotes left where they stood.
fn keywords(words: &[String]) -> Value {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("[ {} ]", quoted.join(", "))
        .split(',')
        .map(Value::from)
        .collect()
}
