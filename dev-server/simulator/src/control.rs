//! The control API under `/_simulator/`, and everything else that is not the gateway.

mod content;
mod logins;
mod merchants;
mod payments;
mod refreshes;
mod subscriptions;

use std::time::Duration;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apps::AppOptions;
use crate::authority::AlipayCertificate;
use crate::cashier;
use crate::connection::Peer;
use crate::consent;
use crate::faults::Fault;
use crate::gateway;
use crate::gateway_v3;
use crate::grants::{CodeOptions, Scope};
use crate::images::{self, Shape};
use crate::methods::METHODS;
use crate::phone_number::PhoneNumberFailure;
use crate::users::{self, SimulatedUser};
use crate::world::Shared;

/// HTTP method, path, what it does.
type Route = (&'static str, &'static str, &'static str);

/// Every route with what it does, those of the rooms below aside; served by `GET /_simulator/` and by every 404.
const ROUTES: &[Route] = &[
    ("POST", "/gateway.do", "Alipay's OpenAPI gateway, V2"),
    (
        "POST",
        "/v3/{method with / for .}",
        "Alipay's OpenAPI gateway, V3; GET for alipay.open.auth.token.app.query",
    ),
    (
        "GET",
        "/mini-codes/{id}/{square,circle-white,circle-blue}.png",
        "the pictures of a mini code",
    ),
    ("GET", "/_simulator/", "this list"),
    ("GET", "/_simulator/apps", "the app ids"),
    (
        "POST",
        "/_simulator/apps",
        "registers an app: {\"app_id\"?, \"pid\"?, \"identifiers\"?, \"callback\"?, \"sign_types\"?, \"key\"?, \"tokens\"?: {\"access_seconds\"?, \"refresh_seconds\"?, \"spelling\"?: \"number\"|\"string\"}, \"merchant_tokens\"?: {\"token_seconds\"?, \"refresh_seconds\"?}, \"templates\"?, \"methods\"?, \"certificates\"?, \"content_encryption\"?, \"signed_error_responses\"?}; answers its keys and certificates",
    ),
    ("GET", "/_simulator/users", "the users"),
    (
        "POST",
        "/_simulator/users",
        "adds or changes a user: {\"user_id\", \"nick_name\"?, \"avatar\"?, \"gender\"?, \"province\"?, \"city\"?, \"mobile\"?}",
    ),
    (
        "POST",
        "/_simulator/codes",
        "issues an authorisation code: {\"app_id\", \"user_id\"?, \"scope\"?: \"auth_base\"|\"auth_user\", \"code\"?, \"lifetime_seconds\"?}",
    ),
    (
        "POST",
        "/_simulator/phone-numbers",
        "what my.getPhoneNumber hands to the front end: {\"app_id\", \"user_id\"?, \"failure\"?: \"refused_by_user\"|\"encrypted_error\"|\"signed_error\"|\"unsigned\"}",
    ),
    (
        "POST",
        "/_simulator/encrypted-data",
        "other data, encrypted and signed for the front end: {\"app_id\", \"data\"}",
    ),
    (
        "POST",
        "/_simulator/alipay-certificates",
        "another certificate signs from now on: {\"change\": \"renewed\"|\"foreign\"|\"expired\"|\"of_another_app\"}; answers its SN",
    ),
    (
        "POST",
        "/_simulator/revocations",
        "a user withdraws their consent: {\"app_id\", \"user_id\"}",
    ),
    (
        "POST",
        "/_simulator/unsubscriptions",
        "a user takes no more messages: {\"app_id\", \"user_id\"}",
    ),
    (
        "DELETE",
        "/_simulator/unsubscriptions",
        "all users take messages again",
    ),
    (
        "GET",
        "/_simulator/messages",
        "the template messages that were sent",
    ),
    ("GET", "/_simulator/faults", "the faults in force"),
    (
        "POST",
        "/_simulator/faults",
        "injects a fault: {\"kind\": \"bad_signature\" | \"already_refreshed\" | {\"delay\":{\"milliseconds\":500}} | …, \"method\"?, \"app_id\"?, \"refreshes\"?: true for refreshes alone, \"times\"?}",
    ),
    ("DELETE", "/_simulator/faults", "clears the faults"),
    (
        "GET",
        "/_simulator/received",
        "the calls that the gateway received, and how many of each method",
    ),
    (
        "DELETE",
        "/_simulator/received",
        "forgets the received calls and all counts",
    ),
    (
        "GET",
        "/_simulator/clock",
        "by how many seconds the clock of codes, tokens, trades and notices is advanced",
    ),
    (
        "POST",
        "/_simulator/clock",
        "advances it: {\"advance_seconds\"}",
    ),
    (
        "DELETE",
        "/_simulator/connections",
        "resets every open connection, this one too",
    ),
];

/// All routes.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(alive))
        .route("/gateway.do", post(gateway::handle).fallback(wrong_method))
        .route("/v3/{*path}", any(gateway_v3::handle))
        .route("/mini-codes/{id}/{file}", get(picture))
        .route("/_simulator", get(list))
        .route("/_simulator/", get(list))
        .route("/_simulator/apps", get(apps).post(add_app))
        .route("/_simulator/users", get(users).post(add_user))
        .route("/_simulator/codes", post(issue_code))
        .route("/_simulator/phone-numbers", post(phone_number))
        .route("/_simulator/encrypted-data", post(encrypted_data))
        .route("/_simulator/alipay-certificates", post(change_certificate))
        .route("/_simulator/revocations", post(revoke))
        .route(
            "/_simulator/unsubscriptions",
            post(unsubscribe).delete(resubscribe),
        )
        .route("/_simulator/messages", get(messages))
        .route(
            "/_simulator/faults",
            get(faults).post(inject).delete(clear_faults),
        )
        .route("/_simulator/received", get(received).delete(clear_received))
        .route("/_simulator/clock", get(clock).post(advance_clock))
        .route(
            "/_simulator/connections",
            axum::routing::delete(reset_connections),
        )
        .route("/_simulator/redirected", get(redirected).post(redirected))
        .merge(content::router())
        .merge(subscriptions::router())
        .merge(consent::router())
        .merge(logins::router())
        .merge(merchants::router())
        .merge(cashier::router())
        .merge(payments::router())
        .merge(refreshes::router())
        .fallback(not_found)
        .with_state(shared)
}

fn routes() -> Value {
    [
        ROUTES,
        content::ROUTES,
        logins::ROUTES,
        subscriptions::ROUTES,
        merchants::ROUTES,
        payments::ROUTES,
        refreshes::ROUTES,
    ]
    .into_iter()
    .flatten()
    .map(|(method, path, does)| json!({ "method": method, "path": path, "does": does }))
    .collect()
}

/// Clients open a connection ahead of their first call; that is no call.
async fn alive(ConnectInfo(Peer(connection)): ConnectInfo<Peer>) -> &'static str {
    connection.count_request();
    "Alipay gateway simulator; GET /_simulator/ lists the routes\n"
}

async fn list() -> Json<Value> {
    let methods: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
    Json(json!({ "routes": routes(), "methods": methods }))
}

async fn not_found() -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": "no such path", "routes": routes() })),
    )
        .into_response()
}

async fn wrong_method() -> Response {
    let body = json!({ "error": "the gateway takes POST only", "routes": routes() });
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "POST")],
        Json(body),
    )
        .into_response()
}

fn bad_request(error: impl std::fmt::Display) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Json(json!({ "error": error.to_string() })),
    )
        .into_response()
}

async fn picture(
    State(shared): State<Shared>,
    Path((id, file)): Path<(String, String)>,
) -> Response {
    let code = {
        let world = shared.world();
        let now = world.clock.now();
        let code = world.mini_codes.get(&id).cloned();
        code.filter(|code| code.is_there_at(now))
    };
    let drawn = code
        .zip(Shape::from_file_name(&file))
        .and_then(|(code, shape)| images::png(&code, shape));
    match drawn {
        Some(png) => ([(header::CONTENT_TYPE, "image/png")], png).into_response(),
        None => not_found().await,
    }
}

async fn apps(State(shared): State<Shared>) -> Json<Value> {
    let world = shared.world();
    Json(
        world
            .apps
            .keys()
            .map(|app_id| json!({ "app_id": app_id }))
            .collect(),
    )
}

async fn add_app(State(shared): State<Shared>, Json(options): Json<AppOptions>) -> Response {
    match shared.world().add_app(options) {
        Ok(app) => (StatusCode::CREATED, Json(app)).into_response(),
        Err(error) => bad_request(error),
    }
}

async fn users(State(shared): State<Shared>) -> Json<Value> {
    let world = shared.world();
    let described = world.users.values().map(|user| {
        let open_ids: serde_json::Map<String, Value> = world
            .apps
            .keys()
            .map(|app_id| (app_id.clone(), users::open_id(app_id, &user.user_id).into()))
            .collect();
        json!({ "user": user, "open_ids": open_ids, "union_id": users::union_id(&user.user_id) })
    });
    Json(described.collect())
}

async fn add_user(State(shared): State<Shared>, Json(user): Json<SimulatedUser>) -> Response {
    if !users::is_user_id(&user.user_id) {
        return bad_request("user_id has to be 16 digits that begin with 2088");
    }
    shared
        .world()
        .users
        .insert(user.user_id.clone(), user.clone());
    (StatusCode::CREATED, Json(user)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeRequest {
    app_id: String,
    user_id: Option<String>,
    #[serde(default)]
    scope: Scope,
    code: Option<String>,
    lifetime_seconds: Option<u64>,
}

async fn issue_code(State(shared): State<Shared>, Json(request): Json<CodeRequest>) -> Response {
    let defaults = CodeOptions::default();
    let options = CodeOptions {
        user: request.user_id.unwrap_or(defaults.user),
        scope: request.scope,
        code: request.code,
        lifetime: request
            .lifetime_seconds
            .map_or(defaults.lifetime, Duration::from_secs),
    };
    let mut world = shared.world();
    if !world.apps.contains_key(&request.app_id) {
        return bad_request("no app of this app_id");
    }
    if !users::is_user_id(&options.user) {
        return bad_request("user_id has to be 16 digits that begin with 2088");
    }
    let code = world.issue_code(&request.app_id, &options);
    (StatusCode::CREATED, Json(json!({ "code": code }))).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneNumberRequest {
    app_id: String,
    user_id: Option<String>,
    failure: Option<PhoneNumberFailure>,
}

async fn phone_number(
    State(shared): State<Shared>,
    Json(of): Json<PhoneNumberRequest>,
) -> Response {
    let user_id = of.user_id.as_deref();
    let user_id = user_id.unwrap_or(SimulatedUser::DEFAULT_USER_ID);
    if !users::is_user_id(user_id) {
        return bad_request("user_id has to be 16 digits that begin with 2088");
    }
    let mut world = shared.world();
    let handed_over = match of.failure {
        Some(failure) => world.phone_number_failure(&of.app_id, failure),
        None => world.phone_number(&of.app_id, user_id),
    };
    response_text(handed_over)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptedDataRequest {
    app_id: String,
    data: Value,
}

async fn encrypted_data(
    State(shared): State<Shared>,
    Json(of): Json<EncryptedDataRequest>,
) -> Response {
    let data = of.data.to_string();
    response_text(shared.world().encrypted_data(&of.app_id, &data))
}

/// The text that the front end gets: one string, as the mini-program passes it on.
fn response_text(handed_over: Result<String, &'static str>) -> Response {
    match handed_over {
        Ok(text) => (StatusCode::CREATED, Json(json!({ "response": text }))).into_response(),
        Err(error) => bad_request(error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateChange {
    change: AlipayCertificate,
}

async fn change_certificate(
    State(shared): State<Shared>,
    Json(to): Json<CertificateChange>,
) -> Response {
    let sn = shared.world().alipay_certificates.change(to.change);
    let body = json!({ "alipay_cert_sn": sn });
    (StatusCode::CREATED, Json(body)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppAndUser {
    app_id: String,
    user_id: String,
}

async fn revoke(State(shared): State<Shared>, Json(of): Json<AppAndUser>) -> Json<Value> {
    let dead = shared.world().grants.revoke(&of.app_id, &of.user_id);
    Json(json!({ "revoked": dead }))
}

async fn unsubscribe(State(shared): State<Shared>, Json(of): Json<AppAndUser>) -> StatusCode {
    shared.world().unsubscribed.insert((of.app_id, of.user_id));
    StatusCode::NO_CONTENT
}

async fn resubscribe(State(shared): State<Shared>) -> StatusCode {
    shared.world().unsubscribed.clear();
    StatusCode::NO_CONTENT
}

async fn messages(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().messages))
}

async fn faults(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.world().faults.active()))
}

async fn inject(State(shared): State<Shared>, Json(fault): Json<Fault>) -> Response {
    shared.world().faults.add(fault.clone());
    (StatusCode::CREATED, Json(fault)).into_response()
}

async fn clear_faults(State(shared): State<Shared>) -> StatusCode {
    shared.world().faults.clear();
    StatusCode::NO_CONTENT
}

async fn received(State(shared): State<Shared>) -> Json<Value> {
    let world = shared.world();
    Json(json!({
        "counts": world.received.counts(),
        "connections_accepted": shared.connections.accepted(),
        "redirects_followed": world.redirects_followed,
        "calls": world.received.calls(),
    }))
}

async fn clear_received(State(shared): State<Shared>) -> StatusCode {
    shared.world().received.clear();
    StatusCode::NO_CONTENT
}

async fn clock(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "advanced_seconds": shared.world().clock.advanced().as_secs() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

async fn advance_clock(State(shared): State<Shared>, Json(by): Json<Advance>) -> Json<Value> {
    let mut world = shared.world();
    world.advance_clock(Duration::from_secs(by.advance_seconds));
    Json(json!({ "advanced_seconds": world.clock.advanced().as_secs() }))
}

async fn reset_connections(State(shared): State<Shared>) -> StatusCode {
    shared.connections.reset_all();
    StatusCode::NO_CONTENT
}

/// Where an injected redirect leads: a caller that follows it has made a mistake.
async fn redirected(State(shared): State<Shared>) -> StatusCode {
    shared.world().redirects_followed += 1;
    StatusCode::OK
}
