//! Replies: the node, its signature, the envelope, and the faults that spoil them.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use serde_json::{Map, Value};

use crate::charset::Charset;
use crate::encryption::{self, AesKey};
use crate::faults::FaultKind;
use crate::keys::{self, SignType};
use crate::signer::Signer;

/// A reply before any fault.
pub(crate) struct Reply {
    /// Such as `alipay_trade_query_response` or `error_response`.
    pub(crate) node_name: String,
    /// The bytes of the node's value, before it is encrypted.
    pub(crate) node: Vec<u8>,
    /// Set where the node is encrypted.
    pub(crate) encryption: Option<AesKey>,
    pub(crate) signer: Signer,
    pub(crate) sign_type: SignType,
    pub(crate) signed: bool,
    pub(crate) charset: Charset,
    pub(crate) trace_id: String,
}

impl Reply {
    /// The body with the faults applied.
    fn body(&self, faults: &[FaultKind]) -> Vec<u8> {
        let mut node_name = self.node_name.clone();
        let mut plain = self.node.clone();
        let mut signed = self.signed;
        for fault in faults {
            match fault {
                FaultKind::HugeBody { bytes } => plain = padded(&plain, *bytes),
                FaultKind::Node { json } => {
                    plain = self.charset.encode(json);
                    signed = true;
                }
                _ => {}
            }
        }
        let ciphertext = ciphertext(&plain, self.encryption, faults);
        let mut node = match &ciphertext {
            Some(ciphertext) => quoted(ciphertext),
            None => plain.clone(),
        };
        let mut signed_text = None;
        let mut key = self.signer.key;
        let mut sign_type = self.sign_type;
        let mut sign_member = None;
        for fault in faults {
            match fault {
                FaultKind::ChangedCiphertext => {
                    if let Some(ciphertext) = &ciphertext {
                        signed_text = Some(node.clone());
                        node = quoted(&encryption::changed(ciphertext));
                    }
                }
                FaultKind::OtherMethodNode => node_name = other_node_name(&node_name).to_owned(),
                FaultKind::EscapedSlashes => {
                    signed_text = Some(node.clone());
                    node = with_escaped_slashes(&node);
                }
                FaultKind::EscapedSlashesSigned => node = with_escaped_slashes(&node),
                FaultKind::ForeignKey => key = keys::foreign_key(),
                FaultKind::Sha1Signature => sign_type = SignType::Rsa,
                FaultKind::BadSignature => {
                    let mut other = node.clone();
                    other.push(b' ');
                    signed_text = Some(other);
                }
                FaultKind::NoSignature => signed = false,
                FaultKind::SignMember { json } => sign_member = Some(json.clone()),
                _ => {}
            }
        }
        let sign_member = sign_member.or_else(|| {
            let text = signed_text.as_ref().unwrap_or(&node);
            signed.then(|| format!("\"{}\"", keys::sign(key, sign_type, text)))
        });

        let genuine = member(&node_name, &node);
        let certificate = (self.signer.named(faults))
            .filter(|_| sign_member.is_some())
            .map(|sn| member("alipay_cert_sn", format!("\"{sn}\"").as_bytes()));
        let sign = sign_member.map(|json| member("sign", json.as_bytes()));
        let mut members: Vec<Vec<u8>> = Some(genuine)
            .into_iter()
            .chain(certificate)
            .chain(sign)
            .collect();
        for fault in faults {
            match fault {
                FaultKind::DuplicateNode {
                    forged_first,
                    escaped_name,
                } => {
                    let name = if *escaped_name {
                        with_escaped_last_letter(&node_name)
                    } else {
                        node_name.clone()
                    };
                    let forged = member(&name, &forged(&plain, self.charset));
                    members.insert(if *forged_first { 0 } else { members.len() }, forged);
                }
                FaultKind::BothNodes => {
                    let error = br#"{"code":"40004","msg":"Business Failed","sub_code":"SYSTEM_ERROR","sub_msg":""}"#;
                    members.insert(0, member("error_response", error));
                }
                _ => {}
            }
        }
        let mut body = document(&members);
        for fault in faults {
            match fault {
                FaultKind::TwoDocuments => {
                    let forged = forged(&plain, self.charset);
                    let sign = format!("\"{}\"", keys::sign(key, sign_type, &forged));
                    body.extend(document(&[
                        member(&node_name, &forged),
                        member("sign", sign.as_bytes()),
                    ]));
                }
                FaultKind::ByteOrderMark => {
                    body.splice(0..0, *b"\xEF\xBB\xBF");
                }
                FaultKind::TruncatedBody => body.truncate(body.len() / 2),
                _ => {}
            }
        }
        body
    }

    /// The HTTP reply with the faults applied.
    pub(crate) fn into_response(self, faults: &[FaultKind]) -> Response {
        let bytes = Bytes::from(self.body(faults));
        // Real replies say text/html although they are JSON.
        let content_type = format!("text/html;charset={}", self.charset.label());
        let headers = [
            (header::CONTENT_TYPE.as_str(), content_type.as_str()),
            ("trace_id", &self.trace_id),
        ];
        sent(bytes, &headers, faults)
    }
}

/// The HTTP reply of this body, sent as the faults have it.
pub(crate) fn sent(bytes: Bytes, headers: &[(&str, &str)], faults: &[FaultKind]) -> Response {
    let length = bytes.len();
    let body = faults
        .iter()
        .find_map(|fault| match fault {
            FaultKind::HalfBody => Some(half(&bytes)),
            FaultKind::SlowBody {
                milliseconds_per_byte,
            } => Some(byte_by_byte(
                bytes.clone(),
                Duration::from_millis(*milliseconds_per_byte),
            )),
            _ => None,
        })
        .unwrap_or_else(|| Body::from(bytes));
    let mut response = Response::new(body);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            header::HeaderName::try_from(*name),
            HeaderValue::from_str(value),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The ciphertext, where the reply is encrypted.
pub(crate) fn ciphertext(
    plain: &[u8],
    encryption: Option<AesKey>,
    faults: &[FaultKind],
) -> Option<String> {
    let key = encryption.filter(|_| !faults.contains(&FaultKind::PlainReply))?;
    Some(if faults.contains(&FaultKind::WrongPadding) {
        key.encrypt_with_wrong_padding(plain)
    } else {
        key.encrypt(plain)
    })
}

fn quoted(text: &str) -> Vec<u8> {
    format!("\"{text}\"").into_bytes()
}

/// A reply that no gateway made: a proxy's page, a redirect, nothing.
pub(crate) fn foreign_response(fault: &FaultKind, base_url: &str) -> Option<Response> {
    const PAGE: &str = "<html><body><h1>Bad Gateway</h1></body></html>";
    let (status, location, body) = match fault {
        FaultKind::Html { status } => (*status, None, PAGE.to_owned()),
        FaultKind::EmptyBody { status } => (*status, None, String::new()),
        FaultKind::Body { text } => (200, None, text.clone()),
        FaultKind::Redirect { location } => {
            let location = location
                .clone()
                .unwrap_or_else(|| format!("{base_url}/_simulator/redirected"));
            (302, Some(location), String::new())
        }
        _ => return None,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if let Some(location) = location.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Some(response)
}

/// The node's value as the gateway writes it.
pub(crate) fn node_bytes(node: &Map<String, Value>, charset: Charset) -> Vec<u8> {
    charset.encode(&serde_json::to_string(node).unwrap_or_default())
}

/// A refusal whose text is GBK, the last character `乗` being 0x81 0x5C.
pub(crate) fn gbk_refusal() -> Vec<u8> {
    let mut node = br#"{"code":"20000","msg":"Service Currently Unavailable","sub_code":"aop.unknow-error","sub_msg":""#
        .to_vec();
    node.extend(Charset::Gbk.encode("系统繁忙乗"));
    node.extend_from_slice(b"\"}");
    node
}

fn member(name: &str, json: &[u8]) -> Vec<u8> {
    [b"\"", name.as_bytes(), b"\":", json].concat()
}

fn document(members: &[Vec<u8>]) -> Vec<u8> {
    [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat()
}

/// The node of another method.
fn other_node_name(node_name: &str) -> &'static str {
    if node_name == "alipay_trade_query_response" {
        "alipay_user_info_share_response"
    } else {
        "alipay_trade_query_response"
    }
}

/// `…respons\u0065`: the same member name to a JSON reader, another text to a search.
fn with_escaped_last_letter(name: &str) -> String {
    let mut letters = name.chars();
    let last = letters.next_back().map(u32::from).unwrap_or_default();
    format!("{}\\u{last:04x}", letters.as_str())
}

pub(crate) fn with_escaped_slashes(node: &[u8]) -> Vec<u8> {
    node.iter()
        .flat_map(|&byte| {
            if byte == b'/' {
                vec![b'\\', b'/']
            } else {
                vec![byte]
            }
        })
        .collect()
}

/// The node with every text of its own changed, as an attacker would.
pub(crate) fn forged(node: &[u8], charset: Charset) -> Vec<u8> {
    let text = charset.decode_lossy(node);
    let Ok(mut members) = serde_json::from_str::<Map<String, Value>>(&text) else {
        return b"{}".to_vec();
    };
    for (name, value) in &mut members {
        if let Value::String(text) = value
            && name != "code"
            && name != "msg"
        {
            text.insert_str(0, "forged-");
        }
    }
    members.insert("forged".to_owned(), Value::Bool(true));
    node_bytes(&members, charset)
}

/// The node with one more member, so long that the body has at least this many bytes.
pub(crate) fn padded(node: &[u8], bytes: usize) -> Vec<u8> {
    let end = node.len().saturating_sub(1);
    let body = node.get(..end).unwrap_or_default();
    let comma: &[u8] = if body.len() > 1 { b"," } else { b"" };
    [body, comma, b"\"padding\":\"", &vec![b'x'; bytes], b"\"}"].concat()
}

/// Half of the bytes, then a broken connection.
fn half(bytes: &Bytes) -> Body {
    let first = bytes.slice(..bytes.len() / 2);
    Body::from_stream(stream::iter([
        Ok(first),
        Err(io::Error::from(io::ErrorKind::BrokenPipe)),
    ]))
}

fn byte_by_byte(bytes: Bytes, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(rest.split_to(1)), rest))
    }))
}
