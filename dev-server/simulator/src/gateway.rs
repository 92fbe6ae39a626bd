//! `/gateway.do`: the checks of Alipay's gateway, in its order, and the reply.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};

use crate::charset::Charset;
use crate::checks::{Door, Place, judge};
use crate::connection::{Connection, Peer};
use crate::faults::{FaultKind, Target};
use crate::grants::random_text;
use crate::keys::SignType;
use crate::methods::Answer;
use crate::parameters::Parameters;
use crate::received::{ConnectionFacts, ReceivedCall, Sent, Verdict};
use crate::refreshes::refresh_token;
use crate::refusal::Refusal;
use crate::reply::{self, Reply};
use crate::signer::Signer;
use crate::world::{Shared, World};

/// Bytes of a form body; more is refused with 413.
pub(crate) const BODY_LIMIT: usize = 4 * 1024 * 1024;

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
    let in_query = Parameters::parse(query, b"").decode_lossy(Charset::Utf8);
    if shared
        .world()
        .faults
        .take_reset_before_reading(&target(&in_query))
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
    let trace_id = random_text("", 32);
    let texts = parameters.decode_lossy(Charset::Utf8);
    let faults = shared.world().faults.take(&target(&texts));

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
            // What it befalls stood in the body, so that had to be read after all.
            connection.reset();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        return match reply::foreign_response(fault, &shared.base_url) {
            Some(response) => response,
            None => {
                let reply = injected_refusal(&mut shared.world(), fault, &parameters, trace_id);
                reply.into_response(&faults)
            }
        };
    }

    let (reply, verdict) = answer(
        &mut shared.world(),
        &parameters,
        &shared.base_url,
        trace_id.clone(),
        &faults,
    );
    record(&shared, &head, &parameters, facts, verdict, trace_id);
    deliver(reply.into_response(&faults), &faults, &connection).await
}

/// What the conditions of faults are asked about. Ids, grant types and tokens are ASCII whatever the charset is.
fn target(texts: &BTreeMap<String, String>) -> Target<'_> {
    let get = |name: &str| {
        texts
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let method = get("method");
    Target {
        method,
        app_id: get("app_id"),
        is_refresh: refresh_token(method, texts).is_some(),
    }
}

/// The method's answer, or what a fault makes of it.
pub(crate) fn answered(outcome: Answer, faults: &[FaultKind]) -> Answer {
    let node = outcome?;
    if faults.contains(&FaultKind::AlreadyRefreshed) {
        return Err(Refusal::already_refreshed(node));
    }
    Ok(node)
}

/// Answers a call that was done, as late as the faults have it, or never.
pub(crate) async fn deliver(
    response: Response,
    faults: &[FaultKind],
    connection: &Connection,
) -> Response {
    wait(faults).await;
    if faults.contains(&FaultKind::NeverAnswer) {
        std::future::pending::<()>().await;
    }
    if faults.contains(&FaultKind::ResetAfterDone) {
        connection.reset();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    response
}

pub(crate) async fn wait(faults: &[FaultKind]) {
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

pub(crate) fn charset_of(parameters: &Parameters) -> Option<Charset> {
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
    let sent = Sent {
        method: texts.get("method").cloned(),
        app_id: texts.get("app_id").cloned(),
        parameters: texts,
        in_query: parameters.in_query.clone(),
        in_body: parameters.in_body.clone(),
    };
    let call = ReceivedCall::new(head, sent, connection, verdict, trace_id);
    shared.world().received.add(call);
}

/// A refusal that a test asked for.
fn injected_refusal(
    world: &mut World,
    fault: &FaultKind,
    parameters: &Parameters,
    trace_id: String,
) -> Reply {
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
        encryption: None,
        signer: Signer::of(world, text_of(parameters, "app_id").as_deref()),
        sign_type,
        signed,
        charset,
        trace_id,
    }
}

/// Judges and does the call.
fn answer(
    world: &mut World,
    parameters: &Parameters,
    base_url: &str,
    trace_id: String,
    faults: &[FaultKind],
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
        encryption: None,
    };
    let outcome = judge(world, parameters, base_url, &mut place, Door::Gateway);
    let (node, verdict) = match answered(outcome, faults) {
        Ok(node) => {
            place.under_error_response = false;
            place.signed = true;
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
        encryption: place.encryption,
        signer: Signer::of(world, text_of(parameters, "app_id").as_deref()),
        sign_type,
        signed: place.signed,
        charset,
        trace_id,
    };
    (reply, verdict)
}
