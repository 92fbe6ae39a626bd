use serde_json::Value;

use crate::events::Event;
use crate::root;

/// Members whose values differ from run to run; in golden files they are `"…"`. So are parameters of these names in addresses.
const VOLATILE: [&str; 31] = [
    "request_id",
    "trace_id",
    "authStart",
    "unionId",
    "batch_msg_id",
    "appAuthToken",
    "appRefreshToken",
    "auth_start",
    "auth_end",
    "auth_methods",
    "unique_id",
    "event_id",
    "app_scene_data_id",
    // Of logins.
    "access_token",
    "code_challenge",
    "etag",
    "id_token",
    "iss",
    "kid",
    "n",
    "public_key",
    "redirect_uri",
    "session_token",
    "timestamp",
    "token",
    "tokenExpired",
    // Of trades.
    "gmt_refund_pay",
    "out_trade_no",
    "send_pay_date",
    "time_expire",
    "trade_no",
];

/// Those whose values are parameters of addresses only: elsewhere they are words.
const VOLATILE_PARAMETERS: [&str; 7] = [
    "biz_content",
    "code",
    "notify_url",
    "sign",
    "state",
    "target_id",
    "ticket",
];

/// Look random and are not: the events themselves have them.
const STEADY: [&str; 2] = ["itemIdentifier", "template_id"];

/// Compares the answer to an event with its golden file, `tests/golden/<function>/<event>.json`.
///
/// With `UPDATE_GOLDEN=1` the file is written instead; read the difference before committing it.
pub fn check_golden(event: &Event, answer: &Value) {
    let path = root()
        .join("tests/golden")
        .join(&event.function)
        .join(format!("{}.json", event.name));
    let mut steady = answer.clone();
    if let Some(body) = steady["body"].as_str() {
        // Compared as JSON where it is, so that volatile members inside it can be blanked.
        steady["body"] = serde_json::from_str(body).unwrap_or_else(|_| body.into());
    }
    blank_volatile(&mut steady);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(
            &path,
            format!("{}\n", serde_json::to_string_pretty(&steady).unwrap()),
        )
        .unwrap();
        return;
    }
    let golden: Value = serde_json::from_str(
        &std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} has no golden file", path.display())),
    )
    .unwrap();
    assert_eq!(
        steady,
        golden,
        "events/{}/{}.json: the answer is not that of {}",
        event.function,
        event.name,
        path.display()
    );
}

fn blank_volatile(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if VOLATILE.contains(&name.as_str()) {
                    *value = "…".into();
                } else if !STEADY.contains(&name.as_str()) {
                    blank_volatile(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(blank_volatile),
        Value::String(text) => *value = steady_text(text).into(),
        _ => {}
    }
}

/// Uids, tickets and the like: 16 or 32 random bytes.
fn is_random(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    [32, 64].contains(&text.len()) && text.bytes().all(is_digit)
}

/// A text without what differs from run to run: ports, parameters of addresses, ids of requests, and names and values of cookies.
fn steady_text(text: &str) -> String {
    if text.starts_with("http://127.0.0.1:") {
        return steady_address(text);
    }
    if is_random(text) {
        return "…".to_owned();
    }
    if text.starts_with("apiname=") || text.contains("&method=alipay.trade.app.pay&") {
        // What Alipay's SDK logs in or pays with.
        return steady_parameters(text);
    }
    match text.split_once("; Path=/") {
        Some(_cookie) => {
            let attributes = &text[text.find(';').unwrap_or_default()..];
            format!("…{attributes}")
        }
        None => without_request_ids(text),
    }
}

/// Of the path the last part only, in which nothing differs.
fn steady_address(address: &str) -> String {
    let (place, query) = match address.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (address, None),
    };
    let mut steady = "http://…".to_owned();
    if let Some((_, path)) = place["http://".len()..].split_once('/') {
        let last = path.rsplit('/').next().unwrap_or_default();
        steady.push('/');
        steady.push_str(last);
    }
    if let Some(query) = query {
        steady.push('?');
        steady.push_str(&steady_parameters(query));
    }
    steady
}

fn steady_parameters(query: &str) -> String {
    let steady = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if is_volatile_parameter(name) => format!("{name}=…"),
        _ => parameter.to_owned(),
    };
    let parameters: Vec<_> = query.split('&').map(steady).collect();
    parameters.join("&")
}

fn is_volatile_parameter(name: &str) -> bool {
    VOLATILE.contains(&name) || VOLATILE_PARAMETERS.contains(&name)
}

/// `text` with `…` for every UUID.
fn without_request_ids(text: &str) -> String {
    const LENGTH: usize = 36;
    let is_id = |piece: &str| {
        piece.char_indices().all(|(place, character)| match place {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
    };
    let mut steady = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.get(..LENGTH) {
            Some(piece) if is_id(piece) => {
                steady.push('…');
                rest = &rest[LENGTH..];
            }
            _ => {
                steady.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    steady
}
