//! The keys that seal what is in the token table, one document for access tokens and one for refresh tokens.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_kit::{StartUpError, read_document, setting};
use function_tokens::Keyring;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::report::Report;
use crate::error::with_causes;

/// The keyrings of a function.
pub(super) struct Keyrings {
    pub access: Keyring,
    /// Those of a function that stores pairs or refreshes them.
    pub refresh: Option<Keyring>,
}

/// One of the two documents: its settings, and what is said of it.
struct Kind {
    file: &'static str,
    secret: &'static str,
    name: &'static str,
    mend: &'static str,
}

const ACCESS: Kind = Kind {
    file: "TOKEN_KEYS_FILE",
    secret: "TOKEN_KEYS_SECRET",
    name: "keys",
    mend: "set TOKEN_KEYS_FILE or TOKEN_KEYS_SECRET to the document of keys that the functions have",
};

const REFRESH: Kind = Kind {
    file: "REFRESH_TOKEN_KEYS_FILE",
    secret: "REFRESH_TOKEN_KEYS_SECRET",
    name: "refresh keys",
    mend: "set REFRESH_TOKEN_KEYS_FILE or REFRESH_TOKEN_KEYS_SECRET to the document of keys that code2session, isv-auth-token and refresh-tokens have",
};

/// Loads them, or says what is wrong.
pub(super) async fn keyrings(report: &mut Report<'_>) -> Option<Keyrings> {
    let (access_document, access) = keyring(&ACCESS, report).await?;
    if setting(REFRESH.file).is_none() && setting(REFRESH.secret).is_none() {
        report.skipped(
            "refresh keys: REFRESH_TOKEN_KEYS_FILE is not set, as for functions that only read tokens",
        );
        return Some(Keyrings {
            access,
            refresh: None,
        });
    }
    let (refresh_document, refresh) = keyring(&REFRESH, report).await?;
    if keys_of(&access_document).is_disjoint(&keys_of(&refresh_document)) {
        report.right("refresh keys: none of them is among the others");
    } else {
        report.doubtful(
            "refresh keys: one of them is also among the keys for access tokens",
            "functions that only read tokens can open refresh tokens with it: add another key to one of the documents, make it active, and take the shared one out when no row names it any more",
        );
    }
    Some(Keyrings {
        access,
        refresh: Some(refresh),
    })
}

async fn keyring(kind: &Kind, report: &mut Report<'_>) -> Option<(SecretString, Keyring)> {
    let document = match read_document(kind.file, kind.secret).await {
        Ok(document) => document,
        Err(error @ StartUpError::Secret { .. }) => {
            report.wrong(
                &with_causes(&error),
                "check that the secret exists and that these credentials may read it",
            );
            return None;
        }
        Err(error) => {
            report.wrong(&with_causes(&error), kind.mend);
            return None;
        }
    };
    match Keyring::from_json(&document) {
        Ok(keyring) => {
            report.right(&format!("{}: load", kind.name));
            Some((document, keyring))
        }
        Err(error) => {
            report.wrong(&format!("{}: {error}", kind.name), kind.mend);
            None
        }
    }
}

/// The keys of a document that loads, whatever their ids.
fn keys_of(document: &SecretString) -> BTreeSet<Vec<u8>> {
    let document: Value = serde_json::from_str(document.expose_secret()).unwrap_or_default();
    let keys = document["keys"].as_object().into_iter().flatten();
    keys.filter_map(|(_, key)| STANDARD.decode(key.as_str()?.trim()).ok())
        .collect()
}
