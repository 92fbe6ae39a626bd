//! The three certificate files of an app in certificate mode (公钥证书).

use alipay_gateway::AppCertificates;
use alipay_signing::SigningKey;
use alipay_signing::certificate::{Certificate, ChainError, RootCertificates};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::AppsError;
use super::entry::Place;

/// The files' texts, as far as the document gives them.
pub(super) struct CertificateTexts {
    pub(super) app: Option<SecretString>,
    pub(super) alipay: Option<SecretString>,
    pub(super) roots: Option<SecretString>,
}

/// The files, read.
pub(super) struct AppsCertificates {
    pub(super) app: Certificate,
    pub(super) for_calls: AppCertificates,
}

impl CertificateTexts {
    pub(super) fn are_absent(&self) -> bool {
        self.app.is_none() && self.alipay.is_none() && self.roots.is_none()
    }

    /// Reads all three and checks that they belong together: to the app's private key, and to one another.
    pub(super) fn read(
        self,
        place: Place<'_>,
        app_id: &str,
        signing_key: &SigningKey,
        gateway: &Url,
    ) -> Result<AppsCertificates, AppsError> {
        let given = |field, text: Option<SecretString>, file: &str| {
            text.ok_or_else(|| {
                place.wrong(
                    field,
                    format!("is missing; certificate mode needs all three files of the console, this one is {file}"),
                )
            })
        };
        let app = given("appCert", self.app, "appCertPublicKey_<appid>.crt")?;
        let alipay = given("alipayCert", self.alipay, "alipayCertPublicKey_RSA2.crt")?;
        let roots = given("alipayRootCert", self.roots, "alipayRootCert.crt")?;

        let certificate = |field, text: &SecretString| {
            Certificate::from_text(text.expose_secret())
                .map_err(|error| place.wrong(field, error.to_string()))
        };
        let app = certificate("appCert", &app)?;
        let alipay = certificate("alipayCert", &alipay)?;
        let roots = RootCertificates::from_text(roots.expose_secret())
            .map_err(|error| place.wrong("alipayRootCert", error.to_string()))?;

        check_slots(place, app_id, signing_key, &app, &alipay)?;
        if is_foreign(&alipay, &roots) && !is_alipays_sandbox(gateway) {
            return Err(place.wrong(
                "alipayCert",
                "was not issued under alipayRootCert: download both again from this app's console (sandbox and production have different ones)",
            ));
        }
        let for_calls = AppCertificates {
            app_serial_number: app.serial_number().to_owned(),
            alipay,
            roots,
        };
        Ok(AppsCertificates { app, for_calls })
    }
}

/// Each file in its own place, and the app's the one of its private key.
fn check_slots(
    place: Place<'_>,
    app_id: &str,
    signing_key: &SigningKey,
    app: &Certificate,
    alipay: &Certificate,
) -> Result<(), AppsError> {
    const APP_FILE: &str = "give the app's own certificate, appCertPublicKey_<appid>.crt";
    const ALIPAY_FILE: &str = "give Alipay's own certificate, alipayCertPublicKey_RSA2.crt";
    let wrong =
        |field: &str, what: &str, mend: &str| Err(place.wrong(field, format!("{what}; {mend}")));
    for (field, certificate, mend) in [
        ("appCert", app, APP_FILE),
        ("alipayCert", alipay, ALIPAY_FILE),
    ] {
        if certificate.is_authority() {
            let what = "holds the certificate of an issuer, as alipayRootCert.crt does";
            return wrong(field, what, mend);
        }
    }
    let own_key = signing_key.verifying_key();
    let is_apps = *app.verifying_key() == own_key;
    match *alipay.verifying_key() == own_key {
        true if is_apps => {
            return wrong("alipayCert", "is the app's own certificate", ALIPAY_FILE);
        }
        true => {
            return wrong(
                "appCert",
                "and alipayCert stand in each other's place",
                "exchange them",
            );
        }
        false => {}
    }
    if !is_apps {
        return match app.serial_number() == alipay.serial_number() {
            true => wrong("appCert", "is Alipay's certificate", APP_FILE),
            false => wrong(
                "appCert",
                "is not the certificate of privateKey",
                "give the two that belong together, or request a certificate for this key in the console",
            ),
        };
    }
    let names_the_app = alipay
        .subject_common_name()
        .is_some_and(|name| name.ends_with(&format!("-{app_id}")));
    if names_the_app {
        return wrong("alipayCert", "is a certificate of the app", ALIPAY_FILE);
    }
    Ok(())
}

/// Whether Alipay's certificate comes from another authority than the roots. It is asked for the time of its issue, when
/// every certificate on the way to the root had to be valid; whether they are now is a question for
/// [`findings`](crate::findings()). So is a certificate without its issuer's, about which nothing can be said.
fn is_foreign(alipay: &Certificate, roots: &RootCertificates) -> bool {
    match alipay.check_chain(roots, alipay.not_before()) {
        Ok(()) | Err(ChainError::Expired | ChainError::NotYetValid) => false,
        Err(ChainError::IssuerMissing) => alipay.issuer_count() > 0,
        Err(_) => true,
    }
}

/// Whether `gateway` is one of Alipay's sandboxes. The authority of their certificates ("… test") is in no bundle that Alipay
/// hands out.
pub(crate) fn is_alipays_sandbox(gateway: &Url) -> bool {
    gateway
        .host_str()
        .is_some_and(|host| host == "alipaydev.com" || host.ends_with(".alipaydev.com"))
}
