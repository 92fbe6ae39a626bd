//! Certificate mode: which certificates are named, with which one a reply is verified, and what a renewal takes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::{
    App, Deadline, Gateway, GatewayError, KeyNeeded, Protocol, Reply, UnverifiedReply,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use simulator::{AlipayCertificate, AppOptions, Fault, FaultKind, Simulator, Trade};

use crate::replies::{body, signature};
use crate::{Fixture, TRADE_QUERY, alipay_key, configured, failure, far, query_of};

const DOWNLOAD: &str = "alipay.open.app.alipaycert.download";
const NAME: &str = "alipay_trade_query_response";
const NODE: &str = r#"{"code":"10000","msg":"Success","out_trade_no":"T1"}"#;
const ERROR: &str = r#"{"code":"40004","msg":"m","sub_code":"ACQ.TRADE_NOT_EXIST"}"#;
const OTHER_SERIAL_NUMBER: &str = "00000000000000000000000000000000";

fn options() -> AppOptions {
    AppOptions {
        certificates: true,
        ..AppOptions::default()
    }
}

async fn fixture_in(protocol: Protocol) -> Fixture {
    let mut fixture = Fixture::with(options()).await;
    fixture.app.protocol = protocol;
    add_trade(&fixture.simulator, &fixture.app);
    fixture
}

fn add_trade(simulator: &Simulator, app: &App) {
    simulator.add_trade(Trade {
        app_id: app.app_id.clone(),
        out_trade_no: "T1".to_owned(),
        ..Trade::default()
    });
}

impl Fixture {
    async fn query(&self) -> Result<Reply, GatewayError> {
        self.call(&query_of("T1")).await
    }

    fn downloads(&self) -> u64 {
        self.simulator.received_count(DOWNLOAD)
    }
}

#[tokio::test]
async fn both_serial_numbers_are_named_in_the_query_and_the_reply_is_verified() {
    let fixture = fixture_in(Protocol::V2).await;
    fixture.query().await.unwrap();
    let received = fixture.simulator.received();
    for name in ["app_cert_sn", "alipay_root_cert_sn"] {
        assert!(
            received[0].in_query.iter().any(|sent| sent == name),
            "{name}"
        );
    }
    assert_eq!(fixture.downloads(), 0);
}

#[tokio::test]
async fn a_renewed_certificate_is_fetched_once_and_kept() {
    for protocol in [Protocol::V2, Protocol::V3] {
        let mut fixture = fixture_in(protocol).await;
        if protocol == Protocol::V3 {
            // V3 needs no path, and the download goes over V2.
            fixture.app.gateway.set_path("/");
        }
        fixture.simulator.renew_alipay_certificate();
        for _ in 0..3 {
            let reply = fixture.query().await;
            reply.unwrap_or_else(|error| panic!("{protocol:?}: {error}"));
        }
        assert_eq!(fixture.downloads(), 1, "{protocol:?}");
    }
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_certificate() {
    let fixture = fixture_in(Protocol::V2).await;
    fixture.simulator.renew_alipay_certificate();
    let calls = (0..20).map(|_| {
        let (gateway, app) = (fixture.gateway.clone(), fixture.app.clone());
        tokio::spawn(async move { gateway.call(&app, &query_of("T1"), far()).await.map(drop) })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(fixture.downloads(), 1);
}

#[tokio::test]
async fn a_certificate_that_does_not_lead_to_the_root_is_refused_and_not_asked_for_again() {
    let fixture = fixture_in(Protocol::V2).await;
    fixture.simulator.use_foreign_alipay_certificate();
    for _ in 0..3 {
        let error = failure(fixture.query().await);
        assert!(matches!(error, GatewayError::Unverified { .. }), "{error}");
        assert!(!error.was_never_sent());
    }
    assert_eq!(fixture.downloads(), 1);
    // A second renewal inside the hour has to wait.
    fixture.simulator.renew_alipay_certificate();
    let error = failure(fixture.query().await);
    assert!(error.to_string().contains("too early"), "{error}");
    assert_eq!(fixture.downloads(), 1);
}

/// Whoever has an app at Alipay has a certificate under Alipay's roots, and a key to it.
#[tokio::test]
async fn another_apps_certificate_is_not_taken_for_alipays() {
    let fixture = fixture_in(Protocol::V2).await;
    let of_another_app = AlipayCertificate::OfAnotherApp;
    fixture.simulator.change_alipay_certificate(of_another_app);
    let error = failure(fixture.query().await);
    assert!(error.to_string().contains("another name"), "{error}");
}

#[tokio::test]
async fn what_one_app_fetched_serves_no_other() {
    let fixture = fixture_in(Protocol::V2).await;
    let registered = fixture.simulator.add_app(options());
    let other = configured(&fixture.simulator, &registered);
    add_trade(&fixture.simulator, &other);
    fixture.simulator.renew_alipay_certificate();
    fixture.query().await.unwrap();
    let query = query_of("T1");
    fixture.gateway.call(&other, &query, far()).await.unwrap();
    assert_eq!(fixture.downloads(), 2);
}

/// The call was executed before the certificate is fetched, so its fate is unknown and not "nothing was sent".
#[tokio::test]
async fn a_download_that_fails_leaves_the_call_sent() {
    for kind in [
        FaultKind::Html { status: 502 },
        FaultKind::ResetBeforeReading,
        FaultKind::EmptyBody { status: 200 },
        FaultKind::HalfBody,
        FaultKind::Node {
            json: r#"{"code":"10000","alipay_cert_content":"AAAA"}"#.to_owned(),
        },
    ] {
        let fixture = fixture_in(Protocol::V2).await;
        fixture.simulator.renew_alipay_certificate();
        let fault = Fault::always(kind.clone()).for_method(DOWNLOAD);
        fixture.simulator.inject(fault);
        let error = failure(fixture.query().await);
        assert!(
            matches!(error, GatewayError::Unverified { .. }) && !error.was_never_sent(),
            "{kind:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_download_stays_inside_the_time_of_its_call() {
    let fixture = fixture_in(Protocol::V2).await;
    fixture.simulator.renew_alipay_certificate();
    let fault = Fault::always(FaultKind::NeverAnswer).for_method(DOWNLOAD);
    fixture.simulator.inject(fault);
    let start = SystemTime::now();
    let deadline = Deadline::after(start, Duration::from_millis(2000));
    let query = query_of("T1");
    let error = failure(fixture.gateway.call(&fixture.app, &query, deadline).await);
    assert!(matches!(error, GatewayError::TimedOut), "{error}");
    assert!(!error.was_never_sent());
    assert!(SystemTime::now() < start + Duration::from_millis(2000));
}

/// Both are Alipay's; but the one that came is not the one that signed.
#[tokio::test]
async fn a_genuine_certificate_that_was_not_asked_for_is_refused() {
    let simulator = Simulator::start().await.unwrap();
    let registered = simulator.add_app(options());
    let app = configured(&simulator, &registered);
    add_trade(&simulator, &app);
    simulator.renew_alipay_certificate();
    let old = STANDARD.encode(&registered.alipay_certificate);
    let json = format!(r#"{{"code":"10000","alipay_cert_content":"{old}"}}"#);
    let fault = Fault::always(FaultKind::Node { json }).for_method(DOWNLOAD);
    simulator.inject(fault);
    let gateway = Gateway::new(Arc::new(SystemTime::now)).unwrap();
    let error = failure(gateway.call(&app, &query_of("T1"), far()).await);
    assert!(error.to_string().contains("another certificate"), "{error}");
    assert_eq!(simulator.received_count(DOWNLOAD), 1);
}

/// A download that is cut off would be in vain.
#[tokio::test]
async fn a_download_for_which_there_is_no_time_is_not_begun() {
    let fixture = fixture_in(Protocol::V2).await;
    fixture.simulator.renew_alipay_certificate();
    let slow = FaultKind::Delay { milliseconds: 700 };
    let slow = Fault::once(slow).for_method(TRADE_QUERY);
    fixture.simulator.inject(slow);
    let query = query_of("T1");
    let deadline = Deadline::after(SystemTime::now(), Duration::from_millis(2000));
    let error = failure(fixture.gateway.call(&fixture.app, &query, deadline).await);
    assert!(matches!(error, GatewayError::TimedOut), "{error}");
    assert_eq!(fixture.downloads(), 0);
    fixture.query().await.unwrap();
    assert_eq!(fixture.downloads(), 1);
}

#[tokio::test]
async fn a_success_that_names_no_certificate_or_another_one_is_refused() {
    let cases = [
        (None, 0),
        (Some(OTHER_SERIAL_NUMBER), 1),
        // Nothing that is no serial number goes into a request.
        (Some("../../x"), 0),
        (Some("0000000000000000000000000000000G"), 0),
    ];
    let in_both = |case| [(Protocol::V2, case), (Protocol::V3, case)];
    for (protocol, (sn, downloads)) in cases.into_iter().flat_map(in_both) {
        let fixture = fixture_in(protocol).await;
        let sn = sn.map(str::to_owned);
        let kind = FaultKind::CertificateSn { sn: sn.clone() };
        fixture
            .simulator
            .inject(Fault::once(kind).for_method(TRADE_QUERY));
        let error = failure(fixture.query().await);
        assert!(
            matches!(error, GatewayError::Unverified { .. }),
            "{protocol:?}: {sn:?}: {error}"
        );
        assert_eq!(fixture.downloads(), downloads, "{protocol:?}: {sn:?}");
    }
}

#[tokio::test]
async fn when_the_configured_certificate_has_expired_its_setting_is_named() {
    let fixture = fixture_in(Protocol::V2).await;
    let certificates = fixture.app.certificates.clone().unwrap();
    let signed = |members: &[(&str, &str)]| {
        let body = body(members);
        UnverifiedReply::read(&fixture.app, &query_of("T1"), body.as_bytes(), None, None).unwrap()
    };
    let sign = format!("\"{}\"", signature(NODE));
    let reply = signed(&[(NAME, NODE), ("sign", &sign)]);
    let not_after = certificates.alipay.not_after();
    let needed = reply.key_needed(&fixture.app, not_after).unwrap();
    assert!(
        matches!(needed, KeyNeeded::Configured(key) if key == certificates.alipay.verifying_key())
    );
    let second = Duration::from_secs(1);
    for now in [
        not_after + second,
        certificates.alipay.not_before() - second,
    ] {
        let error = reply.key_needed(&fixture.app, now).unwrap_err();
        assert!(error.to_string().contains("alipayCert"), "{error}");
    }
    // What is unsigned needs no key: it may say no, whatever the certificate.
    let unsigned = signed(&[(NAME, ERROR)]);
    unsigned
        .key_needed(&fixture.app, not_after + second)
        .unwrap();
}

#[tokio::test]
async fn an_error_may_name_no_certificate_and_a_success_has_to() {
    let fixture = fixture_in(Protocol::V2).await;
    let call = query_of("T1");
    let judge = |node: &str| {
        let sign = format!("\"{}\"", signature(node));
        let body = body(&[(NAME, node), ("sign", &sign)]);
        let reply =
            UnverifiedReply::read(&fixture.app, &call, body.as_bytes(), None, None).unwrap();
        // The signature is right, by the key that is given here.
        reply.verify(&fixture.app, &call, &alipay_key().verifying_key())
    };
    let GatewayError::Refused(refusal) = failure(judge(ERROR)) else {
        panic!("not refused");
    };
    assert!(refusal.verified);
    let error = failure(judge(NODE));
    assert!(error.to_string().contains("serial number"), "{error}");
}

#[test]
fn in_key_mode_the_name_of_a_certificate_says_nothing() {
    let sign = format!("\"{}\"", signature(NODE));
    for name in ["\"0123\"", "null", "[]"] {
        let body = body(&[(NAME, NODE), ("alipay_cert_sn", name), ("sign", &sign)]);
        let app = crate::app();
        crate::verify_reply(&app, &query_of("T1"), body.as_bytes(), None, None).unwrap();
    }
}

/// A client of its own has fetched nothing yet.
#[tokio::test]
async fn what_was_fetched_lives_as_long_as_the_client() {
    let fixture = fixture_in(Protocol::V2).await;
    fixture.simulator.renew_alipay_certificate();
    fixture.query().await.unwrap();
    let clone = fixture.gateway.clone();
    let query = query_of("T1");
    clone.call(&fixture.app, &query, far()).await.unwrap();
    assert_eq!(fixture.downloads(), 1);
    let new = Gateway::new(Arc::new(SystemTime::now)).unwrap();
    new.call(&fixture.app, &query, far()).await.unwrap();
    assert_eq!(fixture.downloads(), 2);
}
