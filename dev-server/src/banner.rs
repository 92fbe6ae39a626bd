use std::fmt::Write;
use std::time::Duration;

use serde_json::json;
use simulator::{CodeOptions, Scope, SimulatedApp, SimulatedUser, Simulator};

use crate::routes::{ROUTES, Who};
use crate::server::{DevServer, Gateway};

/// Long enough to come back to the terminal after lunch.
const CODE_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// What is printed at the start: where everything is, and a command line for each function that works when pasted.
pub fn banner(server: &DevServer, data: Option<&str>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(server, data, &mut text);
    text
}

fn write(server: &DevServer, data: Option<&str>, out: &mut String) -> std::fmt::Result {
    let base = server.base_url();
    writeln!(out, "alipay-functions is running on {base}\n")?;
    writeln!(out, "  apps       {}", server.app_ids().join(", "))?;
    match server.gateway() {
        Gateway::Simulated(simulated) => {
            let simulator = &simulated.0;
            writeln!(
                out,
                "  gateway    {} (simulated; control: {}/_simulator/)",
                simulator.gateway_url(),
                simulator.base_url()
            )?;
        }
        Gateway::Configured => writeln!(out, "  gateway    as configured for each app")?,
    }
    writeln!(
        out,
        "  DynamoDB   {} ({})",
        server.table().endpoint(),
        data.unwrap_or("in memory")
    )?;
    writeln!(out, "\nRoutes")?;
    for route in ROUTES {
        let who = match route.who {
            Who::Public => "public",
            Who::Iam => "IAM",
        };
        writeln!(
            out,
            "  {:<6} {:<42} {:<7} {}",
            route.method, route.path, who, route.function
        )?;
    }
    writeln!(
        out,
        "  {:<6} {:<42} {:<7} any function, directly\n",
        "POST", "/2015-03-31/functions/NAME/invocations", "IAM"
    )?;
    writeln!(out, "Try them (paste as they stand)\n")?;
    for (title, line) in examples(server, &base) {
        writeln!(out, "# {title}\n{line}\n")?;
    }
    writeln!(out, "Stop with Ctrl-C.")
}

fn examples(server: &DevServer, base: &str) -> Vec<(String, String)> {
    let (code, more) = match server.gateway() {
        Gateway::Simulated(simulated) => {
            let (simulator, app) = simulated.as_ref();
            (
                issue_code(simulator, app),
                Some(another_code(simulator, app)),
            )
        }
        Gateway::Configured => ("PASTE-THE-CODE-OF-my.getAuthCode".to_owned(), None),
    };
    let user = SimulatedUser::DEFAULT_USER_ID;
    let direct = |function: &str, arguments: serde_json::Value| {
        format!("curl -s {base}/2015-03-31/functions/{function}/invocations -d '{arguments}'; echo")
    };
    let mut lines = vec![
        (
            "auth.code2Session (a code works once; the same request within a minute gets the same answer)".to_owned(),
            format!("curl -s {base}/openapi/alipay/auth/code2Session -d '{}'; echo", json!({"code": code})),
        ),
        (
            "acode.getMiniCode".to_owned(),
            direct("get-mini-code", json!({"page": "pages/index/index", "scene": "a=1&b=2"})),
        ),
        (
            "subscribeMessage.send".to_owned(),
            direct(
                "subscribe-message-send",
                json!({
                    "touser": user,
                    "template_id": "da4ce1b528614c7fae371bcad1914ebe",
                    "page": "pages/index/index",
                    "data": {"keyword1": {"value": "11"}, "keyword2": {"value": "22"}},
                }),
            ),
        ),
        (
            "request".to_owned(),
            direct(
                "generic-request",
                json!({
                    "method": "alipay.open.app.qrcode.create",
                    "data": {"biz_content": {"url_param": "pages/index/index", "query_param": "a=1&b=2", "describe": "推广"}},
                }),
            ),
        ),
    ];
    if let Some(more) = more {
        lines.push((
            "request with the stored token of the user who logged in above".to_owned(),
            direct(
                "generic-request",
                json!({"method": "alipay.user.info.share", "openid": user}),
            ),
        ));
        lines.push(("another login code".to_owned(), more));
    }
    lines
}

fn issue_code(simulator: &Simulator, app: &SimulatedApp) -> String {
    let options = CodeOptions {
        scope: Scope::AuthUser,
        lifetime: CODE_LIFETIME,
        ..CodeOptions::default()
    };
    simulator.issue_code(&app.app_id, options)
}

fn another_code(simulator: &Simulator, app: &SimulatedApp) -> String {
    let arguments = json!({"app_id": app.app_id, "scope": "auth_user"});
    format!(
        "curl -s {}/_simulator/codes -H 'content-type: application/json' -d '{arguments}'; echo",
        simulator.base_url()
    )
}
