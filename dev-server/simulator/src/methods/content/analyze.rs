//! `alipay.security.risk.content.analyze` and `….content.result.get`.
//!
//! A text alone is judged at once. What has to be fetched (pictures, sound, films, links) is judged a minute later by the
//! simulator's clock: until then neither method's reply has a `result_action`.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::{Judgement, biz_content, invalid, is_web_address, optional, required};
use crate::clock;
use crate::grants::random_text;
use crate::methods::{Answer, Call};
use crate::refusal::{Refusal, success};
use crate::world::World;

/// Alipay's document: ask for the result after 60 seconds.
const JUDGED_AFTER: Duration = Duration::from_secs(60);
/// The members that hold addresses.
const ADDRESSES: [&str; 4] = ["picture_urls", "audio_urls", "video_urls", "link_urls"];

/// A content that was handed in.
pub(crate) struct AnalyzedContent {
    app_id: String,
    app_scene: String,
    app_scene_data_id: String,
    event_id: String,
    judgement: Judgement,
    judged_at: SystemTime,
}

pub(in crate::methods) fn analyze(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = biz_content(call)?;
    required(&biz_content, "app_name")?;
    let app_scene = required(&biz_content, "app_scene")?;
    let app_scene_data_id = required(&biz_content, "app_scene_data_id")?;
    check_account(&biz_content)?;
    if let Some(date) = optional(&biz_content, "publish_date")?
        && clock::parse_beijing(date).is_none()
    {
        return Err(invalid("publish_date"));
    }
    let text = optional(&biz_content, "text")?;
    let addresses = addresses(&biz_content)?;
    if text.is_none() && addresses.is_empty() {
        return Err(invalid("text"));
    }
    let now = world.clock.now();
    let content = AnalyzedContent {
        app_id: call.app_id.to_owned(),
        app_scene: app_scene.to_owned(),
        app_scene_data_id: app_scene_data_id.to_owned(),
        event_id: random_text("", 32),
        judgement: world
            .content_rules
            .judge(text.into_iter().chain(addresses.iter().copied())),
        judged_at: if addresses.is_empty() {
            now
        } else {
            now + JUDGED_AFTER
        },
    };
    let mut node = result(&content, now);
    let need_query = if addresses.is_empty() {
        "no_need"
    } else {
        "need"
    };
    for (name, value) in [
        ("need_query", need_query),
        ("event_id", &content.event_id),
        ("app_scene_data_id", app_scene_data_id),
    ] {
        node.insert(name.to_owned(), value.into());
    }
    world.analyzed.push(content);
    Ok(node)
}

pub(in crate::methods) fn result_get(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = biz_content(call)?;
    let app_scene = required(&biz_content, "app_scene")?;
    let data_id = optional(&biz_content, "app_scene_data_id")?;
    let event_id = optional(&biz_content, "event_id")?;
    if data_id.is_none() && event_id.is_none() {
        return Err(invalid("event_id"));
    }
    let content = world
        .analyzed
        .iter()
        .rev()
        .find(|content| {
            content.app_id == call.app_id
                && content.app_scene == app_scene
                && data_id.is_none_or(|id| id == content.app_scene_data_id)
                && event_id.is_none_or(|id| id == content.event_id)
        })
        .ok_or_else(|| invalid("event_id"))?;
    Ok(result(content, world.clock.now()))
}

/// Whose content it is: `account_type` says of what kind `account_id` is, 0 a user and 1 a merchant.
fn check_account(biz_content: &Map<String, Value>) -> Result<(), Refusal> {
    let account = optional(biz_content, "account_id")?;
    match (account, optional(biz_content, "account_type")?) {
        (_, None) | (Some(_), Some("0" | "1")) => Ok(()),
        _ => Err(invalid("account_type")),
    }
}

fn addresses(biz_content: &Map<String, Value>) -> Result<Vec<&str>, Refusal> {
    let mut addresses = Vec::new();
    for name in ADDRESSES {
        let Some(list) = biz_content.get(name) else {
            continue;
        };
        for address in list.as_array().ok_or_else(|| invalid(name))? {
            let address = address.as_str().filter(|address| is_web_address(address));
            addresses.push(address.ok_or_else(|| invalid(name))?);
        }
    }
    Ok(addresses)
}

/// The members of a result, as far as there is one at this time.
fn result(content: &AnalyzedContent, now: SystemTime) -> Map<String, Value> {
    if now < content.judged_at {
        return success([]);
    }
    let action = match content.judgement {
        Judgement::Passed => "PASSED",
        Judgement::Doubtful(_) => "WARNING",
        Judgement::Forbidden(_) => "REJECTED",
    };
    let mut node = success([("result_action", Value::from(action))]);
    let words = content.judgement.words();
    if !words.is_empty() {
        let items = words.iter().map(|word| {
            json!({
                "detect_type_code": "KEYWORDS",
                "hit_detect_resource": word,
                "hit_content": word,
                "detect_resource_level": "1",
            })
        });
        node.insert("hit_detect_items".to_owned(), items.collect());
        node.insert("risk_labels".to_owned(), "other".into());
    }
    node
}
