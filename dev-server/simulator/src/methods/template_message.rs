//! `alipay.open.app.mini.templatemessage.send`, with the limits and sub_codes of Alipay's document.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Answer, Call, text};
use crate::apps::AppRecord;
use crate::refusal::{Refusal, success};
use crate::users::{is_user_id, open_id};
use crate::world::World;

/// Characters in `data`, and in the value of a keyword; in `page`, `form_id`, `user_template_id`.
const DATA_LIMIT: usize = 2048;
const VALUE_LIMIT: usize = 50;
const PAGE_LIMIT: usize = 128;
const FORM_ID_LIMIT: usize = 64;
const TEMPLATE_ID_LIMIT: usize = 64;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentMessage {
    /// The app that sent it.
    pub app_id: String,
    /// The `user_id` of the receiver, however they were addressed.
    pub user_id: String,
    /// `user_template_id`.
    pub template_id: String,
    /// `page`.
    pub page: String,
    /// `form_id`, where there was one.
    pub form_id: Option<String>,
    /// The keywords' values.
    pub keywords: BTreeMap<String, String>,
}

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = call
        .biz_content()
        .map_err(|_| Refusal::business("BIZ_CONTENT_FORMAT_ERROR", "biz_content格式错误"))?;
    let Some(app) = world.apps.get(call.app_id) else {
        return Err(Refusal::business("APP_NO_AVAIABLE", "应用不可用"));
    };
    let user_id = receiver(world, app, call.app_id, &biz_content)?;
    let (template_id, keywords_wanted) = template(app, &biz_content, "user_template_id")?;
    let page = page(&biz_content)?;
    let form_id = text(&biz_content, "form_id");
    if form_id.is_some_and(|id| id.chars().count() > FORM_ID_LIMIT) {
        return Err(Refusal::business("FORM_ID_INVALID", "form_id无效"));
    }
    let keywords = keywords(biz_content.get("data"), keywords_wanted)?;
    if world
        .unsubscribed
        .contains(&(call.app_id.to_owned(), user_id.clone()))
    {
        return Err(Refusal::business("MSG_UNSUBSCRIBED", "用户未订阅该消息"));
    }
    let message = SentMessage {
        app_id: call.app_id.to_owned(),
        user_id,
        template_id: template_id.to_owned(),
        page: page.to_owned(),
        form_id: form_id.map(str::to_owned),
        keywords,
    };
    world
        .subscriptions
        .use_up(call.app_id, &message.user_id, template_id);
    world.messages.push(message);
    Ok(success([]))
}

/// The `user_id` of the one receiver: `to_user_id` or `to_open_id`, of a kind that the app works with.
fn receiver(
    world: &World,
    app: &AppRecord,
    app_id: &str,
    biz_content: &Map<String, Value>,
) -> Result<String, Refusal> {
    let invalid = || Refusal::business("USER_ID_INVALID", "用户ID不合法");
    let identifiers = app.options.identifiers;
    match (
        text(biz_content, "to_user_id"),
        text(biz_content, "to_open_id"),
    ) {
        (Some(_), Some(_)) => Err(Refusal::business(
            "ILLEGAL_ARGUMENT_PARAMS",
            "参数不合法：to_user_id与to_open_id只能有一个",
        )),
        (Some(id), None)
            if identifiers.has_user_id() && is_user_id(id) && world.users.contains_key(id) =>
        {
            Ok(id.to_owned())
        }
        (None, Some(id)) if identifiers.has_open_id() => world
            .users
            .keys()
            .find(|user_id| open_id(app_id, user_id) == id)
            .cloned()
            .ok_or_else(invalid),
        _ => Err(invalid()),
    }
}

/// The template that this member names, and how many keywords it wants; 0: any.
pub(super) fn template<'a>(
    app: &AppRecord,
    biz_content: &'a Map<String, Value>,
    name: &str,
) -> Result<(&'a str, usize), Refusal> {
    let illegal = || Refusal::business("USER_TEMPLATE_ILLEGAL", "模板不合法");
    let template_id = text(biz_content, name)
        .filter(|id| id.chars().count() <= TEMPLATE_ID_LIMIT)
        .ok_or_else(illegal)?;
    let Some(templates) = &app.options.templates else {
        return Ok((template_id, 0));
    };
    let template = templates
        .iter()
        .find(|template| template.id == template_id)
        .ok_or_else(illegal)?;
    Ok((template_id, template.keywords))
}

/// `page`, which has to be there.
pub(super) fn page(biz_content: &Map<String, Value>) -> Result<&str, Refusal> {
    let page = text(biz_content, "page")
        .ok_or_else(|| Refusal::business("ILLEGAL_ARGUMENT_PARAMS", "参数不合法：page"))?;
    if page.chars().count() > PAGE_LIMIT {
        return Err(Refusal::business("PAGE_OVER_LIMIT", "page超过长度限制"));
    }
    Ok(page)
}

/// `data` is a JSON *string* that holds `{"keyword1":{"value":"…"}, …}`.
pub(super) fn keywords(
    data: Option<&Value>,
    wanted: usize,
) -> Result<BTreeMap<String, String>, Refusal> {
    let malformed = || Refusal::business("DATA_CONTENT_FORMAT_ERROR", "data格式错误");
    let data = match data {
        None | Some(Value::Null) => return Err(Refusal::business("DATA_IS_EMPTY", "data为空")),
        Some(Value::String(data)) => data,
        Some(_) => return Err(malformed()),
    };
    if data.trim().is_empty() {
        return Err(Refusal::business("DATA_IS_EMPTY", "data为空"));
    }
    if data.chars().count() > DATA_LIMIT {
        return Err(malformed());
    }
    let parsed: Map<String, Value> = serde_json::from_str(data).map_err(|_| malformed())?;
    if parsed.is_empty() {
        return Err(Refusal::business("DATA_IS_EMPTY", "data为空"));
    }
    let mut keywords = BTreeMap::new();
    for (name, keyword) in parsed {
        let number = name
            .strip_prefix("keyword")
            .and_then(|number| number.parse::<usize>().ok());
        let value = keyword.get("value").and_then(Value::as_str);
        let (Some(1..), Some(value)) = (number, value) else {
            return Err(malformed());
        };
        if value.chars().count() > VALUE_LIMIT {
            return Err(Refusal::business(
                "USER_KEYWORD_LENGTH_ERROR",
                "关键词长度超过限制",
            ));
        }
        keywords.insert(name, value.to_owned());
    }
    if (1..=wanted).any(|number| !keywords.contains_key(&format!("keyword{number}"))) {
        return Err(Refusal::business(
            "USER_TEMPLATE_LACK_KEYWORD",
            "缺少模板关键词",
        ));
    }
    if wanted > 0 && keywords.len() > wanted {
        return Err(Refusal::business(
            "MESSAGE_TEMPLATE_KEYWORD_ILLEGAL",
            "模板关键词不合法",
        ));
    }
    Ok(keywords)
}
