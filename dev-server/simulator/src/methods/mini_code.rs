//! `alipay.open.app.qrcode.create`: mini codes, whose addresses this simulator serves itself.

use serde_json::{Map, Value};

use super::{Answer, Call};
use crate::grants::random_text;
use crate::images::Colour;
use crate::refusal::{Refusal, success};
use crate::world::World;

/// Characters in `url_param` and `query_param`; in `describe`.
const PARAMETER_LIMIT: usize = 256;
const DESCRIBE_LIMIT: usize = 32;

/// A mini code that was made.
#[derive(Clone, Debug)]
pub(crate) struct MiniCode {
    /// What a scanner reads.
    pub(crate) content: String,
    pub(crate) colour: Colour,
    /// Pixels of one module of the symbol.
    pub(crate) scale: usize,
}

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = call.biz_content().map_err(|_| invalid("biz_content"))?;
    let page = required(&biz_content, "url_param", PARAMETER_LIMIT)?;
    if page.starts_with('/') {
        return Err(invalid("url_param"));
    }
    let query = required(&biz_content, "query_param", PARAMETER_LIMIT)?;
    required(&biz_content, "describe", DESCRIBE_LIMIT)?;
    let colour = match biz_content.get("color") {
        None => Colour::default(),
        Some(colour) => colour
            .as_str()
            .and_then(Colour::parse)
            .ok_or_else(|| Refusal::business("HM_BG_COLOR_INVALID", "背景颜色无效"))?,
    };
    let scale = match biz_content.get("size").map(Value::as_str) {
        None | Some(Some("m")) => 8,
        Some(Some("s")) => 4,
        Some(Some("l")) => 16,
        Some(_) => return Err(invalid("size")),
    };
    let content = format!(
        "alipays://platformapi/startapp?appId={}&page={}&query={}",
        call.app_id,
        escaped(page),
        escaped(query)
    );
    let id = random_text("", 12);
    world.mini_codes.insert(
        id.clone(),
        MiniCode {
            content,
            colour,
            scale,
        },
    );
    let address =
        |shape: &str| Value::from(format!("{}/mini-codes/{id}/{shape}.png", call.base_url));
    Ok(success([
        ("qr_code_url", address("square")),
        ("qr_code_url_circle_white", address("circle-white")),
        ("qr_code_url_circle_blue", address("circle-blue")),
    ]))
}

fn required<'a>(
    biz_content: &'a Map<String, Value>,
    name: &str,
    limit: usize,
) -> Result<&'a str, Refusal> {
    super::text(biz_content, name)
        .filter(|value| value.chars().count() <= limit)
        .ok_or_else(|| invalid(name))
}

fn invalid(name: &str) -> Refusal {
    Refusal::business("INVALID_PARAMETER", &format!("参数有误：{name}"))
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
