//! `alipay.open.app.alipaycert.download`: Alipay's certificate of an SN, for callers whose own one is out of date.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Answer, Call, text};
use crate::refusal::{Refusal, success};
use crate::world::World;

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    // Alipay's list of this method's errors was not to be had: the sub_code is a choice.
    let unknown = || Refusal::business("INVALID_PARAMETER", "支付宝公钥证书不存在");
    let biz_content = call.biz_content().map_err(|_| unknown())?;
    let sn = text(&biz_content, "alipay_cert_sn").ok_or_else(unknown)?;
    let certificates = world
        .apps
        .get(call.app_id)
        .is_some_and(|app| app.options.certificates);
    if !certificates {
        return Err(unknown());
    }
    let leaf = world.alipay_certificates.find(sn).ok_or_else(unknown)?;
    let content = STANDARD.encode(&leaf.chain);
    Ok(success([("alipay_cert_content", Value::from(content))]))
}
