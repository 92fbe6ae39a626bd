//! From the bytes of a reply to a node whose signature holds. Pure.

use std::borrow::Cow;

use alipay_signing::Charset;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::unique_json::{Misbuilt, check_unique, top_level_members};
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
    fn code(&self) -> Result<Option<Cow<'_, str>>, GatewayError> {
        match self.code.map(RawValue::get) {
            None | Some("null") => Ok(None),
            Some(raw) => text_or_number(raw)
                .map(Some)
                .ok_or_else(|| GatewayError::unverified("the node's code is not a text")),
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
    let members = top_level_members(&text).map_err(|misbuilt| match misbuilt {
        Misbuilt::NotJson => {
            GatewayError::unreachable("what came back is not a reply of the gateway")
        }
        Misbuilt::Ambiguous(reason) => GatewayError::unverified(reason),
    })?;

    let name = format!("{}_response", call.method.replace('.', "_"));
    let (node, is_error_response) = match (members.get(&name), members.get("error_response")) {
        (Some(node), None) => (node.get(), false),
        (None, Some(node)) => (node.get(), true),
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
    // A longer name that only ends like the called method's is no node of any method.
    if members.keys().any(|member| {
        member.ends_with("_response") && !member.ends_with(&name) && member != "error_response"
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
            // Error replies with an empty signature exist; they are unsigned like those without one.
            match sign.is_empty() {
                true => None,
                false => Some(verify_node(app, charset, node, &sign)?),
            }
        }
    };
    // From here on only the text that verified counts. An unsigned node may still say no, but not yes.
    let content = verified.as_deref().unwrap_or(node);
    check_unique(content).map_err(GatewayError::unverified)?;
    let status: Status<'_> = serde_json::from_str(content)
        .map_err(|_| GatewayError::unverified("the node's status members are not texts"))?;
    let trace_id = trace_id.map(str::to_owned);
    match status.code()? {
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
            if !charset_as_asked(app.charset, charset, &text) {
                return Err(GatewayError::unverified(
                    "a success in another charset than was asked for",
                ));
            }
            check_echo(call, &node)?;
            Ok(Reply { node, trace_id })
        }
    }
}

/// The body as text, and the charset that turns a slice of the text back into the bytes that came.
///
/// Error replies may be GBK although UTF-8 was asked for (seen live). The header only helps to read such errors: it is not
/// signed, so it has no say in what a success means ([`charset_as_asked`]).
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

/// The same bytes may be other words in another charset, and the signature is over bytes.
fn charset_as_asked(asked: Charset, came: Charset, text: &str) -> bool {
    (asked == Charset::Utf8) == (came == Charset::Utf8) || text.is_ascii()
}

/// Verifies `node` and gives the text that the signature covers.
///
/// The gateway may write `/` as `\/` after signing the plain text (the official SDKs' second try), or the other way round (an
/// older document of Alipay's). Changing only where the backslash really is the escape of the slash (an odd number of
/// backslashes before it), and reading the changed text from then on, leaves nothing to forge with.
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
    for slash in ["/", "\\/"] {
        let respelled = with_slashes_as(slash, node);
        if respelled != node && verifies(&respelled) {
            return Ok(Cow::Owned(respelled));
        }
    }
    Err(GatewayError::unverified("the reply's signature is wrong"))
}

/// `text` with every slash, escaped or not, written as `slash`.
fn with_slashes_as(slash: &str, text: &str) -> String {
    let mut respelled = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '/' => respelled.push_str(slash),
            '\\' => match characters.next() {
                Some('/') => respelled.push_str(slash),
                Some(escaped) => respelled.extend(['\\', escaped]),
                None => respelled.push('\\'),
            },
            other => respelled.push(other),
        }
    }
    respelled
}

/// A JSON text, read, or a JSON number as it is written; `None` for anything else.
fn text_or_number(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// A genuine reply to another request must not pass for this one's: where the request named a trade and the reply names one, they
/// are the same.
fn check_echo(call: &Call, node: &str) -> Result<(), GatewayError> {
    const ECHOED: [&str; 3] = ["out_trade_no", "trade_no", "out_request_no"];
    let Some(Ok(asked)) = call.biz_content.as_deref().map(top_level_members) else {
        return Ok(());
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backslash_that_escapes_the_slash_is_touched() {
        for (text, plain, escaped) in [
            (r"http:\/\/a", "http://a", r"http:\/\/a"),
            ("http://a", "http://a", r"http:\/\/a"),
            (r"http:\\/\\/a", r"http:\\/\\/a", r"http:\\\/\\\/a"),
            (r"\\\/ \n \", r"\\/ \n \", r"\\\/ \n \"),
        ] {
            assert_eq!(with_slashes_as("/", text), plain);
            assert_eq!(with_slashes_as(r"\/", text), escaped);
        }
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
