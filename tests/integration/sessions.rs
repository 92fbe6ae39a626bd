//! What follows a login: id_tokens, tickets, refreshes and the end of a session (security cases S-01 to S-28, J-18, E-01).

use std::time::{Duration, SystemTime};

use dev_server::IDENTITY_TABLE;
use function_kit::{Handler, HttpService, Invocation};
use function_logins::{AccessTokenClaims, Logins, NewSession, Purpose, WallTime};
use futures_util::future::join_all;
use identity::Person;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use session::Session;
use tests::{Stack, http_client};

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};
use crate::sdk_login::{Answer, Sender, claims};

const TENANT_TOKEN: &str = "/api/v2/tenant/token";
const SSO_TICKET: &str = "/api/v2/tenant/sso/session-token/sso-ticket";
const VERIFY: &str = "/api/v2/tenant/sso/sso-ticket/verify";
const REFRESH: &str = "/api/v2/tenant/sso/session-token/refresh";
pub(crate) const REFRESH_ID_TOKEN: &str = "/api/v2/sdk/session-token/refresh-id-token";
pub(crate) const LOGOUT: &str = "/api/v2/sdk/logout";

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The only answer to a session token that is not valid.
pub(crate) fn no_session() -> Answer {
    let text = "The session is not valid, or has ended. Log in again.";
    unauthorized("SESSION.SESSION_TOKEN_INVALID", text)
}

fn unauthorized(code: &str, text: &str) -> Answer {
    Answer {
        status: 401,
        body: json!({"error_code": code, "error_msg": text}),
    }
}

fn logins(stack: &Stack) -> Logins {
    Logins::new(
        stack.server.table().client().clone(),
        IDENTITY_TABLE,
        stack.server.login().document().clone(),
        &stack.server.base_url(),
    )
    .unwrap()
}

/// Asks the function itself, whose clock is so much later.
async fn ask_later(
    stack: &Stack,
    by: Duration,
    sender: &Sender,
    path: &str,
    body: &Value,
) -> Answer {
    let clock = move || WallTime::from(SystemTime::now()).plus(by);
    let function = HttpService::new(Session::with_clock(logins(stack), clock));
    let headers: serde_json::Map<_, _> = sender
        .headers()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "body": body.to_string(),
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": path, "sourceIp": "192.0.2.1"}},
    });
    let invocation = Invocation {
        request_id: "r-1".to_owned(),
        deadline: alipay_gateway::Deadline::after(SystemTime::now(), 15 * SECOND),
    };
    let answer = function.handle(&event.to_string(), invocation).await;
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    Answer {
        status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
        body: serde_json::from_str(answer["body"].as_str().unwrap()).unwrap(),
    }
}

/// A fresh session of `phone`: its token.
pub(crate) async fn session(stack: &Stack) -> String {
    let answer = Sender::device("phone").log_in(stack, &stack.code()).await;
    answer.text("session_token").to_owned()
}

/// What a back end says of its user's device.
fn of_phone(name: &str, credential: &str) -> Value {
    json!({
        name: credential, "operating_sys_version": "Android 10", "device_fingerprint": "phone", "device_ip": "10.10.10.1",
    })
}

fn with(mut body: Value, name: &str, value: &str) -> Value {
    body[name] = json!(value);
    body
}

async fn ask_for_tenant_token(stack: &Stack, form: &str, basic: Option<(&str, &str)>) -> Answer {
    let url = format!("{}{TENANT_TOKEN}", stack.server.base_url());
    let mut asked = http_client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    if let Some((id, secret)) = basic {
        asked = asked.basic_auth(id, Some(secret));
    }
    let reply = asked.send().await.unwrap();
    let status = reply.status().as_u16();
    let is_challenged = reply.headers().contains_key("www-authenticate");
    assert_eq!(is_challenged, status == 401);
    let body = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    Answer { status, body }
}

/// The back end of the client `id`.
async fn back_end(stack: &Stack, id: &str, secret: &str) -> Sender {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = ask_for_tenant_token(stack, &form, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    Sender::back_end(answer.text("access_token"))
}

async fn local_back_end(stack: &Stack) -> Sender {
    back_end(stack, "local", &secret(stack)).await
}

fn secret(stack: &Stack) -> String {
    let document: Value = serde_json::from_str(stack.server.login().text()).unwrap();
    document["clients"][0]["clientSecret"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_client_gets_a_bearer_token_with_its_secret_in_the_form_or_the_header() {
    let stack = Stack::start().await;
    let secret = secret(&stack);
    let grant = "grant_type=client_credentials";
    let form = format!("{grant}&client_id=local&client_secret={secret}");
    for answer in [
        ask_for_tenant_token(&stack, &form, None).await,
        ask_for_tenant_token(&stack, grant, Some(("local", &secret))).await,
    ] {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.text("token_type"), "Bearer");
        assert_eq!(answer.body["expires_in"], 7200);
        let claims = claims(answer.text("access_token"));
        assert_eq!(
            claims["aud"],
            format!("{}/api/v2/tenant", stack.server.base_url())
        );
    }
    for wrong in [
        "client_id=local".to_owned(),
        "grant_type=password&client_id=local".to_owned(),
        format!("{form}&client_id=local"),
        grant.to_owned(),
    ] {
        let answer = ask_for_tenant_token(&stack, &wrong, None).await;
        assert_eq!(
            answer.error(),
            (400, "SESSION.PARAMETER_INVALID"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn an_unknown_client_a_wrong_secret_and_a_disabled_client_are_not_told_apart() {
    let stack = Stack::with_clients(&[
        json!({"clientId": "closed", "clientSecret": "secret-of-the-closed", "disabled": true}),
        json!({"clientId": "page"}),
    ])
    .await;
    let expected = unauthorized(
        "SESSION.CLIENT_INVALID",
        "The client is unknown, or its secret is wrong.",
    );
    for (id, secret) in [
        ("nobody", "secret-of-the-closed"),
        ("local", "secret-of-the-closed"),
        ("closed", "secret-of-the-closed"),
        ("page", ""),
        ("page", "anything"),
    ] {
        let grant = "grant_type=client_credentials";
        let form = format!("{grant}&client_id={id}&client_secret={secret}");
        assert_eq!(
            ask_for_tenant_token(&stack, &form, None).await,
            expected,
            "{id}"
        );
        let basic = ask_for_tenant_token(&stack, grant, Some((id, secret))).await;
        assert_eq!(basic, expected, "{id}");
    }
    let without = "grant_type=client_credentials&client_id=local";
    assert_eq!(ask_for_tenant_token(&stack, without, None).await, expected);
}

/// A token that the issuer has signed.
fn access_token(stack: &Stack, client_id: &str, opens: &str) -> String {
    let claims = AccessTokenClaims {
        subject: client_id,
        audience: &format!("{}{opens}", stack.server.base_url()),
        client_id,
        scope: "tenant",
        app_id: None,
        openid: None,
        auth_app_id: None,
    };
    let now = WallTime::from(SystemTime::now());
    let token = logins(stack).issuer().access_token(&claims, now).unwrap();
    token.expose_secret().to_owned()
}

#[tokio::test]
async fn only_a_bearer_token_of_an_enabled_client_opens_the_calls_of_back_ends() {
    let stack = Stack::start().await;
    let login = Sender::device("phone").log_in(&stack, &stack.code()).await;
    let body = of_phone("session_token", login.text("session_token"));
    let text = "The access token is missing, not valid, or has expired. Get a new one.";
    let expected = unauthorized("SESSION.ACCESS_TOKEN_INVALID", text);
    let good = local_back_end(&stack).await;
    let token = good.headers()[0].1.clone();
    for sender in [
        good.without("Authorization"),
        good.with("Authorization", "Bearer"),
        good.with("Authorization", &token.replace("Bearer", "Basic")),
        good.with("Authorization", &token.replace(' ', "  ")),
        Sender::back_end("abc"),
        // Tokens of ours for other purposes, and of a client that is no more.
        Sender::back_end(login.text("id_token")),
        Sender::back_end(login.text("session_token")),
        Sender::back_end(&access_token(&stack, "local", "/userinfo")),
        Sender::back_end(&access_token(&stack, "gone", "/api/v2/tenant")),
    ] {
        for path in [SSO_TICKET, VERIFY, REFRESH] {
            let answer = sender.ask(&stack, "POST", path, &body.to_string()).await;
            assert_eq!(answer, expected, "{path}");
        }
    }
    let sound = Sender::back_end(&access_token(&stack, "local", "/api/v2/tenant"));
    let answer = sound
        .ask(&stack, "POST", SSO_TICKET, &body.to_string())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let late = ask_later(&stack, Duration::from_secs(7261), &good, SSO_TICKET, &body).await;
    assert_eq!(late, expected);
    let in_time = ask_later(&stack, Duration::from_secs(7100), &good, SSO_TICKET, &body).await;
    assert_eq!(in_time.status, 200, "{in_time:?}");
}

#[tokio::test]
async fn a_ticket_tells_its_verifier_once_who_the_user_is() {
    let stack = Stack::start().await;
    let back_end = local_back_end(&stack).await;
    let login = Sender::device("phone").log_in(&stack, &stack.code()).await;
    let body = of_phone("session_token", login.text("session_token"));
    let issued = back_end
        .ask(&stack, "POST", SSO_TICKET, &body.to_string())
        .await;
    assert_eq!((issued.status, &issued.body["expire"]), (200, &json!(60)));
    let body = of_phone("sso_ticket", issued.text("sso_ticket")).to_string();
    let answers = join_all((0..8).map(|_| back_end.ask(&stack, "POST", VERIFY, &body))).await;
    let (verified, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    let account = &claims(login.text("id_token"))["sub"];
    let user = json!({"id": account, "userName": "", "name": "", "mobile": "", "email": ""});
    let expected = json!({"code": "200", "message": "success", "data": {"user": user}});
    assert_eq!(verified.len(), 1);
    assert_eq!(verified[0].body, expected);
    for answer in refused {
        assert_eq!(answer.error(), (401, "SESSION.SSO_TICKET_INVALID"));
    }
}

#[tokio::test]
async fn all_that_can_be_wrong_with_a_ticket_is_one_answer_and_spends_it_only_for_its_verifier() {
    let shop =
        json!({"clientId": "shop", "clientSecret": "secret-of-the-shop", "ssoFrom": ["local"]});
    let stack = Stack::with_clients(&[shop]).await;
    let local = local_back_end(&stack).await;
    let shop = back_end(&stack, "shop", "secret-of-the-shop").await;
    let token = session(&stack).await;
    // For the shop, which is not the client of the session.
    let body = with(of_phone("session_token", &token), "client_id", "shop").to_string();
    let issued = local.ask(&stack, "POST", SSO_TICKET, &body).await;
    let ticket = of_phone("sso_ticket", issued.text("sso_ticket"));
    let text = "The ticket is not valid, has expired, or was used. Get a new one.";
    let expected = unauthorized("SESSION.SSO_TICKET_INVALID", text);

    let other_device = with(ticket.clone(), "device_fingerprint", "tablet");
    for (sender, wrong) in [
        (&local, ticket.clone()),
        (&shop, other_device),
        (&shop, with(ticket.clone(), "sso_ticket", &"0".repeat(64))),
        (&shop, with(ticket.clone(), "sso_ticket", "'; --")),
        (&shop, with(ticket.clone(), "sso_ticket", "")),
        (&shop, with(ticket.clone(), "sso_ticket", &token)),
    ] {
        let answer = sender.ask(&stack, "POST", VERIFY, &wrong.to_string()).await;
        assert_eq!(answer, expected, "{wrong}");
    }
    let late = ask_later(&stack, 61 * SECOND, &shop, VERIFY, &ticket).await;
    assert_eq!(late, expected);
    let answer = shop.ask(&stack, "POST", VERIFY, &ticket.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let again = shop.ask(&stack, "POST", VERIFY, &ticket.to_string()).await;
    assert_eq!(again, expected);

    let unknown = with(of_phone("session_token", &token), "client_id", "nobody");
    let answer = local
        .ask(&stack, "POST", SSO_TICKET, &unknown.to_string())
        .await;
    assert_eq!(answer.error(), (400, "APP.0001"));
}

#[tokio::test]
async fn a_client_takes_no_users_from_clients_that_it_did_not_name() {
    let shop = json!({"clientId": "shop", "clientSecret": "secret-of-the-shop"});
    let bank =
        json!({"clientId": "bank", "clientSecret": "secret-of-the-bank", "ssoFrom": ["shop"]});
    let stack = Stack::with_clients(&[shop, bank]).await;
    let local = local_back_end(&stack).await;
    let token = session(&stack).await;
    for (client_id, taken) in [("shop", false), ("bank", false), ("local", true)] {
        let body = with(of_phone("session_token", &token), "client_id", client_id);
        let answer = local
            .ask(&stack, "POST", SSO_TICKET, &body.to_string())
            .await;
        if taken {
            assert_eq!(answer.status, 200, "{client_id}");
        } else {
            assert_eq!(answer.error(), (400, "APP.0001"), "{client_id}");
        }
    }
}

#[tokio::test]
async fn a_value_of_another_purpose_is_no_ticket() {
    let stack = Stack::start().await;
    let back_end = local_back_end(&stack).await;
    let value = json!({"uid": "0".repeat(32), "client_id": "local", "device": ""});
    let now = WallTime::from(SystemTime::now());
    let logins = logins(&stack);
    let state = logins
        .one_time()
        .issue(Purpose::H5Ticket, &value, DAY, now)
        .await;
    let body = of_phone("sso_ticket", state.unwrap().expose_secret()).to_string();
    let answer = back_end.ask(&stack, "POST", VERIFY, &body).await;
    assert_eq!(answer.error(), (401, "SESSION.SSO_TICKET_INVALID"));
}

#[tokio::test]
async fn sixty_four_refreshes_at_once_and_the_repeat_of_one_give_the_same_new_token() {
    let stack = Stack::start().await;
    let back_end = local_back_end(&stack).await;
    let first = session(&stack).await;
    let body = of_phone("session_token", &first).to_string();
    let answers = join_all((0..64).map(|_| back_end.ask(&stack, "POST", REFRESH, &body))).await;
    let mut tokens: Vec<_> = answers
        .iter()
        .map(|answer| answer.text("session_token").to_owned())
        .collect();
    tokens.push(
        back_end
            .ask(&stack, "POST", REFRESH, &body)
            .await
            .text("session_token")
            .to_owned(),
    );
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], first);
    for answer in answers {
        assert_eq!(claims(answer.text("id_token"))["aud"], "local");
        let expire = answer.body["expire"].as_u64().unwrap();
        assert!((604_000..=604_800).contains(&expire), "{expire}");
    }
}

#[tokio::test]
async fn a_spent_token_that_comes_back_after_the_grace_ends_the_session() {
    let stack = Stack::start().await;
    let back_end = local_back_end(&stack).await;
    let first = session(&stack).await;
    let body = of_phone("session_token", &first);
    let answer = back_end
        .ask(&stack, "POST", REFRESH, &body.to_string())
        .await;
    let second = of_phone("session_token", answer.text("session_token"));
    let in_grace = ask_later(&stack, 5 * SECOND, &back_end, REFRESH, &body).await;
    assert_eq!(in_grace.text("session_token"), second["session_token"]);
    let stolen = ask_later(&stack, 30 * SECOND, &back_end, REFRESH, &body).await;
    assert_eq!(stolen, no_session());
    let answer = back_end
        .ask(&stack, "POST", REFRESH, &second.to_string())
        .await;
    assert_eq!(
        answer,
        no_session(),
        "the copy and the original are both dead"
    );
}

#[tokio::test]
async fn a_session_lives_by_its_refreshes_and_not_beyond_its_longest_life() {
    let short = json!({
        "clientId": "short", "appid": "2021000000000001", "clientSecret": "secret-of-the-short",
        "sessionSeconds": 86_400, "sessionMaxSeconds": 129_600,
    });
    let stack = Stack::with_clients(&[short]).await;
    let back_end = back_end(&stack, "short", "secret-of-the-short").await;
    let device = Sender::device("phone").with("X-client-id", "short");
    let begun = device.log_in(&stack, &stack.code()).await;
    assert_eq!(begun.body["expire"], 86_400);
    let forgotten = device.log_in(&stack, &stack.code()).await;
    let refresh = |token: &str| of_phone("session_token", token);

    // Nearly two hours: what the bearer token lives.
    let body = refresh(begun.text("session_token"));
    let first = ask_later(&stack, Duration::from_secs(7000), &back_end, REFRESH, &body).await;
    assert!(first.body["expire"].as_u64().unwrap() > 86_390, "{first:?}");
    let device_ask = async |by, token: &str| {
        let body = json!({"session_token": token});
        ask_later(&stack, by, &device, REFRESH_ID_TOKEN, &body).await
    };
    let later = DAY + Duration::from_secs(3600);
    assert_eq!(
        device_ask(later, forgotten.text("session_token")).await,
        no_session()
    );
    assert_eq!(
        device_ask(later, first.text("session_token")).await.status,
        200
    );
    assert_eq!(
        device_ask(2 * DAY, first.text("session_token")).await,
        no_session()
    );
}

#[tokio::test]
async fn whatever_is_wrong_with_a_session_token_is_one_answer() {
    let stack = Stack::with_clients(&[
        json!({"clientId": "shop", "clientSecret": "secret-of-the-shop"}),
        json!({"clientId": "closed", "disabled": true}),
    ])
    .await;
    let token = session(&stack).await;
    let ended = session(&stack).await;
    let device = Sender::device("phone");
    let post = |token: &str| json!({"session_token": token}).to_string();
    assert_eq!(
        device
            .ask(&stack, "POST", LOGOUT, &post(&ended))
            .await
            .status,
        200
    );
    let mut flipped = token.clone().into_bytes();
    flipped[20] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();

    let long = "b".repeat(100_000);
    let ended_and = [
        &*ended,
        &flipped,
        "",
        "bts",
        "abc",
        "\u{0}",
        "用户",
        &long,
        &token[..72],
    ];
    for wrong in ended_and {
        let answer = device
            .ask(&stack, "POST", REFRESH_ID_TOKEN, &post(wrong))
            .await;
        assert_eq!(answer, no_session(), "{wrong:.80}");
    }
    for sender in [
        device.with("X-client-id", "shop"),
        device.with("X-client-id", "closed"),
        device.with("X-client-id", "nobody"),
        device.with("X-device-fingerprint", "tablet"),
    ] {
        let answer = sender
            .ask(&stack, "POST", REFRESH_ID_TOKEN, &post(&token))
            .await;
        assert_eq!(answer, no_session());
    }
    let local = local_back_end(&stack).await;
    let shop = back_end(&stack, "shop", "secret-of-the-shop").await;
    let body = of_phone("session_token", &token);
    for path in [SSO_TICKET, REFRESH] {
        for (sender, wrong) in [
            (&shop, body.clone()),
            (&local, with(body.clone(), "device_fingerprint", "tablet")),
            (&local, of_phone("session_token", &ended)),
            (&local, of_phone("session_token", &flipped)),
        ] {
            let answer = sender.ask(&stack, "POST", path, &wrong.to_string()).await;
            assert_eq!(answer, no_session(), "{path}");
        }
    }
    // None of that did anything to the session.
    let answer = device
        .ask(&stack, "POST", REFRESH_ID_TOKEN, &post(&token))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_session_of_a_client_that_was_disabled_since_is_not_valid() {
    let stack = Stack::start().await;
    let logins = logins(&stack);
    let now = WallTime::from(SystemTime::now());
    let person = Person {
        app_id: "2021000000000001",
        user_id: Some("2088000000000001"),
        open_id: None,
        union: None,
    };
    let account = logins.accounts().account_of(&person, now).await.unwrap();
    let new = NewSession {
        uid: &account.uid,
        client_id: "gone",
        app_id: "2021000000000001",
        openid: "2088000000000001",
        fingerprint: "phone",
        life: DAY,
        longest_life: DAY,
    };
    let begun = logins.sessions().begin(&new, now).await.unwrap();
    let body = json!({"session_token": begun.token.expose_secret()}).to_string();
    let device = Sender::device("phone").with("X-client-id", "gone");
    let answer = device.ask(&stack, "POST", REFRESH_ID_TOKEN, &body).await;
    assert_eq!(answer, no_session());
}

#[tokio::test]
async fn an_id_token_is_of_the_account_that_its_own_was_merged_into() {
    let stack = Stack::start().await;
    let accounts = logins(&stack).accounts().clone();
    let now = WallTime::from(SystemTime::now());
    let by_open_id = Person {
        app_id: &stack.app().app_id,
        user_id: None,
        open_id: Some("074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"),
        union: None,
    };
    let older = accounts
        .account_of(&by_open_id, now.minus(DAY))
        .await
        .unwrap();
    let login = Sender::device("phone").log_in(&stack, &stack.code()).await;
    assert_ne!(claims(login.text("id_token"))["sub"], older.uid.as_str());
    let both = Person {
        user_id: Some("2088000000000001"),
        ..by_open_id
    };
    accounts.account_of(&both, now).await.unwrap();
    let body = json!({"session_token": login.text("session_token")}).to_string();
    let device = Sender::device("phone");
    let answer = device.ask(&stack, "POST", REFRESH_ID_TOKEN, &body).await;
    assert_eq!(claims(answer.text("id_token"))["sub"], older.uid.as_str());
}

#[tokio::test]
async fn after_a_logout_no_call_takes_the_session_though_its_id_token_still_stands() {
    let stack = Stack::start().await;
    let back_end = local_back_end(&stack).await;
    for method in ["POST", "GET"] {
        let device = Sender::device("phone");
        let login = device.log_in(&stack, &stack.code()).await;
        let token = login.text("session_token");
        let post = json!({"session_token": token}).to_string();
        let out = match method {
            "GET" => {
                let sender = device.with("X-session-token", token);
                sender.ask(&stack, "GET", LOGOUT, "").await
            }
            _ => device.ask(&stack, "POST", LOGOUT, &post).await,
        };
        assert_eq!((out.status, out.text("status")), (200, "SUCCESS"));

        let answer = device.ask(&stack, "POST", REFRESH_ID_TOKEN, &post).await;
        assert_eq!(answer, no_session());
        for path in [SSO_TICKET, REFRESH] {
            let body = of_phone("session_token", token).to_string();
            assert_eq!(
                back_end.ask(&stack, "POST", path, &body).await,
                no_session()
            );
        }
        let link = json!({"path": "pages/a/a"});
        let (status, _) = stack
            .post_as(
                login.text("id_token"),
                "/openapi/alipay/urlscheme/generate",
                &link,
            )
            .await;
        assert_eq!(status, 200, "an id_token stands until its end");
    }
}

#[tokio::test]
async fn a_logout_tells_nobody_whether_there_was_a_session() {
    let stack = Stack::start().await;
    let token = session(&stack).await;
    let device = Sender::device("phone");
    let post = |token: &str| json!({"session_token": token}).to_string();
    let shop = device.with("X-client-id", "shop");
    let expected = shop.ask(&stack, "POST", LOGOUT, &post(&token)).await;
    let unknown = device.ask(&stack, "POST", LOGOUT, &post("abc")).await;
    assert_eq!(unknown, expected);
    let answer = device
        .ask(&stack, "POST", REFRESH_ID_TOKEN, &post(&token))
        .await;
    assert_eq!(
        answer.status, 200,
        "another client ends nothing: {answer:?}"
    );
    for _ in 0..2 {
        let answer = device.ask(&stack, "POST", LOGOUT, &post(&token)).await;
        assert_eq!(answer, expected);
    }
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_code_of_one_access() {
    let stack = Stack::start().await;
    let device = Sender::device("phone");
    let back_end = local_back_end(&stack).await;
    let token = session(&stack).await;
    let without = |mut body: Value, name: &str| {
        body.as_object_mut().unwrap().remove(name);
        body.to_string()
    };
    for (sender, path, body, code) in [
        (&device, REFRESH_ID_TOKEN, "{}".to_owned(), "PARAM.0005"),
        (&device, LOGOUT, "{}".to_owned(), "PARAM.0005"),
        (&device, REFRESH_ID_TOKEN, String::new(), "PARAM.0005"),
        (
            &back_end,
            REFRESH,
            without(of_phone("session_token", ""), "session_token"),
            "PARAM.0005",
        ),
        (
            &back_end,
            VERIFY,
            without(of_phone("sso_ticket", ""), "sso_ticket"),
            "PARAM.0031",
        ),
        (
            &back_end,
            REFRESH,
            without(of_phone("session_token", &token), "device_fingerprint"),
            "SESSION.PARAMETER_INVALID",
        ),
        (
            &back_end,
            SSO_TICKET,
            without(of_phone("session_token", &token), "device_ip"),
            "SESSION.PARAMETER_INVALID",
        ),
        (
            &back_end,
            VERIFY,
            without(of_phone("sso_ticket", "a"), "operating_sys_version"),
            "SESSION.PARAMETER_INVALID",
        ),
        (
            &back_end,
            VERIFY,
            "[1]".to_owned(),
            "SESSION.PARAMETER_INVALID",
        ),
    ] {
        let answer = sender.ask(&stack, "POST", path, &body).await;
        assert_eq!(answer.error(), (400, code), "{path} {body}");
    }
    let anonymous = device.without("X-client-id");
    let body = json!({"session_token": token}).to_string();
    for path in [REFRESH_ID_TOKEN, LOGOUT] {
        let answer = anonymous.ask(&stack, "POST", path, &body).await;
        assert_eq!(answer.error(), (400, "APP.0002"));
    }
}

#[tokio::test]
async fn the_table_holds_neither_session_tokens_nor_tickets_nor_devices_in_the_clear() {
    let stack = Stack::start().await;
    let back_end = local_back_end(&stack).await;
    let device = Sender::device("fingerprint-canary");
    let login = device.log_in(&stack, &stack.code()).await;
    let token = login.text("session_token");
    let body = with(
        of_phone("session_token", token),
        "device_fingerprint",
        "fingerprint-canary",
    );
    let ticket = back_end
        .ask(&stack, "POST", SSO_TICKET, &body.to_string())
        .await;
    let refreshed = back_end
        .ask(&stack, "POST", REFRESH, &body.to_string())
        .await;
    let table = stack
        .server
        .table()
        .client()
        .scan()
        .table_name(IDENTITY_TABLE);
    let rows = format!("{:?}", table.send().await.unwrap().items.unwrap());
    assert!(rows.contains("SESSION#") && rows.contains("ONCE#SSO-TICKET#"));
    for secret in [
        token,
        ticket.text("sso_ticket"),
        refreshed.text("session_token"),
        "fingerprint-canary",
    ] {
        assert!(!rows.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_issuer_is_published_and_may_be_kept_for_five_minutes() {
    let stack = Stack::start().await;
    let login = Sender::device("phone").log_in(&stack, &stack.code()).await;
    let get = async |path: &str, known: &str| {
        let url = format!("{}{path}", stack.server.base_url());
        let asked = http_client().get(url).header("if-none-match", known);
        asked.send().await.unwrap()
    };
    let reply = get("/.well-known/openid-configuration", "").await;
    let configuration: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(configuration["issuer"], stack.server.base_url());
    let keys = configuration["jwks_uri"].as_str().unwrap();
    let path = keys.strip_prefix(&stack.server.base_url()).unwrap();

    let reply = get(path, "").await;
    assert_eq!(reply.headers()["cache-control"], "public, max-age=300");
    let tag = reply.headers()["etag"].to_str().unwrap().to_owned();
    let keys: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    let header = login.text("id_token").split('.').next().unwrap().to_owned();
    let key = &keys["keys"][0];
    // As `{"kid":…}` in the token's header.
    let token_header = claims(&format!(".{header}"));
    assert_eq!(token_header["kid"], key["kid"]);
    assert_eq!(
        key.as_object().unwrap().len(),
        6,
        "nothing of the private key: {key}"
    );

    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"a\", {tag}"),
        "*".to_owned(),
    ] {
        let reply = get(path, &known).await;
        assert_eq!(reply.status(), 304, "{known}");
        assert_eq!(reply.headers()["etag"], &*tag);
        assert_eq!(reply.text().await.unwrap(), "");
    }
    assert_eq!(get(path, "\"another\"").await.status(), 200);
}

#[test]
fn a_refusal_is_logged_once_with_its_reason_and_its_client_and_without_the_token() {
    in_a_process_of_its_own(
        "sessions::a_refusal_is_logged_once_with_its_reason_and_its_client_and_without_the_token",
        async {
            let stack = Stack::start().await;
            let token = session(&stack).await;
            let device = Sender::device("phone");
            let body = json!({"session_token": token}).to_string();
            device.ask(&stack, "POST", LOGOUT, &body).await;
            let log = log_of_everything();
            device.ask(&stack, "POST", REFRESH_ID_TOKEN, &body).await;
            let text = log.text();
            let refused: Vec<_> = text
                .lines()
                .filter(|line| line.contains("WARN") || line.contains("ERROR"))
                .collect();
            assert_eq!(refused.len(), 1, "{}", refused.join("\n"));
            for part in [
                "unauthenticated",
                "SessionToken",
                "local",
                "revoked",
                "request_id",
            ] {
                assert!(refused[0].contains(part), "{part}: {}", refused[0]);
            }
            // A client that nobody knows may be a secret in the wrong place.
            let pasted = device.with("X-client-id", "canary-pasted-here");
            pasted.ask(&stack, "POST", REFRESH_ID_TOKEN, &body).await;
            log.assert_without(&[token]);
            assert!(log.text().contains("an unknown client"));
            let lines = log.text();
            let told = lines
                .lines()
                .filter(|line| line.contains("unauthenticated"))
                .filter(|line| line.contains("canary"));
            assert_eq!(told.count(), 0);
        },
    );
}
