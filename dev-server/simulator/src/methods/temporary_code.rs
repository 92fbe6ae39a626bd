//! `alipay.open.app.qrcode.temporary.create`: a mini code that works for a limited time by the simulator's clock.

use std::time::Duration;

use serde_json::Value;

use super::mini_code::{self, PARAMETER_LIMIT, colour, invalid, page, required};
use super::{Answer, Call};
use crate::refusal::success;
use crate::world::World;

/// Seconds in a day: Alipay's document of `timeout`.
const LONGEST: u64 = 86_400;
/// Characters of `qrcode_type`, whose values no document lists: any name will do, and all make a square picture.
const TYPE_LIMIT: usize = 32;
/// Pixels of one module.
const SCALE: usize = 8;

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = call.biz_content().map_err(|_| invalid("biz_content"))?;
    let page = page(&biz_content)?;
    let query = required(&biz_content, "query_param", PARAMETER_LIMIT)?;
    let colour = colour(&biz_content)?;
    if biz_content.contains_key("qrcode_type") {
        required(&biz_content, "qrcode_type", TYPE_LIMIT)?;
    }
    let seconds = biz_content
        .get("timeout")
        .and_then(Value::as_u64)
        .filter(|seconds| (1..=LONGEST).contains(seconds))
        .ok_or_else(|| invalid("timeout"))?;
    let code = mini_code::MiniCode {
        content: mini_code::launch_address(call.app_id, page, query),
        colour,
        scale: SCALE,
        expires: Some(world.clock.now() + Duration::from_secs(seconds)),
    };
    let content = Value::from(code.content.as_str());
    let id = mini_code::keep(world, code);
    let address = Value::from(mini_code::picture_address(call.base_url, &id, "square"));
    Ok(success([("qr_code", content), ("qr_code_url", address)]))
}
