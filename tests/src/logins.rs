//! Logins step by step, for what begins in the midst of one.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dev_server::LOCAL_CLIENT;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use url::Url;

use crate::{Event, Stack};

/// The device of the sessions that events ask about.
const DEVICE: &str = "events-device";

/// A way over Alipay's page: where it begins, with the client `local`, and what it is called in events.
struct Web {
    name: &'static str,
    begin: &'static str,
    /// The name of the auth_code in events, which is not the code that an OIDC client gets.
    code: &'static str,
}

const H5: Web = Web {
    name: "events-h5",
    begin: "/h5/authorize?appid={app}&return_to={landing}",
    code: "events-h5-code",
};

const OIDC: Web = Web {
    name: "events-oidc",
    begin: "/authorize?response_type=code&client_id=local&scope=openid%20profile&state=events&nonce=events&redirect_uri={landing}",
    code: "events-oidc-auth-code",
};

/// A login that waits for Alipay's callback.
pub struct WaitingLogin {
    /// The callback's address, with everything that Alipay puts into it.
    pub callback: Url,
    /// The browser's cookie: `name=value`.
    pub cookie: String,
}

impl WaitingLogin {
    fn parameter(&self, name: &str) -> String {
        parameter(&self.callback, name)
    }
}

/// `text`, encrypted to the public key `pem` as OneAccess' `X-signature` is, in base64.
pub fn encrypted_to(pem: &str, text: &str) -> String {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let key = PublicEncryptingKey::from_der(&STANDARD.decode(base64).unwrap()).unwrap();
    let key = OaepPublicEncryptingKey::new(key).unwrap();
    let mut buffer = vec![0; key.ciphertext_size()];
    let text = text.as_bytes();
    let encrypted = key.encrypt(&OAEP_SHA256_MGF1SHA256, text, &mut buffer, None);
    STANDARD.encode(encrypted.unwrap())
}

impl Event {
    fn has(&self, place: &str) -> bool {
        self.text.contains(place)
    }
}

impl Stack {
    /// The event with what logins of this stack hand over, in the places that it has for that. `events/README.md` lists them.
    pub async fn with_logins(&self, event: Event) -> Event {
        let secret = self.server.login().secret().unwrap();
        let mut event = event
            .with_text("events-landing", &self.landing())
            .with_text("events-client-secret", secret)
            .with_text(
                "events-basic-credentials",
                &STANDARD.encode(format!("{LOCAL_CLIENT}:{secret}")),
            );
        if event.has("events-target-id") {
            let (_, answer) = self.post("/openapi/alipay/app/getAuthInfo", "{}").await;
            event = event.with_text("events-target-id", text(&answer, "target_id"));
        }
        if event.has("events-session-token") {
            event = event.with_text("events-session-token", &self.session().await);
        }
        if event.has("events-x-signature") {
            event = event.with_text("events-x-signature", &self.x_signature().await);
        }
        if event.has("events-tenant-token") {
            event = event.with_text("events-tenant-token", &self.tenant_token().await);
        }
        if event.has("events-sso-ticket") {
            event = event.with_text("events-sso-ticket", &self.sso_ticket().await);
        }
        if event.has("events-h5-ticket") {
            let ticket = self.arrived(&H5, "ticket").await;
            event = event.with_text("events-h5-ticket", &ticket);
        }
        if event.has("events-oidc-code") {
            let code = self.arrived(&OIDC, "code").await;
            event = event.with_text("events-oidc-code", &code);
        }
        if event.has("events-access-token") {
            event = event.with_text("events-access-token", &self.access_token().await);
        }
        for web in [H5, OIDC] {
            let (state, cookie) = (
                format!("{}-state", web.name),
                format!("{}-cookie", web.name),
            );
            if [&*state, &cookie, web.code]
                .iter()
                .any(|place| event.has(place))
            {
                let waiting = self.begun(&web).await;
                event = event
                    .with_text(&state, &waiting.parameter("state"))
                    .with_text(&cookie, &waiting.cookie)
                    .with_text(web.code, &waiting.parameter("auth_code"));
            }
        }
        event
    }

    /// Where the users of the client `local` come back to.
    pub fn landing(&self) -> String {
        let client = self.server.login().document().client(LOCAL_CLIENT);
        client.unwrap().return_to[0].clone()
    }

    /// The token of a fresh session of the client `local`.
    pub async fn session(&self) -> String {
        let asked = self
            .http
            .post(self.url("/api/v3/sdk/login/alipay"))
            .header("x-client-id", LOCAL_CLIENT)
            .header("x-device-fingerprint", DEVICE)
            .header("x-operating-sys-version", "iOS 17.0")
            .header("x-agent", "events/1.0")
            .body(json!({"code": self.code()}).to_string());
        text(&json_of(asked).await, "session_token").to_owned()
    }

    /// The header `X-signature` of such a session.
    async fn x_signature(&self) -> String {
        let token = self.session().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let timestamp = now.as_millis();
        let text = format!("session_token={token}&timestamp={timestamp}&nonce={timestamp:x}");
        let encryption = self.server.login().document().request_encryption();
        encrypted_to(encryption.unwrap().public_key(), &text)
    }

    async fn tenant_token(&self) -> String {
        let asked = self
            .http
            .post(self.url("/api/v2/tenant/token"))
            .basic_auth(LOCAL_CLIENT, self.server.login().secret())
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        text(&json_of(asked).await, "access_token").to_owned()
    }

    async fn sso_ticket(&self) -> String {
        let arguments = json!({
            "session_token": self.session().await,
            "operating_sys_version": "iOS 17.0",
            "device_fingerprint": DEVICE,
            "device_ip": "192.0.2.1",
        });
        let asked = self
            .http
            .post(self.url("/api/v2/tenant/sso/session-token/sso-ticket"))
            .bearer_auth(self.tenant_token().await)
            .body(arguments.to_string());
        text(&json_of(asked).await, "sso_ticket").to_owned()
    }

    async fn access_token(&self) -> String {
        let code = self.arrived(&OIDC, "code").await;
        let landing = self.landing();
        let asked = self
            .http
            .post(self.url("/token"))
            .basic_auth(LOCAL_CLIENT, self.server.login().secret())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!(
                "grant_type=authorization_code&code={code}&redirect_uri={landing}"
            ));
        text(&json_of(asked).await, "access_token").to_owned()
    }

    async fn begun(&self, web: &Web) -> WaitingLogin {
        let begin = web
            .begin
            .replace("{app}", &self.app().app_id)
            .replace("{landing}", &self.landing());
        self.begin_web_login(&begin).await
    }

    /// Begins a login at `path`, and has the simulated user agree to it.
    pub async fn begin_web_login(&self, path: &str) -> WaitingLogin {
        let reply = self.http.get(self.url(path)).send().await.unwrap();
        let cookie = reply.headers()[SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let page = location(&reply);
        let reply = self.http.get(page.clone()).send().await.unwrap();
        let callback = if reply.status().is_redirection() {
            location(&reply)
        } else {
            let agreeing = self
                .http
                .post(page)
                .header("content-type", "application/x-www-form-urlencoded")
                .body("decision=agree");
            location(&agreeing.send().await.unwrap())
        };
        WaitingLogin { callback, cookie }
    }

    /// Where the browser is sent after Alipay's callback.
    pub async fn end_web_login(&self, waiting: &WaitingLogin) -> Url {
        let asked = self.http.get(waiting.callback.clone());
        let reply = asked.header(COOKIE, &waiting.cookie).send().await.unwrap();
        location(&reply)
    }

    async fn arrived(&self, web: &Web, name: &str) -> String {
        let waiting = self.begun(web).await;
        parameter(&self.end_web_login(&waiting).await, name)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }
}

async fn json_of(asked: RequestBuilder) -> Value {
    let text = asked.send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

fn location(reply: &Response) -> Url {
    let location = reply.headers().get(LOCATION);
    let location = location.unwrap_or_else(|| panic!("no redirect: {reply:?}"));
    location.to_str().unwrap().parse().unwrap()
}

fn parameter(address: &Url, name: &str) -> String {
    let mut pairs = address.query_pairs();
    let found = pairs.find(|(known, _)| known == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {address}"))
        .1
        .into_owned()
}

fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {answer}"))
}
