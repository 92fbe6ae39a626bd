//! Messages to an app.

use serde_json::json;
use simulator::{NoticeForgery, NoticeOptions, SignedText};

use crate::bench::{Bench, REFUSED, SUCCESS, is};
use crate::logs::kept_log;

const TOKEN: &str = "202611BBcanarytoken0123456789abcdefX55";

fn authorization(bench: &Bench, options: &NoticeOptions) -> String {
    let content = json!({
        "notify_context": {"trigger": "offline", "trigger_context": {"out_biz_no": "7"}},
        "detail": {
            "app_auth_token": TOKEN, "app_refresh_token": TOKEN, "user_id": "2088000000000001",
            "auth_app_id": "2021000000000009", "re_expires_in": 32_140_800,
        },
    });
    let content = content.to_string();
    bench.simulator.app_message(
        &bench.app.app_id,
        &[
            ("notify_type", "open_app_auth_notify"),
            ("biz_content", &content),
            ("app_auth_token", TOKEN),
        ],
        options,
    )
}

#[tokio::test]
async fn a_message_is_told_once_without_the_tokens_in_it() {
    let log = kept_log();
    let bench = Bench::new().await;
    let message = authorization(&bench, &NoticeOptions::default());
    for _ in 0..3 {
        assert_eq!(bench.post(&message).await, is(SUCCESS));
    }
    bench.sweep_later().await;
    let events = bench.bus.events();
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event.detail_type, "alipay.message");
    let detail = &event.detail;
    let notify_id = detail["notify_id"].as_str().unwrap();
    assert_eq!(
        detail["event_id"],
        format!("alipay.message/{}/{notify_id}", bench.app.app_id)
    );
    assert_eq!(detail["notify_type"], "open_app_auth_notify");
    assert_eq!(detail["message"]["app_auth_token"], "…");
    assert!(detail["message"].get("sign").is_none());
    let content = detail["message"]["biz_content"].as_str().unwrap();
    let content: serde_json::Value = serde_json::from_str(content).unwrap();
    assert_eq!(content["detail"]["app_auth_token"], "…");
    assert_eq!(content["detail"]["auth_app_id"], "2021000000000009");

    let rows = bench.rows().await;
    assert!(rows.contains(notify_id));
    let text = log.text();
    assert!(
        text.contains(r#"notice="message""#) && text.contains(r#"notice="known""#),
        "{text}"
    );
    for place in [
        rows,
        text,
        format!("{events:?}"),
        bench.table.requests().join(""),
    ] {
        assert!(!place.contains("canarytoken"), "{place}");
    }
}

#[tokio::test]
async fn a_message_is_signed_by_either_rule_and_by_alipay() {
    for signed_text in [SignedText::WithSignType, SignedText::WithoutSignType] {
        let bench = Bench::new().await;
        let options = NoticeOptions {
            signed_text: Some(signed_text),
            ..NoticeOptions::default()
        };
        assert_eq!(
            bench.post(&authorization(&bench, &options)).await,
            is(SUCCESS)
        );
        assert_eq!(bench.bus.events().len(), 1);
    }
    let bench = Bench::new().await;
    let forged = NoticeOptions {
        forgery: Some(NoticeForgery::BadSignature),
        ..NoticeOptions::default()
    };
    assert_eq!(
        bench.post(&authorization(&bench, &forged)).await,
        is(REFUSED)
    );
    let nameless = NoticeOptions {
        without: vec!["notify_id".to_owned()],
        ..NoticeOptions::default()
    };
    assert_eq!(
        bench.post(&authorization(&bench, &nameless)).await,
        is(REFUSED)
    );
    assert!(bench.bus.events().is_empty());
    assert!(bench.table.take_operations().is_empty());
}

/// The signed text of a notice, cut into other fields inside a text of the buyer's.
#[tokio::test]
async fn a_notice_of_a_trade_cannot_be_cut_into_a_message() {
    let bench = Bench::with_paid_order("0.01").await;
    for (kind, sign_type) in [
        ("msg_method=alipay.open.forged", ""),
        ("method=alipay.open.forged&notify_type=forged", ""),
        ("msg_method=alipay.open.forged", "&sign_type=RSA2"),
    ] {
        let inner = format!("{kind}&notify_id=forged{sign_type}&zz=1");
        let inner = inner.replace(
            "&notify_type=forged&notify_id=forged",
            "&notify_id=forged&notify_type=forged",
        );
        let genuine = bench.notice_saying(&[("body", &format!("x&{inner}"))]);
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(genuine.as_bytes())
            .into_owned()
            .collect();
        let value = |name: &str| {
            fields
                .iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        let mut signed: Vec<_> = fields
            .iter()
            .filter(|(name, _)| name != "sign" && name != "sign_type")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        signed.sort();
        let text = signed.join("&");
        let (head, rest) = text.split_once("&zz=").unwrap();
        let mut cut: Vec<(&str, &str)> = head
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        cut.push(("zz", rest));
        let sign = value("sign");
        cut.push(("sign", &sign));
        if sign_type.is_empty() {
            cut.push(("sign_type", "RSA2"));
        }
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(cut)
            .finish();
        assert_eq!(bench.post(&body).await, is(REFUSED), "{body}");
    }
    assert!(bench.bus.events().is_empty());
}

#[tokio::test]
async fn what_is_known_by_the_name_of_a_method_alone_is_a_message_too() {
    let bench = Bench::new().await;
    let message = bench.simulator.app_message(
        &bench.app.app_id,
        &[
            ("msg_method", "alipay.open.mini.version.audit.passed"),
            ("biz_content", "{\"mini_app_id\":\"1\"}"),
        ],
        &NoticeOptions::default(),
    );
    assert_eq!(bench.post(&message).await, is(SUCCESS));
    let detail = &bench.bus.events()[0].detail;
    assert_eq!(detail["method"], "alipay.open.mini.version.audit.passed");
    assert_eq!(detail["message"]["biz_content"], "{\"mini_app_id\":\"1\"}");
}
