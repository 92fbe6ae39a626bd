//! The login document: keys that sign tokens, keys of session tokens, the key that callers encrypt to, clients.

mod fields;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use table_rows::WallTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use crate::client::{DEFAULT_ID_TOKEN_LIFE, DEFAULT_LONGEST_SESSION_LIFE, DEFAULT_SESSION_LIFE};
use crate::issuer::is_https_or_local;
use crate::signing_keys::{KEY_ID_RULE, SigningKey, SigningKeys, is_key_id};
use crate::strict_json;
use crate::{ACCESS_TOKEN_LIFE, Client, KeyTimes, RequestEncryption, SessionKeys, claims};

use fields::Fields;

/// Longest id of a client in bytes.
const CLIENT_ID_BYTES: usize = 128;
/// Longest app id in bytes. Alipay's have 16 digits.
const APP_ID_BYTES: usize = 32;
/// Length of a client's secret in bytes: what cannot be guessed, to what nobody needs.
const CLIENT_SECRET_BYTES: RangeInclusive<usize> = 16..=256;
/// Longest address in bytes.
const ADDRESS_BYTES: usize = 2048;
/// Most addresses of one kind that a client has.
const ADDRESSES: usize = 50;

const DAY: u64 = 24 * 60 * 60;
/// An id_token cannot be called back, so it does not live long: in seconds.
const ID_TOKEN_SECONDS: RangeInclusive<u64> = 60..=DAY;
/// In seconds, up to two years.
const SESSION_SECONDS: RangeInclusive<u64> = 1..=730 * DAY;

/// The login document (`LOGIN_FILE`, `LOGIN_SECRET`): whatever of logins is secret, and the clients.
///
/// ```json
/// {"signing": {"2026-11-22": {"privateKey": "<RSA key: PKCS#1 or PKCS#8, PEM or bare base64>", "signFrom": "2026-11-22T00:00:00Z"}},
///  "sessions": {"active": "2026-11-22", "keys": {"2026-11-22": "<base64 of 32 bytes>"}},
///  "requestEncryption": {"privateKey": "<another RSA key>"},
///  "clients": [{"clientId": "shop", "appid": "2021000000000001", "clientSecret": "…",
///               "redirectUris": ["https://shop.example.com/callback"], "returnTo": ["https://shop.example.com/"],
///               "ssoFrom": ["…"], "disabled": false, "idTokenSeconds": 7200, "sessionSeconds": 604800, "sessionMaxSeconds": 7776000}]}
/// ```
///
/// `requestEncryption` is for OneAccess' `X-signature` and may be absent; callers fetch its public half, so another may take its place at any
/// time. Of a client only `clientId` is required; the seconds shown are the defaults. `dev-server login-keys` makes a document and adds
/// signing keys to it.
/// `Debug` shows names and nothing secret.
#[derive(Debug, Clone)]
pub struct LoginDocument {
    signing: Arc<SigningKeys>,
    sessions: SessionKeys,
    request_encryption: Option<RequestEncryption>,
    /// In the order of the document, without the disabled ones.
    clients: Vec<Client>,
    longest_id_token_life: Duration,
}

/// What is wrong with the login document or with the issuer's address. The text names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct LoginDocumentError {
    field: String,
    problem: String,
}

impl LoginDocumentError {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The field at fault, such as `clients[0].redirectUris[1]`.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it, and what it must be.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl LoginDocument {
    /// Reads and checks a document. Unknown members are refused: they are misspelled ones.
    ///
    /// # Errors
    /// [`LoginDocumentError`] names the first field at fault.
    pub fn from_json(document: &SecretString) -> Result<Self, LoginDocumentError> {
        let node = strict_json::parse(document.expose_secret()).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            LoginDocumentError::new(
                "the login document",
                format!(
                    "is not JSON, or a name stands twice in an object (line {line}, column {column})"
                ),
            )
        })?;
        let mut fields = Fields::of(node, "")?;
        let signing = signing_keys(fields.object("signing")?)?;
        let sessions = session_keys(fields.object("sessions")?)?;
        let request_encryption = fields
            .optional_object("requestEncryption")?
            .map(|fields| request_encryption(fields, &signing))
            .transpose()?;
        let (clients, longest_id_token_life) = clients(&mut fields)?;
        fields.end()?;
        Ok(Self {
            signing: Arc::new(signing),
            sessions,
            request_encryption,
            clients,
            longest_id_token_life,
        })
    }

    /// The client of this id, if there is one and it is not disabled.
    pub fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == client_id)
    }

    /// The client of this id, if `secret` is its own. An unknown client takes as long as a wrong secret.
    pub fn authenticated(&self, client_id: &str, secret: &SecretString) -> Option<&Client> {
        let known = self.client(client_id);
        let is_secret = match known {
            Some(client) => client.is_secret(secret),
            None => Client::new(client_id, None).is_secret(secret),
        };
        known.filter(|_| is_secret)
    }

    /// The client that stands for an app where a login names none: the first one with this `appid`, or one whose id is the app's, with the
    /// default lives, no secret and no addresses.
    pub fn client_of_app(&self, app_id: &str) -> Client {
        self.clients
            .iter()
            .find(|client| client.app_id.as_deref() == Some(app_id))
            .cloned()
            .unwrap_or_else(|| Client::new(app_id, Some(app_id.to_owned())))
    }

    /// All clients that are not disabled, in the order of the document.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// The keys of session tokens.
    pub fn session_keys(&self) -> SessionKeys {
        self.sessions.clone()
    }

    /// The key that callers encrypt to, where the document has one.
    pub fn request_encryption(&self) -> Option<&RequestEncryption> {
        self.request_encryption.as_ref()
    }

    /// When each key signs, and from when it may leave the document, in the order in which they sign.
    pub fn key_times(&self) -> Vec<KeyTimes> {
        let life = self.longest_id_token_life.max(ACCESS_TOKEN_LIFE);
        self.signing.schedule(life.saturating_add(claims::LEEWAY))
    }

    pub(crate) fn signing_keys(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.signing)
    }
}

fn signing_keys(fields: Fields) -> Result<SigningKeys, LoginDocumentError> {
    let place = fields.path().to_owned();
    let mut keys: Vec<SigningKey> = Vec::new();
    for (id, mut fields) in fields.objects()? {
        if !is_key_id(&id) {
            return Err(LoginDocumentError::new(place, KEY_ID_RULE));
        }
        let sign_from = moment(&mut fields, "signFrom")?;
        let text = fields.text("privateKey")?;
        let key = SigningKey::from_text(id, &text, sign_from)
            .map_err(|problem| fields.wrong("privateKey", problem))?;
        for other in &keys {
            if other.public.modulus == key.public.modulus {
                let problem = format!("is the key of `{}` too", other.public.id);
                return Err(fields.wrong("privateKey", problem));
            }
            if other.sign_from == key.sign_from {
                let problem = format!("is the moment of `{}` too", other.public.id);
                return Err(fields.wrong("signFrom", problem));
            }
        }
        keys.push(key);
        fields.end()?;
    }
    SigningKeys::new(keys).ok_or_else(|| LoginDocumentError::new(place, "must hold a key"))
}

fn moment(fields: &mut Fields, name: &str) -> Result<WallTime, LoginDocumentError> {
    let text = fields.text(name)?;
    OffsetDateTime::parse(&text, &Rfc3339)
        .ok()
        .and_then(|time| u64::try_from(time.unix_timestamp()).ok())
        .map(WallTime::from_secs)
        .ok_or_else(|| {
            fields.wrong(
                name,
                "must be a moment of RFC 3339, such as 2026-11-22T00:00:00Z",
            )
        })
}

fn session_keys(mut fields: Fields) -> Result<SessionKeys, LoginDocumentError> {
    let active = fields.text("active")?;
    let keys = fields
        .object("keys")?
        .texts()?
        .into_iter()
        .map(|(id, key)| (id, key.as_str().into()))
        .collect();
    let keys = SessionKeys::new(active.to_string(), keys)
        .map_err(|error| fields.wrong(error.field(), error.problem()))?;
    fields.end()?;
    Ok(keys)
}

fn request_encryption(
    mut fields: Fields,
    signing: &SigningKeys,
) -> Result<RequestEncryption, LoginDocumentError> {
    let text = fields.text("privateKey")?;
    let key = RequestEncryption::from_text(&text)
        .map_err(|error| fields.wrong("privateKey", error.to_string()))?;
    if let Some(same) = signing
        .iter()
        .find(|signing| signing.public.modulus == key.modulus())
    {
        let problem = format!(
            "is the signing key `{}` too; a key that signs must not decrypt, so make another",
            same.public.id
        );
        return Err(fields.wrong("privateKey", problem));
    }
    fields.end()?;
    Ok(key)
}

/// The enabled clients, and the longest life that an id_token of any client has.
fn clients(document: &mut Fields) -> Result<(Vec<Client>, Duration), LoginDocumentError> {
    let mut enabled = Vec::new();
    let mut ids = BTreeSet::new();
    let mut named = Vec::new();
    // That of an app without a client.
    let mut longest_id_token_life = DEFAULT_ID_TOKEN_LIFE;
    for mut fields in document.array("clients")? {
        let is_disabled = fields.flag("disabled")?;
        let client = client(&mut fields)?;
        if !ids.insert(client.id.clone()) {
            return Err(fields.wrong("clientId", "is the id of a client before it too"));
        }
        for name in &client.sso_from {
            named.push((fields.path_of("ssoFrom"), name.clone()));
        }
        fields.end()?;
        longest_id_token_life = longest_id_token_life.max(client.id_token_life);
        if !is_disabled {
            enabled.push(client);
        }
    }
    if let Some((place, _)) = named.iter().find(|(_, name)| !ids.contains(name)) {
        return Err(LoginDocumentError::new(
            place.as_str(),
            "names a client that is not in this document",
        ));
    }
    Ok((enabled, longest_id_token_life))
}

fn client(fields: &mut Fields) -> Result<Client, LoginDocumentError> {
    let id = fields.text("clientId")?;
    if !is_client_id(&id) {
        let rule = "must be 1 to 128 letters, digits and `.-_~:@`";
        return Err(fields.wrong("clientId", rule));
    }
    let app_id = fields.optional_text("appid")?;
    if app_id.as_ref().is_some_and(|app_id| !is_app_id(app_id)) {
        let rule = "must be Alipay's app id: at most 32 letters and digits, 16 digits as a rule";
        return Err(fields.wrong("appid", rule));
    }
    // An app without a client of its own goes by its app id: another client of that name would be taken for it.
    let is_like_app_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_digit());
    if is_like_app_id && app_id.as_ref() != Some(&id) {
        let rule = "is an app id, so it must be the client's own `appid`";
        return Err(fields.wrong("clientId", rule));
    }
    let mut client = Client::new(id.as_str(), app_id.map(|app_id| app_id.to_string()));
    if let Some(secret) = fields.optional_text("clientSecret")? {
        if !CLIENT_SECRET_BYTES.contains(&secret.len()) || !secret.bytes().all(is_visible) {
            let rule = "must be 16 to 256 visible ASCII characters; leave it out for a client that cannot keep a secret";
            return Err(fields.wrong("clientSecret", rule));
        }
        client = client.with_secret(&secret);
    }
    client.redirect_uris = addresses(
        fields,
        "redirectUris",
        |url| is_https_or_local(url) || is_own_scheme(url),
        "must be a URL of https, of http on this machine, or of an app's own scheme such as com.example.shop:/callback; written as browsers write it, without user, fragment and `*`",
    )?;
    client.return_to = addresses(
        fields,
        "returnTo",
        is_https_or_local,
        "must be a URL of https, or of http on this machine; written as browsers write it, without user, fragment and `*`",
    )?;
    client.sso_from = sso_from(fields)?;
    client.id_token_life = seconds(
        fields,
        "idTokenSeconds",
        ID_TOKEN_SECONDS,
        DEFAULT_ID_TOKEN_LIFE,
    )?;
    client.session_life = seconds(
        fields,
        "sessionSeconds",
        SESSION_SECONDS,
        DEFAULT_SESSION_LIFE,
    )?;
    client.session_longest_life = seconds(
        fields,
        "sessionMaxSeconds",
        SESSION_SECONDS,
        DEFAULT_LONGEST_SESSION_LIFE.max(client.session_life),
    )?;
    if client.session_longest_life < client.session_life {
        return Err(fields.wrong("sessionMaxSeconds", "must not be less than sessionSeconds"));
    }
    Ok(client)
}

fn is_client_id(id: &str) -> bool {
    (1..=CLIENT_ID_BYTES).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_~:@".contains(&byte))
}

fn is_app_id(id: &str) -> bool {
    (1..=APP_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// The clients that are named for a client; whether they exist is known when all are read.
fn sso_from(fields: &mut Fields) -> Result<Vec<String>, LoginDocumentError> {
    let names = fields.text_array("ssoFrom")?;
    if names.len() > ADDRESSES {
        return Err(fields.wrong("ssoFrom", format!("must be {ADDRESSES} at most")));
    }
    Ok(names
        .into_iter()
        .map(|(_, name)| name.to_string())
        .collect())
}

fn addresses(
    fields: &mut Fields,
    name: &str,
    is_allowed: impl Fn(&Url) -> bool,
    rule: &str,
) -> Result<Vec<String>, LoginDocumentError> {
    let texts = fields.text_array(name)?;
    if texts.len() > ADDRESSES {
        return Err(fields.wrong(name, format!("must be {ADDRESSES} at most")));
    }
    texts
        .into_iter()
        .map(|(place, text)| match is_address(&text, &is_allowed) {
            true => Ok(text.to_string()),
            false => Err(LoginDocumentError::new(place, rule)),
        })
        .collect()
}

/// Addresses are compared as texts, so one is taken only if every reader understands the same by it.
fn is_address(text: &str, is_allowed: impl Fn(&Url) -> bool) -> bool {
    text.len() <= ADDRESS_BYTES
        && text.bytes().all(is_visible)
        && !text.contains('*')
        && Url::parse(text).is_ok_and(|url| {
            (url.as_str() == text || url.as_str().strip_suffix('/') == Some(text))
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
                && is_allowed(&url)
        })
}

/// Of an app on a phone: a domain of its maker's, reversed (RFC 8252, section 7.1).
fn is_own_scheme(url: &Url) -> bool {
    url.scheme().contains('.') && !url.has_host()
}

fn seconds(
    fields: &mut Fields,
    name: &str,
    range: RangeInclusive<u64>,
    default: Duration,
) -> Result<Duration, LoginDocumentError> {
    match fields.optional_whole_number(name)? {
        None => Ok(default),
        Some(seconds) if range.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => {
            let (least, most) = (range.start(), range.end());
            Err(fields.wrong(name, format!("must be {least} to {most} seconds")))
        }
    }
}
