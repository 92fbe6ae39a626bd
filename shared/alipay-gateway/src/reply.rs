//! From the bytes of a reply to a node whose signature holds. Pure.

use std::borrow::Cow;

use alipay_signing::Charset;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::unique_json::{check_unique, is_repeated_name, top_level_members};
use crate::{App, Call, GatewayError, Refusal};

/// A verified success.
#[derive(Clone)]
pub struct Reply {
    node: String,
    trace_id: Option<String>,
}

impl Reply {
    /// The response node: exactly the text whose signature was verified.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The `trace_id` header, which Alipay's support asks for.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// The node as a `T`.
    ///
    /// # Errors
    /// [`GatewayError::Malformed`] when a member is missing or has another type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, GatewayError> {
        serde_json::from_str(&self.node).map_err(|error| GatewayError::Malformed {
            reason: shape(&error),
        })
    }
}

/// What is wrong with a node, without quoting it: serde's messages may hold the value.
fn shape(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.split_once('`') {
        Some((missing @ "missing field ", rest)) => format!(
            "{missing}`{}",
            rest.split(" at line").next().unwrap_or_default()
        ),
        _ => format!(
            "a member has another type than documented (column {})",
            error.column()
        ),
    }
}

/// The members that the two kinds of node share. Documented as strings; numbers have been seen.
#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sub_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sub_msg: Option<Cow<'a, str>>,
}

impl Status<'_> {
    /// The code as text; `None` where the node has none, as a successful `alipay.system.oauth.token` has.
    fn code(&self) -> Option<Cow<'_, str>> {
        let raw = self.code?.get();
        match raw {
            "null" => None,
            _ => Some(serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(raw), Cow::Owned)),
        }
    }

    fn refusal(&self, code: String, trace_id: Option<String>) -> Refusal {
        let owned = |text: &Option<Cow<'_, str>>| {
            text.as_deref()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Refusal {
            code,
            sub_code: owned(&self.sub_code),
            msg: owned(&self.msg).unwrap_or_default(),
            sub_msg: owned(&self.sub_msg),
            trace_id,
        }
    }
}

/// Reads the reply to `call`: finds the node, verifies it, and tells success from refusal.
///
/// `content_type` and `trace_id` are the reply's headers of those names.
///
/// # Errors
/// [`GatewayError::Unreachable`] when the body is no reply of the gateway at all, [`GatewayError::Unverified`] when its
/// authenticity is in doubt, [`GatewayError::Refused`] when Alipay says no.
pub fn verify_reply(
    app: &App,
    call: &Call,
    body: &[u8],
    content_type: Option<&str>,
    trace_id: Option<&str>,
) -> Result<Reply, GatewayError> {
    let (text, charset) = decode(app.charset, body, content_type)?;
    let members = top_level_members(&text).map_err(|error| {
        if is_repeated_name(&error) {
            GatewayError::unverified("a member name stands twice")
        } else {
            GatewayError::unreachable("what came back is not a reply of the gateway")
        }
    })?;

    let name = format!("{}_response", call.method.replace('.', "_"));
    let node = match (members.get(&name), members.get("error_response")) {
        (Some(node), None) | (None, Some(node)) => node.get(),
        (Some(_), Some(_)) => {
            return Err(GatewayError::unverified(
                "the reply holds a result and an error",
            ));
        }
        (None, None) => {
            return Err(GatewayError::unverified(
                "the reply holds no node of the called method",
            ));
        }
    };
    let is_error_response = !members.contains_key(&name);
    if members.keys().any(|member| {
        member.ends_with("_response") && *member != name && member != "error_response"
    }) {
        return Err(GatewayError::unverified(
            "the reply holds a node of another method",
        ));
    }
    if !node.starts_with('{') {
        return Err(GatewayError::unverified(
            "the reply's node is not an object",
        ));
    }

    let verified = match members.get("sign").map(|sign| sign.get()) {
        None => None,
        Some(sign) => {
            let sign: String = serde_json::from_str(sign)
                .map_err(|_| GatewayError::unverified("the reply's signature is not a text"))?;
            Some(verify_node(app, charset, node, &sign)?)
        }
    };
    // From here on only the text that verified counts. An unsigned node may still say no, but not yes.
    let content = verified.as_deref().unwrap_or(node);
    check_unique(content).map_err(|_| GatewayError::unverified("a member name stands twice"))?;
    let status: Status<'_> = serde_json::from_str(content)
        .map_err(|_| GatewayError::unverified("the node's status members are not texts"))?;
    let trace_id = trace_id.map(str::to_owned);
    match status.code() {
        Some(code) if code != "10000" => Err(GatewayError::Refused(
            status.refusal(code.into_owned(), trace_id),
        )),
        None if is_error_response => Err(GatewayError::Refused(
            status.refusal(String::new(), trace_id),
        )),
        Some(_) if is_error_response => Err(GatewayError::unverified(
            "an error that calls itself a success",
        )),
        _ => {
            let node = verified
                .ok_or_else(|| GatewayError::unverified("a success without a signature"))?
                .into_owned();
            check_echo(call, &node)?;
            Ok(Reply { node, trace_id })
        }
    }
}

/// The body as text, and the charset that turns a slice of the text back into the bytes that came.
///
/// Error replies may be GBK although UTF-8 was asked for (seen live).
fn decode<'a>(
    asked: Charset,
    body: &'a [u8],
    content_type: Option<&str>,
) -> Result<(Cow<'a, str>, Charset), GatewayError> {
    let stated = content_type
        .and_then(|value| {
            value
                .split(';')
                .find_map(|part| part.trim().strip_prefix("charset="))
        })
        .and_then(|value| value.trim_matches('"').parse::<Charset>().ok());
    let order = match (asked, stated) {
        (Charset::Utf8, _) | (_, Some(Charset::Utf8)) => [Charset::Utf8, Charset::Gbk],
        _ => [Charset::Gbk, Charset::Utf8],
    };
    order
        .into_iter()
        .find_map(|charset| charset.decode(body).ok().map(|text| (text, charset)))
        .ok_or_else(|| GatewayError::unreachable("what came back is not text"))
}

/// Verifies `node` and gives the text that the signature covers.
///
/// The gateway may write `/` as `\/` after signing the plain text. Undoing that only where the backslash really is the escape of
/// the slash (an odd number of backslashes before it), and reading the undone text from then on, leaves nothing to forge with.
fn verify_node<'a>(
    app: &App,
    charset: Charset,
    node: &'a str,
    sign: &str,
) -> Result<Cow<'a, str>, GatewayError> {
    let verifies = |text: &str| {
        charset
            .encode(text)
            .is_ok_and(|bytes| app.alipay_key.verify(app.sign_type, &bytes, sign).is_ok())
    };
    if verifies(node) {
        return Ok(Cow::Borrowed(node));
    }
    if node.contains("\\/") {
        let plain = without_slash_escapes(node);
        if verifies(&plain) {
            return Ok(Cow::Owned(plain));
        }
    }
    Err(GatewayError::unverified("the reply's signature is wrong"))
}

fn without_slash_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('/') => plain.push('/'),
            Some(escaped) => plain.extend(['\\', escaped]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// A genuine reply to another request must not pass for this one's: where the request named a trade and the reply names one, they
/// are the same.
fn check_echo(call: &Call, node: &str) -> Result<(), GatewayError> {
    #[derive(Deserialize, Default)]
    struct Named<'a> {
        #[serde(borrow, default)]
        out_trade_no: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        trade_no: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        out_request_no: Option<Cow<'a, str>>,
    }
    let Some(asked) = call
        .biz_content
        .as_deref()
        .and_then(|text| serde_json::from_str::<Named<'_>>(text).ok())
    else {
        return Ok(());
    };
    let Ok(answered) = serde_json::from_str::<Named<'_>>(node) else {
        return Err(GatewayError::unverified(
            "the reply's trade number is not a text",
        ));
    };
    let differs = |asked: &Option<Cow<'_, str>>, answered: &Option<Cow<'_, str>>| matches!((asked, answered), (Some(asked), Some(answered)) if asked != answered);
    if differs(&asked.out_trade_no, &answered.out_trade_no)
        || differs(&asked.trade_no, &answered.trade_no)
        || differs(&asked.out_request_no, &answered.out_request_no)
    {
        return Err(GatewayError::unverified(
            "the reply answers another request",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backslash_that_escapes_the_slash_is_undone() {
        assert_eq!(without_slash_escapes(r"http:\/\/a"), "http://a");
        assert_eq!(without_slash_escapes(r"http:\\/\\/a"), r"http:\\/\\/a");
        assert_eq!(without_slash_escapes(r"\\\/ \n \"), r"\\/ \n \");
    }

    #[test]
    fn a_type_error_never_quotes_the_value() {
        #[derive(Deserialize, Debug)]
        #[expect(dead_code, reason = "only its shape matters")]
        struct Expected {
            name: u32,
        }
        let reply = |node: &str| Reply {
            node: node.to_owned(),
            trace_id: None,
        };
        let wrong = reply(r#"{"name":"canary"}"#)
            .parse::<Expected>()
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains("another type") && !wrong.contains("canary"),
            "{wrong}"
        );
        let missing = reply("{}").parse::<Expected>().unwrap_err().to_string();
        assert!(missing.contains("missing field `name`"), "{missing}");
    }
}
