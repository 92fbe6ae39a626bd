//! What Alipay did not send, or not so.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use simulator::{AppOptions, NoticeForgery, NoticeOptions, SignedText, Simulator};

use crate::bench::{Bench, NOTHING, ORDER, REFUSED, SUCCESS, Setting, TRADE_NO, event, is, owned};
use crate::logs::kept_log;

fn forged(forgery: NoticeForgery) -> NoticeOptions {
    NoticeOptions {
        forgery: Some(forgery),
        ..NoticeOptions::default()
    }
}

/// A genuine notice in which one piece of the form was replaced by another.
fn with(notice: &str, from: &str, to: &str) -> String {
    assert!(notice.contains(from), "{from}");
    notice.replacen(from, to, 1)
}

#[tokio::test]
async fn what_alipay_did_not_sign_for_the_app_is_refused_before_anything_is_read() {
    let log = kept_log();
    let bench = Bench::with_paid_order("0.01").await;
    let changed = |fields| bench.notice_with(&forged(NoticeForgery::ChangedFields(owned(fields))));
    let genuine = bench.notice();
    let many: String = (0..20_000).map(|n| format!("a{n}=1&")).collect();
    bench.table.take_operations();
    for (what, body) in [
        ("an amount", changed(&[("total_amount", "9999.00")])),
        ("a number", changed(&[("out_trade_no", "T2")])),
        ("a new field", changed(&[("refund_fee", "0.01")])),
        (
            "no signature",
            bench.notice_with(&forged(NoticeForgery::NoSignature)),
        ),
        (
            "another signature",
            bench.notice_with(&forged(NoticeForgery::BadSignature)),
        ),
        (
            "another's key",
            bench.notice_with(&forged(NoticeForgery::ForeignKey)),
        ),
        (
            "SHA-1",
            bench.notice_with(&forged(NoticeForgery::Sha1Signature)),
        ),
        (
            "an empty signature",
            bench.notice_with(&forged(NoticeForgery::Signature(String::new()))),
        ),
        (
            "sign_type RSA",
            with(&genuine, "sign_type=RSA2", "sign_type=RSA"),
        ),
        (
            "sign_type MD5",
            with(&genuine, "sign_type=RSA2", "sign_type=MD5"),
        ),
        (
            "sign_type none",
            with(&genuine, "sign_type=RSA2", "sign_type=none"),
        ),
        (
            "sign_type empty",
            with(&genuine, "sign_type=RSA2", "sign_type="),
        ),
        ("no sign_type", with(&genuine, "&sign_type=RSA2", "")),
        ("a name twice", format!("{genuine}&total_amount=0.01")),
        ("a field without =", format!("{genuine}&a")),
        ("a field without a name", format!("{genuine}&=a")),
        ("a broken escape", format!("{genuine}&a=%4")),
        ("bytes that are no UTF-8", format!("{genuine}&a=%ff")),
        ("a raw space", format!("{genuine}&a= ")),
        ("20,000 fields", format!("{many}{genuine}")),
        ("nothing", String::new()),
        ("JSON", json!({"out_trade_no": ORDER}).to_string()),
    ] {
        let status = if body.len() > 64 * 1024 { 413 } else { 400 };
        assert_eq!(bench.post(&body).await, is((status, "fail")), "{what}");
        let text = log.take();
        assert!(text.contains(r#"notice="refused""#), "{what}: {text}");
        assert!(!text.contains("notice_mismatch"), "{what}: {text}");
        assert!(
            !text.contains("9999.00") && !text.contains(TRADE_NO),
            "{what}: {text}"
        );
    }
    assert_eq!(bench.table.take_operations(), Vec::<String>::new());
    assert_eq!((bench.questions(), bench.told()), (0, NOTHING));
    assert_eq!(bench.post(&genuine).await, is(SUCCESS));
}

#[tokio::test]
async fn a_forgery_costs_little_and_reads_nothing() {
    let bench = Bench::with_paid_order("0.01").await;
    // All four readings are tried: both rules, empty values kept and dropped.
    let fields: &[_] = &[("notify_type", "a_message"), ("empty", "")];
    let body = bench.simulator.app_message(
        &bench.app.app_id,
        fields,
        &forged(NoticeForgery::BadSignature),
    );
    bench.table.take_operations();
    let mut least = Duration::MAX;
    for _ in 0..100 {
        let began = Instant::now();
        assert_eq!(bench.post(&body).await, is(REFUSED));
        least = least.min(began.elapsed());
    }
    // Without optimisation, on a machine that may be busy: the quickest of many.
    assert!(least < Duration::from_millis(2), "{least:?}");
    assert_eq!(bench.table.take_operations(), Vec::<String>::new());
    assert_eq!(bench.questions(), 0);
}

#[tokio::test]
async fn only_the_body_of_a_post_counts() {
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice();
    let path = format!("/notify/{}", bench.app.app_id);
    let queried = |method: &str, query: &str, body: &str| {
        let mut event = event(method, &path, body);
        event["rawQueryString"] = json!(query);
        event
    };
    bench.table.take_operations();
    for (event, status) in [
        (event("GET", &path, ""), 405),
        (event("GET", &path, &notice), 405),
        (event("PUT", &path, &notice), 405),
        (event("HEAD", &path, ""), 405),
        (queried("GET", &notice, ""), 405),
        (queried("POST", &notice, ""), 400),
        (queried("POST", "total_amount=9999.00", &notice), 400),
        (queried("POST", "a", &notice), 400),
        (event("POST", "/notify/2021999999999999", &notice), 404),
        (event("GET", "/notify/2021999999999999", ""), 404),
        (event("POST", "/notify/", &notice), 404),
        (event("POST", &format!("{path}/"), &notice), 404),
        (event("POST", "/", &notice), 404),
    ] {
        assert_eq!(bench.handle(&event).await, is((status, "fail")), "{event}");
    }
    assert_eq!(bench.table.take_operations(), Vec::<String>::new());
    let prefixed = event("POST", &format!("/pay{path}"), &notice);
    assert_eq!(bench.handle(&prefixed).await, is(SUCCESS));
}

#[tokio::test]
async fn what_the_kit_refuses_is_a_fail_too() {
    let bench = Bench::with_paid_order("0.01").await;
    let path = format!("/notify/{}", bench.app.app_id);
    let with = |member: &str, value: Value| {
        let mut event = event("POST", &path, "");
        event[member] = value;
        event
    };
    let encoded = |body: &str| {
        let mut event = with("body", json!(body));
        event["isBase64Encoded"] = json!(true);
        event
    };
    for (event, status) in [
        (with("body", json!("a".repeat(2 << 20))), 413),
        (with("body", json!("a=".repeat(40 << 10))), 413),
        (encoded(&STANDARD.encode("a".repeat(2 << 20))), 413),
        (encoded("%"), 400),
        (encoded("/w=="), 400),
        (with("body", json!(7)), 400),
        (with("body", json!(null)), 400),
        (with("headers", json!("canary")), 400),
        (with("headers", json!({"a": "a".repeat(70_000)})), 413),
    ] {
        assert_eq!(bench.handle(&event).await, is((status, "fail")));
    }
}

#[tokio::test]
async fn the_signed_parameters_of_a_return_page_are_no_notice() {
    let log = kept_log();
    let bench = Bench::with_paid_order("0.01").await;
    let returned = |more: &[(&str, &str)]| {
        let mut fields = vec![
            ("method", "alipay.trade.page.pay.return"),
            ("out_trade_no", ORDER),
            ("trade_no", TRADE_NO),
            ("total_amount", "0.01"),
            ("seller_id", bench.app.pid.as_str()),
        ];
        fields.extend(more);
        bench.simulator.app_message(
            &bench.app.app_id,
            &fields,
            &NoticeOptions {
                without: vec!["notify_id".to_owned(), "notify_type".to_owned()],
                signed_text: Some(SignedText::WithoutSignType),
                ..NoticeOptions::default()
            },
        )
    };
    for body in [
        returned(&[]),
        returned(&[("trade_status", "TRADE_SUCCESS")]),
    ] {
        assert_eq!(bench.post(&body).await, is(REFUSED));
        assert!(log.take().contains("the notice has no notify_id"));
    }
    assert_eq!((bench.questions(), bench.told()), (0, NOTHING));
}

#[tokio::test]
async fn a_changed_key_is_read_again_once_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    // Some key that is neither the app's own nor Alipay's.
    let elsewhere = Simulator::start().await.unwrap();
    let _own_key = elsewhere.add_app(AppOptions::default());
    let old_key = elsewhere.add_app(AppOptions::default()).app_public_key;
    let bench = Bench::with(Setting {
        alipay_public_key: Some(old_key.clone()),
        folder: Some(folder.path().to_owned()),
        ..Setting::default()
    })
    .await;
    bench.order("0.01").await;
    bench.trade_of("0.01", "TRADE_SUCCESS");
    let notice = bench.notice();
    assert_eq!(bench.post(&notice).await, is(REFUSED));
    let file = folder.path().join("apps.json");
    let document = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        document.replacen(&old_key, &bench.app.alipay_public_key, 1),
    )
    .unwrap();
    assert_eq!(bench.post(&notice).await, is(REFUSED));
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    assert_eq!(bench.told(), (1, 0, 0));
}
