//! The routes of the development server and those of `template.yaml` are the same.

use std::collections::{BTreeMap, BTreeSet};

use dev_server::{Api, ROUTES, Who, timeout_of};
use serde_json::{Value, json};
use tests::{Stack, http_client, root};

/// A route as `template.yaml` has it.
type TemplateRoute = (&'static str, String, String, String, Who);

/// The routes of both APIs, which the template keeps in plain form: those of `Api` as events of their functions, those of `LoginApi` as
/// resources behind the function whose integration they lead to.
fn routes_of_the_template() -> BTreeSet<TemplateRoute> {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let value = |line: &str, name: &str| {
        line.trim()
            .strip_prefix(name)
            .map(|value| value.trim().to_owned())
    };
    let (mut resource, mut function) = (String::new(), String::new());
    let (mut method, mut path, mut who) = (String::new(), String::new(), None);
    // The folder of each function, by its name in the template.
    let mut folders = BTreeMap::new();
    let mut routes = BTreeSet::new();
    for line in template.lines() {
        if let Some(name) = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'))
            && !name.starts_with(' ')
        {
            name.clone_into(&mut resource);
        } else if let Some(folder) = value(line, "CodeUri: target/lambda/") {
            folders.insert(resource.clone(), folder.clone());
            function = folder;
        } else if let Some(found) = value(line, "Method:") {
            method = found;
        } else if let Some(found) = value(line, "Path:") {
            path = found;
        } else if let Some(authorizer) = value(line, "Authorizer:") {
            let who = who_is(&authorizer);
            routes.insert(("Api", function.clone(), method.clone(), path.clone(), who));
        } else if let Some(key) = value(line, "RouteKey:") {
            let (its_method, its_path) = key.split_once(' ').unwrap();
            (method, path) = (its_method.to_owned(), its_path.to_owned());
        } else if let Some(kind) = value(line, "AuthorizationType:") {
            who = Some(who_is(&kind));
        } else if let Some(target) = value(line, "Target: !Sub \"integrations/${") {
            let name = target.strip_suffix("Integration}\"").unwrap();
            let function = folders[name].clone();
            let who = who.take().unwrap();
            routes.insert(("LoginApi", function, method.clone(), path.clone(), who));
        }
    }
    routes
}

fn who_is(authorizer: &str) -> Who {
    match authorizer {
        "NONE" => Who::Public,
        "SignedIn" => Who::SignedIn,
        "AWS_IAM" => Who::Iam,
        other => panic!("an authorizer that the code does not know: {other}"),
    }
}

#[test]
fn the_template_has_the_routes_of_the_code_with_the_same_rules_about_who_may_call() {
    let ours: BTreeSet<TemplateRoute> = ROUTES
        .iter()
        .map(|route| {
            (
                match route.api {
                    Api::Functions => "Api",
                    Api::Login => "LoginApi",
                },
                route.function.to_owned(),
                route.method.to_owned(),
                route.path.to_owned(),
                route.who,
            )
        })
        .collect();
    let theirs = routes_of_the_template();
    let only_ours: Vec<_> = ours.difference(&theirs).collect();
    let only_theirs: Vec<_> = theirs.difference(&ours).collect();
    assert!(
        only_ours.is_empty() && only_theirs.is_empty(),
        "only in the code: {only_ours:#?}\nonly in the template: {only_theirs:#?}"
    );
}

#[test]
fn the_template_gives_each_function_the_timeout_that_the_code_reckons_with() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let value = |line: &str, name: &str| line.trim().strip_prefix(name).map(str::to_owned);
    // Of all functions until one names its own, which stands in the same block as its folder.
    let (mut of_all, mut function) = (None, None);
    let mut of_one = BTreeMap::new();
    let mut folders = Vec::new();
    for line in template.lines() {
        if let Some(folder) = value(line, "CodeUri: target/lambda/") {
            folders.push(folder.clone());
            function = Some(folder);
        } else if let Some(seconds) = value(line, "Timeout: ") {
            match &function {
                None => of_all = Some(seconds),
                Some(function) => drop(of_one.insert(function.clone(), seconds)),
            }
        }
    }
    assert!(!folders.is_empty());
    for folder in folders {
        let seconds = of_one.get(&folder).or(of_all.as_ref());
        let ours = timeout_of(&folder).as_secs().to_string();
        assert_eq!(seconds, Some(&ours), "{folder}");
    }
}

#[tokio::test]
async fn a_route_lets_through_whom_it_is_for() {
    let stack = Stack::start().await;
    let base = stack.server.base_url();
    let http = http_client();
    for route in ROUTES {
        let path = route.path.replace("{appid}", &stack.app().app_id);
        let asked = match route.method {
            "GET" => http.get(format!("{base}{path}")),
            _ => http.post(format!("{base}{path}")).body("{}"),
        };
        let reply = asked.send().await.unwrap();
        let status = reply.status().as_u16();
        let text = reply.text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        match route.who {
            // The function itself answers, whatever it thinks of the request.
            Who::Public => assert!(
                status != 403 && status != 404 && status < 500,
                "{route:?} {text}"
            ),
            Who::SignedIn => assert_eq!(
                (status, &answer),
                (401, &json!({"message": "Unauthorized"})),
                "{route:?}"
            ),
            Who::Iam => {
                assert_eq!(
                    (status, &answer["error"]),
                    (403, &json!("forbidden")),
                    "{route:?}"
                );
                assert!(answer["hint"].as_str().unwrap().contains(route.function));
            }
        }
    }
    let received = stack.simulator().received();
    assert!(
        received.is_empty(),
        "nobody of these was let through to Alipay: {received:?}"
    );
}

#[tokio::test]
async fn an_unknown_path_lists_the_routes() {
    let stack = Stack::start().await;
    let (status, answer) = stack.post("/openapi/alipay/nope", "{}").await;
    assert_eq!(status, 404);
    let listed = answer["routes"].to_string();
    for route in ROUTES {
        assert!(listed.contains(route.path), "{listed}");
    }
}

#[tokio::test]
async fn an_unknown_function_is_named_as_lambda_does() {
    let stack = Stack::start().await;
    let (status, answer) = stack
        .post("/2015-03-31/functions/nope/invocations", "{}")
        .await;
    assert_eq!(status, 404);
    assert!(
        answer["Message"]
            .as_str()
            .unwrap()
            .contains("get-mini-code"),
        "{answer}"
    );
}
