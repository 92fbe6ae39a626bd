//! `alipay.open.app.qrcode.create`: mini codes, whose addresses this simulator serves itself.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Answer, Call};
use crate::grants::random_text;
use crate::images::Colour;
use crate::refusal::{Refusal, success};
use crate::world::World;

/// Characters in `url_param` and `query_param`; in `describe`.
pub(super) const PARAMETER_LIMIT: usize = 256;
const DESCRIBE_LIMIT: usize = 32;

/// A mini code that was made.
#[derive(Clone, Debug)]
pub(crate) struct MiniCode {
    /// What a scanner reads.
    pub(crate) content: String,
    pub(crate) colour: Colour,
    /// Pixels of one module of the symbol.
    pub(crate) scale: usize,
    /// When its pictures are taken away, by the simulator's clock; a permanent one has no such time.
    pub(crate) expires: Option<SystemTime>,
}

impl MiniCode {
    pub(crate) fn is_there_at(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = call.biz_content().map_err(|_| invalid("biz_content"))?;
    let page = page(&biz_content)?;
    let query = required(&biz_content, "query_param", PARAMETER_LIMIT)?;
    required(&biz_content, "describe", DESCRIBE_LIMIT)?;
    let colour = colour(&biz_content)?;
    let scale = match biz_content.get("size").map(Value::as_str) {
        None | Some(Some("m")) => 8,
        Some(Some("s")) => 4,
        Some(Some("l")) => 16,
        Some(_) => return Err(invalid("size")),
    };
    let code = MiniCode {
        content: launch_address(call.app_id, page, query),
        colour,
        scale,
        expires: None,
    };
    let id = keep(world, code);
    let address = |shape: &str| Value::from(picture_address(call.base_url, &id, shape));
    Ok(success([
        ("qr_code_url", address("square")),
        ("qr_code_url_circle_white", address("circle-white")),
        ("qr_code_url_circle_blue", address("circle-blue")),
    ]))
}

/// Keeps the code; its id.
pub(super) fn keep(world: &mut World, code: MiniCode) -> String {
    let id = random_text("", 12);
    world.mini_codes.insert(id.clone(), code);
    id
}

/// Where the simulator serves a picture of the code.
pub(super) fn picture_address(base_url: &str, id: &str, shape: &str) -> String {
    format!("{base_url}/mini-codes/{id}/{shape}.png")
}

/// What a scanner reads: the address that opens a page of the mini-program.
pub(super) fn launch_address(app_id: &str, page: &str, query: &str) -> String {
    format!(
        "alipays://platformapi/startapp?appId={app_id}&page={}&query={}",
        escaped(page),
        escaped(query)
    )
}

/// `url_param`: a path without a leading slash.
pub(super) fn page(biz_content: &Map<String, Value>) -> Result<&str, Refusal> {
    required(biz_content, "url_param", PARAMETER_LIMIT)
        .ok()
        .filter(|page| !page.starts_with('/'))
        .ok_or_else(|| invalid("url_param"))
}

/// `color`, of the round pictures.
pub(super) fn colour(biz_content: &Map<String, Value>) -> Result<Colour, Refusal> {
    match biz_content.get("color") {
        None => Ok(Colour::default()),
        Some(colour) => colour
            .as_str()
            .and_then(Colour::parse)
            .ok_or_else(|| Refusal::business("HM_BG_COLOR_INVALID", "背景颜色无效")),
    }
}

pub(super) fn required<'a>(
    biz_content: &'a Map<String, Value>,
    name: &str,
    limit: usize,
) -> Result<&'a str, Refusal> {
    super::text(biz_content, name)
        .filter(|value| value.chars().count() <= limit)
        .ok_or_else(|| invalid(name))
}

pub(super) fn invalid(name: &str) -> Refusal {
    Refusal::business("INVALID_PARAMETER", &format!("参数有误：{name}"))
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
