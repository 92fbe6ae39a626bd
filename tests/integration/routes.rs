//! The routes of the development server and those of `template.yaml` are the same.

use std::collections::{BTreeMap, BTreeSet};

use dev_server::{ROUTES, Who, timeout_of};
use serde_json::json;
use tests::{Stack, root};

/// `(function, method, path, public)` of every HTTP event in the template, which keeps them in plain form.
fn routes_of_the_template() -> BTreeSet<(String, String, String, bool)> {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let value = |line: &str, name: &str| {
        line.trim()
            .strip_prefix(name)
            .map(|value| value.trim().to_owned())
    };
    let (mut function, mut method, mut path) = (String::new(), String::new(), String::new());
    let mut routes = BTreeSet::new();
    for line in template.lines() {
        if let Some(folder) = value(line, "CodeUri: target/lambda/") {
            function = folder;
        } else if let Some(found) = value(line, "Method:") {
            method = found;
        } else if let Some(found) = value(line, "Path:") {
            path = found;
        } else if let Some(authorizer) = value(line, "Authorizer:") {
            routes.insert((
                function.clone(),
                method.clone(),
                path.clone(),
                authorizer == "NONE",
            ));
        }
    }
    routes
}

#[test]
fn the_template_has_the_routes_of_the_code_with_the_same_rules_about_who_may_call() {
    let ours: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| {
            (
                route.function.to_owned(),
                route.method.to_owned(),
                route.path.to_owned(),
                route.who == Who::Public,
            )
        })
        .collect();
    assert_eq!(routes_of_the_template(), ours);
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
async fn only_the_public_route_answers_without_a_signature() {
    let stack = Stack::start().await;
    for route in ROUTES {
        let (status, answer) = stack
            .post(route.path, json!({"code": "x"}).to_string())
            .await;
        match route.who {
            Who::Public => assert_ne!(status, 403, "{}", route.path),
            Who::Iam => {
                assert_eq!(
                    (status, &answer["error"]),
                    (403, &json!("forbidden")),
                    "{}",
                    route.path
                );
                assert!(answer["hint"].as_str().unwrap().contains(route.function));
            }
        }
    }
    assert_eq!(
        stack.simulator().received().len(),
        1,
        "only the public one called Alipay"
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
