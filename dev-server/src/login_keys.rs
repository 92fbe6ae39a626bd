//! `login-keys`: makes a login document, and adds signing keys to one.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use identity::{KeyTimes, LoginDocument, LoginDocumentError};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use token_store::WallTime;
use uuid::Uuid;

use crate::owners_file::OWNER_ONLY;

/// How long after a rotation its key begins to sign. Until then whoever verifies tokens has to have fetched the new keys, and every function
/// that signs has to have read the new document.
pub const ROTATION_LEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// A client of a document that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClient {
    /// What it calls itself.
    pub id: String,
    /// The Alipay app whose users it logs in.
    pub app_id: String,
}

/// Why a login document could not be made or changed. No text of it holds anything secret.
#[derive(Debug, thiserror::Error)]
pub enum LoginKeysError {
    /// A file is already there, and is left as it is.
    #[error("{path} is there already, and is left as it is", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A document, or what was asked to be put into one, is wrong.
    #[error(transparent)]
    Document(#[from] LoginDocumentError),
    /// The key of an earlier rotation does not sign yet.
    #[error(
        "already rotated: the key {id} signs from {from}; until then the document is left as it is", from = moment(*signs_from)
    )]
    AlreadyRotated {
        /// The key that waits.
        id: String,
        /// From when it signs.
        signs_from: WallTime,
    },
    /// The system gave no RSA key.
    #[error("the system gave no RSA key")]
    Key,
}

/// A fresh login document: a key that signs from `now` on, a session key, a key that callers encrypt to, and `clients`, each with a secret of
/// its own.
///
/// # Errors
/// [`LoginKeysError::Document`] where an id of a client is none, or is given twice.
pub fn new_login_document(
    clients: &[NewClient],
    now: WallTime,
) -> Result<SecretString, LoginKeysError> {
    let name = day(now);
    let clients: Vec<Value> = clients
        .iter()
        .map(|client| {
            json!({
                "clientId": client.id,
                "appid": client.app_id,
                "clientSecret": URL_SAFE_NO_PAD.encode(random_key()),
                "redirectUris": [],
                "returnTo": [],
            })
        })
        .collect();
    let document = written(&json!({
        "signing": {&name: signing_key(now)?},
        "sessions": {"active": &name, "keys": {&name: STANDARD.encode(random_key())}},
        "requestEncryption": {"privateKey": rsa_key()?},
        "clients": clients,
    }));
    LoginDocument::from_json(&document)?;
    Ok(document)
}

/// Writes a document to a file that its owner alone may read.
///
/// # Errors
/// [`LoginKeysError::Exists`] where something is there already, [`LoginKeysError::File`].
pub fn save_login_document(path: &Path, document: &SecretString) -> Result<(), LoginKeysError> {
    match write_new(path, document, OWNER_ONLY) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(LoginKeysError::Exists {
            path: path.to_owned(),
        }),
        outcome => outcome.map_err(|source| LoginKeysError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

/// What a rotation did, and what it leaves to do.
#[derive(Debug)]
pub struct Rotation {
    /// The name of the new key.
    pub id: String,
    /// From when it signs.
    pub signs_from: WallTime,
    /// All keys of the document, in the order in which they sign.
    pub keys: Vec<KeyTimes>,
    now: WallTime,
}

/// Adds a key to the document in the file `path` that signs from [`ROTATION_LEAD`] after `now`. All else in it keeps its meaning and its
/// order. Whoever reads the file meanwhile reads the old document or the new one, and two rotations at once come one after the other.
///
/// # Errors
/// [`LoginKeysError::AlreadyRotated`] where a key waits, [`LoginKeysError::Document`] where the file is no login document,
/// [`LoginKeysError::File`].
pub fn rotate_login_keys(path: &Path, now: WallTime) -> Result<Rotation, LoginKeysError> {
    let failed = |source| LoginKeysError::File {
        path: path.to_owned(),
        source,
    };
    // What is replaced is the file, and not a link to it.
    let file = fs::canonicalize(path).map_err(failed)?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    // A lock on the file would be one on the old file once it is replaced.
    let lock = File::open(folder).map_err(failed)?;
    lock.lock().map_err(failed)?;

    let text = SecretString::from(fs::read_to_string(&file).map_err(failed)?);
    let before = LoginDocument::from_json(&text)?.key_times();
    if let Some(waiting) = before.into_iter().find(|key| key.signs_from > now) {
        return Err(LoginKeysError::AlreadyRotated {
            id: waiting.id,
            signs_from: waiting.signs_from,
        });
    }
    let signs_from = now.plus(ROTATION_LEAD);
    let (document, id) = with_key(&text, signs_from)?;
    let keys = LoginDocument::from_json(&document)?.key_times();
    replace(&file, folder, &document).map_err(failed)?;
    // The folder holds the new name of the file.
    lock.sync_all().map_err(failed)?;
    Ok(Rotation {
        id,
        signs_from,
        keys,
        now,
    })
}

/// The document with one more key, and that key's name.
fn with_key(
    text: &SecretString,
    signs_from: WallTime,
) -> Result<(SecretString, String), LoginKeysError> {
    // It was read as a login document, so it is an object with these members.
    let mut document: Value = serde_json::from_str(text.expose_secret()).unwrap_or_default();
    let keys = &mut document["signing"];
    let day = day(signs_from);
    let names = (2..).map(|number| format!("{day}-{number}"));
    let id = std::iter::once(day.clone())
        .chain(names)
        .find(|name| keys.get(name).is_none())
        .unwrap_or(day);
    keys[&id] = signing_key(signs_from)?;
    Ok((written(&document), id))
}

fn replace(file: &Path, folder: &Path, document: &SecretString) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions();
    let new = folder.join(format!(".login-keys-{}", Uuid::new_v4().simple()));
    let outcome = write_new(&new, document, OWNER_ONLY)
        .and_then(|()| fs::set_permissions(&new, mode))
        .and_then(|()| fs::rename(&new, file));
    if outcome.is_err() {
        let _ = fs::remove_file(&new);
    }
    outcome
}

fn write_new(path: &Path, document: &SecretString, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(document.expose_secret().as_bytes())?;
    file.sync_all()
}

fn written(document: &Value) -> SecretString {
    format!("{document:#}\n").into()
}

/// An entry of `signing`.
fn signing_key(signs_from: WallTime) -> Result<Value, LoginKeysError> {
    Ok(json!({"privateKey": rsa_key()?, "signFrom": moment(signs_from)}))
}

/// A fresh private key: PKCS#8 in base64.
fn rsa_key() -> Result<String, LoginKeysError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| LoginKeysError::Key)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| LoginKeysError::Key)?;
    Ok(STANDARD.encode(der.as_ref()))
}

fn random_key() -> [u8; 32] {
    rand::rng().random()
}

/// As of RFC 3339, in whole seconds of UTC; the end of time where it is past the year 9999.
fn moment(time: WallTime) -> String {
    i64::try_from(time.as_millis() / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59Z".to_owned())
}

/// Such as `2026-11-22`: the name of a key is the day from which it signs.
fn day(time: WallTime) -> String {
    moment(time).chars().take(10).collect()
}

impl fmt::Display for Rotation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "Added the key {}, which signs from {}. Put the document wherever it is used before then, best today: who verifies tokens \
             must have a key before it signs.\n",
            self.id,
            moment(self.signs_from)
        )?;
        let width = self.keys.iter().map(|key| key.id.len()).max().unwrap_or(0);
        // The last one whose time has come.
        let signing = self
            .keys
            .iter()
            .rev()
            .find(|key| key.signs_from <= self.now);
        for key in &self.keys {
            write!(formatter, "  {:width$}  ", key.id)?;
            if key.signs_from > self.now {
                writeln!(formatter, "signs from {}", moment(key.signs_from))?;
                continue;
            }
            let does = if Some(key) == signing {
                "signs now"
            } else {
                "signed"
            };
            write!(formatter, "{does:9}")?;
            match key.removable_from {
                Some(end) if end <= self.now => writeln!(formatter, "  may be removed now")?,
                Some(end) => writeln!(formatter, "  may be removed from {}", moment(end))?,
                None => writeln!(formatter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
