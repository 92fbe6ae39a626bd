//! The logins beside code2Session: OneAccess' SDK API with its sessions, the login of an app, and the two in a browser.

use serde_json::{Value, json};

use super::{Example, FromAlipay, curl, keeping, line, with_variables};
use crate::doors::LANDING;
use crate::local_login::LOCAL_CLIENT;
use crate::server::DevServer;

/// Any text that stays the same on a device.
const DEVICE: &str = "0123456789abcdef";

/// In an order in which they work when pasted one after the other, behind those before.
pub(super) fn examples(server: &DevServer, base: &str, from_alipay: &FromAlipay) -> Vec<Example> {
    let lines = Lines::new(server, base);
    let mut examples = lines.oneaccess(&from_alipay.sdk_code);
    examples.extend(lines.app(&from_alipay.app_code));
    examples.extend(lines.browser());
    examples
}

struct Lines<'a> {
    base: &'a str,
    app_id: &'a str,
    client: String,
    secret: String,
    /// Where the client's users come back to.
    landing: String,
}

impl<'a> Lines<'a> {
    fn new(server: &'a DevServer, base: &'a str) -> Self {
        let app_id = server.app_ids().first().map_or("", String::as_str);
        let login = server.login();
        // A secret of the developer's own is not printed.
        let (client, secret, landing) = match login.secret() {
            Some(secret) => (
                LOCAL_CLIENT.to_owned(),
                secret.to_owned(),
                format!("{base}{LANDING}"),
            ),
            None => {
                let client = login.document().client_of_app(app_id);
                let landing = client.redirect_uris.first().cloned();
                (
                    client.id,
                    "PASTE-THE-CLIENTS-SECRET".to_owned(),
                    landing.unwrap_or_else(|| "PASTE-A-redirectUri-OF-THE-CLIENT".to_owned()),
                )
            }
        };
        Self {
            base,
            app_id,
            client,
            secret,
            landing,
        }
    }

    fn oneaccess(&self, code: &str) -> Vec<Example> {
        let Self {
            base,
            client,
            secret,
            ..
        } = self;
        let device = json!({
            "operating_sys_version": "iOS 17.0",
            "device_fingerprint": DEVICE,
            "device_ip": "127.0.0.1",
        });
        let as_sdk = |path: &str| {
            format!(
                "{base}{path} -H 'X-client-id: {client}' -H 'X-device-fingerprint: {DEVICE}' -H 'X-operating-sys-version: iOS 17.0' -H 'X-agent: demo/1.0'"
            )
        };
        let of_device = |path: &str, member: &str, variable: &str| {
            let mut arguments = device.clone();
            arguments[member] = variable.into();
            self.as_tenant(path, &arguments)
        };
        let session = |path: &str| of_device(path, "session_token", "$SESSION");
        vec![
            Example::new(
                "a login as OneAccess' SDK API has it",
                keeping(
                    "SESSION",
                    "session_token",
                    &curl(
                        &as_sdk("/api/v3/sdk/login/alipay"),
                        &json!({ "code": code }),
                    ),
                ),
            ),
            Example::new(
                "a tenant token, with which a server asks about sessions",
                keeping(
                    "TENANT",
                    "access_token",
                    &format!(
                        "curl -s {base}/api/v2/tenant/token -u {client}:{secret} -d grant_type=client_credentials"
                    ),
                ),
            ),
            Example::new(
                "a ticket for single sign-on",
                keeping(
                    "TICKET",
                    "sso_ticket",
                    &session("sso/session-token/sso-ticket"),
                ),
            ),
            Example::new(
                "whose it is; it works once",
                line(of_device("sso/sso-ticket/verify", "sso_ticket", "$TICKET")),
            ),
            Example::new(
                "the session goes on with another token",
                keeping(
                    "SESSION",
                    "session_token",
                    &session("sso/session-token/refresh"),
                ),
            ),
            Example::new(
                "another id_token of the session",
                line(with_variables(
                    &as_sdk("/api/v2/sdk/session-token/refresh-id-token"),
                    &json!({"session_token": "$SESSION"}),
                )),
            ),
            Example::new(
                "the session's end",
                line(with_variables(
                    &as_sdk("/api/v2/sdk/logout"),
                    &json!({"session_token": "$SESSION"}),
                )),
            ),
            Example::new(
                "the keys that id_tokens are verified with",
                line(format!("curl -s {base}/.well-known/jwks.json")),
            ),
        ]
    }

    fn as_tenant(&self, path: &str, arguments: &Value) -> String {
        let base = self.base;
        let url = format!("{base}/api/v2/tenant/{path} -H \"authorization: Bearer $TENANT\"");
        with_variables(&url, arguments)
    }

    fn app(&self, code: &str) -> [Example; 2] {
        let base = self.base;
        let login = json!({"auth_code": code, "target_id": "$TARGET"});
        [
            Example::new(
                "app.getAuthInfo: the login string for Alipay's SDK in an app",
                keeping(
                    "TARGET",
                    "target_id",
                    &curl(
                        &format!("{base}/openapi/alipay/app/getAuthInfo"),
                        &json!({}),
                    ),
                ),
            ),
            Example::new(
                "app.login, with what the SDK answered",
                line(with_variables(
                    &format!("{base}/openapi/alipay/app/login"),
                    &login,
                )),
            ),
        ]
    }

    /// The addresses are for a browser as well.
    fn browser(&self) -> [Example; 4] {
        let Self {
            base,
            app_id,
            client,
            secret,
            landing,
        } = self;
        [
            Example::new(
                "the login of a web page (h5-oauth): open the address in a browser, or have curl be one",
                arriving(
                    "TICKET",
                    "ticket",
                    &format!("{base}/h5/authorize?appid={app_id}&return_to={landing}"),
                ),
            ),
            Example::new(
                "what the page's server does with the ticket",
                line(with_variables(
                    &format!("{base}/h5/ticket"),
                    &json!({"ticket": "$TICKET"}),
                )),
            ),
            Example::new(
                "OpenID Connect (oidc): likewise",
                arriving(
                    "CODE",
                    "code",
                    &format!(
                        "{base}/authorize?response_type=code&client_id={client}&scope=openid&state=s&nonce=n&redirect_uri={landing}"
                    ),
                ),
            ),
            Example::new(
                "what the client's server does with the code",
                line(format!(
                    "curl -s {base}/token -u {client}:{secret} -d grant_type=authorization_code -d redirect_uri={landing} -d \"code=$CODE\""
                )),
            ),
        ]
    }
}

/// Walks through the redirects with cookies as a browser does, and keeps the `parameter` of the address that they end at.
fn arriving(variable: &str, parameter: &str, address: &str) -> String {
    format!(
        r#"ADDRESS=$(curl -s -L -b '' -o /dev/null -w '%{{url_effective}}' '{address}'); echo "$ADDRESS"; {variable}=$(echo "$ADDRESS" | sed -n 's/.*[?&]{parameter}=\([^&]*\).*/\1/p')"#
    )
}
