//! The rules of reading a reply, each by a reply that breaks it. `verify_reply` is pure.

use std::fmt::Write;
use std::time::{Duration, Instant};

use alipay_gateway::{App, Call, GatewayError, Reply};
use alipay_signing::{Charset, SignType};

use crate::{TRADE_QUERY, alipay_key, app, app_key, failure, verify_reply};

const NAME: &str = "alipay_trade_query_response";
const NODE: &str = r#"{"code":"10000","msg":"Success","out_trade_no":"T1","total_amount":"0.01"}"#;
const FORGED: &str =
    r#"{"code":"10000","msg":"Success","out_trade_no":"T1","total_amount":"9999.00"}"#;

pub(crate) fn signature(text: impl AsRef<[u8]>) -> String {
    alipay_key()
        .sign(SignType::Rsa2, text.as_ref())
        .expect("a signature")
}

pub(crate) fn body(members: &[(&str, &str)]) -> String {
    let mut body = String::from("{");
    for (name, value) in members {
        let comma = if body.len() > 1 { "," } else { "" };
        write!(body, "{comma}\"{name}\":{value}").expect("text");
    }
    body + "}"
}

/// A reply of which everything is right but what the test says.
pub(crate) fn signed(name: &str, node: &str) -> String {
    body(&[(name, node), ("sign", &format!("\"{}\"", signature(node)))])
}

fn read(body: impl AsRef<[u8]>) -> Result<Reply, GatewayError> {
    verify_reply(&app(), &Call::new(TRADE_QUERY), body.as_ref(), None, None)
}

#[track_caller]
fn unverified(body: impl AsRef<[u8]>) -> &'static str {
    match failure(read(body)) {
        GatewayError::Unverified { reason } => reason,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn accepted(body: impl AsRef<[u8]>, node: &str) {
    let reply = read(body).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(reply.node(), node);
}

#[test]
fn what_surrounds_the_node_does_not_matter() {
    let sign = format!("\"{}\"", signature(NODE));
    accepted(signed(NAME, NODE), NODE);
    accepted(body(&[("sign", &sign), (NAME, NODE)]), NODE);
    accepted(
        body(&[
            (NAME, NODE),
            ("alipay_cert_sn", "\"0123\""),
            ("sign", &sign),
        ]),
        NODE,
    );
    accepted(
        format!(" {{\r\n \"{NAME}\" :\t{NODE} ,\n\"sign\": {sign} }} \n"),
        NODE,
    );
}

#[test]
fn a_name_inside_a_text_or_inside_another_name_is_no_node() {
    let sign = format!("\"{}\"", signature(NODE));
    let text =
        r#""\"alipay_trade_query_response\":{\"code\":\"10000\",\"total_amount\":\"9999.00\"}""#;
    accepted(body(&[("note", text), (NAME, NODE), ("sign", &sign)]), NODE);
    accepted(
        body(&[
            (&format!("x_{NAME}"), FORGED),
            (NAME, NODE),
            ("sign", &sign),
        ]),
        NODE,
    );
    let inside = r#"{"code":"10000","sign":"x","t":"},\"sign\":\"z\"}{","a\\":{"alipay_trade_query_response":{}}}"#;
    accepted(signed(NAME, inside), inside);
}

#[test]
fn a_success_without_a_signature_is_never_a_success() {
    unverified(body(&[(NAME, NODE)]));
    unverified(body(&[(NAME, r#"{"code":10000}"#)]));
    unverified(body(&[(NAME, r#"{"code":"1000\u0030"}"#)]));
    unverified(body(&[(
        NAME,
        r#"{"code":"10000","sub_code":"isv.code-invalid"}"#,
    )]));
    // A success of alipay.system.oauth.token has no code.
    unverified(body(&[(NAME, r#"{"access_token":"a","user_id":"2088"}"#)]));
    unverified(body(&[(NAME, "{}")]));
    unverified(body(&[("error_response", NODE)]));
    unverified(signed("error_response", NODE));
}

#[test]
fn a_signature_that_is_none_is_refused() {
    let right = signature(NODE);
    let url_safe = right.replace('+', "-").replace('/', "_");
    for sign in [
        r#""""#,
        "null",
        "0",
        "[]",
        "{}",
        r#""=""#,
        r#""AA==""#,
        &format!("[\"{right}\"]"),
        &format!("\"{right}\\n\""),
        &format!("\" {right}\""),
        &format!("\"{right} \""),
        &format!("\"{}\"", right.trim_end_matches('=')),
        &format!("\"{url_safe}\""),
    ] {
        if sign.trim_matches('"') != right {
            unverified(body(&[(NAME, NODE), ("sign", sign)]));
        }
    }
}

#[test]
fn a_signature_of_anything_else_is_refused() {
    let own = app_key().sign(SignType::Rsa2, NODE.as_bytes()).unwrap();
    let sha1 = alipay_key().sign(SignType::Rsa, NODE.as_bytes()).unwrap();
    for sign in [
        own,
        sha1,
        signature(format!("{NODE} ")),
        signature(format!("\"{NAME}\":{NODE}")),
        signature(FORGED),
    ] {
        unverified(body(&[(NAME, NODE), ("sign", &format!("\"{sign}\""))]));
    }
}

#[test]
fn the_configured_sign_type_alone_counts() {
    let sha1_app = App {
        sign_type: SignType::Rsa,
        ..app()
    };
    let sha1 = alipay_key().sign(SignType::Rsa, NODE.as_bytes()).unwrap();
    let reply = body(&[(NAME, NODE), ("sign", &format!("\"{sha1}\""))]);
    let call = Call::new(TRADE_QUERY);
    assert!(verify_reply(&sha1_app, &call, reply.as_bytes(), None, None).is_ok());
    failure(verify_reply(
        &sha1_app,
        &call,
        signed(NAME, NODE).as_bytes(),
        None,
        None,
    ));
}

#[test]
fn equal_json_in_other_bytes_is_refused() {
    for other in [
        NODE.replace("\"code\"", r#""\u0063ode""#),
        NODE.replace(":", ": "),
        NODE.replace("0.01", r"0.0\u0031"),
    ] {
        let sign = format!("\"{}\"", signature(NODE));
        unverified(body(&[(NAME, &other), ("sign", &sign)]));
    }
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let sign = format!("\"{}\"", signature(NODE));
    let escaped = r"alipay_trade_query_respons\u0065";
    for members in [
        [(NAME, NODE), (NAME, FORGED), ("sign", &sign)],
        [(NAME, FORGED), (NAME, NODE), ("sign", &sign)],
        [(NAME, NODE), ("sign", &sign), (NAME, FORGED)],
        [(NAME, NODE), (escaped, FORGED), ("sign", &sign)],
        [(escaped, FORGED), (NAME, NODE), ("sign", &sign)],
        [(NAME, NODE), ("sign", &sign), (escaped, FORGED)],
        [(NAME, NODE), ("sign", "\"AA==\""), ("sign", &sign)],
        [(NAME, NODE), ("sign", &sign), (r"sig\u006e", "\"AA==\"")],
        // The same thing twice is twice as well.
        [(NAME, NODE), (NAME, NODE), ("sign", &sign)],
    ] {
        let body = body(&members);
        assert_eq!(unverified(&body), "a member name stands twice", "{body}");
    }
    for node in [
        r#"{"code":"40004","code":"10000"}"#,
        r#"{"code":"10000","total_amount":"0.01","total_\u0061mount":"9999.00"}"#,
        r#"{"code":"10000","list":[{"a":1,"a":2}]}"#,
    ] {
        assert_eq!(
            unverified(signed(NAME, node)),
            "a member name stands twice",
            "{node}"
        );
    }
    // An unsigned refusal in which two codes stand is not read either.
    unverified(body(&[(NAME, r#"{"code":"40004","code":"10000"}"#)]));
}

#[test]
fn a_node_of_another_method_and_both_nodes_are_refused() {
    let error = r#"{"code":"40002","msg":"x"}"#;
    let sign = format!("\"{}\"", signature(NODE));
    unverified(signed("alipay_trade_refund_response", NODE));
    unverified(body(&[
        (NAME, NODE),
        ("alipay_trade_refund_response", FORGED),
        ("sign", &sign),
    ]));
    unverified(body(&[
        ("error_response", error),
        (NAME, NODE),
        ("sign", &sign),
    ]));
    unverified(body(&[
        (NAME, NODE),
        ("error_response", error),
        ("sign", &sign),
    ]));
    unverified(body(&[("sign", &sign)]));
    unverified("{}");
}

#[test]
fn what_is_json_and_no_reply_is_refused() {
    let good = signed(NAME, NODE);
    for body in [
        "[]".to_owned(),
        "null".to_owned(),
        "\"text\"".to_owned(),
        "0".to_owned(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good} {}", signed(NAME, FORGED)),
        format!("{good}x"),
        format!("\u{feff}{good}"),
        signed(NAME, "[]"),
        signed(NAME, "null"),
        signed(NAME, "10000"),
    ] {
        unverified(body);
    }
}

#[test]
fn what_is_no_json_is_a_failure_on_the_way_and_may_pass() {
    let good = signed(NAME, NODE);
    let half = good.len() / 2;
    for body in [
        &b""[..],
        b" ",
        b"<html><body>502 Bad Gateway</body></html>",
        b"{",
        b"\xff\xff\xff",
        &good.as_bytes()[..half],
        &good.as_bytes()[..good.len() - 1],
    ] {
        let error = failure(read(body));
        assert!(
            matches!(error, GatewayError::Unreachable { sent: true, .. }) && error.is_transient(),
            "{error}"
        );
        assert!(!error.was_never_sent());
    }
}

#[test]
fn every_single_byte_changed_is_a_failure() {
    let good = signed(NAME, NODE);
    let end = good.find(",\"sign\"").unwrap();
    for position in 0..end {
        for change in [0x01, 0x20, 0x80] {
            let mut body = good.clone().into_bytes();
            body[position] ^= change;
            failure(read(body));
        }
    }
}

#[test]
fn deep_nesting_is_refused_quickly() {
    let deep = format!(
        r#"{{"code":"10000","a":{}{}}}"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let start = Instant::now();
    unverified(signed(NAME, &deep));
    failure(read("[".repeat(1_000_000)));
    failure(read("{\"a\":".repeat(200_000)));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_unsigned_error_is_an_error_and_nothing_more() {
    let node =
        r#"{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.code-invalid","sub_msg":"x"}"#;
    for body in [
        body(&[("error_response", node)]),
        body(&[(NAME, node)]),
        body(&[("error_response", node), ("sign", "\"\"")]),
        signed("error_response", node),
        signed(NAME, node),
    ] {
        let GatewayError::Refused(refusal) = failure(read(&body)) else {
            panic!("{body}");
        };
        assert_eq!(refusal.code, "40002");
        assert_eq!(refusal.sub_code.as_deref(), Some("isv.code-invalid"));
        assert_eq!(refusal.sub_msg.as_deref(), Some("x"));
        assert!(!refusal.is_transient());
    }
    // Whoever signs wrongly is not believed at all.
    unverified(body(&[("error_response", node), ("sign", "\"AA==\"")]));
    unverified(body(&[("error_response", node), ("sign", "null")]));
}

#[test]
fn the_code_may_be_a_number_and_nothing_else() {
    accepted(signed(NAME, r#"{"code":10000}"#), r#"{"code":10000}"#);
    let GatewayError::Refused(refusal) = failure(read(signed(NAME, r#"{"code":40004}"#))) else {
        panic!("not refused");
    };
    assert_eq!(refusal.code, "40004");
    for code in ["{}", "[]", "true", r#"{"a":"10000"}"#] {
        unverified(signed(NAME, &format!(r#"{{"code":{code}}}"#)));
        unverified(body(&[(NAME, &format!(r#"{{"code":{code}}}"#))]));
    }
    // Not 10000, however close.
    for code in [
        "1e4",
        "10000.0",
        r#"" 10000""#,
        r#""10000 ""#,
        r#""0""#,
        r#""""#,
        "0",
        "-10000",
    ] {
        let error = failure(read(signed(NAME, &format!(r#"{{"code":{code}}}"#))));
        assert!(matches!(error, GatewayError::Refused(_)), "{code}: {error}");
    }
}

#[test]
fn slashes_may_be_escaped_after_signing_and_the_verified_text_is_what_is_read() {
    #[derive(serde::Deserialize)]
    struct Link {
        url: String,
    }
    let plain = r#"{"code":"10000","url":"http://a/b","t":"\\"}"#;
    let escaped = r#"{"code":"10000","url":"http:\/\/a\/b","t":"\\"}"#;
    for (received, verifying) in [
        (plain, plain),
        (escaped, escaped),
        (escaped, plain),
        (plain, escaped),
    ] {
        let sign = format!("\"{}\"", signature(verifying));
        let reply = read(body(&[(NAME, received), ("sign", &sign)]))
            .unwrap_or_else(|error| panic!("{received}: {error}"));
        assert_eq!(reply.node(), verifying);
        assert_eq!(reply.parse::<Link>().unwrap().url, "http://a/b");
    }
    // Here the backslashes are characters of the value, and a plain replacement would take them away unseen.
    let altered = plain.replace('/', r"\\/");
    let sign = format!("\"{}\"", signature(plain));
    unverified(body(&[(NAME, &altered), ("sign", &sign)]));
}

#[test]
fn a_success_counts_only_in_the_charset_that_was_asked_for() {
    let call = Call::new(TRADE_QUERY);
    let node = r#"{"code":"10000","msg":"Success","subject":"誠"}"#;
    // The last byte of 誠 in GBK is that of a backslash.
    let gbk_node = Charset::Gbk.encode(node).unwrap().into_owned();
    assert!(gbk_node.contains(&b'\\'));
    let sign = signature(&gbk_node);
    let gbk_body = [
        format!("{{\"{NAME}\":").as_bytes(),
        &gbk_node,
        format!(",\"sign\":\"{sign}\"}}").as_bytes(),
    ]
    .concat();
    let utf8_body = signed(NAME, node);
    let with = |charset| App { charset, ..app() };
    let read = |charset, body: &[u8], content_type| {
        verify_reply(&with(charset), &call, body, content_type, None)
    };
    for content_type in [
        None,
        Some("text/html;charset=GBK"),
        Some("text/html; charset=utf-8"),
        Some("application/json;charset=\"nonsense\""),
    ] {
        // The header is not signed and decides nothing here.
        let reply = read(Charset::Utf8, utf8_body.as_bytes(), content_type);
        assert_eq!(reply.map(|reply| reply.node().to_owned()).unwrap(), node);
        for charset in [Charset::Gbk, Charset::Gb2312] {
            let reply = read(charset, &gbk_body, content_type);
            assert_eq!(reply.map(|reply| reply.node().to_owned()).unwrap(), node);
        }
        failure(read(Charset::Utf8, &gbk_body, content_type));
        // What has no character beyond ASCII is the same in all.
        for charset in [Charset::Utf8, Charset::Gbk, Charset::Gb2312] {
            assert!(read(charset, signed(NAME, NODE).as_bytes(), content_type).is_ok());
        }
    }
    failure(read(
        Charset::Gbk,
        utf8_body.as_bytes(),
        Some("text/html;charset=utf-8"),
    ));
}

#[test]
fn an_error_in_gbk_is_read_although_utf8_was_asked_for() {
    let node = r#"{"code":"20000","msg":"Service Currently Unavailable","sub_code":"aop.unknow-error","sub_msg":"系统繁忙乗"}"#;
    let gbk = Charset::Gbk.encode(node).unwrap();
    let sign = signature(&gbk);
    let body = [
        format!("{{\"{NAME}\":").as_bytes(),
        &gbk,
        format!(",\"sign\":\"{sign}\"}}").as_bytes(),
    ]
    .concat();
    let GatewayError::Refused(refusal) = failure(read(body)) else {
        panic!("not refused");
    };
    assert_eq!(refusal.sub_msg.as_deref(), Some("系统繁忙乗"));
    assert!(refusal.is_transient());
}

#[test]
fn a_genuine_reply_to_another_request_is_refused() {
    let ask = |biz_content: &str, node: &str| {
        let call = Call::new(TRADE_QUERY).with_biz_content(biz_content);
        verify_reply(&app(), &call, signed(NAME, node).as_bytes(), None, None)
    };
    for name in ["out_trade_no", "trade_no", "out_request_no"] {
        let node = format!(r#"{{"code":"10000","{name}":"T1"}}"#);
        let biz_content = |value: &str| format!(r#"{{"{name}":{value}}}"#);
        for value in ["\"T1\"", "\"\"", "null", r#""T\u0031""#] {
            assert!(
                ask(&biz_content(value), &node).is_ok(),
                "{}",
                biz_content(value)
            );
        }
        for value in ["\"T2\"", "\"t1\"", "\"T1 \"", "7"] {
            let error = failure(ask(&biz_content(value), &node));
            assert!(
                matches!(error, GatewayError::Unverified { .. }),
                "{name}: {error}"
            );
        }
        // A number is compared as it is written.
        let numbered = format!(r#"{{"code":"10000","{name}":"7"}}"#);
        assert!(ask(&biz_content("7"), &numbered).is_ok());
        let numbered = format!(r#"{{"code":"10000","{name}":7}}"#);
        assert!(ask(&biz_content("\"7\""), &numbered).is_ok());
        failure(ask(
            &biz_content("\"7\""),
            &format!(r#"{{"code":"10000","{name}":{{}}}}"#),
        ));
        assert!(ask(&biz_content("\"T2\""), r#"{"code":"10000"}"#).is_ok());
    }
    assert!(ask("no JSON", NODE).is_ok());
}

#[test]
fn the_trace_id_is_handed_on() {
    let call = Call::new(TRADE_QUERY);
    let reply = verify_reply(
        &app(),
        &call,
        signed(NAME, NODE).as_bytes(),
        None,
        Some("trace-1"),
    );
    assert_eq!(
        reply
            .map(|reply| reply.trace_id().map(str::to_owned))
            .unwrap(),
        Some("trace-1".to_owned())
    );
    let refused = body(&[(NAME, r#"{"code":"40004"}"#)]);
    let error = failure(verify_reply(
        &app(),
        &call,
        refused.as_bytes(),
        None,
        Some("trace-2"),
    ));
    let GatewayError::Refused(refusal) = error else {
        panic!("{error}");
    };
    assert_eq!(refusal.trace_id.as_deref(), Some("trace-2"));
}
