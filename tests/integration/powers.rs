//! The binaries are tested with the settings that `template.yaml` gives them, no more and no fewer.

use std::collections::{BTreeMap, BTreeSet};

use tests::{Power, Stack, root};

/// The settings that a function may be left without.
const OPTIONAL: [&str; 7] = [
    "ALIPAY_ALLOW_CALLER_KEYS",
    "CONFIGURATION_VERSION",
    "DUE_SHARDS",
    "REFRESH_QUEUE_URL",
    "REFRESH_RATE",
    "RESCUE_QUEUE_URL",
    "RUST_LOG",
];

/// The names of the variables that the template gives each function, with local files for secrets.
fn variables_of_the_template() -> BTreeMap<String, BTreeSet<String>> {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // Those of all functions stand before the first one.
    let mut of_all = BTreeSet::new();
    let (mut folder, mut indent) = (None, None);
    for line in template.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(name) = line.strip_prefix("CodeUri: target/lambda/") {
            found.insert(name.to_owned(), of_all.clone());
            folder = Some(name.to_owned());
        } else if line == "Variables:" {
            indent = Some(depth);
        } else if indent.is_some_and(|indent| depth <= indent) {
            indent = None;
        } else if let (Some(_), Some((name, value))) = (indent, line.split_once(':'))
            && !line.starts_with('#')
            && !OPTIONAL.contains(&name)
        {
            let variables = match &folder {
                Some(folder) => found.entry(folder.clone()).or_default(),
                None => &mut of_all,
            };
            let name = name.replace("_SECRET", "_FILE");
            if value.trim() == "!Ref AWS::NoValue" {
                variables.remove(&name);
            } else {
                variables.insert(name);
            }
        }
    }
    found
}

#[tokio::test]
async fn each_binary_is_given_what_the_template_gives_its_function() {
    let template = variables_of_the_template();
    let stack = Stack::start().await;
    let functions: BTreeSet<String> = stack
        .server
        .functions()
        .names()
        .map(str::to_owned)
        .collect();
    assert_eq!(functions, template.keys().cloned().collect());
    for (function, variables) in template {
        let ours: BTreeSet<String> = Power::of(&function)
            .variables()
            .iter()
            // AWS itself needs none.
            .filter(|name| !name.starts_with("AWS_ENDPOINT_URL"))
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(ours, variables, "{function}");
    }
}
