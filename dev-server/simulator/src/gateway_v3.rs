//! `/v3/…`: the second protocol of the gateway. The path names the method, the body is plain JSON, signatures stand in
//! headers (Alipay's document of the V3 protocol, and what its official SDKs send and check).
//!
//! The methods are those of V2. What the simulator chose: the HTTP status of each refusal; that a refusal is never
//! encrypted, and signed as soon as the app is known; GET for `alipay.open.auth.token.app.query`, POST for all else.

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::authorization::Authorization;
use crate::charset::Charset;
use crate::checks::{certificates_named, encryption_key, may_call, undecipherable};
use crate::connection::Peer;
use crate::encryption::{self, AesKey};
use crate::faults::{FaultKind, Target};
use crate::gateway::{BODY_LIMIT, answered, deliver, wait};
use crate::grants::random_text;
use crate::keys::{self, SignType};
use crate::merchants::acting_app;
use crate::methods::{self, Call, Method};
use crate::multipart::data_part;
use crate::parameters::Parameters;
use crate::received::{ConnectionFacts, ReceivedCall, Sent, Verdict};
use crate::refreshes::refresh_token;
use crate::refusal::{Refusal, with_html_entities};
use crate::reply;
use crate::reply_v3::ReplyV3;
use crate::signer::Signer;
use crate::world::{Shared, World};

const MULTIPART: &str = "multipart/form-data";

/// A request as it came.
struct Arrived {
    head: Parts,
    /// What is signed: the body, or its part `data`.
    body: Vec<u8>,
    /// By its path.
    method: String,
}

impl Arrived {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
    }

    /// Path and query exactly as they were sent.
    fn target(&self) -> &str {
        self.head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }

    fn query(&self) -> Parameters {
        Parameters::parse(self.head.uri.query().unwrap_or_default().as_bytes(), b"")
    }

    fn app_id(&self) -> Option<String> {
        let authorization = Authorization::parse(self.header("authorization")?).ok()?;
        authorization.member("app_id").map(str::to_owned)
    }

    /// All parameters as far as they can be read, and the names of those in the body.
    fn parameters_lossy(&self) -> (BTreeMap<String, String>, Vec<String>) {
        let body = String::from_utf8_lossy(&self.body);
        let members: Map<String, Value> = serde_json::from_str(&body).unwrap_or_default();
        let parameters = call_parameters(
            self.query().decode_lossy(Charset::Utf8),
            &members,
            &body,
            self.header("alipay-app-auth-token"),
        );
        (parameters, members.keys().cloned().collect())
    }

    /// Takes the faults that befall it.
    fn take_faults(&self, shared: &Shared) -> Vec<FaultKind> {
        let (parameters, _) = self.parameters_lossy();
        let app_id = self.app_id();
        let target = Target {
            method: Some(&self.method),
            app_id: app_id.as_deref(),
            is_refresh: refresh_token(Some(&self.method), &parameters).is_some(),
        };
        shared.world().faults.take(&target)
    }

    fn record(
        &self,
        shared: &Shared,
        connection: ConnectionFacts,
        verdict: Verdict,
        trace_id: &str,
    ) {
        let (parameters, in_body) = self.parameters_lossy();
        let sent = Sent {
            method: Some(self.method.clone()),
            app_id: self.app_id(),
            in_query: self.query().in_query,
            in_body,
            parameters,
        };
        let call = ReceivedCall::new(&self.head, sent, connection, verdict, trace_id.to_owned());
        shared.world().received.add(call);
    }
}

/// Answers one call.
pub(crate) async fn handle(
    State(shared): State<Shared>,
    ConnectInfo(Peer(connection)): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let facts = ConnectionFacts {
        id: connection.id(),
        request: connection.count_request(),
    };
    let (head, body) = request.into_parts();
    let method = head.uri.path().trim_start_matches("/v3/").replace('/', ".");
    let mut arrived = Arrived {
        head,
        body: Vec::new(),
        method,
    };
    let app_id = arrived.app_id();
    let known_by_head = Target {
        method: Some(&arrived.method),
        app_id: app_id.as_deref(),
        is_refresh: false,
    };
    let reset = shared
        .world()
        .faults
        .take_reset_before_reading(&known_by_head);
    if reset {
        arrived.record(&shared, facts, Verdict::NotDone, "");
        connection.reset();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    arrived.body = bytes.to_vec();
    if media_type(&arrived) == MULTIPART {
        let content_type = arrived.header(header::CONTENT_TYPE.as_str());
        match data_part(content_type.unwrap_or_default(), &arrived.body) {
            Some(data) => arrived.body = data,
            None => return StatusCode::BAD_REQUEST.into_response(),
        }
    }
    let trace_id = random_text("", 32);
    let faults = arrived.take_faults(&shared);
    if let Some(fault) = faults.iter().find(|fault| fault.prevents_the_call()) {
        arrived.record(&shared, facts, Verdict::NotDone, &trace_id);
        wait(&faults).await;
        if faults.contains(&FaultKind::ResetBeforeReading) {
            // What it befalls stood in the body, so that had to be read after all.
            connection.reset();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        return match reply::foreign_response(fault, &shared.base_url) {
            Some(response) => response,
            None => {
                let reply = injected_refusal(&mut shared.world(), fault, &arrived, trace_id);
                reply.into_response(&faults)
            }
        };
    }
    let (reply, verdict) = answer(
        &mut shared.world(),
        &arrived,
        &shared.base_url,
        trace_id.clone(),
        &faults,
    );
    arrived.record(&shared, facts, verdict, &trace_id);
    deliver(reply.into_response(&faults), &faults, &connection).await
}

fn media_type(arrived: &Arrived) -> String {
    let content_type = arrived
        .header(header::CONTENT_TYPE.as_str())
        .unwrap_or_default();
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// A refusal that a test asked for.
fn injected_refusal(
    world: &mut World,
    fault: &FaultKind,
    arrived: &Arrived,
    trace_id: String,
) -> ReplyV3 {
    let signer = Signer::of(world, arrived.app_id().as_deref());
    let (refusal, signed, charset) = match fault {
        FaultKind::Refusal {
            code,
            sub_code,
            sub_msg,
            signed,
            ..
        } => (
            Refusal::new(code, sub_code, sub_msg.as_str()),
            *signed,
            Charset::Utf8,
        ),
        _ => (
            Refusal::new("20000", "aop.unknow-error", "系统繁忙乗"),
            true,
            Charset::Gbk,
        ),
    };
    let mut reply = ReplyV3::refusal(&refusal, false, signer, trace_id);
    reply.signed = signed;
    reply.body = reply::node_bytes(&refusal.error_v3(false), charset);
    reply
}

/// How far the checks came.
#[derive(Default)]
struct Progress {
    app_known: bool,
    method_ran: bool,
    encryption: Option<AesKey>,
}

/// Judges and does the call.
fn answer(
    world: &mut World,
    arrived: &Arrived,
    base_url: &str,
    trace_id: String,
    faults: &[FaultKind],
) -> (ReplyV3, Verdict) {
    let mut progress = Progress::default();
    let outcome = answered(judge(world, arrived, base_url, &mut progress), faults);
    let signer = Signer::of(world, arrived.app_id().as_deref());
    match outcome {
        Ok(node) => {
            let reply = ReplyV3::success(node, progress.encryption, signer, trace_id);
            (reply, Verdict::Done)
        }
        Err(refusal) => {
            let mut reply = ReplyV3::refusal(&refusal, progress.method_ran, signer, trace_id);
            reply.signed = progress.app_known;
            let verdict = Verdict::Refused {
                code: refusal.code,
                sub_code: refusal.sub_code,
            };
            (reply, verdict)
        }
    }
}

/// The gateway's checks, then the method.
fn judge(
    world: &mut World,
    arrived: &Arrived,
    base_url: &str,
    progress: &mut Progress,
) -> methods::Answer {
    let missing_signature = || Refusal::missing("isv.missing-signature", "缺少签名参数");
    let header = arrived
        .header("authorization")
        .ok_or_else(missing_signature)?;
    let authorization = Authorization::parse(header)?;
    let app_id = authorization
        .member("app_id")
        .ok_or_else(|| Refusal::missing("isv.missing-app-id", "缺少AppID参数"))?;
    let app = world
        .apps
        .get(app_id)
        .ok_or_else(|| Refusal::invalid("isv.invalid-app-id", "无效的AppID参数"))?;
    progress.app_known = true;
    let method = methods::find(&arrived.method)
        .filter(|method| arrived.head.method == http_method(method))
        .ok_or_else(|| Refusal::invalid("isv.invalid-method", "不存在的方法名"))?;
    let now = SystemTime::now();
    authorization.check_time(now)?;
    certificates_named(
        app,
        authorization.member("app_cert_sn"),
        arrived.header("alipay-root-cert-sn"),
    )?;
    if authorization.signature.is_empty() {
        return Err(missing_signature());
    }
    let signed = signed_text(&authorization, arrived);
    if !keys::verify(
        &app.public_key,
        SignType::Rsa2,
        &signed,
        authorization.signature,
    ) {
        let echo = with_html_entities(&String::from_utf8_lossy(&signed));
        return Err(Refusal::invalid(
            "isv.invalid-signature",
            format!("验签出错，网关生成的验签字符串为：{echo}"),
        ));
    }
    world
        .nonces
        .spend(app_id, authorization.member("nonce"), now)?;
    may_call(app, method)?;
    let encryption = match arrived.header("alipay-encrypt-type") {
        None => None,
        Some("AES") => Some(encryption_key(app, method)?),
        Some(_) => {
            return Err(Refusal::invalid(
                "isv.invalid-encrypt-type",
                "无效的加密类型",
            ));
        }
    };
    let body = plain_body(arrived, encryption)?;
    progress.encryption = encryption;
    let members = members(&body)?;
    let query = arrived.query();
    if query.contradiction.is_some() {
        return Err(Refusal::invalid(
            "isv.suspected-attack",
            "参数重复且取值不同",
        ));
    }
    let parameters = call_parameters(
        query
            .decode(Charset::Utf8)
            .ok_or_else(|| Refusal::invalid("isv.invalid-encoding", "无效的编码"))?,
        &members,
        &body,
        arrived.header("alipay-app-auth-token"),
    );
    let acting = acting_app(world, app_id, arrived.header("alipay-app-auth-token"))?;
    progress.method_ran = true;
    (method.run)(
        world,
        &Call {
            app_id: &acting,
            parameters: &parameters,
            base_url,
        },
    )
}

fn http_method(method: &Method) -> axum::http::Method {
    if method.name == "alipay.open.auth.token.app.query" {
        axum::http::Method::GET
    } else {
        axum::http::Method::POST
    }
}

/// The text that a request's signature is of. The line of the token is there only where the header is.
fn signed_text(authorization: &Authorization<'_>, arrived: &Arrived) -> Vec<u8> {
    let mut text = [
        authorization.text,
        arrived.head.method.as_str(),
        arrived.target(),
        "",
    ]
    .join("\n")
    .into_bytes();
    text.extend_from_slice(&arrived.body);
    text.push(b'\n');
    if let Some(token) = arrived.header("alipay-app-auth-token") {
        text.extend_from_slice(token.as_bytes());
        text.push(b'\n');
    }
    text
}

/// The body in the clear; an encrypted one comes as `text/plain`.
fn plain_body(arrived: &Arrived, encryption: Option<AesKey>) -> Result<String, Refusal> {
    let body = String::from_utf8(arrived.body.clone())
        .map_err(|_| Refusal::invalid("isv.invalid-encoding", "无效的编码"))?;
    let Some(key) = encryption else {
        if encryption::looks_encrypted(&body) {
            return Err(Refusal::missing(
                "isv.decryption-error-missing-encrypt-type",
                "解密出错, 未指定加密算法",
            ));
        }
        let media_type = media_type(arrived);
        if !body.is_empty() && media_type != "application/json" && media_type != MULTIPART {
            return Err(Refusal::invalid("isv.invalid-format", "无效的数据格式"));
        }
        return Ok(body);
    };
    if media_type(arrived) != "text/plain" {
        return Err(Refusal::invalid("isv.invalid-format", "无效的数据格式"));
    }
    key.decrypt(&body)
        .and_then(|plain| String::from_utf8(plain).ok())
        .ok_or_else(undecipherable)
}

fn members(body: &str) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(body)
        .map_err(|_| Refusal::invalid("isv.illegal-json", "请求体不是JSON对象"))
}

/// What V2 would have been sent: the query's members and the body's, and both of them once more as `biz_content`.
fn call_parameters(
    query: BTreeMap<String, String>,
    members: &Map<String, Value>,
    body: &str,
    app_auth_token: Option<&str>,
) -> BTreeMap<String, String> {
    let biz_content = if body.is_empty() {
        serde_json::to_string(&query).unwrap_or_default()
    } else {
        body.to_owned()
    };
    let mut parameters = query;
    for (name, value) in members {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        parameters.insert(name.clone(), text);
    }
    // The header alone says for whom the call is made.
    parameters.remove("app_auth_token");
    if let Some(token) = app_auth_token {
        parameters.insert("app_auth_token".to_owned(), token.to_owned());
    }
    parameters.insert("biz_content".to_owned(), biz_content);
    parameters
}
