//! `/gateway.do`: the checks of Alipay's gateway, in its order, and the reply.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};

use crate::charset::Charset;
use crate::clock;
use crate::connection::Peer;
use crate::faults::FaultKind;
use crate::grants::random_text;
use crate::keys::{self, SignType};
use crate::methods::{self, Call};
use crate::parameters::Parameters;
use crate::received::{ConnectionFacts, ReceivedCall, Verdict};
use crate::refusal::{Refusal, with_html_entities};
use crate::reply::{self, Reply};
use crate::world::{Shared, World};

/// Bytes of a form body; more is refused with 413.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Answers one POST.
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
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let method_in_query = text_of(&Parameters::parse(query, b""), "method");
    if shared
        .world()
        .faults
        .take_reset_before_reading(method_in_query.as_deref())
    {
        let parameters = Parameters::parse(query, b"");
        record(
            &shared,
            &head,
            &parameters,
            facts,
            Verdict::NotDone,
            String::new(),
        );
        connection.reset();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let body = match form_body(&head, body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let parameters = Parameters::parse(query, &body);
    let method = text_of(&parameters, "method");
    let trace_id = random_text("", 32);
    let faults = shared.world().faults.take(method.as_deref());

    if let Some(fault) = faults.iter().find(|fault| fault.prevents_the_call()) {
        record(
            &shared,
            &head,
            &parameters,
            facts,
            Verdict::NotDone,
            trace_id.clone(),
        );
        wait(&faults).await;
        if faults.contains(&FaultKind::ResetBeforeReading) {
            // The method stood in the body, so it had to be read after all.
            connection.reset();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        return match reply::foreign_response(fault, &shared.base_url) {
            Some(response) => response,
            None => injected_refusal(fault, &parameters, trace_id).into_response(&faults),
        };
    }

    let (reply, verdict) = answer(
        &mut shared.world(),
        &parameters,
        &shared.base_url,
        trace_id.clone(),
    );
    record(&shared, &head, &parameters, facts, verdict, trace_id);
    wait(&faults).await;
    if faults.contains(&FaultKind::NeverAnswer) {
        std::future::pending::<()>().await;
    }
    if faults.contains(&FaultKind::ResetAfterDone) {
        connection.reset();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    reply.into_response(&faults)
}

async fn wait(faults: &[FaultKind]) {
    for delay in faults.iter().filter_map(FaultKind::delay) {
        tokio::time::sleep(delay).await;
    }
}

/// The form body; anything else that is not empty is a mistake of the caller that a silent reading would hide.
async fn form_body(head: &Parts, body: Body) -> Result<Vec<u8>, Response> {
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else {
        return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let content_type = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if bytes.is_empty() || media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(bytes.to_vec());
    }
    let text = "the simulator reads application/x-www-form-urlencoded bodies only\n";
    Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response())
}

fn text_of(parameters: &Parameters, name: &str) -> Option<String> {
    parameters
        .decode_lossy(Charset::Utf8)
        .remove(name)
        .filter(|value| !value.is_empty())
}

fn charset_of(parameters: &Parameters) -> Option<Charset> {
    parameters
        .charset_in_query
        .as_deref()
        .and_then(Charset::parse)
}

fn node_name(method: &str) -> String {
    format!("{}_response", method.replace('.', "_"))
}

fn record(
    shared: &Shared,
    head: &Parts,
    parameters: &Parameters,
    connection: ConnectionFacts,
    verdict: Verdict,
    trace_id: String,
) {
    let texts = parameters.decode_lossy(charset_of(parameters).unwrap_or(Charset::Utf8));
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    shared.world().received.add(ReceivedCall {
        sequence: 0,
        method: texts.get("method").cloned(),
        app_id: texts.get("app_id").cloned(),
        parameters: texts,
        in_query: parameters.in_query.clone(),
        in_body: parameters.in_body.clone(),
        headers,
        connection,
        verdict,
        received_at: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        trace_id,
    });
}

/// A refusal that a test asked for.
fn injected_refusal(fault: &FaultKind, parameters: &Parameters, trace_id: String) -> Reply {
    let charset = charset_of(parameters).unwrap_or(Charset::Utf8);
    let sign_type = text_of(parameters, "sign_type")
        .and_then(|text| SignType::parse(&text))
        .unwrap_or(SignType::Rsa2);
    let method = text_of(parameters, "method").unwrap_or_default();
    let (node, signed, under_error_response) = match fault {
        FaultKind::Refusal {
            code,
            sub_code,
            sub_msg,
            signed,
            error_response,
        } => {
            let node = Refusal::new(code, sub_code, sub_msg.as_str()).node();
            (reply::node_bytes(&node, charset), *signed, *error_response)
        }
        _ => (reply::gbk_refusal(), true, false),
    };
    let node_name = if under_error_response {
        "error_response".to_owned()
    } else {
        node_name(&method)
    };
    Reply {
        node_name,
        node,
        sign_type,
        signed,
        charset,
        trace_id,
    }
}

/// Where and how a refusal stands in the reply.
#[derive(Clone, Copy)]
struct Place {
    under_error_response: bool,
    signed: bool,
}

/// Judges and does the call.
fn answer(
    world: &mut World,
    parameters: &Parameters,
    base_url: &str,
    trace_id: String,
) -> (Reply, Verdict) {
    let charset = charset_of(parameters).unwrap_or(Charset::Utf8);
    let method = text_of(parameters, "method").unwrap_or_default();
    let sign_type = text_of(parameters, "sign_type")
        .and_then(|text| SignType::parse(&text))
        .unwrap_or(SignType::Rsa2);
    // Before the app and the method are known there is no node of the method and no key to sign with.
    let mut place = Place {
        under_error_response: true,
        signed: false,
    };
    let (node, verdict) = match judge(world, parameters, base_url, &mut place) {
        Ok(node) => {
            place = Place {
                under_error_response: false,
                signed: true,
            };
            (node, Verdict::Done)
        }
        Err(refusal) => {
            let verdict = Verdict::Refused {
                code: refusal.code.clone(),
                sub_code: refusal.sub_code.clone(),
            };
            (refusal.node(), verdict)
        }
    };
    let node_name = if place.under_error_response {
        "error_response".to_owned()
    } else {
        node_name(&method)
    };
    let reply = Reply {
        node_name,
        node: reply::node_bytes(&node, charset),
        sign_type,
        signed: place.signed,
        charset,
        trace_id,
    };
    (reply, verdict)
}

/// The gateway's checks, then the method.
fn judge(
    world: &mut World,
    parameters: &Parameters,
    base_url: &str,
    place: &mut Place,
) -> methods::Answer {
    if let Some(name) = &parameters.contradiction {
        return Err(Refusal::invalid(
            "isv.suspected-attack",
            format!("参数{}重复且取值不同", with_html_entities(name)),
        ));
    }
    // The public parameters are ASCII whatever the charset is; the method's own are decoded further down.
    let public = parameters.decode_lossy(Charset::Utf8);
    let get = |name: &str| public.get(name).filter(|value| !value.is_empty()).cloned();
    let app_id =
        get("app_id").ok_or_else(|| Refusal::missing("isv.missing-app-id", "缺少AppID参数"))?;
    let app = world
        .apps
        .get(&app_id)
        .ok_or_else(|| Refusal::invalid("isv.invalid-app-id", "无效的AppID参数"))?;
    let method =
        get("method").ok_or_else(|| Refusal::missing("isv.missing-method", "缺少方法名参数"))?;
    let method = methods::find(&method)
        .ok_or_else(|| Refusal::invalid("isv.invalid-method", "不存在的方法名"))?;
    *place = Place {
        under_error_response: method.fails_under_error_response,
        signed: !method.fails_under_error_response || app.options.signed_error_responses,
    };
    let timestamp = get("timestamp")
        .ok_or_else(|| Refusal::missing("isv.missing-timestamp", "缺少时间戳参数"))?;
    if clock::is_current(&timestamp, SystemTime::now()) != Some(true) {
        return Err(Refusal::invalid(
            "isv.invalid-timestamp",
            "非法的时间戳参数",
        ));
    }
    match get("version").as_deref() {
        None => return Err(Refusal::missing("isv.missing-version", "缺少版本参数")),
        Some("1.0") => {}
        Some(_) => {
            return Err(Refusal::invalid(
                "isv.invalid-parameter",
                "参数无效：version",
            ));
        }
    }
    if get("format").is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
        return Err(Refusal::invalid("isv.invalid-format", "无效的数据格式"));
    }
    let charset = charset_of(parameters)
        .ok_or_else(|| Refusal::invalid("isv.invalid-charset", "字符集错误"))?;
    let sign_type = get("sign_type")
        .ok_or_else(|| Refusal::missing("isv.missing-signature-type", "缺少签名类型参数"))?;
    let sign_type = SignType::parse(&sign_type)
        .filter(|sign_type| app.options.sign_types.contains(sign_type))
        .ok_or_else(|| Refusal::invalid("isv.invalid-signature-type", "无效的签名类型"))?;
    let signature =
        get("sign").ok_or_else(|| Refusal::missing("isv.missing-signature", "缺少签名参数"))?;
    let signed = parameters.signed_bytes();
    let texts = parameters.decode(charset);
    let (Some(texts), true) = (
        texts,
        keys::verify(&app.public_key, sign_type, &signed, &signature),
    ) else {
        let echo = with_html_entities(&charset.decode_lossy(&signed));
        return Err(Refusal::invalid(
            "isv.invalid-signature",
            format!("验签出错，网关生成的验签字符串为：{echo}"),
        ));
    };
    if get("encrypt_type").is_some() {
        return Err(Refusal::invalid(
            "isv.invalid-encrypt-type",
            "无效的加密类型",
        ));
    }
    if app
        .options
        .methods
        .as_ref()
        .is_some_and(|allowed| !allowed.iter().any(|name| name == method.name))
    {
        return Err(Refusal::permission(
            "isv.insufficient-isv-permissions",
            "ISV权限不足",
        ));
    }
    (method.run)(
        world,
        &Call {
            app_id: &app_id,
            parameters: &texts,
            base_url,
        },
    )
}
