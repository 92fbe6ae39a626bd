//! What the gateway checks of every request, in its order.

use std::time::{Duration, SystemTime};

use simulator::{AppKey, AppOptions, SignType, Verdict};

use crate::caller::{
    Fixture, OAUTH_TOKEN, QRCODE_CREATE, TRADE_QUERY, beijing_at, node_name, verdict, verifies,
};

const UNKNOWN_TRADE: (&str, &str) = ("biz_content", r#"{"out_trade_no":"none"}"#);

/// Each row: what is done to right parameters, and the sub_code. They are signed afterwards unless `sign` is set.
#[tokio::test]
async fn each_wrong_public_parameter_has_its_own_sub_code() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let rows: &[(&str, Option<&str>, &str)] = &[
        ("app_id", None, "isv.missing-app-id"),
        ("app_id", Some("2021999999999999"), "isv.invalid-app-id"),
        ("method", None, "isv.missing-method"),
        (
            "method",
            Some("alipay.no.such.method"),
            "isv.invalid-method",
        ),
        ("timestamp", None, "isv.missing-timestamp"),
        ("timestamp", Some("yesterday"), "isv.invalid-timestamp"),
        ("version", None, "isv.missing-version"),
        ("version", Some("3.0"), "isv.invalid-parameter"),
        ("format", Some("xml"), "isv.invalid-format"),
        ("charset", None, "isv.invalid-charset"),
        ("charset", Some("latin1"), "isv.invalid-charset"),
        ("sign_type", None, "isv.missing-signature-type"),
        ("sign_type", Some("MD5"), "isv.invalid-signature-type"),
        ("sign_type", Some("RSA"), "isv.invalid-signature-type"),
        ("sign", None, "isv.missing-signature"),
        ("sign", Some("AA=="), "isv.invalid-signature"),
        ("encrypt_type", Some("DES"), "isv.invalid-encrypt-type"),
    ];
    for (name, value, expected) in rows {
        let mut parameters = fixture.parameters(TRADE_QUERY);
        parameters.insert(UNKNOWN_TRADE.0.to_owned(), UNKNOWN_TRADE.1.to_owned());
        if *name != "sign" {
            parameters.remove(*name);
            parameters.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
        }
        parameters = fixture.signed(parameters);
        if *name == "sign" {
            parameters.remove("sign");
            parameters.extend(value.map(|value| ("sign".to_owned(), value.to_owned())));
        }
        let reply = fixture.post(&parameters).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&reply.bytes).unwrap();
        let node = document
            .get("error_response")
            .or_else(|| document.get(node_name(TRADE_QUERY)))
            .unwrap();
        assert_eq!(verdict(node), *expected, "{name} = {value:?}");
        let outcome = fixture.simulator.received().pop().unwrap().verdict;
        assert!(matches!(outcome, Verdict::Refused { sub_code, .. } if sub_code == *expected));
    }
}

#[tokio::test]
async fn a_right_call_passes_and_its_reply_verifies() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let reply = fixture.reply(TRADE_QUERY, &[UNKNOWN_TRADE]).await;
    assert!(fixture.is_signed(&reply, &node_name(TRADE_QUERY)));
    assert_eq!(reply.content_type, "text/html;charset=utf-8");
    assert_eq!(reply.trace_id.len(), 32);
    let received = fixture.simulator.received().pop().unwrap();
    assert_eq!(received.trace_id, reply.trace_id);
    assert_eq!(received.in_body, ["biz_content"]);
    assert!(received.in_query.contains(&"sign".to_owned()));
}

#[tokio::test]
async fn the_timestamp_may_be_ten_minutes_off_in_utc_plus_8_and_no_more() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let now = SystemTime::now();
    let rows = [
        (now - minutes(9), true),
        (now + minutes(9), true),
        (now - minutes(11), false),
        (now + minutes(11), false),
        // What a client in UTC sends that formats its local time.
        (now - minutes(8 * 60), false),
    ];
    // The simulator's own clock does not matter to it.
    fixture.simulator.advance_clock(minutes(60));
    for (at, passes) in rows {
        let mut parameters = fixture.parameters(TRADE_QUERY);
        parameters.insert("timestamp".to_owned(), beijing_at(at));
        parameters.insert(UNKNOWN_TRADE.0.to_owned(), UNKNOWN_TRADE.1.to_owned());
        let reply = fixture.post(&fixture.signed(parameters)).await.unwrap();
        let text = String::from_utf8(reply.bytes).unwrap();
        assert_eq!(text.contains("ACQ.TRADE_NOT_EXIST"), passes, "{text}");
        assert_eq!(text.contains("isv.invalid-timestamp"), !passes, "{text}");
    }
}

#[tokio::test]
async fn a_wrong_signature_is_answered_with_the_signed_text_in_html_entities() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let mut parameters = fixture.parameters(QRCODE_CREATE);
    parameters.insert("biz_content".to_owned(), r#"{"url_param":"a"}"#.to_owned());
    let mut parameters = fixture.signed(parameters);
    parameters.insert("biz_content".to_owned(), r#"{"url_param":"b"}"#.to_owned());
    let reply = fixture.post(&parameters).await.unwrap();
    assert!(
        fixture.is_signed(&reply, &node_name(QRCODE_CREATE)),
        "a refusal under the method's node is signed"
    );
    let text = String::from_utf8(reply.bytes).unwrap();
    assert!(text.contains("isv.invalid-signature"));
    assert!(
        text.contains(
            "biz_content={&quot;url_param&quot;:&quot;b&quot;}&amp;charset=utf-8&amp;method="
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_parameter_with_two_values_is_refused_and_charset_counts_in_the_query_only() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let mut parameters = fixture.parameters(TRADE_QUERY);
    parameters.insert(UNKNOWN_TRADE.0.to_owned(), UNKNOWN_TRADE.1.to_owned());
    let parameters = fixture.signed(parameters);
    let form: Vec<_> = parameters
        .iter()
        .map(|(name, value)| {
            let value = percent_encoding::percent_encode(
                value.as_bytes(),
                percent_encoding::NON_ALPHANUMERIC,
            );
            format!("{name}={value}")
        })
        .collect();
    let form = form.join("&");
    let answer = async |query: &str, body: &str| {
        let reply = fixture.post_raw(query, body.to_owned()).await.unwrap();
        String::from_utf8_lossy(&reply.bytes).into_owned()
    };
    // As one SDK does: `charset` in both places, all else in the body.
    assert!(
        answer("charset=utf-8", &form)
            .await
            .contains("ACQ.TRADE_NOT_EXIST")
    );
    assert!(answer(&form, "").await.contains("ACQ.TRADE_NOT_EXIST"));
    assert!(answer("", &form).await.contains("isv.invalid-charset"));
    assert!(
        answer("charset=GBK", &form)
            .await
            .contains("isv.suspected-attack")
    );
}

#[tokio::test]
async fn a_gbk_request_is_read_and_answered_in_gbk() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let mut parameters = fixture.parameters(QRCODE_CREATE);
    parameters.insert("charset".to_owned(), "GBK".to_owned());
    // 乗 ends in the byte of a backslash.
    parameters.insert(
        "biz_content".to_owned(),
        r#"{"url_param":"/pages/乗","query_param":"a=1","describe":"你好乗"}"#.to_owned(),
    );
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let signed = encoding_rs::GBK.encode(&pairs.join("&")).0.into_owned();
    parameters.insert(
        "sign".to_owned(),
        crate::caller::sign(&fixture.app.private_key, &signed),
    );
    let query: Vec<_> = parameters
        .iter()
        .map(|(name, value)| {
            let bytes = encoding_rs::GBK.encode(value).0.into_owned();
            format!(
                "{name}={}",
                percent_encoding::percent_encode(&bytes, percent_encoding::NON_ALPHANUMERIC)
            )
        })
        .collect();
    let reply = fixture
        .post_raw(&query.join("&"), String::new())
        .await
        .unwrap();
    assert_eq!(reply.content_type, "text/html;charset=GBK");
    let body = encoding_rs::GBK
        .decode_without_bom_handling_and_without_replacement(&reply.bytes)
        .unwrap();
    assert!(body.contains("参数有误：url_param"), "{body}");
    let (node, rest) = body
        .strip_prefix("{\"alipay_open_app_qrcode_create_response\":")
        .and_then(|rest| rest.split_once(",\"sign\":\""))
        .unwrap();
    let bytes = encoding_rs::GBK.encode(node).0.into_owned();
    assert!(verifies(
        &fixture.app.alipay_public_key,
        &bytes,
        rest.trim_end_matches("\"}")
    ));
    assert!(!verifies(
        &fixture.app.alipay_public_key,
        node.as_bytes(),
        rest.trim_end_matches("\"}")
    ));
    let received = fixture.simulator.received().pop().unwrap();
    assert!(received.parameters["biz_content"].contains("你好乗"));
}

#[tokio::test]
async fn an_app_may_bring_its_own_keys() {
    let first = Fixture::new(AppOptions::default()).await;
    let keys = [
        AppKey::Private(first.app.private_key.clone()),
        AppKey::Private(first.app.private_key_pkcs1.clone()),
        AppKey::Public(first.app.app_public_key.clone()),
    ];
    for key in keys {
        let kept = matches!(key, AppKey::Public(_));
        let mut second = Fixture::new(AppOptions {
            key,
            ..AppOptions::default()
        })
        .await;
        assert_eq!(second.app.private_key.is_empty(), kept);
        second.app.private_key.clone_from(&first.app.private_key);
        assert_eq!(
            verdict(&second.call(TRADE_QUERY, &[UNKNOWN_TRADE]).await),
            "ACQ.TRADE_NOT_EXIST"
        );
    }
}

#[tokio::test]
async fn another_apps_key_does_not_sign_for_an_app() {
    let fixture = Fixture::new(AppOptions {
        sign_types: vec![SignType::Rsa2, SignType::Rsa],
        ..AppOptions::default()
    })
    .await;
    let other = fixture.simulator.add_app(AppOptions::default());
    let impostor = Fixture {
        app: other,
        ..fixture
    };
    let mut parameters = impostor.parameters(TRADE_QUERY);
    parameters.insert("app_id".to_owned(), "2021000000000001".to_owned());
    let reply = impostor.post(&impostor.signed(parameters)).await.unwrap();
    assert!(
        String::from_utf8(reply.bytes)
            .unwrap()
            .contains("isv.invalid-signature")
    );
}

#[tokio::test]
async fn a_method_without_permission_is_refused() {
    let methods = Some(vec![OAUTH_TOKEN.to_owned()]);
    let fixture = Fixture::new(AppOptions {
        methods,
        ..AppOptions::default()
    })
    .await;
    let node = fixture.call(TRADE_QUERY, &[UNKNOWN_TRADE]).await;
    assert_eq!(
        (verdict(&node), &node["code"]),
        ("isv.insufficient-isv-permissions", &"40006".into())
    );
    let code = fixture.code();
    assert!(fixture.exchange(&code).await.get("access_token").is_some());
}
