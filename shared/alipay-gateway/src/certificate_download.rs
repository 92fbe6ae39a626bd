//! Alipay's newer certificates: fetched when a reply names one that is not configured, and kept by serial number for the life of
//! the process.
//!
//! Trust comes from the chain to the app's configured roots and from the common name of the configured certificate. The chain alone
//! would not do: every app's own certificate leads to the same roots. The reply that brings a certificate may be signed with the very
//! key that it brings, so its signature says nothing and is not looked at. A forged one could at most bring another certificate that
//! Alipay has in this name, under the same serial number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use alipay_signing::VerifyingKey;
use alipay_signing::certificate::Certificate;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::Url;

use crate::{App, AppCertificates, Call, GatewayError, Protocol, UnverifiedReply};

const METHOD: &str = "alipay.open.app.alipaycert.download";

/// From one downloaded certificate to the next, whether it was taken or not. Alipay changes its certificate once in years.
const BETWEEN_DOWNLOADS: Duration = Duration::from_secs(60 * 60);
/// After an attempt that brought no answer. An hour for a broken connection would make every reply of that hour unverified.
const AFTER_NO_ANSWER: Duration = Duration::from_secs(60);

/// What was downloaded, by app. Nothing crosses from one app to another, nor from one set of roots to another.
#[derive(Default)]
pub(crate) struct DownloadedCertificates {
    by_app: Mutex<HashMap<Owner, Arc<tokio::sync::Mutex<OfOneApp>>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Owner {
    gateway: Url,
    app_id: String,
    root_serial_numbers: String,
}

/// Locked while a download runs, so that of many calls that need a certificate one fetches it and the others find it.
#[derive(Default)]
pub(crate) struct OfOneApp {
    by_serial_number: HashMap<String, Certificate>,
    /// The last attempt, and how long none may follow it.
    last_attempt: Option<(SystemTime, Duration)>,
}

impl DownloadedCertificates {
    pub fn of(
        &self,
        app: &App,
        certificates: &AppCertificates,
    ) -> Arc<tokio::sync::Mutex<OfOneApp>> {
        let owner = Owner {
            gateway: app.gateway.clone(),
            app_id: app.app_id.clone(),
            root_serial_numbers: certificates.roots.serial_numbers().to_owned(),
        };
        let mut by_app = self.by_app.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(by_app.entry(owner).or_default())
    }
}

impl OfOneApp {
    /// The key of the certificate that is kept under `serial_number`, if it still leads to a root at `now`; `None` where none is
    /// kept.
    pub fn key(
        &self,
        serial_number: &str,
        certificates: &AppCertificates,
        now: SystemTime,
    ) -> Option<Result<VerifyingKey, GatewayError>> {
        let certificate = self.by_serial_number.get(serial_number)?;
        Some(check(certificate, serial_number, certificates, now))
    }

    /// Begins an attempt, if none was made too short a time ago. Until [`OfOneApp::answered`] says otherwise it counts as one that
    /// brought no answer, also when it is cut off.
    ///
    /// # Errors
    /// [`GatewayError::Unverified`] when it is too early.
    pub fn begin_download(&mut self, now: SystemTime) -> Result<(), GatewayError> {
        let is_too_early = self
            .last_attempt
            .is_some_and(|(at, pause)| now.duration_since(at).is_ok_and(|since| since < pause));
        if is_too_early {
            return Err(GatewayError::unverified(
                "the reply is signed with a certificate that is not the configured alipayCert, and it is too early to fetch another one (one in an hour)",
            ));
        }
        self.last_attempt = Some((now, AFTER_NO_ANSWER));
        Ok(())
    }

    /// The gateway answered the attempt, with whatever: that was this hour's download.
    pub fn answered(&mut self, now: SystemTime) {
        self.last_attempt = Some((now, BETWEEN_DOWNLOADS));
    }

    /// Keeps a certificate that came for `serial_number`, if it is that one and leads to a root.
    pub fn keep(
        &mut self,
        certificate: Certificate,
        serial_number: &str,
        certificates: &AppCertificates,
        now: SystemTime,
    ) -> Result<VerifyingKey, GatewayError> {
        let key = check(&certificate, serial_number, certificates, now)?;
        self.by_serial_number
            .insert(serial_number.to_owned(), certificate);
        Ok(key)
    }
}

/// The key of `certificate` if it is the one asked for and may be trusted at `now`.
fn check(
    certificate: &Certificate,
    serial_number: &str,
    certificates: &AppCertificates,
    now: SystemTime,
) -> Result<VerifyingKey, GatewayError> {
    if certificate.serial_number() != serial_number {
        return Err(GatewayError::unverified(
            "the gateway sent another certificate than the one its reply names",
        ));
    }
    // Every app's own certificate leads to the same roots. What tells Alipay's from those is the name, which a renewal keeps.
    let name = certificate.subject_common_name();
    if name.is_none() || name != certificates.alipay.subject_common_name() {
        return Err(GatewayError::unverified(
            "the reply's certificate bears another name than the configured alipayCert; if Alipay changed its name, download alipayCert anew from the console",
        ));
    }
    certificate
        .check_chain(&certificates.roots, now)
        .map_err(|error| {
            tracing::warn!(%error, serial_number, "Alipay's certificate is not trusted");
            GatewayError::unverified(
                "the reply's certificate does not lead to the configured alipayRootCert",
            )
        })?;
    Ok(certificate.verifying_key().clone())
}

/// The call that fetches a certificate. It is made in V2 for every app: V3 has no documented path for it.
pub(crate) fn download_call(serial_number: &str) -> Call {
    Call::new(METHOD)
        .with_biz_content(serde_json::json!({ "alipay_cert_sn": serial_number }).to_string())
}

/// Where that call goes: a V3 app's gateway may be given without V2's path.
pub(crate) fn download_address(app: &App) -> Url {
    let mut address = app.gateway.clone();
    if app.protocol == Protocol::V3 {
        address.set_path("/gateway.do");
    }
    address
}

/// The certificate that a reply to [`download_call`] brings. Nothing of it is trusted yet.
pub(crate) fn downloaded(reply: &UnverifiedReply) -> Option<Certificate> {
    #[derive(Deserialize)]
    struct Node {
        alipay_cert_content: String,
    }
    let node: Node = reply.without_signature()?;
    let text = STANDARD.decode(node.alipay_cert_content).ok()?;
    Certificate::from_text(std::str::from_utf8(&text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_278_605)
    }

    #[test]
    fn an_hour_has_one_answered_download() {
        let start = moment();
        let mut of_app = OfOneApp::default();
        of_app.begin_download(start).unwrap();
        of_app.answered(start);
        let last = start + BETWEEN_DOWNLOADS - Duration::from_millis(1);
        for now in [start, last] {
            let error = of_app.begin_download(now).unwrap_err();
            assert!(!error.was_never_sent(), "{error}");
        }
        of_app.begin_download(start + BETWEEN_DOWNLOADS).unwrap();
    }

    #[test]
    fn an_attempt_without_an_answer_costs_a_minute() {
        let start = moment();
        let mut of_app = OfOneApp::default();
        of_app.begin_download(start).unwrap();
        let soon = start + AFTER_NO_ANSWER - Duration::from_millis(1);
        of_app.begin_download(soon).unwrap_err();
        of_app.begin_download(start + AFTER_NO_ANSWER).unwrap();
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_forbid_downloads_for_ever() {
        let start = moment();
        let mut of_app = OfOneApp::default();
        of_app.begin_download(start).unwrap();
        of_app.answered(start);
        of_app
            .begin_download(start - Duration::from_secs(1))
            .unwrap();
    }
}
