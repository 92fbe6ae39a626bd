//! A small OpenAPI caller of the tests: builds, signs and posts a request, and verifies the reply.

use std::collections::BTreeMap;
use std::sync::Once;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rsa::RsaPrivateKey;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _, Verifier as _};
use serde_json::Value;
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};
use time::macros::{format_description, offset};

pub(crate) const OAUTH_TOKEN: &str = "alipay.system.oauth.token";
pub(crate) const QRCODE_CREATE: &str = "alipay.open.app.qrcode.create";
pub(crate) const MESSAGE_SEND: &str = "alipay.open.app.mini.templatemessage.send";
pub(crate) const USER_INFO: &str = "alipay.user.info.share";
pub(crate) const TRADE_QUERY: &str = "alipay.trade.query";

/// The parameters of a request before they are sent.
pub(crate) type Parameters = BTreeMap<String, String>;

/// A simulator with one app.
pub(crate) struct Fixture {
    pub(crate) simulator: Simulator,
    pub(crate) app: SimulatedApp,
    pub(crate) http: reqwest::Client,
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) trace_id: String,
}

impl Fixture {
    pub(crate) async fn new(options: AppOptions) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(options);
        Self {
            simulator,
            app,
            http: client(),
        }
    }

    pub(crate) fn code(&self) -> String {
        self.simulator
            .issue_code(&self.app.app_id, CodeOptions::default())
    }

    /// The public parameters of a call, right in every way but unsigned.
    pub(crate) fn parameters(&self, method: &str) -> Parameters {
        [
            ("app_id", self.app.app_id.as_str()),
            ("method", method),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &beijing_now()),
            ("version", "1.0"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    pub(crate) fn signed(&self, mut parameters: Parameters) -> Parameters {
        parameters.retain(|_, value| !value.is_empty());
        let text: Vec<_> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        parameters.insert(
            "sign".to_owned(),
            sign(&self.app.private_key, text.join("&").as_bytes()),
        );
        parameters
    }

    /// Posts signed parameters: public ones in the query, the rest in the body.
    pub(crate) async fn post(&self, parameters: &Parameters) -> reqwest::Result<Reply> {
        const IN_BODY: [&str; 5] = [
            "biz_content",
            "grant_type",
            "code",
            "refresh_token",
            "extra",
        ];
        let in_body = |name: &String| IN_BODY.contains(&name.as_str());
        let form = |body: bool| {
            let pairs: Vec<_> = parameters
                .iter()
                .filter(|(name, _)| in_body(name) == body)
                .map(|(name, value)| {
                    format!(
                        "{name}={}",
                        percent_encode(value.as_bytes(), NON_ALPHANUMERIC)
                    )
                })
                .collect();
            pairs.join("&")
        };
        self.post_raw(&form(false), form(true)).await
    }

    pub(crate) async fn post_raw(&self, query: &str, body: String) -> reqwest::Result<Reply> {
        let request = self
            .http
            .post(format!("{}?{query}", self.simulator.gateway_url()))
            .header(
                "content-type",
                "application/x-www-form-urlencoded;charset=utf-8",
            )
            .body(body);
        let response = request.send().await?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (content_type, trace_id) = (header("content-type"), header("trace_id"));
        let bytes = response.bytes().await?.to_vec();
        Ok(Reply {
            bytes,
            content_type: content_type.unwrap_or_default(),
            trace_id: trace_id.unwrap_or_default(),
        })
    }

    /// A right call with these members; the reply's own node, whatever its signature.
    pub(crate) async fn call(&self, method: &str, members: &[(&str, &str)]) -> Value {
        let reply = self.reply(method, members).await;
        let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
        let node = document
            .get(node_name(method))
            .or_else(|| document.get("error_response"));
        node.unwrap_or_else(|| panic!("no node in {document}"))
            .clone()
    }

    pub(crate) async fn reply(&self, method: &str, members: &[(&str, &str)]) -> Reply {
        self.try_reply(method, members).await.unwrap()
    }

    pub(crate) async fn try_reply(
        &self,
        method: &str,
        members: &[(&str, &str)],
    ) -> reqwest::Result<Reply> {
        let mut parameters = self.parameters(method);
        parameters.extend(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        self.post(&self.signed(parameters)).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Value {
        self.call(
            OAUTH_TOKEN,
            &[("grant_type", "authorization_code"), ("code", code)],
        )
        .await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Value {
        self.call(
            OAUTH_TOKEN,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token),
            ],
        )
        .await
    }

    /// Whether the last `sign` of the body is Alipay's signature of the text of the first node of this name.
    pub(crate) fn is_signed(&self, reply: &Reply, node_name: &str) -> bool {
        let body = String::from_utf8_lossy(&reply.bytes);
        let start = format!("\"{node_name}\":");
        let Some((node, sign)) = body
            .find(&start)
            .and_then(|at| body[at + start.len()..].split_once(",\"sign\":\""))
            .map(|(node, rest)| (node.to_owned(), rest.split('"').next().unwrap().to_owned()))
        else {
            return false;
        };
        verifies(&self.app.alipay_public_key, node.as_bytes(), &sign)
    }
}

/// `sub_code` of a node, or its `code` where it has none.
pub(crate) fn verdict(node: &Value) -> &str {
    node.get("sub_code")
        .or_else(|| node.get("code"))
        .and_then(Value::as_str)
        .unwrap_or("no code")
}

pub(crate) fn text<'a>(node: &'a Value, name: &str) -> &'a str {
    node.get(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text {name} in {node}"))
}

pub(crate) fn node_name(method: &str) -> String {
    format!("{}_response", method.replace('.', "_"))
}

pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test binary's choice would do as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) fn beijing_now() -> String {
    beijing_at(SystemTime::now())
}

pub(crate) fn beijing_at(at: SystemTime) -> String {
    time::OffsetDateTime::from(at)
        .to_offset(offset!(+8))
        .format(format_description!(
            "[year]-[month]-[day] [hour]:[minute]:[second]"
        ))
        .unwrap()
}

pub(crate) fn sign(private_key: &str, message: &[u8]) -> String {
    let key = RsaPrivateKey::from_pkcs8_pem(private_key).unwrap();
    STANDARD.encode(SigningKey::<Sha256>::new(key).sign(message).to_vec())
}

pub(crate) fn verifies(public_key: &str, message: &[u8], signature: &str) -> bool {
    let key = RsaPublicKey::from_public_key_der(&STANDARD.decode(public_key).unwrap()).unwrap();
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    let Ok(signature) = Signature::try_from(signature.as_slice()) else {
        return false;
    };
    VerifyingKey::<Sha256>::new(key)
        .verify(message, &signature)
        .is_ok()
}
