use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use function_logins::LoginDocument;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use token_store::{Clock, SystemClock};
use uuid::Uuid;

use crate::DevServerError;
use crate::login_keys::new_login_document;
use crate::owners_file::write_for_owner;

/// The client that is made here, for the default app.
pub const LOCAL_CLIENT: &str = "local";

/// The file in the folder of `--data`.
const KEPT: &str = "login.json";

/// The login document on this machine: one that is made for it, or a developer's own.
pub struct LocalLogin {
    text: String,
    document: LoginDocument,
    secret: Option<String>,
}

impl LocalLogin {
    /// That of the file `path`.
    ///
    /// # Errors
    /// Names the file and what is wrong.
    pub(crate) fn from_file(path: &Path) -> Result<Self, DevServerError> {
        let text = fs::read_to_string(path)
            .map_err(|error| wrong(path, format!("the file cannot be read: {error}")))?;
        Self::read(text, path)
    }

    /// A fresh one, or that of `folder`, so that the sessions and id_tokens of the last run go on. Its client [`LOCAL_CLIENT`] logs
    /// users of `app_id` in and has them come back to `landing`.
    ///
    /// # Errors
    /// Names the file and what is wrong.
    pub(crate) fn generated(
        folder: Option<&Path>,
        app_id: &str,
        landing: &str,
    ) -> Result<Self, DevServerError> {
        let path = folder.unwrap_or(Path::new("")).join(KEPT);
        let mut document = match folder {
            Some(_) if path.exists() => kept(&path)?,
            _ => fresh()?,
        };
        let secret = with_local_client(&mut document, app_id, landing);
        let text = document.to_string();
        if folder.is_some() {
            write_for_owner(&path, &text).map_err(|source| DevServerError::Data {
                path: path.clone(),
                source,
            })?;
        }
        let login = Self::read(text, &path)?;
        Ok(Self {
            secret: Some(secret),
            ..login
        })
    }

    fn read(text: String, path: &Path) -> Result<Self, DevServerError> {
        let document = LoginDocument::from_json(&text.as_str().into())
            .map_err(|error| wrong(path, error.to_string()))?;
        Ok(Self {
            text,
            document,
            secret: None,
        })
    }

    /// The text of the document, as `LOGIN_FILE` has it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document.
    pub fn document(&self) -> &LoginDocument {
        &self.document
    }

    /// The secret of [`LOCAL_CLIENT`]; `None` where the document is a developer's own.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }
}

/// An RSA key takes a moment to make, so the servers of one process have the same keys.
fn fresh() -> Result<Value, DevServerError> {
    static MADE: Mutex<Option<Value>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(document) = made.as_ref() {
        return Ok(document.clone());
    }
    let document = new_login_document(&[], SystemClock.now())?;
    // What was made is JSON.
    let document: Value = serde_json::from_str(document.expose_secret()).unwrap_or_default();
    *made = Some(document.clone());
    Ok(document)
}

fn kept(path: &Path) -> Result<Value, DevServerError> {
    let text = fs::read_to_string(path).map_err(|source| DevServerError::Data {
        path: path.to_owned(),
        source,
    })?;
    let document: Value = serde_json::from_str(&text)
        .map_err(|error| wrong(path, format!("is not JSON: {error}")))?;
    match document {
        Value::Object(_) => Ok(document),
        _ => Err(wrong(path, "is no login document".to_owned())),
    }
}

/// Puts the client before the document's others, in place of that of the last run, whose secret it takes over: the port may be
/// another one now. Gives the secret.
fn with_local_client(document: &mut Value, app_id: &str, landing: &str) -> String {
    let mut clients = match document["clients"].take() {
        Value::Array(clients) => clients,
        _ => Vec::new(),
    };
    let last = clients
        .iter()
        .position(|client| client["clientId"] == LOCAL_CLIENT)
        .map(|place| clients.remove(place));
    let secret = match last {
        Some(mut client) => client["clientSecret"].take(),
        None => Value::Null,
    };
    let secret = match secret {
        Value::String(secret) => secret,
        _ => Uuid::new_v4().simple().to_string(),
    };
    let client = json!({
        "clientId": LOCAL_CLIENT,
        "appid": app_id,
        "clientSecret": secret,
        "redirectUris": [landing],
        "returnTo": [landing],
    });
    clients.insert(0, client);
    document["clients"] = clients.into();
    secret
}

fn wrong(path: &Path, problem: String) -> DevServerError {
    DevServerError::Login {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "2021000000000001";

    fn generated(folder: Option<&Path>, port: u16) -> LocalLogin {
        let landing = format!("http://127.0.0.1:{port}/_local/landing");
        LocalLogin::generated(folder, APP, &landing).unwrap()
    }

    #[test]
    fn a_document_in_memory_has_the_client_of_the_default_app() {
        let login = generated(None, 3000);
        let client = login.document().client_of_app(APP);
        assert_eq!(client.id, LOCAL_CLIENT);
        assert!(client.is_secret(&login.secret().unwrap().into()));
        assert_ne!(login.secret(), generated(None, 3000).secret());
    }

    #[test]
    fn a_kept_document_has_the_same_keys_and_the_client_at_the_new_port() {
        let folder = tempfile::tempdir().unwrap();
        let first = generated(Some(folder.path()), 3000);
        // A client that the developer has put into it stays.
        let path = folder.path().join(KEPT);
        let mut document: Value = serde_json::from_str(first.text()).unwrap();
        document["clients"]
            .as_array_mut()
            .unwrap()
            .push(json!({"clientId": "shop"}));
        fs::write(&path, document.to_string()).unwrap();

        let second = generated(Some(folder.path()), 3001);
        assert_eq!(second.secret(), first.secret());
        let after: Value = serde_json::from_str(second.text()).unwrap();
        for keys in ["signing", "sessions", "requestEncryption"] {
            assert_eq!(after[keys], document[keys]);
        }
        let clients = second.document().clients();
        let ids: Vec<_> = clients.iter().map(|client| client.id.as_str()).collect();
        assert_eq!(ids, [LOCAL_CLIENT, "shop"]);
        let landing = "http://127.0.0.1:3001/_local/landing";
        assert_eq!(clients[0].redirect_uris, [landing]);
        assert_eq!(clients[0].return_to, [landing]);
    }

    #[test]
    fn a_kept_document_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (text, problem) in [
            ("{", "is not JSON"),
            ("[]", "is no login document"),
            ("{}", "signing"),
        ] {
            fs::write(folder.path().join(KEPT), text).unwrap();
            let error = LocalLogin::generated(Some(folder.path()), APP, "http://127.0.0.1:3000/");
            let said = error.err().unwrap().to_string();
            assert!(said.contains(KEPT) && said.contains(problem), "{said}");
        }
    }
}
