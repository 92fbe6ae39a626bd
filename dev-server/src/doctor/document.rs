//! The document of apps: what can be said without asking anybody.

use std::path::Path;
use std::time::SystemTime;

use alipay_signing::SignType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_kit::{AppSettings, Apps, Finding, Verdict, findings_of};
use secrecy::SecretString;

use super::report::Report;

/// Reads the document, or says why it cannot be used.
pub(super) fn read(path: &Path, report: &mut Report<'_>) -> Option<Apps> {
    report.heading(&format!("document of apps {}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) => {
            report.wrong(
                &format!("the file cannot be read: {error}"),
                "name the document of apps with --config",
            );
            return None;
        }
    };
    match Apps::from_document(&text, path.parent()) {
        Ok(apps) => {
            let count = apps.ids().count();
            let default = apps.default_app().app.app_id.as_str();
            report.right(&format!("loads: {count} app(s), {default} is the default"));
            Some(apps)
        }
        Err(error) => {
            report.wrong(
                &format!("{}: {}", error.field, error.problem),
                "no function starts with this document; nothing else of it can be examined until this is mended",
            );
            None
        }
    }
}

/// What is in the document about `app`, and the public key for the console.
pub(super) fn examine(app: &AppSettings, now: SystemTime, report: &mut Report<'_>) {
    report.heading(&format!("\napp {} at {}", app.app.app_id, app.app.gateway));
    private_key(app, report);
    if app.pid.is_none() {
        report.skipped(
            "pid: is not given; payments and the login of an app (app.getAuthInfo) need it, the merchant's 16 digits that begin with 2088 (合作伙伴身份)",
        );
    }
    for Finding {
        field,
        verdict,
        what,
        mend,
        ..
    } in findings_of(app, now)
    {
        let what = format!("{field}: {what}");
        let mend = mend.unwrap_or_default();
        match verdict {
            Verdict::Right => report.right(&what),
            Verdict::Doubtful => report.doubtful(&what, &mend),
            Verdict::Wrong => report.wrong(&what, &mend),
        }
    }
}

/// A signature that the public half accepts, which also shows the key's size: it is as long as the modulus.
fn private_key(app: &AppSettings, report: &mut Report<'_>) {
    let key = &app.app.signing_key;
    let proof = key
        .sign(SignType::Rsa2, b"")
        .ok()
        .filter(|signature| {
            let public = key.verifying_key();
            public.verify(SignType::Rsa2, b"", signature).is_ok()
        })
        .and_then(|signature| STANDARD.decode(signature).ok());
    match proof {
        Some(signature) => {
            let bits = signature.len() * 8;
            report.right(&format!("privateKey: loads and signs ({bits} bits)"));
        }
        None => report.wrong(
            "privateKey: loads, and its signatures are not right",
            "make a new key pair and upload its public key to the console",
        ),
    }
    report.more(match app.app.certificates {
        Some(_) => "its public key (应用公钥), which appCert was issued for:",
        None => {
            "its public key, to paste into the console (在开放平台控制台粘贴: 开发设置 → 接口加签方式 → 应用公钥):"
        }
    });
    report.more(&key.verifying_key().to_base64());
}
