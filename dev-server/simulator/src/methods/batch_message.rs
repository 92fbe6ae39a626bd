//! `alipay.open.app.mini.templatemessage.batchsend`: one message to all who subscribed to its template, or to those of
//! them who belong to a crowd (Alipay's document of `crowd_code`).
//!
//! No document lists its sub_codes; it has those of the single message.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::template_message::{keywords, page, template};
use super::{Answer, Call, text};
use crate::clock;
use crate::grants::random_text;
use crate::refusal::{Refusal, success};
use crate::world::World;

/// A batch of messages that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentBatch {
    /// `batch_msg_id` of the reply.
    pub batch_msg_id: String,
    /// The app that sent it.
    pub app_id: String,
    /// `template_id`.
    pub template_id: String,
    /// `page`.
    pub page: String,
    /// `crowd_code`, where there was one.
    pub crowd_code: Option<String>,
    /// `schedule_send_time`, where there was one.
    pub schedule_send_time: Option<String>,
    /// The keywords' values.
    pub keywords: BTreeMap<String, String>,
    /// The `user_id`s of those whom it reaches, as things stood when it was accepted.
    pub receivers: Vec<String>,
}

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = call
        .biz_content()
        .map_err(|_| Refusal::business("BIZ_CONTENT_FORMAT_ERROR", "biz_content格式错误"))?;
    let Some(app) = world.apps.get(call.app_id) else {
        return Err(Refusal::business("APP_NO_AVAIABLE", "应用不可用"));
    };
    let (template_id, keywords_wanted) = template(app, &biz_content, "template_id")?;
    let page = page(&biz_content)?;
    let keywords = keywords(biz_content.get("data"), keywords_wanted)?;
    let schedule_send_time = match biz_content.get("schedule_send_time") {
        None => None,
        Some(at) => Some(
            at.as_str()
                .filter(|at| {
                    clock::parse_beijing(at).is_some_and(|moment| moment > world.clock.now())
                })
                .ok_or_else(|| illegal("schedule_send_time"))?,
        ),
    };
    let crowd_code = text(&biz_content, "crowd_code");
    let crowd = match biz_content.get("crowd_code") {
        None => None,
        Some(_) => Some(
            crowd_code
                .and_then(|code| world.subscriptions.crowd(code))
                .ok_or_else(|| illegal("crowd_code"))?,
        ),
    };
    let mut receivers = world.subscriptions.subscribers(call.app_id, template_id);
    receivers.retain(|user_id| {
        crowd.is_none_or(|crowd| crowd.contains(user_id))
            && !world
                .unsubscribed
                .contains(&(call.app_id.to_owned(), user_id.clone()))
    });
    for user_id in &receivers {
        world
            .subscriptions
            .use_up(call.app_id, user_id, template_id);
    }
    let batch = SentBatch {
        batch_msg_id: random_text("", 32),
        app_id: call.app_id.to_owned(),
        template_id: template_id.to_owned(),
        page: page.to_owned(),
        crowd_code: crowd_code.map(str::to_owned),
        schedule_send_time: schedule_send_time.map(str::to_owned),
        keywords,
        receivers,
    };
    let id = Value::from(batch.batch_msg_id.as_str());
    world.batches.push(batch);
    Ok(success([("batch_msg_id", id)]))
}

fn illegal(name: &str) -> Refusal {
    Refusal::business("ILLEGAL_ARGUMENT_PARAMS", &format!("参数不合法：{name}"))
}
