//! Certificate mode: what is handed out, what a call has to name, what a reply names, and how Alipay's certificate
//! changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::Value;
use simulator::{AlipayCertificate, AppOptions, Fault, FaultKind};

use crate::caller::{
    Fixture, Parameters, QRCODE_CREATE, Reply, TRADE_QUERY, node_name, text, verdict, verifies,
};

const DOWNLOAD: &str = "alipay.open.app.alipaycert.download";
const INTERMEDIATE: &str =
    "CN=Simulated Class 2 R1,OU=Certification Authority,O=Alipay Gateway Simulator,C=CN";
const UNKNOWN_TRADE: (&str, &str) = ("biz_content", r#"{"out_trade_no":"none"}"#);

fn options() -> AppOptions {
    AppOptions {
        certificates: true,
        ..AppOptions::default()
    }
}

/// A certificate as far as these tests read it.
struct Certificate(Vec<u8>);

impl Certificate {
    fn all(pem: &str) -> Vec<Self> {
        pem.split("-----BEGIN CERTIFICATE-----")
            .skip(1)
            .map(|part| {
                let body = part.split("-----END").next().unwrap();
                Self(STANDARD.decode(body.replace('\n', "")).unwrap())
            })
            .collect()
    }

    /// Version 3 stands before the serial number.
    fn serial(&self) -> u128 {
        let start = [0xA0, 3, 2, 1, 2, 2];
        let at = self.0.windows(6).position(|bytes| bytes == start).unwrap() + 6;
        let length = usize::from(self.0[at]);
        self.0[at + 1..=at + length]
            .iter()
            .fold(0, |number, &byte| number << 8 | u128::from(byte))
    }

    fn sn(&self, issuer: &str) -> String {
        let digest = Md5::digest(format!("{issuer}{}", self.serial()));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The SPKI of a 2048-bit key, base64.
    fn public_key(&self) -> String {
        let rsa = [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0D, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1,
        ];
        let at = self.0.windows(rsa.len()).position(|bytes| bytes == rsa);
        let at = at.unwrap();
        STANDARD.encode(&self.0[at..at + 4 + 0x122])
    }

    fn is_signed_by(&self, issuer: &Self) -> bool {
        let length = usize::from(self.0[6]) << 8 | usize::from(self.0[7]);
        let body = &self.0[4..8 + length];
        let signature = STANDARD.encode(&self.0[self.0.len() - 256..]);
        verifies(&issuer.public_key(), body, &signature)
    }
}

fn named(fixture: &Fixture, method: &str) -> Parameters {
    let mut parameters = fixture.parameters(method);
    for (name, value) in [
        ("app_cert_sn", &fixture.app.app_cert_sn),
        ("alipay_root_cert_sn", &fixture.app.alipay_root_cert_sn),
    ] {
        parameters.insert(name.to_owned(), value.clone());
    }
    parameters.insert(UNKNOWN_TRADE.0.to_owned(), UNKNOWN_TRADE.1.to_owned());
    parameters
}

async fn call(fixture: &Fixture, method: &str, biz_content: &str) -> Reply {
    let mut parameters = named(fixture, method);
    parameters.insert("biz_content".to_owned(), biz_content.to_owned());
    fixture.post(&fixture.signed(parameters)).await.unwrap()
}

/// The certificate that the reply names, where this key verifies it.
fn verified(reply: &Reply, method: &str, public_key: &str) -> Option<String> {
    let body = std::str::from_utf8(&reply.bytes).unwrap();
    let document: Value = serde_json::from_str(body).unwrap();
    let rest = body.strip_prefix(&format!("{{\"{}\":", node_name(method)))?;
    let (node, rest) = rest.split_once(",\"alipay_cert_sn\":\"")?;
    let (sn, rest) = rest.split_once("\",\"sign\":\"")?;
    assert_eq!(rest, format!("{}\"}}", text(&document, "sign")));
    verifies(public_key, node.as_bytes(), text(&document, "sign")).then(|| sn.to_owned())
}

#[tokio::test]
async fn certificates_are_handed_out_with_their_chain_and_numbers() {
    let fixture = Fixture::new(options()).await;
    let app = &fixture.app;
    let alipay = Certificate::all(&app.alipay_certificate);
    let own = Certificate::all(&app.app_certificate);
    let roots = Certificate::all(&app.alipay_root_certificate);
    assert_eq!((own.len(), alipay.len(), roots.len()), (1, 2, 4));
    assert!(own[0].is_signed_by(&alipay[1]) && alipay[0].is_signed_by(&alipay[1]));
    assert!(alipay[1].is_signed_by(&roots[1]) && roots[1].is_signed_by(&roots[1]));
    assert!(!alipay[0].is_signed_by(&roots[1]));
    assert_eq!(own[0].public_key(), app.app_public_key);
    assert_eq!(alipay[0].public_key(), app.alipay_public_key);
    assert_eq!(own[0].sn(INTERMEDIATE), app.app_cert_sn);
    assert_eq!(alipay[0].sn(INTERMEDIATE), app.alipay_cert_sn);
    let root = |index: usize, name: &str| {
        let rest = INTERMEDIATE.split_once(',').unwrap().1;
        roots[index].sn(&format!("CN={name},{rest}"))
    };
    let expected = [
        root(1, "Simulated Root R1"),
        root(3, "Simulated Old Root G3"),
    ];
    assert_eq!(app.alipay_root_cert_sn, expected.join("_"));
}

#[tokio::test]
async fn an_app_in_key_mode_gets_no_certificates() {
    let fixture = Fixture::new(AppOptions::default()).await;
    assert_eq!(fixture.app.alipay_certificate, "");
    assert_eq!(fixture.app.app_cert_sn, "");
    let reply = fixture.reply(TRADE_QUERY, &[UNKNOWN_TRADE]).await;
    assert!(!String::from_utf8(reply.bytes).unwrap().contains("cert_sn"));
    let named = [UNKNOWN_TRADE, ("app_cert_sn", "0")];
    let node = fixture.call(TRADE_QUERY, &named).await;
    assert_eq!(verdict(&node), "isv.app-cert-not-exist");
}

#[tokio::test]
async fn a_call_has_to_name_both_certificates_and_its_reply_names_alipays() {
    let fixture = Fixture::new(options()).await;
    let rows = [
        ("app_cert_sn", "", "isv.missing-app-cert-sn"),
        ("app_cert_sn", "00", "isv.app-cert-not-exist"),
        ("alipay_root_cert_sn", "", "isv.missing-alipay-root-cert-sn"),
        (
            "alipay_root_cert_sn",
            "00",
            "isv.invalid-alipay-root-cert-sn",
        ),
        (
            "app_cert_sn",
            &fixture.app.app_cert_sn,
            "ACQ.TRADE_NOT_EXIST",
        ),
    ];
    for (name, value, expected) in rows {
        let mut parameters = named(&fixture, TRADE_QUERY);
        parameters.insert(name.to_owned(), value.to_owned());
        let reply = fixture.post(&fixture.signed(parameters)).await.unwrap();
        let body = String::from_utf8(reply.bytes.clone()).unwrap();
        assert!(body.contains(expected), "{name}={value}: {body}");
        assert_eq!(
            verified(&reply, TRADE_QUERY, &fixture.app.alipay_public_key).as_ref(),
            Some(&fixture.app.alipay_cert_sn),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_renewed_certificate_signs_and_can_be_downloaded_by_its_number() {
    let fixture = Fixture::new(options()).await;
    let issuer = &Certificate::all(&fixture.app.alipay_certificate)[1];
    let old = fixture.app.alipay_public_key.clone();
    let mut seen = vec![fixture.app.alipay_cert_sn.clone()];
    for change in [
        AlipayCertificate::Renewed,
        AlipayCertificate::Renewed,
        AlipayCertificate::Foreign,
        AlipayCertificate::Expired,
    ] {
        let sn = fixture.simulator.change_alipay_certificate(change);
        assert!(!seen.contains(&sn), "{change:?}");
        let biz_content = format!(r#"{{"alipay_cert_sn":"{sn}"}}"#);
        let reply = call(&fixture, DOWNLOAD, &biz_content).await;
        let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
        let content = text(&document[node_name(DOWNLOAD)], "alipay_cert_content");
        let pem = String::from_utf8(STANDARD.decode(content).unwrap()).unwrap();
        let chain = Certificate::all(&pem);
        assert_eq!(chain[0].sn(INTERMEDIATE), sn);
        let key = chain[0].public_key();
        assert_eq!(verified(&reply, DOWNLOAD, &key), Some(sn.clone()));
        assert_eq!(verified(&reply, DOWNLOAD, &old), None, "{change:?}");
        assert!(chain[0].is_signed_by(&chain[1]));
        assert_eq!(
            chain[0].is_signed_by(issuer),
            change != AlipayCertificate::Foreign
        );
        seen.push(sn);
    }
    let reply = call(&fixture, DOWNLOAD, r#"{"alipay_cert_sn":"0"}"#).await;
    assert!(
        String::from_utf8(reply.bytes)
            .unwrap()
            .contains("INVALID_PARAMETER")
    );
}

#[tokio::test]
async fn a_reply_can_be_made_to_name_another_certificate_or_none() {
    let fixture = Fixture::new(options()).await;
    for sn in [Some("0123".to_owned()), None] {
        let kind = FaultKind::CertificateSn { sn: sn.clone() };
        fixture.simulator.inject(Fault::once(kind));
        let reply = call(&fixture, TRADE_QUERY, UNKNOWN_TRADE.1).await;
        let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
        let named = document.get("alipay_cert_sn").and_then(Value::as_str);
        assert_eq!(named, sn.as_deref());
    }
}

#[tokio::test]
async fn the_phone_number_is_signed_with_the_certificate_too() {
    let fixture = Fixture::new(options()).await;
    fixture.simulator.renew_alipay_certificate();
    let reply = call(&fixture, QRCODE_CREATE, "{}").await;
    assert_eq!(
        verified(&reply, QRCODE_CREATE, &fixture.app.alipay_public_key),
        None
    );
    let text = fixture
        .simulator
        .phone_number(&fixture.app.app_id, "2088000000000001");
    let parts: Value = serde_json::from_str(&text).unwrap();
    let signed = format!("\"{}\"", crate::caller::text(&parts, "response"));
    let sign = crate::caller::text(&parts, "sign");
    assert!(!verifies(
        &fixture.app.alipay_public_key,
        signed.as_bytes(),
        sign
    ));
}
