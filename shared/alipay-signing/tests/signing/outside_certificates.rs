//! Certificates that Alipay issued, as its SDKs and others publish them. The files lie beside the project; nothing of them is
//! in it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use alipay_signing::certificate::{Certificate, CertificateError, ChainError, RootCertificates};
use serde::Deserialize;

use crate::{json, vectors};

#[derive(Deserialize)]
struct Entry {
    file: String,
    kind: String,
    pem_count: usize,
    expected_sn: Option<String>,
    expected_alipay_root_cert_sn: Option<String>,
    issuer_rfc2253: Option<String>,
    public_spki_b64: Option<String>,
    sn_value_stated_by_source: Option<String>,
    chain: Option<String>,
}

fn entries() -> Option<Vec<Entry>> {
    json("certs.json")
}

fn text(entry: &Entry) -> String {
    let path = vectors(&entry.file).expect("the file that certs.json names");
    std::fs::read_to_string(path).expect("a readable file")
}

fn subjects() -> Option<Vec<(Entry, Certificate)>> {
    let entries = entries()?;
    let subjects = entries
        .into_iter()
        .filter(|entry| entry.kind != "root")
        .map(|entry| {
            let certificate = Certificate::from_text(&text(&entry)).expect("a certificate");
            (entry, certificate)
        });
    Some(subjects.collect())
}

fn roots() -> Option<RootCertificates> {
    let entries = entries()?;
    let root = entries.iter().find(|entry| entry.kind == "root")?;
    Some(RootCertificates::from_text(&text(root)).expect("the root certificates"))
}

fn within(certificate: &Certificate) -> SystemTime {
    certificate.not_before() + Duration::from_secs(86_400)
}

#[test]
fn serial_numbers_and_keys_of_published_certificates_are_those_of_the_sdks() {
    let Some(subjects) = subjects() else { return };
    let mut stated = 0;
    for (entry, certificate) in &subjects {
        let file = &entry.file;
        assert_eq!(
            Some(certificate.serial_number()),
            entry.expected_sn.as_deref(),
            "{file}"
        );
        if let Some(sn) = &entry.sn_value_stated_by_source {
            assert_eq!(certificate.serial_number(), sn, "{file}");
            stated += 1;
        }
        assert_eq!(
            Some(certificate.verifying_key().to_base64()),
            entry.public_spki_b64,
            "{file}"
        );
        assert_eq!(certificate.issuer_count() + 1, entry.pem_count, "{file}");
        assert!(!certificate.is_authority(), "{file}");
        assert!(certificate.not_before() < certificate.not_after(), "{file}");
    }
    assert_eq!((subjects.len(), stated), (9, 2));
}

#[test]
fn an_app_certificate_names_its_app_and_alipays_does_not() {
    let Some(subjects) = subjects() else { return };
    let mut apps = 0;
    for (entry, certificate) in &subjects {
        let name = certificate.subject_common_name().expect("a common name");
        let digits = name.rsplit('-').next().expect("a last part");
        assert_eq!(digits.len(), 16, "{name}");
        assert_eq!(name.starts_with("支付宝"), entry.kind == "alipay", "{name}");
        if let Some((_, app_id)) = entry.file.split_once("PublicKey_20") {
            assert_eq!(format!("{digits}.crt"), format!("20{app_id}"));
            apps += 1;
        }
    }
    assert_eq!(apps, 2);
}

#[test]
fn the_root_serial_numbers_are_those_of_the_rsa_members_in_every_layout() {
    let Some(entries) = entries() else { return };
    let mut count = 0;
    for entry in entries.iter().filter(|entry| entry.kind == "root") {
        let expected = entry.expected_alipay_root_cert_sn.as_deref();
        let text = text(entry);
        for text in [text.replace('\n', "\r\n"), text.replace('\n', "\\n"), text] {
            let roots = RootCertificates::from_text(&text).expect("the root certificates");
            assert_eq!(Some(roots.serial_numbers()), expected, "{}", entry.file);
        }
        assert_eq!(expected, entry.sn_value_stated_by_source.as_deref());
        count += 1;
    }
    assert_eq!(count, 2);
}

/// What becomes of each file under the published roots, at a time at which its own certificate was valid.
#[test]
fn chains_of_published_certificates_end_as_they_should() {
    let (Some(subjects), Some(roots)) = (subjects(), roots()) else {
        return;
    };
    let mut verdicts = BTreeMap::new();
    for (entry, certificate) in &subjects {
        let verdict = certificate.check_chain(&roots, within(certificate));
        if let Some(chain) = &entry.chain {
            assert_eq!(verdict.is_ok(), chain.contains("root OK"), "{}", entry.file);
        }
        let sandbox = entry
            .issuer_rfc2253
            .as_deref()
            .is_some_and(|issuer| issuer.contains(" test"));
        assert!(!(sandbox && verdict.is_ok()), "{}", entry.file);
        *verdicts.entry(format!("{verdict:?}")).or_insert(0) += 1;
    }
    // Without a root are those of the sandbox, and those whose file has no issuer's certificate.
    assert_eq!(
        verdicts,
        BTreeMap::from([
            ("Ok(())".to_owned(), 2),
            ("Err(IssuerMissing)".to_owned(), 7)
        ])
    );
}

#[test]
fn a_published_chain_holds_to_the_last_second_and_from_the_first() {
    let (Some(subjects), Some(roots)) = (subjects(), roots()) else {
        return;
    };
    let second = Duration::from_secs(1);
    for (_, certificate) in &subjects {
        if certificate
            .check_chain(&roots, within(certificate))
            .is_err()
        {
            continue;
        }
        let at = |now| certificate.check_chain(&roots, now);
        assert_eq!(at(certificate.not_before()), Ok(()));
        assert_eq!(
            at(certificate.not_before() - second),
            Err(ChainError::NotYetValid)
        );
        assert_eq!(at(certificate.not_after()), Ok(()));
        assert_eq!(
            at(certificate.not_after() + second),
            Err(ChainError::Expired)
        );
    }
}

#[test]
fn published_files_in_each_others_place_are_told_apart() {
    let Some(entries) = entries() else { return };
    for entry in &entries {
        let text = text(entry);
        if entry.kind == "root" {
            assert_eq!(
                Certificate::from_text(&text).expect_err("the root file is no subject's"),
                CertificateError::Roots
            );
        } else {
            assert_eq!(
                RootCertificates::from_text(&text).expect_err("a subject's file is no root file"),
                CertificateError::NotARoot
            );
        }
    }
}
