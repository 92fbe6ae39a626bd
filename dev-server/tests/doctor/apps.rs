//! What is proved about an app.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dev_server::{DoctorOptions, Report, apps_document, doctor};
use serde_json::{Value, json};
use simulator::{AlipayCertificate, AppOptions, Fault, FaultKind};

use crate::bench::{Bench, Said, in_certificate_mode, in_key_mode, run};

#[tokio::test]
async fn a_right_configuration_in_key_mode_is_all_well_and_its_public_key_is_printed() {
    let bench = Bench::new(in_key_mode()).await;
    bench
        .doctor()
        .is_all_well()
        .has("ok     privateKey: loads and signs (2048 bits)")
        .has(&bench.app.app_public_key)
        .has("在开放平台控制台粘贴")
        .has("ok     gateway: is reached")
        .has("ok     clock: agrees with the gateway's")
        .has("ok     signature: the gateway accepts it")
        .has("ok     alipayPublicKey: the reply's signature is right")
        .has("ok     aesKey: an encrypted call is understood, and its answer read")
        .has("skip   TOKEN_TABLE is not set");
}

#[tokio::test]
async fn a_right_configuration_in_certificate_mode_is_all_well() {
    let bench = Bench::new(in_certificate_mode()).await;
    bench
        .doctor()
        .is_all_well()
        .has(&format!("ok     appCert: SN {}", bench.app.app_cert_sn))
        .has(&format!(
            "ok     alipayCert: SN {}",
            bench.app.alipay_cert_sn
        ))
        .has("ok     alipayCert: leads to alipayRootCert")
        .has(&format!(
            "ok     alipayRootCert: SN {}",
            bench.app.alipay_root_cert_sn
        ))
        .has("ok     alipayCert: the reply's signature is right");
}

#[tokio::test]
async fn protocol_v3_is_examined_as_v2_is() {
    for options in [in_key_mode(), in_certificate_mode()] {
        let bench = Bench::new(options).await.with("protocol", "v3");
        bench.doctor().is_all_well().has("ok     protocol: v3");
    }
}

#[tokio::test]
async fn an_app_without_a_pid_is_well_and_it_is_told_what_it_cannot_do() {
    let told = "skip   pid: is not given; payments";
    let mut bench = Bench::new(in_key_mode()).await;
    bench.doctor().is_all_well().has_not(told);
    let app = bench.document["apps"][0].as_object_mut().unwrap();
    app.remove("pid").unwrap();
    bench.doctor().is_all_well().has(told);
}

#[tokio::test]
async fn an_app_in_another_charset_is_examined_in_it() {
    let bench = Bench::new(in_key_mode()).await.with("charset", "GBK");
    bench.doctor().is_all_well();
}

#[tokio::test]
async fn a_private_key_that_is_not_the_uploaded_ones_pair_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    let other = bench.simulator.add_app(in_key_mode());
    let bench = bench.with("privateKey", other.private_key);
    bench
        .doctor()
        .fails()
        .has("FAIL   signature: the gateway refuses the call (40002 isv.invalid-signature")
        .has("paste the public key above into this appid's page")
        .has(&other.app_public_key);
}

#[tokio::test]
async fn alipays_key_of_another_app_does_not_verify_the_reply() {
    let bench = Bench::new(in_key_mode()).await;
    let other = bench.simulator.add_app(in_key_mode());
    bench
        .with("alipayPublicKey", other.app_public_key)
        .doctor()
        .fails()
        .has("FAIL   alipayPublicKey: the gateway's reply could not be verified")
        .has("copy Alipay's public key (支付宝公钥) again");
}

#[tokio::test]
async fn the_apps_own_public_key_in_place_of_alipays_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    let own = bench.app.app_public_key.clone();
    bench
        .with("alipayPublicKey", own)
        .doctor()
        .fails()
        .has("FAIL   apps[0].alipayPublicKey: is the app's own public key (应用公钥)");
}

#[tokio::test]
async fn an_app_id_that_the_gateway_does_not_know_is_named() {
    let mut bench = Bench::new(in_key_mode()).await;
    bench.document["default"] = json!("2021999999999999");
    bench
        .with("appid", "2021999999999999")
        .doctor()
        .fails()
        .has("FAIL   signature: the gateway refuses the call (40002 isv.invalid-app-id")
        .has("sandbox and production have different ids");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_named_with_the_reason() {
    let bench = Bench::new(in_key_mode()).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    bench
        .with("gateway", format!("http://{closed}/gateway.do"))
        .doctor()
        .fails()
        .has("FAIL   gateway: the gateway was not reached")
        .has("onnection refused")
        .has("skip   clock, keys and AES key");
}

/// The library with another clock, in place of the program with this machine's.
async fn at(clock: SystemTime, bench: &Bench) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("apps.json");
    std::fs::write(&config, bench.document.to_string()).unwrap();
    let mut text = Vec::new();
    let mut report = Report::new(&mut text, false);
    let options = DoctorOptions {
        config,
        ..DoctorOptions::default()
    };
    let clock: alipay_gateway::Clock = Arc::new(move || clock);
    doctor(&options, &clock, &mut report).await.unwrap();
    let success = report.all_right();
    Said {
        text: String::from_utf8(text).unwrap(),
        success,
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_named_with_how_far() {
    let bench = Bench::new(in_key_mode()).await;
    let seconds = Duration::from_secs;
    at(SystemTime::now() - seconds(1200), &bench)
        .await
        .fails()
        .has("FAIL   clock: 1")
        .has("s behind the gateway's")
        .has("FAIL   signature: the gateway refuses the call (40002 isv.invalid-timestamp");
    let said = at(SystemTime::now() + seconds(120), &bench).await;
    said.has("warn   clock: 1").has("s ahead of the gateway's");
    assert!(said.success, "{said}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_named() {
    let foreign = Some(AlipayCertificate::Foreign);
    let bench = Bench::with_alipays_certificate(in_certificate_mode(), foreign).await;
    bench
        .doctor()
        .fails()
        .has("FAIL   apps[0].alipayCert: was not issued under alipayRootCert");
}

#[tokio::test]
async fn an_expired_certificate_is_named_with_its_date() {
    let expired = Some(AlipayCertificate::Expired);
    let bench = Bench::with_alipays_certificate(in_certificate_mode(), expired).await;
    bench
        .doctor()
        .fails()
        .has("FAIL   alipayCert: ended on 20")
        .has("download alipayCertPublicKey_RSA2.crt again");
}

#[tokio::test]
async fn a_certificate_that_alipay_has_changed_to_counts_only_under_the_same_root() {
    let bench = Bench::new(in_certificate_mode()).await;
    bench.simulator.renew_alipay_certificate();
    bench
        .doctor()
        .is_all_well()
        .has("ok     alipayCert: the reply's signature is right");
    bench.simulator.use_foreign_alipay_certificate();
    bench
        .doctor()
        .fails()
        .has("FAIL   alipayCert: the gateway's reply could not be verified")
        .has("alipayRootCert.crt again");
}

#[tokio::test]
async fn an_app_in_certificate_mode_is_not_taken_for_one_in_key_mode() {
    let bench = Bench::new(in_certificate_mode()).await;
    let mut in_key_mode = bench.app.clone();
    in_key_mode.app_certificate = String::new();
    let document = apps_document(&bench.simulator, &in_key_mode);
    run(&serde_json::from_str(&document).unwrap(), &[], &[])
        .fails()
        .has("FAIL   signature: the gateway refuses the call")
        .has("cert");
}

#[tokio::test]
async fn an_aes_key_of_another_app_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    let other = bench.simulator.add_app(in_key_mode());
    bench
        .with("aesKey", other.aes_key)
        .doctor()
        .fails()
        .has("ok     signature: the gateway accepts it")
        .has("FAIL   aesKey: ")
        .has("copy aesKey again from the console");
}

#[tokio::test]
async fn an_answer_that_does_not_open_is_named() {
    let bench = Bench::new(in_key_mode()).await;
    for fault in [FaultKind::WrongPadding, FaultKind::ChangedCiphertext] {
        bench.simulator.clear_faults();
        bench.simulator.inject(Fault::always(fault));
        bench
            .doctor()
            .fails()
            .has("ok     signature: the gateway accepts it")
            .has("FAIL   aesKey: the answer to an encrypted call cannot be read");
    }
}

#[tokio::test]
async fn a_method_without_permission_says_nothing_against_the_keys() {
    let options = AppOptions {
        methods: Some(vec!["alipay.system.oauth.token".to_owned()]),
        content_encryption: false,
        ..in_key_mode()
    };
    let said = Bench::new(options).await.doctor();
    said.has(
        "ok     signature: the gateway accepts it; it refuses this call for another reason (40006",
    );
    assert!(said.success, "{said}");
}

#[tokio::test]
async fn a_refusal_without_a_signature_proves_nothing_about_alipays_key() {
    let bench = Bench::new(in_key_mode()).await;
    let refused = |code: &str, sub_code: &str| {
        bench.simulator.clear_faults();
        bench.simulator.inject(Fault::always(FaultKind::Refusal {
            code: code.to_owned(),
            sub_code: sub_code.to_owned(),
            sub_msg: "canary text of Alipay".to_owned(),
            signed: false,
            error_response: true,
        }));
        let said = bench.doctor();
        said.has_not("canary");
        said
    };
    let said = refused("40004", "ACQ.TRADE_NOT_EXIST");
    said.has("ok     signature: the gateway accepts it")
        .has("warn   alipayPublicKey: not proven, because this refusal is not signed")
        .has("any call that succeeds proves it");
    assert!(said.success, "{said}");

    let said = refused("20000", "isp.unknow-error");
    said.has("warn   signature: not proven, the gateway takes no calls now");
    assert!(said.success, "{said}");
    refused("40001", "isv.missing-signature-config")
        .fails()
        .has("no public key is uploaded for this appid");
}

#[tokio::test]
async fn offline_nobody_is_asked() {
    let bench = Bench::new(in_key_mode()).await;
    run(&bench.document, &["--offline"], &[])
        .is_all_well()
        .has("ok     privateKey: loads")
        .has("skip   the gateway: --offline");
    assert_eq!(bench.simulator.connections_accepted(), 0);
}

#[tokio::test]
async fn one_app_of_several_can_be_chosen() {
    let mut bench = Bench::new(in_key_mode()).await;
    let other = bench.simulator.add_app(in_key_mode());
    let document: Value = serde_json::from_str(&apps_document(&bench.simulator, &other)).unwrap();
    let entry = document["apps"][0].clone();
    bench.document["apps"].as_array_mut().unwrap().push(entry);
    run(&bench.document, &["--app", &other.app_id], &[])
        .is_all_well()
        .has(&format!("app {} at", other.app_id))
        .has_not(&format!("app {} at", bench.app.app_id));
    run(&bench.document, &["--app", "2021999999999999"], &[])
        .fails()
        .has("FAIL   --app: no such app is in the document")
        .has(&other.app_id);
}

#[test]
fn a_document_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_dev-server"))
        .args(["doctor", "--config", "/nowhere/apps.json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("FAIL   the file cannot be read") && said.contains("--config"),
        "{said}"
    );
}
