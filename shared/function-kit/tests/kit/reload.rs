//! A key that is replaced under a warm function (security case K-18).

use std::path::PathBuf;
use std::time::Duration;

use function_kit::{Alipay, Handler, Service};
use serde_json::{Value, json};
use simulator::{AppKey, AppOptions, SimulatedApp, Simulator, Trade};
use table_rows::MovableClock;

use crate::bench::{Obedient, TRADE_QUERY, entry, gateway, http_event, invocation, open_http};

/// A warm function over a document in a file. The gateway knows one key, and another app's is at hand as a wrong one.
struct Warm {
    simulator: Simulator,
    app: SimulatedApp,
    wrong_key: String,
    file: PathBuf,
    clock: MovableClock,
    service: Service<Obedient>,
    _folder: tempfile::TempDir,
}

impl Warm {
    async fn with_the_right_key(right: bool) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(AppOptions::default());
        let other = simulator.add_app(AppOptions::default());
        simulator.add_trade(Trade {
            app_id: app.app_id.clone(),
            out_trade_no: "none".to_owned(),
            ..Trade::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("apps.json");
        let clock = MovableClock::default();
        let key = if right {
            &app.private_key
        } else {
            &other.private_key
        };
        write(&file, &simulator, &app, key);
        let alipay = Alipay::from_file(gateway(), file.clone(), clock.clock())
            .await
            .unwrap();
        let function = Obedient {
            alipay: alipay.clone(),
        };
        Self {
            service: Service::new(function, alipay),
            wrong_key: other.private_key.clone(),
            simulator,
            app,
            file,
            clock,
            _folder: folder,
        }
    }

    fn write_key(&self, key: &str) {
        write(&self.file, &self.simulator, &self.app, key);
    }

    /// The envelope's code of one query.
    async fn query(&self) -> Value {
        let event = http_event("{\"task\":\"query\"}").to_string();
        let answer = self.service.handle(&event, invocation()).await;
        open_http(&serde_json::from_str(answer.get()).unwrap()).2["code"].clone()
    }

    fn calls(&self) -> u64 {
        self.simulator.received_count(TRADE_QUERY)
    }
}

fn write(file: &PathBuf, simulator: &Simulator, app: &SimulatedApp, key: &str) {
    let mut entry = entry(simulator, app);
    entry["privateKey"] = json!(key);
    std::fs::write(file, json!({ "apps": [entry] }).to_string()).unwrap();
}

fn refused() -> Value {
    json!("isv.invalid-signature")
}

#[tokio::test]
async fn a_replaced_key_is_read_again_and_the_call_made_once_more() {
    let warm = Warm::with_the_right_key(false).await;
    warm.write_key(&warm.app.private_key);
    assert_eq!(warm.query().await, 0);
    assert_eq!(warm.calls(), 2);
    assert_eq!(warm.query().await, 0);
    assert_eq!(warm.calls(), 3, "the new key is kept");
}

#[tokio::test]
async fn an_unchanged_key_makes_no_second_call_and_one_reading_a_minute() {
    let warm = Warm::with_the_right_key(false).await;
    assert_eq!(warm.query().await, refused());
    assert_eq!(warm.calls(), 1);

    // Whether it is read again shows in whether a new key is found.
    warm.write_key(&warm.app.private_key);
    warm.clock.advance(Duration::from_secs(55));
    assert_eq!(warm.query().await, refused());
    assert_eq!(warm.calls(), 2);

    warm.clock.advance(Duration::from_secs(6));
    assert_eq!(warm.query().await, 0);
    assert_eq!(warm.calls(), 4);
}

#[tokio::test]
async fn a_key_replaced_by_another_wrong_one_is_tried_once() {
    let warm = Warm::with_the_right_key(true).await;
    assert_eq!(warm.query().await, 0);
    warm.write_key(&warm.wrong_key);
    assert_eq!(warm.query().await, 0, "nothing is read while all is well");
    assert_eq!(warm.calls(), 2);

    let warm = Warm::with_the_right_key(false).await;
    let third = warm.simulator.add_app(AppOptions::default());
    warm.write_key(&third.private_key);
    assert_eq!(warm.query().await, refused());
    assert_eq!(warm.calls(), 2);
    assert_eq!(warm.query().await, refused());
    assert_eq!(warm.calls(), 3);
}

#[tokio::test]
async fn a_document_that_cannot_be_read_leaves_the_loaded_one() {
    let warm = Warm::with_the_right_key(false).await;
    std::fs::write(&warm.file, "{\"apps\":[").unwrap();
    assert_eq!(warm.query().await, refused());
    assert_eq!(warm.calls(), 1);
    // It counts as the reading of that minute.
    warm.write_key(&warm.app.private_key);
    assert_eq!(warm.query().await, refused());
    warm.clock.advance(Duration::from_secs(61));
    assert_eq!(warm.query().await, 0);
}

#[tokio::test]
async fn calls_refused_at_the_same_time_share_the_one_reading() {
    let warm = Warm::with_the_right_key(false).await;
    warm.write_key(&warm.app.private_key);
    let answers = tokio::join!(warm.query(), warm.query(), warm.query(), warm.query());
    assert_eq!(answers, (json!(0), json!(0), json!(0), json!(0)));
    assert!(warm.calls() <= 8, "{}", warm.calls());
}

#[tokio::test]
async fn apps_that_were_given_have_nothing_to_be_read_again_from() {
    let simulator = Simulator::start().await.unwrap();
    let app = simulator.add_app(AppOptions::default());
    let other = simulator.add_app(AppOptions::default());
    let mut entry = entry(&simulator, &app);
    entry["privateKey"] = json!(other.private_key);
    let document = json!({ "apps": [entry] }).to_string();
    let apps = function_kit::Apps::from_document(&document.into(), None).unwrap();
    let alipay = Alipay::new(gateway(), apps, MovableClock::default().clock(), false);
    let service = Service::new(
        Obedient {
            alipay: alipay.clone(),
        },
        alipay,
    );
    let answer = service.handle("{\"task\":\"query\"}", invocation()).await;
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    assert_eq!(answer["code"], refused());
    assert_eq!(simulator.received_count(TRADE_QUERY), 1);
}

#[tokio::test]
async fn a_renewed_certificate_is_read_again_and_the_call_made_once_more() {
    let simulator = Simulator::start().await.unwrap();
    let in_certificate_mode = || AppOptions {
        certificates: true,
        ..AppOptions::default()
    };
    let old = simulator.add_app(in_certificate_mode());
    let written = |app: &SimulatedApp| {
        let mut entry = entry(&simulator, app);
        entry.as_object_mut().unwrap().remove("alipayPublicKey");
        entry["appCert"] = json!(app.app_certificate);
        entry["alipayCert"] = json!(app.alipay_certificate);
        entry["alipayRootCert"] = json!(app.alipay_root_certificate);
        json!({ "apps": [entry] }).to_string()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.json");
    std::fs::write(&file, written(&old)).unwrap();
    let clock = MovableClock::default().clock();
    let alipay = Alipay::from_file(gateway(), file.clone(), clock)
        .await
        .unwrap();
    let function = Obedient {
        alipay: alipay.clone(),
    };
    let service = Service::new(function, alipay);

    // The console issues another certificate for the same key, and forgets the old one.
    let new = simulator.add_app(AppOptions {
        app_id: Some(old.app_id.clone()),
        key: AppKey::Private(old.private_key.clone()),
        ..in_certificate_mode()
    });
    assert_ne!(new.app_cert_sn, old.app_cert_sn);
    std::fs::write(&file, written(&new)).unwrap();
    let answer = service.handle("{\"task\":\"query\"}", invocation()).await;
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    assert_eq!(answer["code"], "ACQ.TRADE_NOT_EXIST", "{answer}");
    assert_eq!(simulator.received_count(TRADE_QUERY), 2);
}
