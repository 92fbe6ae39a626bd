//! Certificates of our own making: what is read, and what is refused and how.

use alipay_signing::KeyError;
use alipay_signing::certificate::{Certificate, CertificateError, RootCertificates};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::KEY_PKCS8;
use crate::certificate_writer::*;
use crate::der_writer::element;

fn subject_pem() -> String {
    subject().pem(&INTERMEDIATE_KEY)
}

fn error(text: &str) -> CertificateError {
    Certificate::from_text(text).expect_err("a refusal")
}

/// Both readers say the same of what is no certificate at all.
#[track_caller]
fn both_refuse(text: &str, expected: CertificateError) {
    assert_eq!(error(text), expected);
    let of_roots = RootCertificates::from_text(text).expect_err("a refusal");
    assert_eq!(of_roots, expected);
}

#[test]
fn a_certificate_is_read_in_every_layout() {
    let pem = subject_pem();
    let base64 = STANDARD.encode(subject().der(&INTERMEDIATE_KEY));
    let expected = Certificate::from_text(&pem).expect("a certificate");
    for text in [
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\n  "),
        pem.replace('\n', " "),
        format!("\u{feff}Subject: somebody\n{pem}\nand so on"),
        base64.clone(),
        format!("  {base64}\r\n"),
        pem.replace("CERTIFICATE", "X509 CERTIFICATE"),
        pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        pem.replace('=', ""),
    ] {
        let certificate = Certificate::from_text(&text).expect("a certificate");
        assert_eq!(certificate.serial_number(), expected.serial_number());
        assert_eq!(certificate.verifying_key(), &SUBJECT_KEY.verifying_key());
        assert_eq!(
            certificate.subject_common_name().as_deref(),
            Some("subject")
        );
        assert!(!certificate.is_authority());
    }
}

#[test]
fn the_first_certificate_is_the_subjects_and_the_others_are_issuers() {
    let text = format!(
        "{}{}{}",
        subject_pem(),
        intermediate().pem(&ROOT_KEY),
        root().pem(&ROOT_KEY)
    );
    let certificate = Certificate::from_text(&text).expect("certificates");
    assert_eq!(certificate.issuer_count(), 2);
    assert_eq!(certificate.verifying_key(), &SUBJECT_KEY.verifying_key());
    let alone = Certificate::from_text(&subject_pem()).expect("a certificate");
    assert_eq!(alone.issuer_count(), 0);
    assert_eq!(alone.serial_number(), certificate.serial_number());
}

#[test]
fn an_issuers_certificate_is_told_from_a_subjects() {
    for text in [root().pem(&ROOT_KEY), intermediate().pem(&ROOT_KEY)] {
        let certificate = Certificate::from_text(&text).expect("a certificate");
        assert!(certificate.is_authority());
    }
    let self_issued = Draft::new("old root", &ROOT_KEY, "old root").pem(&ROOT_KEY);
    assert!(
        Certificate::from_text(&self_issued)
            .expect("a certificate")
            .is_authority()
    );
}

#[test]
fn what_is_no_certificate_is_named() {
    both_refuse("", CertificateError::Empty);
    both_refuse(" \r\n\\n", CertificateError::Empty);
    both_refuse(
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        CertificateError::Empty,
    );
    both_refuse("no certificate", CertificateError::Malformed);
    both_refuse("MIIB", CertificateError::Malformed);

    let whole = subject_pem();
    both_refuse(&whole[..whole.len() - 40], CertificateError::PemCutOff);
    both_refuse(&whole[30..], CertificateError::PemCutOff);
    both_refuse(
        &format!("{}{whole}", &whole[..whole.len() - 40]),
        CertificateError::PemCutOff,
    );

    both_refuse(&STANDARD.encode(&*KEY_PKCS8), CertificateError::PrivateKey);
    both_refuse(
        &pem("CERTIFICATE", &KEY_PKCS8),
        CertificateError::PrivateKey,
    );
    both_refuse(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----",
        CertificateError::PrivateKey,
    );
    both_refuse(
        &SUBJECT_KEY.verifying_key().to_base64(),
        CertificateError::PublicKey,
    );
    both_refuse(
        &pem("CERTIFICATE REQUEST", &request(&SUBJECT_KEY)),
        CertificateError::Request,
    );
    both_refuse(
        &STANDARD.encode(request(&SUBJECT_KEY)),
        CertificateError::Request,
    );
}

#[test]
fn a_private_key_beside_a_certificate_is_refused() {
    let key = pem("PRIVATE KEY", &KEY_PKCS8);
    both_refuse(
        &format!("{}{key}", subject_pem()),
        CertificateError::PrivateKey,
    );
}

#[test]
fn keys_that_no_reply_can_be_verified_with_are_refused() {
    let with = |public_key| Draft {
        public_key,
        ..subject()
    };
    assert_eq!(
        error(&with(elliptic_curve_key()).pem(&INTERMEDIATE_KEY)),
        CertificateError::EllipticCurve
    );
    assert_eq!(
        error(&with(weak_key()).pem(&INTERMEDIATE_KEY)),
        CertificateError::Key(KeyError::TooSmall { bits: 1024 })
    );
    let roots = Draft {
        public_key: elliptic_curve_key(),
        ..root()
    };
    let roots = roots.pem(&ROOT_KEY);
    assert_eq!(error(&roots), CertificateError::Roots);
    // Alipay's own file has a member that is not strict DER.
    let unreadable = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    assert_eq!(error(&(roots + unreadable)), CertificateError::Roots);
}

#[test]
fn a_file_has_a_size() {
    let pem = subject_pem();
    assert!(Certificate::from_text(&pem.repeat(8)).is_ok());
    assert_eq!(error(&pem.repeat(9)), CertificateError::TooLarge);
    both_refuse(
        &format!("{pem}{}", " ".repeat(128 * 1024)),
        CertificateError::TooLarge,
    );
    let root = root().pem(&ROOT_KEY);
    assert!(RootCertificates::from_text(&root.repeat(32)).is_ok());
    assert!(matches!(
        RootCertificates::from_text(&root.repeat(33)),
        Err(CertificateError::TooLarge)
    ));
}

#[test]
fn the_two_places_of_the_algorithm_must_agree() {
    // The first of the two stands inside of what is signed.
    let der = subject().der(&INTERMEDIATE_KEY);
    let places: Vec<usize> = der
        .windows(SHA256_WITH_RSA.len())
        .enumerate()
        .filter(|(_, window)| *window == SHA256_WITH_RSA)
        .map(|(at, _)| at + SHA256_WITH_RSA.len() - 1)
        .collect();
    assert_eq!(places.len(), 2);
    for place in places {
        let mut changed = der.clone();
        changed[place] = 0x0c;
        assert_eq!(
            error(&STANDARD.encode(changed)),
            CertificateError::Malformed
        );
    }
}

/// The MD5 of `text` is what the serial number has to be; the text is easier to read in a test than its digest.
#[track_caller]
fn named_by(draft: &Draft, md5_of_text: &str) {
    let certificate = Certificate::from_text(&draft.pem(&INTERMEDIATE_KEY)).expect("a certificate");
    assert_eq!(certificate.serial_number(), md5_of_text);
}

#[test]
fn a_serial_number_is_the_issuers_name_last_part_first_and_the_decimal_serial() {
    let utf8 = |text: &str| element(0x0c, text.as_bytes());
    let draft = Draft {
        serial: vec![0x01, 0x00],
        issuer: distinguished_name(&[
            (&[0x55, 0x04, 0x06], element(0x13, b"CN")),
            (&[0x55, 0x04, 0x0a], utf8("Ant Financial")),
            (&[0x55, 0x04, 0x0b], utf8("Certification Authority")),
            (COMMON_NAME, utf8("测试")),
        ]),
        ..subject()
    };
    // CN=测试,OU=Certification Authority,O=Ant Financial,C=CN256
    named_by(&draft, "274421a0479b46ad5251058a4b678e81");
}

#[test]
fn odd_names_are_written_as_rfc_2253_says() {
    let draft = Draft {
        issuer: distinguished_name(&[
            // The e-mail address has no short name there.
            (
                &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01],
                element(0x16, b"a@b"),
            ),
            (
                &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19],
                element(0x16, b"cn"),
            ),
            (
                &[0x55, 0x04, 0x0a],
                element(0x1e, &[0x4e, 0x2d, 0x65, 0x87]),
            ),
            (COMMON_NAME, element(0x0c, b" a,b+c\"d\\e<f>g;h#i ")),
        ]),
        ..subject()
    };
    // CN=\ a\,b\+c\"d\\e\<f\>g\;h#i\ ,O=中文,DC=cn,1.2.840.113549.1.9.1=#16036140621
    named_by(&draft, "531fe097900032d06ac1816e23110694");
}

#[test]
fn leading_zeros_of_a_serial_number_are_kept() {
    let found = (1..=600_u16)
        .map(|serial| Draft {
            serial: serial.to_be_bytes().to_vec(),
            ..subject()
        })
        .filter_map(|draft| Certificate::from_text(&draft.pem(&INTERMEDIATE_KEY)).ok())
        .map(|certificate| certificate.serial_number().to_owned())
        .find(|number| number.starts_with("00"));
    assert_eq!(found.map(|number| number.len()), Some(32));
}

/// Its decimal digits would take many seconds of work, before anything of the certificate is trusted.
#[test]
fn a_serial_number_of_unheard_of_length_is_refused() {
    let with_serial = |bytes: usize| {
        let serial = vec![0x7f; bytes];
        let draft = Draft {
            serial,
            ..subject()
        };
        draft.pem(&INTERMEDIATE_KEY)
    };
    Certificate::from_text(&with_serial(64)).unwrap();
    assert_eq!(error(&with_serial(65)), CertificateError::Malformed);
    assert_eq!(error(&with_serial(60_000)), CertificateError::Malformed);
}

#[test]
fn roots_are_named_by_their_rsa_members_in_the_files_order() {
    let number = |draft: &Draft| {
        let certificate = Certificate::from_text(&draft.pem(&ROOT_KEY)).expect("a certificate");
        certificate.serial_number().to_owned()
    };
    let other = Draft {
        serial: vec![2],
        algorithm: SHA1_WITH_RSA,
        ..root()
    };
    let curve = Draft {
        algorithm: ECDSA_WITH_SHA256,
        ..root()
    };
    let damaged = pem("CERTIFICATE", b"0\x03abc");
    let file = [
        curve.pem(&ROOT_KEY),
        other.pem(&ROOT_KEY),
        damaged.clone(),
        root().pem(&ROOT_KEY),
    ];
    let roots = RootCertificates::from_text(&file.concat()).expect("roots");
    assert_eq!(
        roots.serial_numbers(),
        format!("{}_{}", number(&other), number(&root()))
    );

    let refused = |text: &str| RootCertificates::from_text(text).expect_err("a refusal");
    assert_eq!(refused(&file[0]), CertificateError::NoRsaRoot);
    assert_eq!(refused(&damaged), CertificateError::Malformed);
    assert_eq!(
        refused(&format!("{}{}", file[3], subject_pem())),
        CertificateError::NotARoot
    );
}

#[test]
fn an_extension_that_stands_twice_is_refused() {
    let draft = Draft {
        extensions: vec![key_usage(false), key_usage(true)],
        ..subject()
    };
    assert_eq!(
        error(&draft.pem(&INTERMEDIATE_KEY)),
        CertificateError::Malformed
    );
}

#[test]
fn debug_shows_no_names_and_no_keys() {
    let certificate = Certificate::from_text(&subject_pem()).expect("a certificate");
    let shown = format!("{certificate:?}");
    assert!(!shown.contains("115, 117, 98, 106"), "{shown}");
    assert!(shown.contains(certificate.serial_number()), "{shown}");
}

proptest! {
    #[test]
    fn whatever_the_text_reading_it_does_not_panic(text in ".{0,300}") {
        let _ = Certificate::from_text(&text);
        let _ = RootCertificates::from_text(&format!("-----BEGIN {text}"));
    }

    #[test]
    fn a_changed_certificate_is_read_or_refused_and_never_trusted(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let original = subject().der(&INTERMEDIATE_KEY);
        let mut der = original.clone();
        for (at, change) in changes {
            let at = at.index(der.len());
            der[at] ^= change;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        prop_assume!(der != original);
        let mut text = pem("CERTIFICATE", &der);
        let _ = RootCertificates::from_text(&text);
        text.push_str(&intermediate().pem(&ROOT_KEY));
        if let Ok(certificate) = Certificate::from_text(&text) {
            let roots = RootCertificates::from_text(&root().pem(&ROOT_KEY)).expect("a root");
            let _ = (certificate.is_authority(), certificate.subject_common_name());
            prop_assert!(certificate.check_chain(&roots, within()).is_err());
        }
    }
}
