//! The functions work alike in every mode that an app can be in: keys or certificates, the three charsets, encrypted contents,
//! and both protocols.

use dev_server::apps_document;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Scope, SimulatedApp, SimulatedUser};
use tests::Stack;

/// A mode, and the marks that its requests bear.
struct Mode {
    name: &'static str,
    certificates: bool,
    settings: Value,
    /// Parameters or headers of every request, by name.
    marks: &'static [&'static str],
    /// Those of requests with `biz_content`.
    marks_of_contents: &'static [&'static str],
}

fn modes() -> [Mode; 9] {
    let mode = |name, certificates, settings, marks, marks_of_contents| Mode {
        name,
        certificates,
        settings,
        marks,
        marks_of_contents,
    };
    const SERIALS: &[&str] = &["app_cert_sn", "alipay_root_cert_sn"];
    const ENCRYPTED: &[&str] = &["encrypt_type"];
    const V3: &[&str] = &["authorization", "alipay-request-id"];
    const V3_CERTIFICATES: &[&str] = &["authorization", "alipay-root-cert-sn"];
    const V3_ENCRYPTED: &[&str] = &["alipay-encrypt-type"];
    [
        mode("keys, UTF-8", false, json!({}), &["sign"], &[]),
        mode(
            "keys, GBK",
            false,
            json!({"charset": "GBK"}),
            &["sign"],
            &[],
        ),
        mode(
            "keys, GB2312",
            false,
            json!({"charset": "GB2312"}),
            &["sign"],
            &[],
        ),
        mode("certificates", true, json!({}), SERIALS, &[]),
        mode(
            "encrypted",
            false,
            json!({"needEncrypt": true}),
            &["sign"],
            ENCRYPTED,
        ),
        mode(
            "certificates, GBK, encrypted",
            true,
            json!({"charset": "GBK", "needEncrypt": true}),
            SERIALS,
            ENCRYPTED,
        ),
        mode("V3", false, json!({"protocol": "v3"}), V3, &[]),
        mode(
            "V3, certificates",
            true,
            json!({"protocol": "v3"}),
            V3_CERTIFICATES,
            &[],
        ),
        mode(
            "V3, certificates, encrypted",
            true,
            json!({"protocol": "v3", "needEncrypt": true}),
            V3_CERTIFICATES,
            V3_ENCRYPTED,
        ),
    ]
}

/// An app of `stack`'s simulator in this mode, and the functions that serve it.
async fn in_mode(stack: &Stack, mode: &Mode) -> (SimulatedApp, Stack) {
    let app = stack.simulator().add_app(AppOptions {
        certificates: mode.certificates,
        ..AppOptions::default()
    });
    let mut document: Value =
        serde_json::from_str(&apps_document(stack.simulator(), &app)).unwrap();
    let entry = document["apps"][0].as_object_mut().unwrap();
    entry.extend(mode.settings.as_object().unwrap().clone());
    let serving = Stack::with_document(&document.to_string()).await;
    (app, serving)
}

#[tokio::test]
async fn every_function_that_calls_alipay_works_in_every_mode() {
    let stack = Stack::start().await;
    let simulator = stack.simulator();
    for mode in modes() {
        let (app, serving) = in_mode(&stack, &mode).await;
        simulator.clear_received();
        let options = CodeOptions {
            scope: Scope::AuthUser,
            ..CodeOptions::default()
        };
        let code = simulator.issue_code(&app.app_id, options);
        let user = SimulatedUser::DEFAULT_USER_ID;
        let message = json!({
            "touser": user,
            "template_id": "t",
            "page": "pages/index/index",
            "data": {"keyword1": {"value": "您的订单已发货"}},
        });
        for (function, arguments) in [
            ("code2session", json!({"code": code})),
            (
                "get-mini-code",
                json!({"page": "pages/index/index", "scene": "店=杭州", "describe": "推广"}),
            ),
            ("get-temp-mini-code", json!({"page": "pages/index/index"})),
            ("subscribe-message-send", message),
            ("msg-sec-check", json!({"content": "今天天气很好"})),
            ("user-info", json!({"openid": user})),
            ("link-open-ids", json!({"userIds": [user]})),
            (
                "decrypt",
                json!({"response": simulator.phone_number(&app.app_id, user)}),
            ),
        ] {
            let answer = serving.invoke(function, &arguments).await;
            assert_eq!(answer["code"], 0, "{}: {function}: {answer}", mode.name);
        }
        let sent = simulator.messages().pop().unwrap();
        assert!(
            format!("{sent:?}").contains("您的订单已发货"),
            "{}: {sent:?}",
            mode.name
        );

        let received = simulator.received();
        assert_eq!(received.len(), 7, "{}", mode.name);
        for call in received {
            let method = call.method.as_deref().unwrap();
            let bears = |mark: &str| {
                call.parameters.contains_key(mark)
                    || call.headers.iter().any(|(name, _)| name == mark)
            };
            let has_content = !matches!(
                method,
                "alipay.system.oauth.token" | "alipay.user.info.share"
            );
            for mark in mode.marks {
                assert!(bears(mark), "{}: {method} without {mark}", mode.name);
            }
            for mark in mode.marks_of_contents {
                assert_eq!(bears(mark), has_content, "{}: {method}: {mark}", mode.name);
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_reads_alike_in_every_mode() {
    let stack = Stack::start().await;
    for mode in modes() {
        let (_, serving) = in_mode(&stack, &mode).await;
        let answer = serving
            .invoke("code2session", &json!({"code": "nosuchcode"}))
            .await;
        assert_eq!(
            (&answer["code"], &answer["error"], &answer["sub_code"]),
            (
                &json!("isv.code-invalid"),
                &json!("gateway_refused"),
                &json!("isv.code-invalid")
            ),
            "{}: {answer}",
            mode.name
        );
        assert!(answer["hint"].is_string(), "{}: {answer}", mode.name);
        assert!(answer["trace_id"].is_string(), "{}: {answer}", mode.name);
    }
}

#[tokio::test]
async fn a_text_that_the_charset_lacks_is_named_and_nothing_is_sent() {
    let stack = Stack::start().await;
    let [_, gbk, ..] = modes();
    let (_, serving) = in_mode(&stack, &gbk).await;
    let answer = serving
        .invoke(
            "get-mini-code",
            &json!({"page": "pages/index/index", "describe": "🎉"}),
        )
        .await;
    assert_eq!(answer["error"], "invalid_argument", "{answer}");
    assert!(
        answer["msg"].as_str().unwrap().contains("1F389"),
        "{answer}"
    );
    assert!(stack.simulator().received().is_empty());
}
