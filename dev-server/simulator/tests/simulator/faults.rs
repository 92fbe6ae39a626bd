//! Injected faults: what reaches the client, and whether the call was done.

use std::time::{Duration, Instant};

use simulator::{AppOptions, Fault, FaultKind, Trade, Verdict};

use crate::caller::{
    Fixture, QRCODE_CREATE, Reply, TRADE_QUERY, node_name, text, verdict, verifies,
};

const QUERY: [(&str, &str); 1] = [("biz_content", r#"{"out_trade_no":"order-1"}"#)];

/// A simulator with one trade to query.
async fn fixture() -> Fixture {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = fixture.app.app_id.clone();
    fixture.simulator.add_trade(Trade {
        app_id,
        out_trade_no: "order-1".to_owned(),
        ..Trade::default()
    });
    fixture
}

async fn reply_with(fixture: &Fixture, kind: FaultKind) -> Reply {
    fixture.simulator.inject(Fault::once(kind));
    let reply = fixture.reply(TRADE_QUERY, &QUERY).await;
    let clean = fixture.reply(TRADE_QUERY, &QUERY).await;
    assert!(
        fixture.is_signed(&clean, &node_name(TRADE_QUERY)),
        "the next call is untouched"
    );
    reply
}

fn body(reply: &Reply) -> String {
    String::from_utf8(reply.bytes.clone()).unwrap()
}

#[tokio::test]
async fn faulty_signatures_are_faulty_and_well_formed() {
    let fixture = fixture().await;
    for kind in [
        FaultKind::BadSignature,
        FaultKind::ForeignKey,
        FaultKind::Sha1Signature,
    ] {
        let reply = reply_with(&fixture, kind.clone()).await;
        assert!(
            !fixture.is_signed(&reply, &node_name(TRADE_QUERY)),
            "{kind:?}"
        );
        let document: serde_json::Value = serde_json::from_slice(&reply.bytes).unwrap();
        assert_eq!(text(&document, "sign").len(), 344, "{kind:?}");
    }
    let unsigned = reply_with(&fixture, FaultKind::NoSignature).await;
    assert!(!body(&unsigned).contains("\"sign\""));
    let odd = reply_with(
        &fixture,
        FaultKind::SignMember {
            json: "null".to_owned(),
        },
    )
    .await;
    assert!(body(&odd).ends_with(",\"sign\":null}"));
}

#[tokio::test]
async fn a_duplicated_node_stands_on_either_side_and_may_be_escaped() {
    let fixture = fixture().await;
    let name = "\"alipay_trade_query_response\":";
    let duplicate = |forged_first, escaped_name| FaultKind::DuplicateNode {
        forged_first,
        escaped_name,
    };
    let first = body(&reply_with(&fixture, duplicate(true, false)).await);
    assert_eq!(first.matches(name).count(), 2);
    assert!(
        first.find("forged-order-1") < first.find("\"order-1\""),
        "{first}"
    );
    let last = body(&reply_with(&fixture, duplicate(false, false)).await);
    assert!(
        last.find("\"sign\"") < last.find("forged-order-1"),
        "{last}"
    );
    let escaped = body(&reply_with(&fixture, duplicate(false, true)).await);
    assert!(
        escaped.contains(r#""alipay_trade_query_respons\u0065":{"#),
        "{escaped}"
    );
}

#[tokio::test]
async fn misleading_documents_are_validly_signed() {
    let fixture = fixture().await;
    let foreign = reply_with(&fixture, FaultKind::OtherMethodNode).await;
    assert!(fixture.is_signed(&foreign, "alipay_user_info_share_response"));
    let both = reply_with(&fixture, FaultKind::BothNodes).await;
    assert!(body(&both).starts_with(r#"{"error_response":{"#));
    assert!(fixture.is_signed(&both, &node_name(TRADE_QUERY)));
    let two = body(&reply_with(&fixture, FaultKind::TwoDocuments).await);
    assert_eq!(
        serde_json::Deserializer::from_str(&two)
            .into_iter::<serde_json::Value>()
            .count(),
        2
    );
    let marked = reply_with(&fixture, FaultKind::ByteOrderMark).await;
    assert!(marked.bytes.starts_with(b"\xEF\xBB\xBF{"));
    let json = r#"{"code":"10000","out_trade_no":"another"}"#.to_owned();
    let other = reply_with(&fixture, FaultKind::Node { json: json.clone() }).await;
    assert!(fixture.is_signed(&other, &node_name(TRADE_QUERY)) && body(&other).contains(&json));
}

#[tokio::test]
async fn escaped_slashes_are_signed_unescaped() {
    let fixture = fixture().await;
    fixture
        .simulator
        .inject(Fault::once(FaultKind::EscapedSlashes));
    let wanted = r#"{"url_param":"a","query_param":"b","describe":"c"}"#;
    let reply = fixture
        .reply(QRCODE_CREATE, &[("biz_content", wanted)])
        .await;
    assert!(body(&reply).contains(r"http:\/\/127.0.0.1"));
    assert!(!fixture.is_signed(&reply, &node_name(QRCODE_CREATE)));
    let unescaped = Reply {
        bytes: body(&reply).replace(r"\/", "/").into_bytes(),
        ..reply
    };
    assert!(fixture.is_signed(&unescaped, &node_name(QRCODE_CREATE)));
    fixture
        .simulator
        .inject(Fault::once(FaultKind::EscapedSlashesSigned));
    let reply = fixture
        .reply(QRCODE_CREATE, &[("biz_content", wanted)])
        .await;
    assert!(body(&reply).contains(r"http:\/\/127.0.0.1"));
    assert!(fixture.is_signed(&reply, &node_name(QRCODE_CREATE)));
}

#[tokio::test]
async fn refusals_are_given_without_doing_the_call() {
    let fixture = fixture().await;
    let refusal = |signed, error_response| FaultKind::Refusal {
        code: "20000".to_owned(),
        sub_code: "isp.unknow-error".to_owned(),
        sub_msg: "系统繁忙".to_owned(),
        signed,
        error_response,
    };
    let signed = reply_with(&fixture, refusal(true, false)).await;
    assert!(fixture.is_signed(&signed, &node_name(TRADE_QUERY)));
    let unsigned = body(&reply_with(&fixture, refusal(false, true)).await);
    assert!(
        unsigned.starts_with(
            r#"{"error_response":{"code":"20000","msg":"Service Currently Unavailable""#
        )
    );
    assert!(!unsigned.contains("\"sign\""));
    assert_eq!(fixture.simulator.received()[0].verdict, Verdict::NotDone);

    let gbk = reply_with(&fixture, FaultKind::GbkBytes).await;
    assert!(String::from_utf8(gbk.bytes.clone()).is_err());
    let end = gbk
        .bytes
        .windows(9)
        .position(|window| window == b"\",\"sign\":")
        .unwrap_or_default();
    assert_eq!(end, 0, "the node ends in a brace");
    let end = gbk
        .bytes
        .windows(8)
        .position(|window| window == b",\"sign\":")
        .unwrap();
    let start = gbk.bytes.iter().position(|&byte| byte == b':').unwrap() + 1;
    assert_eq!(&gbk.bytes[end - 3..end], b"\\\"}");
    let sign = &gbk.bytes[end + 9..gbk.bytes.len() - 2];
    assert!(verifies(
        &fixture.app.alipay_public_key,
        &gbk.bytes[start..end],
        std::str::from_utf8(sign).unwrap()
    ));
}

#[tokio::test]
async fn a_spoiled_reply_leaves_the_code_spent_and_a_prevented_call_does_not() {
    let fixture = fixture().await;
    let rows = [
        (FaultKind::ResetBeforeReading, false),
        (FaultKind::Html { status: 502 }, false),
        (FaultKind::EmptyBody { status: 200 }, false),
        (FaultKind::GbkBytes, false),
        (FaultKind::ResetAfterDone, true),
        (FaultKind::HalfBody, true),
        (FaultKind::NoSignature, true),
        (FaultKind::TruncatedBody, true),
    ];
    for (kind, spent) in rows {
        let code = fixture.code();
        fixture.simulator.inject(Fault::once(kind.clone()));
        let members = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
        ];
        let _ = fixture
            .try_reply("alipay.system.oauth.token", &members)
            .await;
        let node = fixture.exchange(&code).await;
        assert_eq!(
            verdict(&node) == "isv.code-invalid",
            spent,
            "{kind:?}: {node}"
        );
    }
}

#[tokio::test]
async fn broken_transport_reaches_the_client_as_errors() {
    let fixture = fixture().await;
    for kind in [
        FaultKind::ResetBeforeReading,
        FaultKind::ResetAfterDone,
        FaultKind::HalfBody,
    ] {
        fixture.simulator.inject(Fault::once(kind.clone()));
        assert!(
            fixture.try_reply(TRADE_QUERY, &QUERY).await.is_err(),
            "{kind:?}"
        );
    }
    let reset = Fault::once(FaultKind::ResetBeforeReading).for_method(TRADE_QUERY);
    fixture.simulator.inject(reset);
    let in_body = fixture
        .post_raw("charset=utf-8", format!("method={TRADE_QUERY}"))
        .await;
    assert!(in_body.is_err(), "the method may stand in the body");
    let truncated = reply_with(&fixture, FaultKind::TruncatedBody).await;
    assert!(serde_json::from_slice::<serde_json::Value>(&truncated.bytes).is_err());
    assert!(body(&reply_with(&fixture, FaultKind::Html { status: 200 }).await).contains("<html>"));
    assert!(
        reply_with(&fixture, FaultKind::EmptyBody { status: 502 })
            .await
            .bytes
            .is_empty()
    );
    let huge = reply_with(&fixture, FaultKind::HugeBody { bytes: 1 << 20 }).await;
    assert!(huge.bytes.len() > 1 << 20);
    assert!(fixture.is_signed(&huge, &node_name(TRADE_QUERY)));
}

#[tokio::test]
async fn slow_replies_are_slow_and_some_never_come() {
    let fixture = fixture().await;
    let begun = Instant::now();
    let late = reply_with(&fixture, FaultKind::Delay { milliseconds: 80 }).await;
    assert!(begun.elapsed() >= Duration::from_millis(80));
    assert!(fixture.is_signed(&late, &node_name(TRADE_QUERY)));
    let begun = Instant::now();
    let trickled = reply_with(
        &fixture,
        FaultKind::SlowBody {
            milliseconds_per_byte: 1,
        },
    )
    .await;
    assert!(
        begun.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    assert!(fixture.is_signed(&trickled, &node_name(TRADE_QUERY)));
    fixture
        .simulator
        .inject(Fault::always(FaultKind::NeverAnswer));
    let waiting = tokio::time::timeout(
        Duration::from_millis(150),
        fixture.try_reply(TRADE_QUERY, &QUERY),
    )
    .await;
    assert!(waiting.is_err());
    fixture.simulator.clear_faults();
    fixture.reply(TRADE_QUERY, &QUERY).await;
}

#[tokio::test]
async fn a_redirect_that_is_followed_is_noticed() {
    let fixture = fixture().await;
    fixture
        .simulator
        .inject(Fault::once(FaultKind::Redirect { location: None }));
    let url = fixture.simulator.gateway_url();
    let response = fixture.http.post(&url).send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            fixture.simulator.redirects_followed()
        ),
        (302, 0)
    );
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    fixture.http.get(location).send().await.unwrap();
    assert_eq!(fixture.simulator.redirects_followed(), 1);
}

#[tokio::test]
async fn a_fault_befalls_its_method_and_its_number_of_calls() {
    let fixture = fixture().await;
    let fault = Fault::times(FaultKind::NoSignature, 2).for_method(TRADE_QUERY);
    fixture.simulator.inject(fault);
    let wanted = [(
        "biz_content",
        r#"{"url_param":"a","query_param":"b","describe":"c"}"#,
    )];
    let other = fixture.reply(QRCODE_CREATE, &wanted).await;
    assert!(fixture.is_signed(&other, &node_name(QRCODE_CREATE)));
    let mut signed = Vec::new();
    for _ in 0..3 {
        let reply = fixture.reply(TRADE_QUERY, &QUERY).await;
        signed.push(fixture.is_signed(&reply, &node_name(TRADE_QUERY)));
    }
    assert_eq!(signed, [false, false, true]);
}
