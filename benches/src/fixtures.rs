//! The keys, certificates and files of one run, in a folder that ends with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alipay_signing::{EmptyValues, NoticeRule, SignType, SigningKey, notice_text};
use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_dynamodb::dynoxide::Item;
use payments::{Buyer, OrderNumber, OrderRequest, Product};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use token_store::{TokenKey, TokenKind};

use crate::gateway_stub::{
    MERCHANT, OPEN_ID, ORDER_AMOUNT, ORDER_NUMBER, PAID_AT, TRADE_NUMBER, USER_WITH_PROFILE,
};
use crate::{BenchError, token_table};

/// The app of all contestants.
pub const APP_ID: &str = "2021000000000001";
/// Who has users logged in, in the events.
const CLIENT: &str = "local";
/// Where they come back to.
pub(crate) const LANDING: &str = "http://127.0.0.1/landing";
/// Who is paid: the app's merchant.
const SELLER: &str = "2088000000000999";
/// The app's key for what Alipay encrypts.
const CONTENT_KEY: [u8; 16] = *b"bench-aes-key-16";

/// Keys and files that do not depend on where the stubs listen.
pub struct Fixtures {
    folder: TempDir,
    app_key: String,
    alipay_key: SigningKey,
    alipay_public_key: String,
    tls: Arc<ServerConfig>,
    rows: Vec<Item>,
    phone_number: String,
    notice: String,
}

impl Fixtures {
    /// Makes the keys and writes the files.
    ///
    /// # Errors
    /// [`BenchError::Keys`], [`BenchError::System`].
    pub fn make() -> Result<Self, BenchError> {
        let folder = TempDir::with_prefix("alipay-functions-bench-")
            .map_err(BenchError::system("a temporary folder"))?;
        let app_key = rsa_key()?;
        let alipay_key = SigningKey::from_text(&rsa_key()?)
            .map_err(|error| BenchError::Keys(error.to_string()))?;
        let alipay_public_key = alipay_key.verifying_key().to_base64();
        let (tls, root) = certificates()?;
        let phone_number = phone_number(&alipay_key)?;
        let notice = notice(&alipay_key)?;
        let mut fixtures = Self {
            folder,
            app_key,
            alipay_key,
            alipay_public_key,
            tls,
            rows: Vec::new(),
            phone_number,
            notice,
        };
        fixtures.write("root.pem", &root)?;
        fixtures.write("app-key.pem", &pem("PRIVATE KEY", &fixtures.app_key))?;
        fixtures.write(
            "alipay-public-key.pem",
            &pem("PUBLIC KEY", &fixtures.alipay_public_key),
        )?;
        for name in ["token-keys.json", "refresh-token-keys.json"] {
            fixtures.write(name, &token_keys()?.to_string())?;
        }
        fixtures.write("login.json", &login_document()?.to_string())?;
        fixtures.rows = token_table::rows_of(&Self::stored_tokens(), &order()?, &fixtures)?;
        Ok(fixtures)
    }

    /// What signs the gateway's replies.
    pub fn alipay_key(&self) -> &SigningKey {
        &self.alipay_key
    }

    /// The rows that are there: of those whose tokens are stored (the user whom all codes are of, and whom the events ask about), and the
    /// order that the notice is of.
    pub fn rows(&self) -> &[Item] {
        &self.rows
    }

    /// Whose tokens are stored.
    pub(crate) fn stored_tokens() -> [TokenKey; 3] {
        // As the functions name the scope of a login without one; a merchant's has none.
        let of = |kind, subject: &str, scopes: &str| TokenKey {
            app_id: APP_ID.to_owned(),
            kind,
            subject: subject.to_owned(),
            scopes: scopes.to_owned(),
        };
        [
            of(TokenKind::User, OPEN_ID, "default"),
            of(TokenKind::User, USER_WITH_PROFILE, "default"),
            of(TokenKind::Isv, MERCHANT, ""),
        ]
    }

    /// What `my.getPhoneNumber` gives to the page.
    pub fn phone_number(&self) -> &str {
        &self.phone_number
    }

    /// What Alipay sends when the order is paid: a form.
    pub fn notice(&self) -> &str {
        &self.notice
    }

    /// What the stubs speak TLS with.
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the file `name` and says where it is.
    ///
    /// # Errors
    /// [`BenchError::System`].
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, BenchError> {
        let path = self.path(name);
        write(&path, text)?;
        Ok(path)
    }

    /// A document of `count` apps that call `gateway`; the first is the default one, and the contestants'. Making RSA keys is slow,
    /// so the others share the keys of `more_keys` in turn.
    ///
    /// # Errors
    /// [`BenchError::System`].
    pub fn apps_document(
        &self,
        name: &str,
        gateway: &str,
        count: usize,
        more_keys: &[String],
    ) -> Result<PathBuf, BenchError> {
        let keys = std::iter::once(&self.app_key).chain(more_keys.iter().cycle());
        let first: u64 = APP_ID.parse().unwrap_or_default();
        let apps: Vec<Value> = (first..)
            .zip(keys)
            .take(count)
            .map(|(id, key)| {
                json!({
                    "appid": id.to_string(),
                    "privateKey": key,
                    "alipayPublicKey": self.alipay_public_key,
                    "gateway": gateway,
                    "aesKey": STANDARD.encode(CONTENT_KEY),
                    "pid": SELLER,
                    "homePage": "pages/index/index",
                    "contentCheck": {"engine": "sync"},
                    "requestMethods": ["alipay.open.app.qrcode.create"],
                })
            })
            .collect();
        let document = json!({"default": APP_ID, "apps": apps});
        self.write(name, &document.to_string())
    }
}

fn write(path: &Path, text: &str) -> Result<(), BenchError> {
    std::fs::write(path, text)
        .map_err(|error| BenchError::system(path.display().to_string())(error))
}

/// A fresh private key: PKCS#8 in base64.
///
/// # Errors
/// [`BenchError::Keys`].
pub fn rsa_key() -> Result<String, BenchError> {
    let failed = |_| BenchError::Keys("RSA".to_owned());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    Ok(STANDARD.encode(der.as_ref()))
}

fn random_key() -> Result<String, BenchError> {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| BenchError::Keys("random bytes".to_owned()))?;
    Ok(STANDARD.encode(key))
}

fn token_keys() -> Result<Value, BenchError> {
    Ok(json!({"active": "bench", "keys": {"bench": random_key()?}}))
}

fn login_document() -> Result<Value, BenchError> {
    Ok(json!({
        "signing": {"bench": {"privateKey": rsa_key()?, "signFrom": "2026-01-01T00:00:00Z"}},
        "sessions": {"active": "bench", "keys": {"bench": random_key()?}},
        "clients": [
            {"clientId": CLIENT, "appid": APP_ID, "redirectUris": [LANDING], "returnTo": [LANDING]},
        ],
    }))
}

/// As Alipay encrypts it for the app and signs it: the ciphertext with its quotes.
fn phone_number(alipay_key: &SigningKey) -> Result<String, BenchError> {
    let failed = |_| BenchError::Keys("AES".to_owned());
    let key = UnboundCipherKey::new(&AES_128, &CONTENT_KEY).map_err(failed)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(failed)?;
    let content = json!({"code": "10000", "msg": "Success", "mobile": "12300000001"});
    let mut content = content.to_string().into_bytes();
    // Alipay's initialisation vector is always zero.
    key.less_safe_encrypt(&mut content, EncryptionContext::Iv128([0; 16].into()))
        .map_err(failed)?;
    let response = STANDARD.encode(content);
    let sign = alipay_key
        .sign(SignType::Rsa2, format!("\"{response}\"").as_bytes())
        .map_err(|error| BenchError::Keys(error.to_string()))?;
    let handed_over = json!({
        "response": response,
        "sign": sign,
        "sign_type": "RSA2",
        "encrypt_type": "AES",
        "charset": "UTF-8",
    });
    Ok(handed_over.to_string())
}

/// An order that waits to be paid.
fn order() -> Result<OrderRequest, BenchError> {
    let failed = |what: &str| BenchError::Keys(format!("an order ({what})"));
    Ok(OrderRequest {
        app_id: APP_ID.to_owned(),
        out_trade_no: OrderNumber::try_from(ORDER_NUMBER.to_owned())
            .map_err(|_| failed("its number"))?,
        owner: "bench".to_owned(),
        product: Product::App,
        amount: Some(ORDER_AMOUNT.parse().map_err(|_| failed("its amount"))?),
        subject: Some("bench".to_owned()),
        seller_id: SELLER.to_owned(),
        life: Duration::from_secs(15 * 60),
        expected_buyer: Buyer::default(),
    })
}

/// That the order is paid, with the fields that Alipay's notices have.
fn notice(alipay_key: &SigningKey) -> Result<String, BenchError> {
    let mut fields = vec![
        ("app_id", APP_ID),
        ("auth_app_id", APP_ID),
        ("buyer_logon_id", "bux***@example.com"),
        ("buyer_open_id", OPEN_ID),
        ("buyer_pay_amount", ORDER_AMOUNT),
        ("charset", "utf-8"),
        ("gmt_create", PAID_AT),
        ("gmt_payment", PAID_AT),
        ("invoice_amount", ORDER_AMOUNT),
        ("notify_id", "2026112200222100000000000000000001"),
        ("notify_time", PAID_AT),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", ORDER_NUMBER),
        ("point_amount", "0.00"),
        ("receipt_amount", ORDER_AMOUNT),
        ("seller_id", SELLER),
        ("sign_type", "RSA2"),
        ("subject", "bench"),
        ("total_amount", ORDER_AMOUNT),
        ("trade_no", TRADE_NUMBER),
        ("trade_status", "TRADE_SUCCESS"),
        ("version", "1.0"),
    ];
    let text = notice_text(
        fields.iter().copied(),
        NoticeRule::WithoutSignType,
        EmptyValues::Kept,
    );
    let sign = alipay_key
        .sign(SignType::Rsa2, text.as_bytes())
        .map_err(|error| BenchError::Keys(error.to_string()))?;
    fields.push(("sign", &sign));
    let pair = |(name, value): &(&str, &str)| {
        format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
    };
    Ok(fields.iter().map(pair).collect::<Vec<_>>().join("&"))
}

fn pem(label: &str, base64: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// What the stubs show, with RSA keys as Alipay's and AWS's servers have, and the root that signed it (PEM).
fn certificates() -> Result<(Arc<ServerConfig>, String), BenchError> {
    let failed = |error: rcgen::Error| BenchError::Keys(error.to_string());
    let key = || rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).map_err(failed);
    let mut of_root = rcgen::CertificateParams::default();
    of_root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    of_root
        .distinguished_name
        .push(rcgen::DnType::CommonName, "alipay-functions bench root");
    of_root.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let root_key = key()?;
    let root = of_root.self_signed(&root_key).map_err(failed)?;
    let issuer = rcgen::Issuer::new(of_root, root_key);
    let mut of_leaf =
        rcgen::CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .map_err(failed)?;
    of_leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    of_leaf.use_authority_key_identifier_extension = true;
    let leaf_key = key()?;
    let leaf = of_leaf.signed_by(&leaf_key, &issuer).map_err(failed)?;

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private_key = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone()], private_key.into())
        });
    let mut config = config.map_err(|error| BenchError::Keys(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), root.pem()))
}
