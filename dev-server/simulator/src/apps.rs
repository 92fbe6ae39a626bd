//! Apps: what a developer registers in Alipay's console.

use rsa::RsaPublicKey;
use serde::{Deserialize, Serialize};
use url::Host;

use crate::authority::{AlipayCertificates, authority};
use crate::consent::callback_host;
use crate::encryption::AesKey;
use crate::keys::{self, SignType};

/// What to register. `AppOptions::default()` is an app in good standing with keys from the process' pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppOptions {
    /// Chosen app id; absent: the next of `2021000000000001`, `2021000000000002`, …
    pub app_id: Option<String>,
    /// The merchant that the app's payments go to (PID, the `seller_id` of its trades): 16 digits that begin with 2088.
    pub pid: String,
    /// Which identifiers of a user the app gets and may address.
    pub identifiers: Identifiers,
    /// The address that the console has as the app's callback (授权回调地址), such as `https://login.example.com/callback`: users
    /// of the page go back to its host and no other. Absent: to any address of this machine.
    pub callback: Option<String>,
    /// The sign types the app may use. RSA2 alone unless said otherwise.
    pub sign_types: Vec<SignType>,
    /// Where the app's key pair comes from.
    pub key: AppKey,
    /// Lifetimes of the tokens it gets, and how they are written.
    pub tokens: TokenRules,
    /// Lifetimes of the tokens that merchants give it, where it is an ISV's app.
    pub merchant_tokens: MerchantTokenRules,
    /// Message templates the app owns; absent: any id will do.
    pub templates: Option<Vec<Template>>,
    /// The methods it has permission for; absent: all that the simulator knows.
    /// Others answer 40006 `isv.insufficient-isv-permissions`.
    pub methods: Option<Vec<String>>,
    /// Certificate mode: calls have to name the certificates, and replies name Alipay's. Off by default.
    pub certificates: bool,
    /// Whether the app has an AES key, so that it may encrypt its calls and can have a user's phone number.
    pub content_encryption: bool,
    /// Whether an `error_response` carries a signature. Real ones have been seen with and without; off by default.
    pub signed_error_responses: bool,
}

impl Default for AppOptions {
    fn default() -> Self {
        Self {
            app_id: None,
            pid: "2088000000000999".to_owned(),
            identifiers: Identifiers::default(),
            callback: None,
            sign_types: vec![SignType::Rsa2],
            key: AppKey::default(),
            tokens: TokenRules::default(),
            merchant_tokens: MerchantTokenRules::default(),
            templates: None,
            methods: None,
            certificates: false,
            content_encryption: true,
            signed_error_responses: false,
        }
    }
}

/// Which identifiers of a user an app works with. Alipay moves apps from `user_id` to `open_id`, with a time of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identifiers {
    /// `user_id` (2088…) only: apps from before the move.
    UserIdOnly,
    /// `open_id` only: new apps.
    OpenIdOnly,
    /// Both: apps in transition.
    #[default]
    Both,
}

impl Identifiers {
    pub(crate) fn has_user_id(self) -> bool {
        self != Self::OpenIdOnly
    }

    pub(crate) fn has_open_id(self) -> bool {
        self != Self::UserIdOnly
    }
}

/// Where an app's key pair comes from.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKey {
    /// A pair from the process' pool (three pairs, taken in turn).
    #[default]
    Generated,
    /// This private key: PKCS#8 or PKCS#1, PEM or bare base64.
    Private(String),
    /// The public key alone (SPKI, PEM or bare base64), when the caller keeps the private one.
    Public(String),
}

impl std::fmt::Debug for AppKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Generated => "Generated",
            Self::Private(_) => "Private(…)",
            Self::Public(_) => "Public(…)",
        })
    }
}

/// Lifetimes and spelling in the answers of `alipay.system.oauth.token`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// `expires_in` of a new access token, in seconds.
    pub access_seconds: u64,
    /// `re_expires_in` of a new grant, in seconds; a refresh does not prolong it.
    pub refresh_seconds: u64,
    /// Whether the two are written as JSON numbers or as strings. Alipay's documents say string, real replies have
    /// numbers.
    pub spelling: NumberSpelling,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            access_seconds: 1_296_000,
            refresh_seconds: 2_592_000,
            spelling: NumberSpelling::default(),
        }
    }
}

/// Lifetimes in the answers of `alipay.open.auth.token.app`; written as [`TokenRules::spelling`] says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MerchantTokenRules {
    /// `expires_in` of a new app_auth_token, in seconds.
    pub token_seconds: u64,
    /// `re_expires_in` of a new authorisation, in seconds; a refresh does not prolong it.
    pub refresh_seconds: u64,
}

/// The numbers of Alipay's sample replies.
impl Default for MerchantTokenRules {
    fn default() -> Self {
        Self {
            token_seconds: 31_536_000,
            refresh_seconds: 32_140_800,
        }
    }
}

/// How a count of seconds is written in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberSpelling {
    /// `1296000`
    #[default]
    Number,
    /// `"1296000"`
    String,
}

/// A message template of an app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `user_template_id`.
    pub id: String,
    /// How many keywords a message has to fill: `keyword1` … `keyword<n>`. 0: any.
    #[serde(default)]
    pub keywords: usize,
}

/// A registered app, as its developer configures it. `Debug` hides the private key.
#[derive(Clone, Serialize)]
pub struct SimulatedApp {
    /// The app id.
    pub app_id: String,
    /// The merchant that its payments go to.
    pub pid: String,
    /// The app's private key, PKCS#8 PEM. Empty where the caller keeps it.
    pub private_key: String,
    /// The same key as PKCS#1 in bare base64, the form that some official SDKs want.
    pub private_key_pkcs1: String,
    /// The app's public key, SPKI in base64: what is pasted into the console.
    pub app_public_key: String,
    /// Alipay's public key, SPKI in base64: it verifies the simulator's replies.
    pub alipay_public_key: String,
    /// The AES key of content encryption, base64. Empty where the app has none.
    pub aes_key: String,
    /// The app's certificate, PEM (`appCertPublicKey_….crt`). Empty in key mode, as all that follow.
    pub app_certificate: String,
    /// Alipay's certificate and the one that issued it, PEM (`alipayCertPublicKey_RSA2.crt`).
    pub alipay_certificate: String,
    /// The bundle of roots, PEM (`alipayRootCert.crt`). As in Alipay's own, one member is SM2 and one is ECDSA with a
    /// byte too many.
    pub alipay_root_certificate: String,
    /// The SN of the app's certificate.
    pub app_cert_sn: String,
    /// The SN of Alipay's certificate when the app was registered.
    pub alipay_cert_sn: String,
    /// The SNs of the RSA members of the bundle, in their order, joined by `_`.
    pub alipay_root_cert_sn: String,
}

impl std::fmt::Debug for SimulatedApp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SimulatedApp")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// What the simulator keeps of an app.
pub(crate) struct AppRecord {
    pub(crate) public_key: RsaPublicKey,
    pub(crate) aes_key: Option<AesKey>,
    /// The host that users of the page go back to, where one is configured.
    pub(crate) callback_host: Option<Host>,
    /// The SN of its certificate, in certificate mode.
    pub(crate) certificate_sn: Option<String>,
    pub(crate) options: AppOptions,
}

/// Makes the record and the developer's view of the app.
///
/// # Errors
/// A given key does not load, or the callback is not an address.
pub(crate) fn register(
    options: AppOptions,
    index: usize,
    alipay: &mut AlipayCertificates,
) -> Result<(SimulatedApp, AppRecord), String> {
    let app_id = options
        .app_id
        .clone()
        .unwrap_or_else(|| format!("2021{:012}", index + 1));
    let private = match &options.key {
        AppKey::Generated => Some(keys::app_key(index).clone()),
        AppKey::Private(text) => Some(keys::private_key_from_text(text)?),
        AppKey::Public(_) => None,
    };
    let callback_host = match options.callback.as_deref() {
        Some(address) => Some(callback_host(address).ok_or("the callback is not an http address")?),
        None => None,
    };
    let public_key = match (&private, &options.key) {
        (Some(private), _) => private.to_public_key(),
        (None, AppKey::Public(text)) => keys::public_key_from_text(text)?,
        (None, _) => return Err("no key".to_owned()),
    };
    let aes_key = options.content_encryption.then(AesKey::random);
    let mut app = SimulatedApp {
        app_id,
        pid: options.pid.clone(),
        private_key: private
            .as_ref()
            .map(keys::private_key_pem)
            .unwrap_or_default(),
        private_key_pkcs1: private
            .as_ref()
            .map(keys::private_key_pkcs1_base64)
            .unwrap_or_default(),
        app_public_key: keys::public_key_base64(&public_key),
        alipay_public_key: keys::public_key_base64(&keys::alipay_key().to_public_key()),
        aes_key: aes_key.map(AesKey::base64).unwrap_or_default(),
        app_certificate: String::new(),
        alipay_certificate: String::new(),
        alipay_root_certificate: String::new(),
        app_cert_sn: String::new(),
        alipay_cert_sn: String::new(),
        alipay_root_cert_sn: String::new(),
    };
    if options.certificates {
        hand_out_certificates(&mut app, &public_key, alipay);
    }
    let certificate_sn = options.certificates.then(|| app.app_cert_sn.clone());
    Ok((
        app,
        AppRecord {
            public_key,
            aes_key,
            callback_host,
            certificate_sn,
            options,
        },
    ))
}

fn hand_out_certificates(
    app: &mut SimulatedApp,
    public_key: &RsaPublicKey,
    alipay: &mut AlipayCertificates,
) {
    let authority = authority();
    let certificate = authority.app_certificate(&app.app_id, public_key);
    app.app_certificate = certificate.pem();
    app.app_cert_sn = certificate.sn;
    app.alipay_root_certificate
        .clone_from(&authority.root_bundle);
    app.alipay_root_cert_sn.clone_from(&authority.root_sn);
    let leaf = alipay.current();
    app.alipay_certificate.clone_from(&leaf.chain);
    app.alipay_cert_sn.clone_from(&leaf.sn);
    app.alipay_public_key = keys::public_key_base64(&leaf.key.to_public_key());
}
