//! A command line for each function.

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
    phone_number: String,
    app_auth_code: String,
}

impl FromAlipay {
    fn simulated(simulator: &Simulator, app: &SimulatedApp) -> Self {
        let options = CodeOptions {
            scope: Scope::AuthUser,
            lifetime: CODE_LIFETIME,
            ..CodeOptions::default()
        };
        Self {
            code: simulator.issue_code(&app.app_id, options),
            phone_number: simulator.phone_number(&app.app_id, SimulatedUser::DEFAULT_USER_ID),
            app_auth_code: simulator.authorize_merchant(&app.app_id, MERCHANT_APP),
        }
    }

    fn to_be_pasted() -> Self {
        Self {
            code: "PASTE-THE-CODE-OF-my.getAuthCode".to_owned(),
            phone_number: "PASTE-THE-RESPONSE-OF-my.getPhoneNumber".to_owned(),
            app_auth_code: "PASTE-THE-app_auth_code-OF-THE-CALLBACK".to_owned(),
        }
    }
}

/// One for each function, in an order in which they work when pasted one after the other.
pub(super) fn examples(server: &DevServer, base: &str) -> Vec<Example> {
    let example = |title: &str, line: String| Example {
        title: title.to_owned(),
        line,
    };
    let direct = |title: &str, function: &str, arguments: Value| {
        let url = format!("{base}/2015-03-31/functions/{function}/invocations");
        example(title, curl(&url, &arguments))
    };
    let from_alipay = match server.gateway() {
        Gateway::Simulated(simulated) => FromAlipay::simulated(&simulated.0, &simulated.1),
        Gateway::Configured => FromAlipay::to_be_pasted(),
    };
    let user = SimulatedUser::DEFAULT_USER_ID;
    let template = "da4ce1b528614c7fae371bcad1914ebe";
    let data = json!({"keyword1": {"value": "11"}, "keyword2": {"value": "22"}});
    let mut lines = vec![
        example(
            "auth.code2Session (a code works once; the same request within a minute gets the same answer)",
            curl(
                &format!("{base}/openapi/alipay/auth/code2Session"),
                &json!({"code": from_alipay.code}),
            ),
        ),
        direct(
            "user.getUserInfo, with the stored token of the user who logged in above",
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
            "what the schedule does every minute: refresh the tokens that are due (none of those above is yet)",
            REFRESH_TOKENS,
            json!({"sweep": {}}),
        ),
    ];
    if let Gateway::Simulated(simulated) = server.gateway() {
        let (simulator, app) = simulated.as_ref();
        let url = format!("{}/_simulator/codes", simulator.base_url());
        lines.push(example(
            "another login code",
            curl(&url, &json!({"app_id": app.app_id, "scope": "auth_user"})),
        ));
    }
    lines
}

/// The arguments stand between single quotes; none that Alipay or the simulator makes has one in it.
fn curl(url: &str, arguments: &Value) -> String {
    format!("curl -s {url} -H 'content-type: application/json' -d '{arguments}'; echo")
}
