//! An app that Alipay moves from user ids to open ids keeps its accounts: by logins while both are named, and by `link-open-ids`.

use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use aws_sdk_dynamodb::types::AttributeValue;
use dev_server::IDENTITY_TABLE;
use function_kit::Invocation;
use function_logins::{Accounts, WallTime};
use identity::{IdentityTable, Person};
use serde_json::{Value, json};
use simulator::{CodeOptions, Fault, FaultKind, Identifiers};
use tests::Stack;

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};

const ANNE: &str = "2088000000000011";
const BERT: &str = "2088000000000012";
const CLAIRE: &str = "2088000000000013";
const DORA: &str = "2088000000000014";
const NOBODY: &str = "2088999999999999";

const OF_USERS: &str = "alipay.open.app.openid.uidtoopenid.batchquery";
const OF_ORDER: &str = "alipay.open.app.openid.batchquery";

/// A stack whose app names its users by these.
async fn stack_with(identifiers: Identifiers) -> Stack {
    let stack = Stack::start().await;
    switch(&stack, identifiers);
    stack
}

fn switch(stack: &Stack, identifiers: Identifiers) {
    let app_id = &stack.app().app_id;
    stack.simulator().change_identifiers(app_id, identifiers);
}

/// Logs a user of `stack`'s app in to `to`, which may be another deployment of it.
async fn log_in_to(to: &Stack, stack: &Stack, user: &str) -> Value {
    let options = CodeOptions {
        user: user.to_owned(),
        ..CodeOptions::default()
    };
    let code = stack.simulator().issue_code(&stack.app().app_id, options);
    let (status, answer) = to.log_in(&code).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn log_in(stack: &Stack, user: &str) -> Value {
    log_in_to(stack, stack, user).await
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap().to_owned()
}

async fn uid(stack: &Stack, user: &str) -> String {
    text(&log_in(stack, user).await, "uid")
}

async fn link(stack: &Stack, arguments: &Value) -> Value {
    let answer = stack.invoke("link-open-ids", arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    answer
}

/// What an answer counts: linked, unchanged, merged and unknown users.
fn counts(answer: &Value) -> [u64; 4] {
    ["linked", "unchanged", "merged", "unknown"].map(|name| answer[name].as_u64().unwrap())
}

/// The same invoked with so much time and no more.
async fn link_within(stack: &Stack, time: Duration, arguments: &Value) -> Value {
    let function = stack.server.functions().get("link-open-ids").unwrap();
    let invocation = Invocation {
        request_id: "r-1".to_owned(),
        deadline: Deadline::after(SystemTime::now(), time),
    };
    let answer = function.handle(&arguments.to_string(), invocation).await;
    serde_json::from_str(answer.get()).unwrap()
}

/// How many accounts there are.
async fn accounts(stack: &Stack) -> usize {
    let client = stack.server.table().client();
    let rows = client.scan().table_name(IDENTITY_TABLE).send().await;
    let is_account = |key: &AttributeValue| key.as_s().unwrap().starts_with("ACCOUNT#");
    let rows = rows.unwrap();
    rows.items()
        .iter()
        .filter(|row| is_account(&row["pk"]))
        .count()
}

#[tokio::test]
async fn an_app_that_is_switched_at_one_stroke_keeps_the_accounts_that_were_linked() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    let mut before = Vec::new();
    for user in [ANNE, BERT, CLAIRE, DORA] {
        let answer = log_in(&stack, user).await;
        assert_eq!(answer["openidType"], "userId");
        assert!(answer.get("openId").is_none(), "{answer}");
        before.push(text(&answer, "uid"));
    }

    switch(&stack, Identifiers::OpenIdOnly);
    let handed_in = json!({"userIds": [ANNE, BERT, CLAIRE]});
    let answer = link(&stack, &handed_in).await;
    assert_eq!(counts(&answer), [3, 0, 0, 0], "{answer}");
    assert_eq!(
        (&answer["failed"], &answer["left"]),
        (&json!([]), &json!([]))
    );

    for (user, uid) in [ANNE, BERT, CLAIRE].into_iter().zip(&before) {
        let answer = log_in(&stack, user).await;
        assert_eq!(answer["openidType"], "openId");
        assert!(answer.get("userId").is_none(), "{answer}");
        assert_eq!(answer["uid"], **uid);
    }
    // Who was not handed in is somebody new.
    assert_ne!(uid(&stack, DORA).await, before[3]);

    let again = link(&stack, &handed_in).await;
    assert_eq!(counts(&again), [0, 3, 0, 0], "{again}");
}

#[tokio::test]
async fn who_logged_in_after_the_switch_gets_their_older_account_back() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    let older = uid(&stack, ANNE).await;
    switch(&stack, Identifiers::OpenIdOnly);
    assert_ne!(uid(&stack, ANNE).await, older);
    let answer = link(&stack, &json!({"userIds": [ANNE]})).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0], "{answer}");
    assert_eq!(uid(&stack, ANNE).await, older);
}

#[tokio::test]
async fn who_logged_in_while_both_were_named_is_linked_already() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    let before = uid(&stack, ANNE).await;
    switch(&stack, Identifiers::Both);
    assert_eq!(uid(&stack, ANNE).await, before);
    let answer = link(&stack, &json!({"userIds": [ANNE]})).await;
    assert_eq!(counts(&answer), [0, 1, 0, 0], "{answer}");
    switch(&stack, Identifiers::OpenIdOnly);
    assert_eq!(uid(&stack, ANNE).await, before);
}

#[tokio::test]
async fn no_account_is_made_for_who_has_none() {
    let stack = stack_with(Identifiers::OpenIdOnly).await;
    // Alipay knows the user.
    let options = CodeOptions {
        user: ANNE.to_owned(),
        ..CodeOptions::default()
    };
    let _ = stack.simulator().issue_code(&stack.app().app_id, options);
    let answer = link(&stack, &json!({"userIds": [ANNE, NOBODY]})).await;
    assert_eq!(counts(&answer), [0, 0, 0, 1], "{answer}");
    assert_eq!(
        answer["failed"],
        json!([{"userId": NOBODY, "reason": "unnamed"}])
    );
    assert_eq!(accounts(&stack).await, 0);
}

#[tokio::test]
async fn with_a_conversion_order_its_users_are_linked_and_others_are_illegal() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    let before = uid(&stack, ANNE).await;
    uid(&stack, BERT).await;
    switch(&stack, Identifiers::OpenIdOnly);
    let app_id = &stack.app().app_id;
    let order = stack.simulator().approve_conversion(app_id, &[ANNE]);
    let answer = link(&stack, &json!({"userIds": [ANNE, BERT], "orderId": order})).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0], "{answer}");
    assert_eq!(
        answer["failed"],
        json!([{"userId": BERT, "reason": "illegal"}])
    );
    assert_eq!(uid(&stack, ANNE).await, before);
    assert_eq!(stack.simulator().received_count(OF_ORDER), 1);
    assert_eq!(stack.simulator().received_count(OF_USERS), 0);
}

#[tokio::test]
async fn nobody_is_led_into_an_account_that_is_somebody_elses() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    let of_anne = uid(&stack, ANNE).await;
    // Another deployment, with a table of its own, hears the open id.
    let document = stack.apps_document();
    let elsewhere = Stack::with_document(&document).await;
    switch(&stack, Identifiers::Both);
    let open_id = text(&log_in_to(&elsewhere, &stack, ANNE).await, "openId");
    // Here it is Bert's, which cannot come of Alipay's replies unless something is wrong.
    let client = stack.server.table().client().clone();
    let accounts = Accounts::new(IdentityTable::new(client, IDENTITY_TABLE));
    let bert = Person {
        app_id: &stack.app().app_id,
        user_id: Some(BERT),
        open_id: Some(&open_id),
        union: None,
    };
    let of_bert = accounts
        .account_of(&bert, WallTime::from(SystemTime::now()))
        .await
        .unwrap();
    let answer = link(&stack, &json!({"userIds": [ANNE]})).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0], "{answer}");
    assert_eq!(
        answer["failed"],
        json!([{"userId": ANNE, "reason": "contradiction"}])
    );
    switch(&stack, Identifiers::UserIdOnly);
    assert_eq!(uid(&stack, ANNE).await, of_anne);
    assert_eq!(uid(&stack, BERT).await, of_bert.uid.to_string());
}

#[tokio::test]
async fn more_users_than_one_question_takes_are_asked_for_in_several() {
    let stack = stack_with(Identifiers::OpenIdOnly).await;
    let users: Vec<String> = (0..230).map(|number| format!("2088{number:012}")).collect();
    let app_id = &stack.app().app_id;
    let known: Vec<&str> = users.iter().map(String::as_str).collect();
    // The order makes Alipay know them.
    let _ = stack.simulator().approve_conversion(app_id, &known);
    let answer = link(&stack, &json!({"userIds": users})).await;
    assert_eq!(counts(&answer), [0, 0, 0, 230], "{answer}");
    assert_eq!(stack.simulator().received_count(OF_USERS), 3);
}

#[tokio::test]
async fn with_the_time_nearly_up_it_says_who_is_left() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    uid(&stack, ANNE).await;
    switch(&stack, Identifiers::OpenIdOnly);
    let arguments = json!({"userIds": [ANNE, BERT]});
    let answer = link_within(&stack, Duration::from_secs(5), &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["left"]),
        (&json!(0), &arguments["userIds"])
    );
    assert_eq!(stack.simulator().received_count(OF_USERS), 0);

    // The answer of Alipay uses up what there is above the last six seconds.
    let slow = Fault::once(FaultKind::Delay { milliseconds: 1500 }).for_method(OF_USERS);
    stack.simulator().inject(slow);
    let answer = link_within(&stack, Duration::from_secs(7), &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["left"]),
        (&json!(0), &arguments["userIds"])
    );
    assert_eq!(stack.simulator().received_count(OF_USERS), 1);

    let answer = link_within(
        &stack,
        Duration::from_secs(55),
        &json!({"userIds": answer["left"]}),
    )
    .await;
    assert_eq!((counts(&answer)[0], &answer["left"]), (1, &json!([])));
}

#[tokio::test]
async fn what_hinders_all_is_a_failure_that_may_be_tried_again() {
    let stack = stack_with(Identifiers::UserIdOnly).await;
    uid(&stack, ANNE).await;
    let arguments = json!({"userIds": [ANNE]});
    // Alipay has no open ids for the app yet.
    let refused = stack.invoke("link-open-ids", &arguments).await;
    assert_eq!(
        (&refused["error"], &refused["code"]),
        (&json!("gateway_refused"), &json!("OPENID_NOT_SUPPORTED")),
        "{refused}"
    );
    switch(&stack, Identifiers::OpenIdOnly);
    let forged = Fault::once(FaultKind::BadSignature).for_method(OF_USERS);
    stack.simulator().inject(forged);
    let unverified = stack.invoke("link-open-ids", &arguments).await;
    assert_eq!(unverified["error"], "gateway_unverified", "{unverified}");
    stack.server.table().stop();
    let answer = stack.invoke("link-open-ids", &arguments).await;
    assert_eq!(
        (&answer["error"], &answer["retryable"]),
        (&json!("temporarily_unavailable"), &json!(true)),
        "{answer}"
    );
}

#[test]
fn no_id_of_a_user_is_logged() {
    const NAME: &str = "open_id_migration::no_id_of_a_user_is_logged";
    in_a_process_of_its_own(NAME, async {
        let stack = stack_with(Identifiers::UserIdOnly).await;
        uid(&stack, ANNE).await;
        switch(&stack, Identifiers::OpenIdOnly);
        let log = log_of_everything();
        link(&stack, &json!({"userIds": [ANNE, NOBODY]})).await;
        // Finer levels, off where the functions are deployed, have the requests to the table.
        let text = log.text();
        let lines = text.lines().filter(|line| {
            let levels = ["INFO", "WARN", "ERROR"];
            levels.iter().any(|level| line.contains(level))
        });
        let lines: Vec<&str> = lines.collect();
        assert!(
            lines
                .iter()
                .any(|line| line.contains("open ids were linked")),
            "{lines:#?}"
        );
        for id in [ANNE, NOBODY] {
            assert!(!lines.iter().any(|line| line.contains(id)), "{lines:#?}");
        }
    });
}
