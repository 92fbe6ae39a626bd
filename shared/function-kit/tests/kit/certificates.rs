//! Apps in certificate mode: which files belong together, and how each mistake is named.

use std::path::Path;
use std::time::{Duration, SystemTime};

use function_kit::{Apps, AppsError, Finding, Verdict, findings};
use serde_json::{Value, json};
use simulator::{AlipayCertificate, AppOptions, SimulatedApp, Simulator};

use crate::keys;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn read(entry: &Value) -> Result<Apps, AppsError> {
    Apps::from_document(&json!({ "apps": [entry] }).to_string().into(), None)
}

fn wrong(entry: &Value) -> AppsError {
    read(entry).unwrap_err()
}

async fn simulator() -> Simulator {
    Simulator::start().await.unwrap()
}

fn app_of(simulator: &Simulator) -> SimulatedApp {
    simulator.add_app(AppOptions {
        certificates: true,
        ..AppOptions::default()
    })
}

fn entry(simulator: &Simulator, app: &SimulatedApp) -> Value {
    json!({
        "appid": app.app_id,
        "privateKey": app.private_key,
        "appCert": app.app_certificate,
        "alipayCert": app.alipay_certificate,
        "alipayRootCert": app.alipay_root_certificate,
        "gateway": simulator.gateway_url(),
    })
}

fn with(entry: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut changed = entry.clone();
    changed[field] = value.into();
    changed
}

/// The first certificate of a file.
fn leaf_alone(file: &str) -> String {
    let end = "-----END CERTIFICATE-----\n";
    file.split_inclusive(end).next().unwrap().to_owned()
}

#[tokio::test]
async fn three_certificates_stand_in_place_of_alipays_public_key() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let apps = read(&entry(&simulator, &app)).unwrap();
    let settings = apps.default_app();
    let certificates = settings.app.certificates.as_ref().unwrap();
    assert_eq!(certificates.app_serial_number, app.app_cert_sn);
    assert_eq!(certificates.alipay.serial_number(), app.alipay_cert_sn);
    assert_eq!(certificates.roots.serial_numbers(), app.alipay_root_cert_sn);
    assert_eq!(
        settings.app.alipay_key.to_base64(),
        app.alipay_public_key,
        "the key comes from Alipay's certificate"
    );
    assert!(settings.app_certificate.is_some());
}

#[tokio::test]
async fn certificates_in_files_are_read_as_keys_are() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let folder = tempfile::tempdir().unwrap();
    let mut entry = entry(&simulator, &app);
    for field in ["appCert", "alipayCert", "alipayRootCert"] {
        let name = format!("{field}.crt");
        std::fs::write(folder.path().join(&name), entry[field].as_str().unwrap()).unwrap();
        entry[field] = json!({ "file": name });
    }
    let document = json!({ "apps": [entry] }).to_string().into();
    assert!(Apps::from_document(&document, Some(folder.path())).is_ok());
    let in_a_secret = Apps::from_document(&document, None).unwrap_err();
    assert_eq!(in_a_secret.field, "apps[0].appCert");

    std::fs::write(folder.path().join("appCert.crt"), vec![b'x'; 300 * 1024]).unwrap();
    let huge = Apps::from_document(&document, Some(folder.path())).unwrap_err();
    assert!(huge.problem.contains("256 KiB"), "{huge}");
}

#[tokio::test]
async fn an_app_is_in_one_mode_and_in_all_of_it() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let whole = entry(&simulator, &app);
    for field in ["appCert", "alipayCert", "alipayRootCert"] {
        let error = wrong(&with(&whole, field, Value::Null));
        assert_eq!(error.field, format!("apps[0].{field}"));
        assert!(error.problem.contains("is missing"), "{error}");
    }
    let both = wrong(&with(
        &whole,
        "alipayPublicKey",
        app.alipay_public_key.clone(),
    ));
    assert_eq!(both.field, "apps[0].alipayPublicKey");
    for named in ["appCert", "alipayCert", "alipayRootCert"] {
        assert!(both.problem.contains(named), "{both}");
    }
    let mut neither = whole;
    for field in ["appCert", "alipayCert", "alipayRootCert"] {
        neither[field] = Value::Null;
    }
    let neither = wrong(&neither);
    assert_eq!(neither.field, "apps[0].alipayPublicKey");
    assert!(neither.problem.contains("alipayRootCert"), "{neither}");
}

#[tokio::test]
async fn a_file_in_another_files_place_is_named() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let other = app_of(&simulator);
    let whole = entry(&simulator, &app);
    let intermediate = app
        .alipay_certificate
        .replace(&leaf_alone(&app.alipay_certificate), "");
    let (own, alipay, roots) = (
        app.app_certificate.as_str(),
        app.alipay_certificate.as_str(),
        app.alipay_root_certificate.as_str(),
    );
    let private = app.private_key.as_str();
    let public = app.app_public_key.as_str();
    for (field, text, what) in [
        ("appCert", alipay, "is Alipay's certificate"),
        ("appCert", &intermediate, "certificate of an issuer"),
        (
            "appCert",
            &other.app_certificate,
            "not the certificate of privateKey",
        ),
        (
            "appCert",
            private,
            "private key where a certificate belongs",
        ),
        ("appCert", public, "public key, not a certificate"),
        ("alipayCert", own, "is the app's own certificate"),
        ("alipayCert", &intermediate, "certificate of an issuer"),
        ("alipayCert", public, "public key, not a certificate"),
        ("alipayRootCert", own, "no root"),
        ("alipayRootCert", alipay, "no root"),
        (
            "alipayRootCert",
            private,
            "private key where a certificate belongs",
        ),
        ("privateKey", own, "certificate"),
    ] {
        let error = wrong(&with(&whole, field, text));
        assert_eq!(error.field, format!("apps[0].{field}"), "{error}");
        assert!(error.problem.contains(what), "{what}: {error}");
    }
    for field in ["appCert", "alipayCert"] {
        let error = wrong(&with(&whole, field, roots));
        assert_eq!(error.field, format!("apps[0].{field}"), "{error}");
    }
    let exchanged = with(&with(&whole, "appCert", alipay), "alipayCert", own);
    let error = wrong(&exchanged);
    assert!(error.problem.contains("each other's place"), "{error}");
    // In key mode.
    let mut key_mode = whole;
    for field in ["appCert", "alipayCert", "alipayRootCert"] {
        key_mode[field] = Value::Null;
    }
    let error = wrong(&with(&key_mode, "alipayPublicKey", alipay));
    assert!(error.problem.contains("certificate settings"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_is_damaged_is_named_and_never_quoted() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let whole = entry(&simulator, &app);
    for field in ["appCert", "alipayCert", "alipayRootCert"] {
        let text = whole[field].as_str().unwrap();
        for damaged in ["", "canary canary canary", &text[..200]] {
            let error = wrong(&with(&whole, field, damaged));
            assert_eq!(error.field, format!("apps[0].{field}"));
            assert!(!error.problem.contains("canary"), "{error}");
            assert!(!error.problem.contains(&text[60..100]), "{error}");
        }
    }
}

#[tokio::test]
async fn alipays_certificate_of_another_authority_stops_the_start_except_in_alipays_sandbox() {
    let simulator = simulator().await;
    simulator.change_alipay_certificate(AlipayCertificate::Foreign);
    let app = app_of(&simulator);
    let foreign = entry(&simulator, &app);
    let error = wrong(&foreign);
    assert_eq!(error.field, "apps[0].alipayCert");
    assert!(
        error.problem.contains("not issued under alipayRootCert"),
        "{error}"
    );
    for gateway in ["production", "https://alipaydev.com.example.com/gateway.do"] {
        assert_eq!(
            wrong(&with(&foreign, "gateway", gateway)).field,
            "apps[0].alipayCert",
            "{gateway}"
        );
    }
    for gateway in ["sandbox", "https://openapi.alipaydev.com/gateway.do"] {
        let apps = read(&with(&foreign, "gateway", gateway)).unwrap();
        let doubt = doubtful(&apps);
        assert_eq!(doubt[0].field, "alipayCert");
        assert!(doubt[0].what.contains("cannot be checked"), "{doubt:?}");
    }
}

#[tokio::test]
async fn a_certificate_without_its_issuers_loads_and_is_doubted() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let whole = entry(&simulator, &app);
    let alone = with(&whole, "alipayCert", leaf_alone(&app.alipay_certificate));
    let doubt = doubtful(&read(&alone).unwrap());
    assert_eq!((doubt.len(), doubt[0].field), (1, "alipayCert"));
    assert!(doubt[0].what.contains("stands alone"), "{doubt:?}");
    assert!(doubtful(&read(&whole).unwrap()).is_empty());
}

/// Every app has a certificate of Alipay's, and a key to it that is not Alipay's.
#[tokio::test]
async fn an_apps_certificate_in_place_of_alipays_is_doubted() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/certs");
    let published = |file| std::fs::read_to_string(vectors.join(file));
    let (Ok(an_apps), Ok(alipays)) = (
        published("php_v3_appCertPublicKey_2021003156675030.crt"),
        published("php_v3_alipayCertPublicKey_RSA2.crt"),
    ) else {
        eprintln!("skipped: there are no outside vectors here");
        return;
    };
    let simulator = simulator().await;
    let entry = entry(&simulator, &app_of(&simulator));
    let doubts_of_app = |file: &str| {
        let apps = read(&with(&entry, "alipayCert", leaf_alone(file))).unwrap();
        // A day on which both certificates are valid.
        let found = findings(&apps, SystemTime::UNIX_EPOCH + 20_000 * DAY);
        let of_app = |finding: &&Finding| finding.what.contains("the certificate of an app");
        found.iter().filter(of_app).count()
    };
    assert_eq!(doubts_of_app(&an_apps), 1);
    assert_eq!(doubts_of_app(&alipays), 0);
}

fn doubtful(apps: &Apps) -> Vec<Finding> {
    let found = findings(apps, SystemTime::now()).into_iter();
    found
        .inspect(|finding| assert_ne!(finding.verdict, Verdict::Wrong, "{finding:?}"))
        .filter(|finding| finding.verdict == Verdict::Doubtful)
        .collect()
}

#[tokio::test]
async fn an_expired_certificate_does_not_stop_the_start_and_is_found() {
    let simulator = simulator().await;
    simulator.change_alipay_certificate(AlipayCertificate::Expired);
    let app = app_of(&simulator);
    let apps = read(&entry(&simulator, &app)).unwrap();
    let wrong: Vec<_> = findings(&apps, SystemTime::now())
        .into_iter()
        .filter(|finding| finding.verdict == Verdict::Wrong)
        .collect();
    assert_eq!((wrong.len(), wrong[0].field), (1, "alipayCert"));
    assert!(wrong[0].what.starts_with("ended on 20"), "{wrong:?}");
    assert!(wrong[0].mend.is_some() && wrong[0].app_id == app.app_id);
}

#[tokio::test]
async fn a_certificate_is_doubted_a_month_before_its_end_and_wrong_after_it() {
    let simulator = simulator().await;
    let app = app_of(&simulator);
    let apps = read(&entry(&simulator, &app)).unwrap();
    let own = apps.default_app().app_certificate.clone().unwrap();
    let second = Duration::from_secs(1);
    let end = own.not_after();
    for (now, verdict) in [
        (end - 30 * DAY - second, Verdict::Right),
        (end - 30 * DAY + second, Verdict::Doubtful),
        (end, Verdict::Doubtful),
        (end + second, Verdict::Wrong),
        (own.not_before() - second, Verdict::Wrong),
        (own.not_before(), Verdict::Right),
    ] {
        let found = findings(&apps, now);
        let of_app = found.iter().find(|finding| finding.field == "appCert");
        assert_eq!(of_app.unwrap().verdict, verdict, "{of_app:?}");
    }
}

#[test]
fn an_app_in_key_mode_has_nothing_to_doubt() {
    let entry = json!({
        "appid": "2021000000000001",
        "privateKey": keys::app().private_text(),
        "alipayPublicKey": keys::alipay().public_text(),
    });
    let apps = read(&entry).unwrap();
    assert!(doubtful(&apps).is_empty());
}
