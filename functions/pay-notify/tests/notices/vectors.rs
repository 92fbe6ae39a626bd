//! Outside vectors: attacks that were made for this project, and notices that Alipay has really sent.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alipay_gateway::Deadline;
use alipay_signing::{SignType, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_payments::{Buyer, Finding, OrderRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use simulator::{AppOptions, Refund, Trade};
use url::form_urlencoded;

use crate::bench::{Bench, LATER, NOTHING, REFUSED, SUCCESS, Setting, is, number};
use crate::logs::kept_log;

#[derive(Deserialize)]
struct Attacks {
    alipay_public_key_pem: String,
    alipay_private_key_pem_test_only: String,
    notify: Vec<Attack>,
}

#[derive(Deserialize)]
struct Attack {
    id: String,
    body_b64: String,
    expect: String,
    order: PlantedOrder,
}

#[derive(Deserialize)]
struct PlantedOrder {
    app_id: String,
    seller_id: String,
    out_trade_no: String,
    total_amount: String,
}

/// A file of the outside vectors, which lie beside the project and not in it; `None` where they are absent.
fn outside<T: DeserializeOwned>(name: &str) -> Option<T> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    if !path.exists() {
        // Written past the test runner, which shows what a passing test prints to nobody.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {name} here");
        return None;
    }
    let bytes = std::fs::read(path).expect("a readable file");
    Some(serde_json::from_slice(&bytes).expect("the expected JSON"))
}

impl Attacks {
    /// The order of the case, and at Alipay a trade by which it is paid, whatever the notice says: the checks alone stand between.
    async fn bench(&self, case: &Attack) -> Bench {
        let order = &case.order;
        let bench = Bench::with(Setting {
            options: AppOptions {
                app_id: Some(order.app_id.clone()),
                pid: order.seller_id.clone(),
                ..AppOptions::default()
            },
            alipay_public_key: Some(self.alipay_public_key_pem.clone()),
            gateway_key: Some(self.alipay_private_key_pem_test_only.clone()),
            ..Setting::default()
        })
        .await;
        bench
            .placed(OrderRequest {
                out_trade_no: number(&order.out_trade_no),
                ..bench.request(&order.total_amount)
            })
            .await;
        let mut trade = Trade {
            out_trade_no: order.out_trade_no.clone(),
            trade_no: "2026".to_owned(),
            ..bench.trade(&order.total_amount, "TRADE_SUCCESS")
        };
        if case.id == "N12b" {
            trade.trade_status = "TRADE_CLOSED".to_owned();
            trade.paid_at = None;
        }
        if case.id == "N12f" {
            trade.refunds.push(Refund {
                out_request_no: "RF1".to_owned(),
                amount: "0.01".to_owned(),
                refunded_at: 1_700_000_001_000,
            });
        }
        bench.simulator.add_trade(trade);
        bench
    }
}

#[tokio::test]
async fn every_outside_vector_ends_as_it_says() {
    let Some(attacks) = outside::<Attacks>("attack/attack-vectors.json") else {
        return;
    };
    assert!(attacks.notify.len() >= 23);
    for case in &attacks.notify {
        let bench = attacks.bench(case).await;
        let body = String::from_utf8(STANDARD.decode(&case.body_b64).unwrap());
        let answer = bench.post_to(&case.order.app_id, &body.unwrap()).await;
        let (expected, told) = match case.expect.as_str() {
            // N05c: the smuggled refund_status is not acted on. N23b: empty values may be left out of the signed text.
            "credit" | "ack_by_order_state" | "record_what_we_do" => (SUCCESS, (1, 0, 0)),
            "ack_no_credit" if case.id == "N12b" => (SUCCESS, (0, 0, 1)),
            "ack_no_credit" | "accept_message" => (SUCCESS, NOTHING),
            "refund_event_no_credit" => (SUCCESS, (0, 1, 0)),
            "fail" | "fail_or_credit_by_config" => (REFUSED, NOTHING),
            other => panic!("{}: {other}", case.id),
        };
        assert_eq!((answer, bench.told()), (is(expected), told), "{}", case.id);
        let messages = usize::from(case.expect == "accept_message");
        assert_eq!(
            bench.events_of("alipay.message").len(),
            messages,
            "{}",
            case.id
        );
    }
}

#[derive(Deserialize)]
struct Real {
    keys: serde_json::Value,
    notify: Vec<RealNotice>,
}

#[derive(Deserialize)]
struct RealNotice {
    params: BTreeMap<String, String>,
    verifies_with: Vec<String>,
}

#[tokio::test]
async fn notices_that_alipay_has_really_sent_are_genuine() {
    let Some(real) = outside::<Real>("alipay-real-signatures/node-sdk-vectors.json") else {
        return;
    };
    let log = kept_log();
    let keys = texts_in(&real.keys);
    let mut genuine = 0;
    for notice in &real.notify {
        // Some have no sign_type, which a notice must state; some were changed.
        let is_taken = notice.params.contains_key("sign_type") && !notice.verifies_with.is_empty();
        let key = keys.iter().find(|key| signs(key, notice));
        assert!(key.is_some() || !is_taken);
        let bench = Bench::with(Setting {
            options: AppOptions {
                app_id: Some(notice.params["app_id"].clone()),
                ..AppOptions::default()
            },
            alipay_public_key: key.or(keys.first()).cloned(),
            ..Setting::default()
        })
        .await;
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&notice.params)
            .finish();
        let answer = bench.post_to(&notice.params["app_id"], &body).await;
        let text = log.take();
        if !is_taken {
            assert_eq!(answer, is(REFUSED));
            assert!(!text.contains("notice_mismatch"), "{text}");
            continue;
        }
        genuine += 1;
        if notice.params.contains_key("method") {
            assert_eq!(answer, is(SUCCESS));
            assert_eq!(bench.events_of("alipay.message").len(), 1);
        } else {
            // Of an order that is not there.
            assert_eq!(answer, is(REFUSED));
            assert!(
                text.contains("notice_mismatch") && text.contains(r#"field="out_trade_no""#),
                "{text}"
            );
            fits_its_order(&bench, &notice.params, &body).await;
        }
    }
    assert_eq!(genuine, 2);
}

/// With its order in the table the real notice passes every check, so that Alipay is asked. Nobody but Alipay can sign an answer by the
/// real key, so what the question led to is recorded by hand.
async fn fits_its_order(bench: &Bench, params: &BTreeMap<String, String>, body: &str) {
    let app_id = &params["app_id"];
    let order = bench
        .placed(OrderRequest {
            out_trade_no: number(&params["out_trade_no"]),
            seller_id: params["seller_id"].clone(),
            ..bench.request(&params["total_amount"])
        })
        .await;
    bench.simulator.add_trade(Trade {
        out_trade_no: params["out_trade_no"].clone(),
        trade_no: params["trade_no"].clone(),
        ..bench.trade(&params["total_amount"], "TRADE_SUCCESS")
    });
    assert_eq!(bench.post_to(app_id, body).await, is(LATER));
    assert_eq!((bench.questions(), bench.told()), (1, NOTHING));

    let paid = Finding::Paid {
        trade_no: params["trade_no"].clone(),
        is_finished: false,
        payer: Buyer::default(),
    };
    let now = bench.clock.now();
    let deadline = Deadline::after(now, Duration::from_secs(10));
    bench
        .payments
        .record(&order, &paid, None, now, deadline)
        .await
        .unwrap();
    for _ in 0..8 {
        assert_eq!(bench.post_to(app_id, body).await, is(SUCCESS));
    }
    assert_eq!((bench.questions(), bench.told()), (1, (1, 0, 0)));
}

fn texts_in(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(values) => values.iter().flat_map(texts_in).collect(),
        serde_json::Value::Object(members) => members.values().flat_map(texts_in).collect(),
        _ => Vec::new(),
    }
}

/// Whether `key` verifies the notice by either rule: which key each was signed with the file does not say.
fn signs(key: &str, notice: &RealNotice) -> bool {
    let Ok(key) = VerifyingKey::from_text(key) else {
        return false;
    };
    [
        alipay_signing::NoticeRule::WithoutSignType,
        alipay_signing::NoticeRule::WithSignType,
    ]
    .into_iter()
    .any(|rule| {
        let fields = notice.params.iter();
        let text = alipay_signing::notice_text(
            fields.map(|(name, value)| (name.as_str(), value.as_str())),
            rule,
            alipay_signing::EmptyValues::Kept,
        );
        key.verify(SignType::Rsa2, text.as_bytes(), &notice.params["sign"])
            .is_ok()
    })
}
