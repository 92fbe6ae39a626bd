//! Replies of V3: a status, a body, and the signature in the headers.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::charset::Charset;
use crate::encryption::{self, AesKey};
use crate::faults::FaultKind;
use crate::grants::random_text;
use crate::keys::{self, SignType};
use crate::refusal::Refusal;
use crate::reply;
use crate::signer::Signer;

/// A reply before any fault.
pub(crate) struct ReplyV3 {
    status: StatusCode,
    /// Before it is encrypted.
    pub(crate) body: Vec<u8>,
    encryption: Option<AesKey>,
    pub(crate) signed: bool,
    signer: Signer,
    trace_id: String,
}

impl ReplyV3 {
    /// The method's members without the `code` and `msg` that they have in V2.
    pub(crate) fn success(
        mut node: Map<String, Value>,
        encryption: Option<AesKey>,
        signer: Signer,
        trace_id: String,
    ) -> Self {
        if node.get("code").is_some_and(|code| code == "10000") {
            // `preserve_order` is on: what is left keeps its order.
            node.shift_remove("code");
            node.shift_remove("msg");
        }
        Self {
            status: StatusCode::OK,
            body: reply::node_bytes(&node, Charset::Utf8),
            encryption,
            signed: true,
            signer,
            trace_id,
        }
    }

    /// A refusal, of the method or of the gateway itself; plain even where the call was encrypted.
    pub(crate) fn refusal(
        refusal: &Refusal,
        of_the_method: bool,
        signer: Signer,
        trace_id: String,
    ) -> Self {
        Self {
            status: refusal.status_v3(),
            body: reply::node_bytes(&refusal.error_v3(of_the_method), Charset::Utf8),
            encryption: None,
            signed: true,
            signer,
            trace_id,
        }
    }

    /// The HTTP reply with the faults applied.
    pub(crate) fn into_response(self, faults: &[FaultKind]) -> Response {
        let (body, signed_body) = self.bodies(faults);
        let timestamp = milliseconds_now().to_string();
        let nonce = random_text("", 32);
        let signature = self.signature(&timestamp, &nonce, &signed_body, faults);
        let certificate = self.signer.named(faults);
        let content_type = if self.encryption.is_some() {
            "text/plain;charset=utf-8"
        } else {
            "application/json;charset=utf-8"
        };
        let mut headers = vec![
            (header::CONTENT_TYPE.as_str(), content_type),
            ("alipay-trace-id", self.trace_id.as_str()),
        ];
        if let Some(signature) = &signature {
            headers.push(("alipay-timestamp", &timestamp));
            headers.push(("alipay-nonce", &nonce));
            headers.push(("alipay-signature", signature));
            headers.extend(certificate.as_deref().map(|sn| ("alipay-sn", sn)));
        }
        let mut response = reply::sent(Bytes::from(body), &headers, faults);
        *response.status_mut() = self.status;
        response
    }

    /// The body that is sent, and the one that is signed.
    fn bodies(&self, faults: &[FaultKind]) -> (Vec<u8>, Vec<u8>) {
        let mut plain = self.body.clone();
        for fault in faults {
            match fault {
                FaultKind::HugeBody { bytes } => plain = reply::padded(&plain, *bytes),
                FaultKind::Node { json } => plain = json.clone().into_bytes(),
                _ => {}
            }
        }
        let ciphertext = reply::ciphertext(&plain, self.encryption, faults);
        let mut body = match &ciphertext {
            Some(ciphertext) => ciphertext.clone().into_bytes(),
            None => plain.clone(),
        };
        let mut signed = body.clone();
        for fault in faults {
            match fault {
                FaultKind::ChangedCiphertext => {
                    if let Some(ciphertext) = &ciphertext {
                        body = encryption::changed(ciphertext).into_bytes();
                    }
                }
                FaultKind::EscapedSlashes => body = reply::with_escaped_slashes(&body),
                FaultKind::EscapedSlashesSigned => {
                    body = reply::with_escaped_slashes(&body);
                    signed.clone_from(&body);
                }
                FaultKind::TwoDocuments => {
                    body.extend(reply::forged(&plain, Charset::Utf8));
                    signed.clone_from(&body);
                }
                FaultKind::ByteOrderMark => {
                    body.splice(0..0, *b"\xEF\xBB\xBF");
                }
                FaultKind::TruncatedBody => body.truncate(body.len() / 2),
                FaultKind::BadSignature => signed.push(b' '),
                _ => {}
            }
        }
        (body, signed)
    }

    fn signature(
        &self,
        timestamp: &str,
        nonce: &str,
        body: &[u8],
        faults: &[FaultKind],
    ) -> Option<String> {
        let mut key = self.signer.key;
        let mut sign_type = SignType::Rsa2;
        let mut signed = self.signed;
        for fault in faults {
            match fault {
                FaultKind::Node { .. } => signed = true,
                FaultKind::ForeignKey => key = keys::foreign_key(),
                FaultKind::Sha1Signature => sign_type = SignType::Rsa,
                FaultKind::NoSignature => signed = false,
                FaultKind::SignMember { json } => {
                    return Some(json.trim_matches('"').to_owned());
                }
                _ => {}
            }
        }
        let text = [timestamp.as_bytes(), nonce.as_bytes(), body, b""].join(b"\n".as_slice());
        signed.then(|| keys::sign(key, sign_type, &text))
    }
}

fn milliseconds_now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
}

impl Refusal {
    /// `code`, `message` and `links`. The gateway's own refusals are written without the prefix that they have in V2;
    /// a method's keep it, but for those of tokens and permissions (the enumerations of Alipay's V3 SDK).
    pub(crate) fn error_v3(&self, of_the_method: bool) -> Map<String, Value> {
        let common = !of_the_method || matches!(self.code.as_str(), "20000" | "20001" | "40006");
        let code = self
            .sub_code
            .split_once('.')
            .filter(|(family, _)| common && matches!(*family, "isv" | "isp" | "aop"))
            .map_or(self.sub_code.as_str(), |(_, name)| name);
        let links = json!([{
            "link": "https://open.alipay.com/api/errCheck",
            "desc": "解决方案",
        }]);
        [
            ("code", Value::from(code)),
            ("message", Value::from(self.sub_msg.as_str())),
            ("links", links),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(self.further_members())
        .collect()
    }

    /// The HTTP status; a choice of the simulator's.
    pub(crate) fn status_v3(&self) -> StatusCode {
        match (self.code.as_str(), self.sub_code.as_str()) {
            (_, "isv.invalid-method") => StatusCode::NOT_FOUND,
            (_, "isv.invalid-signature") | ("20001", _) => StatusCode::UNAUTHORIZED,
            ("20000", _) => StatusCode::INTERNAL_SERVER_ERROR,
            ("40005", _) => StatusCode::TOO_MANY_REQUESTS,
            ("40006", _) => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
