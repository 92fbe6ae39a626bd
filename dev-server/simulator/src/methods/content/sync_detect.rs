//! `alipay.security.risk.content.sync.detect`: one text, or one picture by its address.

use serde_json::{Map, Value, json};

use super::{Judgement, biz_content, invalid, is_web_address, optional, required};
use crate::methods::{Answer, Call};
use crate::refusal::{Refusal, success};
use crate::world::World;

/// The products that Alipay's document names.
const PRODUCTS: [&str; 5] = [
    "TJ_POLITICS_MC",
    "TJ_PORN_MC",
    "TJ_ILLEGAL_MC",
    "TJ_TERRORISM_MC",
    "TJ_ABUSES_MC",
];
/// Characters of `request_id` and `tenants`; the simulator's choice.
const NAME_LIMIT: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq)]
enum ContentType {
    Text,
    Picture,
}

impl ContentType {
    /// Alipay's document: one of the mini-program cloud's channels is for text, the other for pictures.
    fn may_use(self, channel: &str) -> bool {
        match channel {
            "tinyapp-eco-open" | "digital-tech" | "digital-tech-poc" => true,
            "miniappcloud" => self == Self::Text,
            "miniappcloud-oss" => self == Self::Picture,
            _ => false,
        }
    }
}

pub(in crate::methods) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = biz_content(call)?;
    let content_type = match required(&biz_content, "content_type")? {
        "TEXT" => ContentType::Text,
        "PICTURE" => ContentType::Picture,
        _ => return Err(invalid("content_type")),
    };
    if !content_type.may_use(required(&biz_content, "channel")?) {
        return Err(invalid("channel"));
    }
    let content = one_content(&biz_content, content_type)?;
    let products = required(&biz_content, "products")?;
    if products.split(';').any(|name| !PRODUCTS.contains(&name)) {
        return Err(invalid("products"));
    }
    let request_id = required(&biz_content, "request_id")?;
    let tenants = optional(&biz_content, "tenants")?;
    for (name, value) in [("request_id", Some(request_id)), ("tenants", tenants)] {
        if value.is_some_and(|value| value.chars().count() > NAME_LIMIT) {
            return Err(invalid(name));
        }
    }
    let users = (
        optional(&biz_content, "user_id")?,
        optional(&biz_content, "open_id")?,
    );
    if let (Some(_), Some(_)) = users {
        return Err(invalid("user_id, open_id"));
    }
    let judgement = world.content_rules.judge([content].into_iter());
    let suggestion = match &judgement {
        Judgement::Passed => "pass",
        Judgement::Doubtful(_) => "review",
        Judgement::Forbidden(_) => "block",
    };
    let mut node = success([
        ("suggestion", Value::from(suggestion)),
        ("is_sync", Value::from(true)),
        ("is_meter", Value::from(true)),
        ("meter_products", Value::from(products)),
        ("request_id", Value::from(request_id)),
        ("result_code", Value::from("SUCCESS")),
        ("result_msg", Value::from("成功")),
    ]);
    if judgement != Judgement::Passed {
        let labels = json!({ "label": "other", "rate": "99.90", "sub_check_labels": [] });
        node.insert("detect_check_labels".to_owned(), labels);
    }
    Ok(node)
}

/// `data_list` is a list, of one content.
fn one_content(
    biz_content: &Map<String, Value>,
    content_type: ContentType,
) -> Result<&str, Refusal> {
    let contents = biz_content.get("data_list").and_then(Value::as_array);
    match contents.map(Vec::as_slice) {
        Some([Value::String(content)])
            if !content.trim().is_empty()
                && (content_type == ContentType::Text || is_web_address(content)) =>
        {
            Ok(content)
        }
        _ => Err(invalid("data_list")),
    }
}
