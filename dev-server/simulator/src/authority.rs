//! The authority that issues the simulator's certificates, and Alipay's own ones as they change.
//!
//! Nothing here is made before an app in certificate mode asks for it: two more RSA keys take a moment.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use rsa::{RsaPrivateKey, RsaPublicKey};

use crate::certificates::{Certificate, Facts, Name, Validity};
use crate::keys::{self, SignType};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const UNIT: &str = "Certification Authority";

/// The authority of this process: a root, and the intermediate that issues the leaves.
pub(crate) struct Authority {
    root_name: Name,
    intermediate: Certificate,
    intermediate_name: Name,
    intermediate_key: RsaPrivateKey,
    /// The file `alipayRootCert.crt`: PEM, four members like Alipay's own.
    pub(crate) root_bundle: String,
    /// `alipay_root_cert_sn` of that file.
    pub(crate) root_sn: String,
}

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

/// The authority, made when it is first asked for.
pub(crate) fn authority() -> &'static Authority {
    AUTHORITY.get_or_init(Authority::make)
}

impl Authority {
    fn make() -> Self {
        let (root_key, intermediate_key) = std::thread::scope(|threads| {
            let other = threads.spawn(keys::generate);
            let root_key = keys::generate();
            (root_key, other.join().unwrap_or_else(|_| keys::generate()))
        });
        let validity = years_around_now(10, 10);
        let root = |name: &Name, sign_type| {
            let facts = root_facts(name, validity);
            Certificate::issue(&facts, &root_key.to_public_key(), &root_key, sign_type)
        };
        let root_name = Name::new(UNIT, "Simulated Root R1");
        let first = root(&root_name, SignType::Rsa2);
        let second = root(&Name::new(UNIT, "Simulated Old Root G3"), SignType::Rsa);
        let sm2_name = Name::new(UNIT, "Simulated SM2 Root");
        let ecdsa_name = Name::new(UNIT, "Simulated Root E1");
        let bundle = [
            Certificate::sm2_root(&root_facts(&sm2_name, validity)),
            first.clone(),
            Certificate::overlong_ecdsa_root(&root_facts(&ecdsa_name, validity)),
            second.clone(),
        ];
        let intermediate_name = Name::new(UNIT, "Simulated Class 2 R1");
        let intermediate = Certificate::issue(
            &Facts {
                subject: &intermediate_name,
                issuer: &root_name,
                serial: serial(),
                validity,
                authority: true,
            },
            &intermediate_key.to_public_key(),
            &root_key,
            SignType::Rsa2,
        );
        Self {
            root_name,
            intermediate,
            intermediate_name,
            intermediate_key,
            root_bundle: bundle.iter().map(Certificate::pem).collect(),
            root_sn: format!("{}_{}", first.sn, second.sn),
        }
    }

    /// The certificate of an app's key, as the console gives it: one PEM.
    pub(crate) fn app_certificate(&self, app_id: &str, key: &RsaPublicKey) -> Certificate {
        let name = Name::new("Simulated App", app_subject(app_id));
        self.leaf(&name, key, &self.intermediate_key, years_around_now(0, 5))
    }

    fn leaf(
        &self,
        subject: &Name,
        key: &RsaPublicKey,
        issuer_key: &RsaPrivateKey,
        validity: Validity,
    ) -> Certificate {
        let facts = Facts {
            subject,
            issuer: &self.intermediate_name,
            serial: serial(),
            validity,
            authority: false,
        };
        Certificate::issue(&facts, key, issuer_key, SignType::Rsa2)
    }

    /// An authority that bears the names of the right one and is another: only its signatures tell.
    fn impostor(&self) -> Certificate {
        let key = keys::foreign_key();
        let facts = Facts {
            subject: &self.intermediate_name,
            issuer: &self.root_name,
            serial: serial(),
            validity: years_around_now(10, 10),
            authority: true,
        };
        Certificate::issue(&facts, &key.to_public_key(), key, SignType::Rsa2)
    }
}

/// As in real ones: the merchant's partner id and the app's.
fn app_subject(app_id: &str) -> String {
    format!("2088000000000888-{app_id}")
}

fn root_facts(name: &Name, validity: Validity) -> Facts<'_> {
    Facts {
        subject: name,
        issuer: name,
        serial: serial(),
        validity,
        authority: true,
    }
}

/// 16 random bytes. Half of the serial numbers need one byte more in DER, as half of the real ones do.
fn serial() -> u128 {
    rand::random::<u128>() | 1 << 120
}

/// Years of 365 days; a certificate of this form can say nothing beyond 2049.
fn years_around_now(before: u32, after: u32) -> Validity {
    let now = SystemTime::now();
    Validity {
        from: now - DAY - before * 365 * DAY,
        until: now + after * 365 * DAY,
    }
}

/// What kind of certificate Alipay signs with from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlipayCertificate {
    /// In good standing, with a key of its own.
    Renewed,
    /// Of another authority, which bears the name of the right one.
    Foreign,
    /// Of the right authority, out of date since a month.
    Expired,
    /// Of the right authority, in good standing, and somebody else's: every app has one.
    OfAnotherApp,
}

/// A certificate that Alipay signs with, or has signed with.
pub(crate) struct AlipayLeaf {
    /// The leaf and the authority that issued it, PEM: the file `alipayCertPublicKey_RSA2.crt`.
    pub(crate) chain: String,
    /// `alipay_cert_sn`
    pub(crate) sn: String,
    pub(crate) key: &'static RsaPrivateKey,
}

/// Alipay's certificates in one simulator, oldest first; the last one signs.
#[derive(Default)]
pub(crate) struct AlipayCertificates {
    leaves: Vec<AlipayLeaf>,
}

impl AlipayCertificates {
    /// The certificate that signs now; the first one is made when it is first asked for.
    pub(crate) fn current(&mut self) -> &AlipayLeaf {
        if self.leaves.is_empty() {
            self.push(AlipayCertificate::Renewed, keys::alipay_key());
        }
        #[expect(clippy::expect_used, reason = "one was pushed where there was none")]
        self.leaves.last().expect("there is a certificate")
    }

    /// Another certificate signs from now on; answers its SN.
    pub(crate) fn change(&mut self, kind: AlipayCertificate) -> String {
        self.current();
        let key = match kind {
            AlipayCertificate::Foreign => keys::foreign_key(),
            _ => keys::renewed_key(self.leaves.len()),
        };
        self.push(kind, key);
        self.current().sn.clone()
    }

    /// The certificate of this SN.
    pub(crate) fn find(&mut self, sn: &str) -> Option<&AlipayLeaf> {
        self.current();
        self.leaves.iter().find(|leaf| leaf.sn == sn)
    }

    fn push(&mut self, kind: AlipayCertificate, key: &'static RsaPrivateKey) {
        let authority = authority();
        let name = match kind {
            AlipayCertificate::OfAnotherApp => {
                Name::new("Simulated App", app_subject("2021000000000777"))
            }
            _ => Name::new("Simulated Alipay", "Simulated Alipay Gateway"),
        };
        let now = SystemTime::now();
        let (validity, issuer_key, issuer) = match kind {
            AlipayCertificate::Renewed | AlipayCertificate::OfAnotherApp => (
                years_around_now(0, 5),
                &authority.intermediate_key,
                authority.intermediate.clone(),
            ),
            AlipayCertificate::Foreign => (
                years_around_now(0, 5),
                keys::foreign_key(),
                authority.impostor(),
            ),
            AlipayCertificate::Expired => (
                Validity {
                    from: now - 395 * DAY,
                    until: now - 30 * DAY,
                },
                &authority.intermediate_key,
                authority.intermediate.clone(),
            ),
        };
        let leaf = authority.leaf(&name, &key.to_public_key(), issuer_key, validity);
        self.leaves.push(AlipayLeaf {
            chain: leaf.pem() + &issuer.pem(),
            sn: leaf.sn,
            key,
        });
    }
}
