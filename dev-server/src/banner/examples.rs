//! A command line for each function.

mod logins;
mod payments;

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{CodeOptions, Scope, SimulatedApp, SimulatedUser, Simulator};

use crate::functions::REFRESH_TOKENS;
use crate::server::{DevServer, Gateway};

/// Long enough to come back to the terminal after lunch.
const CODE_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// A merchant's app that authorises the simulated one, which is then an ISV's.
const MERCHANT_APP: &str = "2021000000000101";

/// A command line to paste.
pub(super) struct Example {
    pub(super) title: String,
    pub(super) line: String,
}

/// What comes from Alipay's side and has to be in a call for it to work.
struct FromAlipay {
    code: String,
    /// Of the SDK that calls the routes of OneAccess.
    sdk_code: String,
    /// Of the SDK that the login string was handed to.
    app_code: String,
    phone_number: String,
    app_auth_code: String,
}

impl FromAlipay {
    fn simulated(simulator: &Simulator, app: &SimulatedApp) -> Self {
        let code = || {
            let options = CodeOptions {
                scope: Scope::AuthUser,
                lifetime: CODE_LIFETIME,
                ..CodeOptions::default()
            };
            simulator.issue_code(&app.app_id, options)
        };
        Self {
            code: code(),
            sdk_code: code(),
            app_code: code(),
            phone_number: simulator.phone_number(&app.app_id, SimulatedUser::DEFAULT_USER_ID),
            app_auth_code: simulator.authorize_merchant(&app.app_id, MERCHANT_APP),
        }
    }

    fn to_be_pasted() -> Self {
        Self {
            code: "PASTE-THE-CODE-OF-my.getAuthCode".to_owned(),
            sdk_code: "PASTE-THE-auth_code-OF-THE-SDK".to_owned(),
            app_code: "PASTE-THE-auth_code-OF-THE-SDK".to_owned(),
            phone_number: "PASTE-THE-RESPONSE-OF-my.getPhoneNumber".to_owned(),
            app_auth_code: "PASTE-THE-app_auth_code-OF-THE-CALLBACK".to_owned(),
        }
    }
}

impl Example {
    fn new(title: &str, line: String) -> Self {
        Self {
            title: title.to_owned(),
            line,
        }
    }
}

/// One for each function, in an order in which they work when pasted one after the other.
pub(super) fn examples(server: &DevServer, base: &str) -> Vec<Example> {
    let direct = |title: &str, function: &str, arguments: Value| {
        let url = format!("{base}/2015-03-31/functions/{function}/invocations");
        Example::new(title, line(curl(&url, &arguments)))
    };
    let signed_in = |title: &str, path: &str, arguments: Value| {
        let url = format!("{base}/openapi/alipay/{path} -H \"authorization: Bearer $TOKEN\"");
        Example::new(title, line(curl(&url, &arguments)))
    };
    let from_alipay = match server.gateway() {
        Gateway::Simulated(simulated) => FromAlipay::simulated(&simulated.0, &simulated.1),
        Gateway::Configured => FromAlipay::to_be_pasted(),
    };
    let user = SimulatedUser::DEFAULT_USER_ID;
    let template = "da4ce1b528614c7fae371bcad1914ebe";
    let data = json!({"keyword1": {"value": "11"}, "keyword2": {"value": "22"}});
    let mut lines = vec![
        Example::new(
            "auth.code2Session (a code works once; the same request within a minute gets the same answer)",
            keeping(
                "TOKEN",
                "token",
                &curl(
                    &format!("{base}/openapi/alipay/auth/code2Session"),
                    &json!({"code": from_alipay.code}),
                ),
            ),
        ),
        signed_in(
            "user.getUserInfo, as the user who logged in above",
            "user/getUserInfo",
            json!({}),
        ),
        signed_in(
            "urlscheme.generate, as the same user",
            "urlscheme/generate",
            json!({"path": "pages/index/index", "query": "a=1&b=2"}),
        ),
        direct(
            "user.getUserInfo, with the stored token of any user",
            "user-info",
            json!({"openid": user}),
        ),
        direct(
            "decrypt.getPhoneNumber",
            "decrypt",
            json!({"response": from_alipay.phone_number}),
        ),
        direct(
            "acode.getMiniCode",
            "get-mini-code",
            json!({"page": "pages/index/index", "scene": "a=1&b=2"}),
        ),
        direct(
            "acode.getTempMiniCode",
            "get-temp-mini-code",
            json!({"page": "pages/index/index", "scene": "a=1&b=2", "timeout": 3600}),
        ),
        direct(
            "urlscheme.generate, urllink.generate",
            "launch-link",
            json!({"path": "pages/index/index", "query": "a=1&b=2"}),
        ),
        direct(
            "security.msgSecCheck (the simulated gateway refuses texts with simulator-reject in them)",
            "msg-sec-check",
            json!({"content": "今天天气很好"}),
        ),
        direct(
            "security.imgSecCheck",
            "img-sec-check",
            json!({"image": "https://img.example.com/cat.png"}),
        ),
        direct(
            "subscribeMessage.send",
            "subscribe-message-send",
            json!({"touser": user, "template_id": template, "page": "pages/index/index", "data": data}),
        ),
        direct(
            "subscribeMessage.batchSend",
            "subscribe-message-batch-send",
            json!({"template_id": template, "page": "pages/index/index", "data": data}),
        ),
        direct(
            "subscribeMessage.query",
            "subscribe-message-query",
            json!({"touser": user, "template_id_list": [template]}),
        ),
        direct(
            "request",
            "generic-request",
            json!({
                "method": "alipay.open.app.qrcode.create",
                "data": {"biz_content": {"url_param": "pages/index/index", "query_param": "a=1&b=2", "describe": "推广"}},
            }),
        ),
        direct(
            "isv.getAuthLink",
            "isv-auth-link",
            json!({"redirectUri": "https://isv.example.com/callback"}),
        ),
        direct(
            "isv.getAuthToken, with what comes to that address",
            "isv-auth-token",
            json!({"app_auth_code": from_alipay.app_auth_code}),
        ),
        direct(
            "isv.queryAuth",
            "isv-auth-query",
            json!({"authAppId": MERCHANT_APP}),
        ),
        direct(
            "request in the merchant's name",
            "generic-request",
            json!({
                "method": "alipay.open.app.qrcode.create",
                "authAppId": MERCHANT_APP,
                "data": {"biz_content": {"url_param": "pages/index/index", "query_param": "a=1", "describe": "推广"}},
            }),
        ),
        direct(
            "the accounts of an app that moves to open ids (the user who logged in above has one under both ids already)",
            "link-open-ids",
            json!({"userIds": [user]}),
        ),
        direct(
            "what the schedule does every minute: refresh the tokens that are due (none of those above is yet)",
            REFRESH_TOKENS,
            json!({"sweep": {}}),
        ),
    ];
    lines.extend(payments::examples(server, base));
    lines.extend(logins::examples(server, base, &from_alipay));
    if let Gateway::Simulated(simulated) = server.gateway() {
        let (simulator, app) = simulated.as_ref();
        let url = format!("{}/_simulator/codes", simulator.base_url());
        let arguments = json!({"app_id": app.app_id, "scope": "auth_user"});
        lines.push(Example::new(
            "another login code",
            line(curl(&url, &arguments)),
        ));
    }
    lines
}

/// The arguments stand between single quotes; none that Alipay or the simulator makes has one in it.
fn curl(url: &str, arguments: &Value) -> String {
    format!("curl -s {url} -H 'content-type: application/json' -d '{arguments}'")
}

/// The command on a line of its own: answers end without a line break.
fn line(command: impl Display) -> String {
    format!("{command}; echo")
}

/// The same with arguments in which the shell puts what it has kept.
fn with_variables(url: &str, arguments: &Value) -> String {
    let quoted = arguments.to_string().replace('"', "\\\"");
    format!("curl -s {url} -H 'content-type: application/json' -d \"{quoted}\"")
}

/// Shows the answer of `command` and keeps its `member`, a text, in the shell's `variable` for the lines that follow.
fn keeping(variable: &str, member: &str, command: &str) -> String {
    keeping_all(&[(variable, member)], command)
}

/// The same with several pairs of a variable and a member.
fn keeping_all(kept: &[(&str, &str)], command: &str) -> String {
    let mut line = format!(r#"ANSWER=$({command}); echo "$ANSWER""#);
    for (variable, member) in kept {
        line.push_str(&format!(
            r#"; {variable}=$(echo "$ANSWER" | sed -n 's/.*"{member}":"\([^"]*\)".*/\1/p')"#
        ));
    }
    line
}
