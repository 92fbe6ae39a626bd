//! X.509 certificates, written and numbered by code of the simulator's own.
//!
//! Alipay's certificate SN is not the serial number: it is the MD5 of the issuer's name and the serial number in
//! decimal (Alipay's document of certificate mode).

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::der::{bit_string, integer, null, object_identifier, sequence, set, value};
use crate::keys::{self, SignType};

/// The identifiers of a certificate's algorithms.
const SHA256_WITH_RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 11];
const SHA1_WITH_RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 5];
const SM2_WITH_SM3: &[u32] = &[1, 2, 156, 10_197, 1, 501];
const ECDSA_WITH_SHA384: &[u32] = &[1, 2, 840, 10_045, 4, 3, 3];
const EC_PUBLIC_KEY: &[u32] = &[1, 2, 840, 10_045, 2, 1];
const SM2_CURVE: &[u32] = &[1, 2, 156, 10_197, 1, 301];
const SECP384R1: &[u32] = &[1, 3, 132, 0, 34];
const BASIC_CONSTRAINTS: &[u32] = &[2, 5, 29, 19];
const KEY_USAGE: &[u32] = &[2, 5, 29, 15];

const UTC_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year repr:last_two][month][day][hour][minute][second]Z");

/// Who a certificate is of: country, organisation, unit, name, in the order in which they are encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) unit: &'static str,
    pub(crate) common: String,
}

impl Name {
    const COUNTRY: &'static str = "CN";
    const ORGANISATION: &'static str = "Alipay Gateway Simulator";

    pub(crate) fn new(unit: &'static str, common: impl Into<String>) -> Self {
        Self {
            unit,
            common: common.into(),
        }
    }

    fn der(&self) -> Vec<u8> {
        let member = |last: u32, tag: u8, text: &str| {
            set(&[&sequence(&[
                &object_identifier(&[2, 5, 4, last]),
                &value(tag, text.as_bytes()),
            ])])
        };
        sequence(&[
            &member(6, 0x13, Self::COUNTRY),
            &member(10, 0x0C, Self::ORGANISATION),
            &member(11, 0x0C, self.unit),
            &member(3, 0x0C, &self.common),
        ])
    }

    /// The most specific part first, as RFC 2253 has it.
    fn text(&self) -> String {
        format!(
            "CN={},OU={},O={},C={}",
            self.common,
            self.unit,
            Self::ORGANISATION,
            Self::COUNTRY
        )
    }
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) from: SystemTime,
    pub(crate) until: SystemTime,
}

impl Validity {
    fn der(self) -> Vec<u8> {
        let time = |at: SystemTime| {
            let text = OffsetDateTime::from(at)
                .format(UTC_TIME)
                .unwrap_or_default();
            value(0x17, text.as_bytes())
        };
        sequence(&[&time(self.from), &time(self.until)])
    }
}

/// What stands in a certificate beside its key and signature.
pub(crate) struct Facts<'a> {
    pub(crate) subject: &'a Name,
    pub(crate) issuer: &'a Name,
    pub(crate) serial: u128,
    pub(crate) validity: Validity,
    /// Whether it may issue others.
    pub(crate) authority: bool,
}

/// A certificate.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    /// 32 hexadecimal digits in lower case.
    pub(crate) sn: String,
}

impl Certificate {
    /// A certificate of this RSA key, signed by the issuer's.
    pub(crate) fn issue(
        facts: &Facts<'_>,
        key: &RsaPublicKey,
        issuer_key: &RsaPrivateKey,
        sign_type: SignType,
    ) -> Self {
        let algorithm = match sign_type {
            SignType::Rsa2 => SHA256_WITH_RSA,
            SignType::Rsa => SHA1_WITH_RSA,
        };
        let body = facts.body(&algorithm_der(algorithm), &subject_public_key(key));
        let signature = keys::sign_bytes(issuer_key, sign_type, &body);
        Self::assemble(facts, &body, algorithm, &signature)
    }

    /// A root as Alipay's bundle has one beside its RSA roots: SM2, of which only the form is right.
    pub(crate) fn sm2_root(facts: &Facts<'_>) -> Self {
        Self::elliptic_root(facts, SM2_WITH_SM3, SM2_CURVE, 65)
    }

    /// A root as Alipay's bundle has one: ECDSA, with a byte after its end that a strict reader does not take.
    pub(crate) fn overlong_ecdsa_root(facts: &Facts<'_>) -> Self {
        let mut root = Self::elliptic_root(facts, ECDSA_WITH_SHA384, SECP384R1, 97);
        root.der.push(0);
        root
    }

    fn elliptic_root(facts: &Facts<'_>, algorithm: &[u32], curve: &[u32], point: usize) -> Self {
        let mut point = vec![0x5A; point];
        if let Some(form) = point.first_mut() {
            *form = 4;
        }
        let key = sequence(&[
            &sequence(&[&object_identifier(EC_PUBLIC_KEY), &object_identifier(curve)]),
            &bit_string(&point),
        ]);
        let body = facts.body(&algorithm_der(algorithm), &key);
        let signature = sequence(&[&integer(u128::MAX / 3), &integer(u128::MAX / 5)]);
        Self::assemble(facts, &body, algorithm, &signature)
    }

    fn assemble(facts: &Facts<'_>, body: &[u8], algorithm: &[u32], signature: &[u8]) -> Self {
        let der = sequence(&[body, &algorithm_der(algorithm), &bit_string(signature)]);
        let named = format!("{}{}", facts.issuer.text(), facts.serial);
        let digest = Md5::digest(named.as_bytes());
        let sn = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { der, sn }
    }

    pub(crate) fn pem(&self) -> String {
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let text = STANDARD.encode(&self.der);
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}

impl Facts<'_> {
    /// The part that is signed.
    fn body(&self, algorithm: &[u8], key: &[u8]) -> Vec<u8> {
        let version_3 = value(0xA0, &integer(2));
        let critical = value(0x01, &[0xFF]);
        let extension = |name: &[u32], content: &[u8]| {
            sequence(&[&object_identifier(name), &critical, &value(0x04, content)])
        };
        let (constraints, usage) = if self.authority {
            // cA, and keyCertSign with cRLSign.
            (sequence(&[&critical]), [0x03, 0x02, 0x01, 0x06])
        } else {
            // No cA, and digitalSignature.
            (sequence(&[]), [0x03, 0x02, 0x07, 0x80])
        };
        let extensions = value(
            0xA3,
            &sequence(&[
                &extension(BASIC_CONSTRAINTS, &constraints),
                &extension(KEY_USAGE, &usage),
            ]),
        );
        sequence(&[
            &version_3,
            &integer(self.serial),
            algorithm,
            &self.issuer.der(),
            &self.validity.der(),
            &self.subject.der(),
            key,
            &extensions,
        ])
    }
}

fn algorithm_der(algorithm: &[u32]) -> Vec<u8> {
    sequence(&[&object_identifier(algorithm), &null()])
}

#[expect(
    clippy::expect_used,
    reason = "a key that was generated or parsed can be written again"
)]
fn subject_public_key(key: &RsaPublicKey) -> Vec<u8> {
    key.to_public_key_der()
        .expect("an RSA key can be written as SPKI")
        .into_vec()
}
