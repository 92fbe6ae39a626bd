use std::borrow::Cow;

use crate::unique_json::top_level_members;
use crate::{Call, GatewayError};

/// A JSON text, read, or a JSON number as it is written; `None` for anything else.
pub(crate) fn text_or_number(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// A genuine reply to another request must not pass for this one's: where the request named a trade and the reply names one, they
/// are the same.
pub(crate) fn check_echo(call: &Call, node: &str) -> Result<(), GatewayError> {
    const ECHOED: [&str; 3] = ["out_trade_no", "trade_no", "out_request_no"];
    let Some(Ok(asked)) = call.biz_content.as_deref().map(top_level_members) else {
        return Ok(());
    };
    if !ECHOED.iter().any(|name| asked.contains_key(*name)) {
        return Ok(());
    }
    let answered = top_level_members(node)
        .map_err(|_| GatewayError::unverified("the reply's node is not an object"))?;
    for name in ECHOED {
        let (Some(asked), Some(answered)) = (asked.get(name), answered.get(name)) else {
            continue;
        };
        // An empty or absent number names no trade.
        let Some(asked) = text_or_number(asked.get()).filter(|asked| !asked.is_empty()) else {
            continue;
        };
        if text_or_number(answered.get()).as_deref() != Some(&*asked) {
            return Err(GatewayError::unverified(
                "the reply answers another request",
            ));
        }
    }
    Ok(())
}
