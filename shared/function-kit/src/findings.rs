//! What can be said about the configured apps without asking anybody: the check at start-up, and the doctor's offline part. It
//! is a part of every cold start, so nothing here signs or waits.

use std::time::{Duration, SystemTime};

use alipay_gateway::{AppCertificates, Protocol, timestamp};
use alipay_signing::certificate::{Certificate, ChainError};

use crate::apps::{AppSettings, Apps, is_alipays_sandbox};

/// How long before its end a certificate is spoken of. Alipay's certificates live for years, and a new one has to be requested
/// in the console.
const ENDS_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The app.
    pub app_id: String,
    /// The setting in the document of apps, such as `alipayCert`.
    pub field: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found. Holds nothing secret.
    pub what: String,
    /// How to mend it, where there is something to mend.
    pub mend: Option<String>,
}

/// How a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Right,
    /// It works, and wants looking at.
    Doubtful,
    /// Calls of the app fail.
    Wrong,
}

/// Looks at every app as it is at `now`, in the order of [`Apps::in_order`].
pub fn findings(apps: &Apps, now: SystemTime) -> Vec<Finding> {
    apps.in_order()
        .into_iter()
        .flat_map(|settings| findings_of(settings, now))
        .collect()
}

/// Looks at one app as it is at `now`.
pub fn findings_of(settings: &AppSettings, now: SystemTime) -> Vec<Finding> {
    Look { settings, now }.at_all()
}

/// One app at one time.
struct Look<'a> {
    settings: &'a AppSettings,
    now: SystemTime,
}

impl Look<'_> {
    fn at_all(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        match (
            &self.settings.app.certificates,
            &self.settings.app_certificate,
        ) {
            (Some(certificates), Some(own)) => {
                found.push(self.certificate("appCert", own));
                found.extend(self.another_apps(own));
                found.push(self.certificate("alipayCert", &certificates.alipay));
                found.extend(self.an_apps(&certificates.alipay));
                found.push(self.chain(certificates));
                found.push(self.roots(certificates));
            }
            _ => found.push(self.right(
                "alipayPublicKey",
                "loads, and is not the app's own public key".to_owned(),
            )),
        }
        found.extend(self.content_key());
        found.extend(self.wide_methods());
        found.extend(self.protocol());
        found
    }

    fn certificate(&self, field: &'static str, certificate: &Certificate) -> Finding {
        let (begins, ends) = (certificate.not_before(), certificate.not_after());
        let serial_number = certificate.serial_number();
        if self.now < begins {
            return self.wrong(
                field,
                format!("is valid only from {} on", moment(begins)),
                "look at this machine's clock; if it is right, wait, or give the certificate that was valid before".to_owned(),
            );
        }
        let mend = match field {
            "appCert" => {
                "request a new certificate for the app's key in the console, and give all three files that it then offers"
            }
            _ => "download alipayCertPublicKey_RSA2.crt again from the app's page in the console",
        };
        if self.now > ends {
            return self.wrong(field, format!("ended on {}", moment(ends)), mend.to_owned());
        }
        if self.now + ENDS_SOON > ends {
            return self.doubtful(field, format!("ends on {}", moment(ends)), mend.to_owned());
        }
        self.right(
            field,
            format!(
                "SN {serial_number}, valid from {} to {}",
                moment(begins),
                moment(ends)
            ),
        )
    }

    fn another_apps(&self, own: &Certificate) -> Option<Finding> {
        let named = app_named_by(own)?;
        (named != self.settings.app.app_id).then(|| {
            self.doubtful(
                "appCert",
                format!("names another app: {named}"),
                "if calls are refused, download this app's certificate from its page in the console".to_owned(),
            )
        })
    }

    /// Whoever holds that app's key could sign what this app takes for Alipay's replies.
    fn an_apps(&self, alipays: &Certificate) -> Option<Finding> {
        let named = app_named_by(alipays)?;
        Some(self.doubtful(
            "alipayCert",
            format!("looks like the certificate of an app: {named}"),
            "give Alipay's own certificate, alipayCertPublicKey_RSA2.crt".to_owned(),
        ))
    }

    fn chain(&self, certificates: &AppCertificates) -> Finding {
        const FIELD: &str = "alipayCert";
        // Its own validity has a finding of its own.
        let leaf = &certificates.alipay;
        let inside = self.now.min(leaf.not_after()).max(leaf.not_before());
        match leaf.check_chain(&certificates.roots, inside) {
            Ok(()) => self.right(FIELD, "leads to alipayRootCert".to_owned()),
            Err(error) if is_alipays_sandbox(&self.settings.app.gateway) => self.doubtful(
                FIELD,
                format!("cannot be checked against alipayRootCert: {error}"),
                "nothing to do in the sandbox, whose authority is in no file of Alipay's; when Alipay changes its certificate there, download it again by hand".to_owned(),
            ),
            Err(ChainError::IssuerMissing) if leaf.issuer_count() == 0 => self.doubtful(
                FIELD,
                "stands alone, without its issuer's certificate, so that nothing says that it is Alipay's".to_owned(),
                "download alipayCertPublicKey_RSA2.crt again: the whole file has two certificates".to_owned(),
            ),
            Err(error) => self.wrong(
                FIELD,
                format!("does not lead to alipayRootCert: {error}"),
                "download alipayCertPublicKey_RSA2.crt and alipayRootCert.crt again from the app's page in the console".to_owned(),
            ),
        }
    }

    fn roots(&self, certificates: &AppCertificates) -> Finding {
        self.right(
            "alipayRootCert",
            format!("SN {}", certificates.roots.serial_numbers()),
        )
    }

    /// A prefix of one name lets `request` pay out, refund, and call whatever Alipay adds.
    fn wide_methods(&self) -> Option<Finding> {
        let is_wide = |method: &&String| method.ends_with('*') && method.matches('.').count() < 2;
        let wide = self.settings.request_methods.iter().find(is_wide)?;
        Some(self.doubtful(
            "requestMethods",
            format!("{wide} lets `request` call nearly every method, payments and refunds among them"),
            "list the methods that are needed, or a longer prefix such as alipay.open.app.*".to_owned(),
        ))
    }

    fn content_key(&self) -> Option<Finding> {
        self.settings.app.content_key.as_ref()?;
        let used = if self.settings.need_encrypt {
            "used for every call that has contents"
        } else {
            "used where a call says needEncrypt"
        };
        Some(self.right("aesKey", format!("loads (128 bits); {used}")))
    }

    fn protocol(&self) -> Option<Finding> {
        (self.settings.app.protocol == Protocol::V3)
            .then(|| self.right("protocol", "v3".to_owned()))
    }

    fn right(&self, field: &'static str, what: String) -> Finding {
        self.finding(field, Verdict::Right, what, None)
    }

    fn doubtful(&self, field: &'static str, what: String, mend: String) -> Finding {
        self.finding(field, Verdict::Doubtful, what, Some(mend))
    }

    fn wrong(&self, field: &'static str, what: String, mend: String) -> Finding {
        self.finding(field, Verdict::Wrong, what, Some(mend))
    }

    fn finding(
        &self,
        field: &'static str,
        verdict: Verdict,
        what: String,
        mend: Option<String>,
    ) -> Finding {
        Finding {
            app_id: self.settings.app.app_id.clone(),
            field,
            verdict,
            what,
            mend,
        }
    }
}

/// The app whose certificate it is. The common name of an app's certificate ends in the app's id, that of Alipay's own in the
/// merchant's partner id (PID), which begins with 2088. That is how those look that Alipay has issued; no document promises it.
fn app_named_by(certificate: &Certificate) -> Option<String> {
    let name = certificate.subject_common_name()?;
    let (_, named) = name.rsplit_once('-')?;
    let is_app_id = named.len() == 16
        && named.bytes().all(|byte| byte.is_ascii_digit())
        && !named.starts_with("2088");
    is_app_id.then(|| named.to_owned())
}

/// As Alipay's console shows it.
fn moment(time: SystemTime) -> String {
    format!("{} (UTC+8)", timestamp(time))
}
