use embedded_dynamodb::EmbeddedDynamoDb;
use secrecy::SecretString;

use super::*;
use crate::due::DueShards;
use crate::dynamo::{number, text};
use crate::keyring::Keyring;
use crate::keys::TokenKeys;
use crate::table::create_table;
use crate::tokens::{Grant, Seen, TokenStore};

const TABLE: &str = "tokens";
const START: WallTime = WallTime::from_secs(1_795_226_400);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Bench {
    client: Client,
    store: TokenStore,
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    async fn new() -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        create_table(&client, TABLE).await.unwrap();
        let keyring = |letter: &str| {
            let document = format!(
                r#"{{"active":"a","keys":{{"a":"{}A="}}}}"#,
                letter.repeat(42)
            );
            Keyring::from_json(&document.into()).unwrap()
        };
        let keys = TokenKeys::for_keeping(keyring("A"), keyring("B"));
        let store = TokenStore::new(client.clone(), TABLE, keys, DueShards::default());
        Self {
            client,
            store,
            _dynamodb: dynamodb,
        }
    }

    /// A login at [`START`] whose access token lives for `life`.
    async fn login(&self, key: &TokenKey, life: Duration, refreshable: bool) {
        let secret = |text: &str| SecretString::from(text.to_owned());
        let grant = Grant {
            access_token: secret("canary-access"),
            refresh_token: refreshable.then(|| secret("canary-refresh")),
            expires_at: START.plus(life),
            refresh_expires_at: refreshable.then(|| START.plus(2 * life)),
        };
        self.store
            .put_login(key, Seen::NOTHING, &grant, START, None)
            .await
            .unwrap();
    }

    /// Sets and removes attributes of the row, whatever is in it.
    async fn change(&self, key: &TokenKey, set: &[(&str, AttributeValue)], remove: &[&str]) {
        let address = key.address().unwrap();
        let reply = self.client.get_item().table_name(TABLE);
        let reply = reply.key("pk", address.pk()).key("sk", address.sk());
        let mut item = reply.send().await.unwrap().item.unwrap();
        for (name, value) in set {
            item.insert((*name).to_owned(), value.clone());
        }
        for name in remove {
            item.remove(*name);
        }
        self.put(item).await;
    }

    async fn put(&self, item: Item) {
        let request = self.client.put_item().table_name(TABLE);
        request.set_item(Some(item)).send().await.unwrap();
    }

    async fn survey(&self, now: WallTime) -> Survey {
        survey(&self.client, TABLE, now, |_| ()).await.unwrap()
    }

    async fn users(&self, now: WallTime) -> Counts {
        self.survey(now).await.apps["app"].users
    }
}

fn user(subject: &str) -> TokenKey {
    TokenKey {
        app_id: "app".to_owned(),
        kind: TokenKind::User,
        subject: subject.to_owned(),
        scopes: "default".to_owned(),
    }
}

fn merchant(subject: &str) -> TokenKey {
    TokenKey {
        kind: TokenKind::Isv,
        scopes: String::new(),
        ..user(subject)
    }
}

fn ms(moment: WallTime) -> AttributeValue {
    number(moment.as_millis())
}

#[tokio::test]
async fn rows_are_counted_by_app_kind_and_state() {
    let bench = Bench::new().await;
    for subject in ["a", "b", "c"] {
        bench.login(&user(subject), 15 * DAY, true).await;
    }
    bench.login(&merchant("m"), 15 * DAY, true).await;
    let other = TokenKey {
        app_id: "other".to_owned(),
        ..user("a")
    };
    bench.login(&other, 15 * DAY, true).await;
    let ended = [("state", text("reauthorize"))];
    bench
        .change(&user("b"), &ended, &["due_shard", "due_at"])
        .await;
    let in_doubt = [
        ("state", text("suspect")),
        ("suspect_since", ms(START)),
        ("due_at", ms(START.plus(Duration::from_secs(120)))),
    ];
    bench.change(&user("c"), &in_doubt, &[]).await;

    let survey = bench.survey(START.plus(HOUR)).await;
    let users = survey.apps["app"].users;
    assert_eq!((users.active, users.reauthorize, users.suspect), (1, 1, 1));
    assert_eq!((users.rows(), users.scheduled), (3, 2));
    assert_eq!(survey.apps["app"].merchants.rows(), 1);
    assert_eq!(survey.apps["other"].users.rows(), 1);
    assert_eq!((survey.other_rows, survey.damaged_rows), (0, 0));
    let together = survey.apps["app"]
        .clone()
        .with(survey.apps["other"].clone());
    assert_eq!(together.users.rows(), 4);
    assert_eq!(together.users.oldest_due_at, users.oldest_due_at);
}

#[tokio::test]
async fn what_is_due_is_told_from_what_is_next() {
    let bench = Bench::new().await;
    bench.login(&user("a"), 15 * DAY, true).await;
    bench.login(&user("b"), 30 * DAY, true).await;
    let before = bench.users(START.plus(HOUR)).await;
    assert_eq!((before.due, before.oldest_due_at), (0, None));
    let next = before.next_due_at.unwrap();
    assert!(next >= START.plus(12 * DAY) && next < START.plus(14 * DAY));

    let after = bench.users(START.plus(14 * DAY)).await;
    assert_eq!((after.due, after.oldest_due_at), (1, Some(next)));
    assert!(after.next_due_at.unwrap() > START.plus(14 * DAY));
}

#[tokio::test]
async fn leases_and_pauses_count_while_they_last() {
    let bench = Bench::new().await;
    bench.login(&user("a"), 15 * DAY, true).await;
    let until = START.plus(HOUR);
    let paused = [("lease_until", ms(until)), ("not_before", ms(until))];
    bench.change(&user("a"), &paused, &[]).await;
    let during = bench.users(START).await;
    assert_eq!((during.leased, during.waiting), (1, 1));
    let after = bench.users(until).await;
    assert_eq!((after.leased, after.waiting), (0, 0));
}

#[tokio::test]
async fn what_the_store_writes_is_where_the_schedule_finds_it() {
    let bench = Bench::new().await;
    bench.login(&user("a"), 15 * DAY, true).await;
    bench.login(&user("short"), HOUR / 2, true).await;
    bench.login(&user("single"), 15 * DAY, false).await;
    bench.login(&merchant("m"), 365 * DAY, true).await;
    for now in [START, START.plus(HOUR), START.plus(400 * DAY)] {
        let survey = bench.survey(now).await;
        for counts in [survey.apps["app"].users, survey.apps["app"].merchants] {
            assert_eq!((counts.unscheduled, counts.scheduled_late), (0, 0));
        }
    }
}

#[tokio::test]
async fn a_row_that_the_schedule_would_forget_is_counted() {
    let bench = Bench::new().await;
    bench.login(&user("a"), 15 * DAY, true).await;
    bench
        .change(&user("a"), &[], &["due_shard", "due_at"])
        .await;
    let counts = bench.users(START.plus(HOUR)).await;
    assert_eq!((counts.unscheduled, counts.scheduled_late), (1, 0));
    // A pair that was stored a moment ago may still get its place.
    assert_eq!(bench.users(START).await.unscheduled, 0);
    // Once the refresh token is over as well, the schedule can do nothing for it.
    assert_eq!(bench.users(START.plus(31 * DAY)).await.unscheduled, 0);
}

#[tokio::test]
async fn a_row_that_the_schedule_would_find_too_late_is_counted() {
    let bench = Bench::new().await;
    bench.login(&user("a"), 15 * DAY, true).await;
    let end = START.plus(15 * DAY);
    bench.change(&user("a"), &[("due_at", ms(end))], &[]).await;
    let counts = bench.users(START.plus(HOUR)).await;
    assert_eq!((counts.unscheduled, counts.scheduled_late), (0, 1));
    // Put off because the last refresh had no answer: that is its true due time.
    let paused = [("due_at", ms(end)), ("not_before", ms(end))];
    bench.change(&user("a"), &paused, &[]).await;
    assert_eq!(bench.users(START.plus(HOUR)).await.scheduled_late, 0);
}

#[tokio::test]
async fn rows_of_other_kinds_and_damaged_ones_are_only_counted() {
    let bench = Bench::new().await;
    bench.login(&user("a"), 15 * DAY, true).await;
    bench.change(&user("a"), &[], &["state"]).await;
    let key =
        |pk: &str, sk: &str| Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))]);
    bench.put(key("ANSWER#app#123", "FIRST")).await;
    let survey = bench.survey(START).await;
    assert_eq!((survey.other_rows, survey.damaged_rows), (1, 1));
    assert_eq!(survey.apps.len(), 0);
}

#[tokio::test]
async fn a_table_of_many_pages_is_read_to_its_end() {
    let bench = Bench::new().await;
    // A page of DynamoDB is 1 MB of rows, before anything is left out of them.
    for number in 0..9 {
        bench.login(&user(&number.to_string()), DAY, true).await;
        let large = AttributeValue::B(Blob::new(vec![0; 300_000]));
        bench
            .change(&user(&number.to_string()), &[("more", large)], &[])
            .await;
    }
    let mut told = Vec::new();
    let survey = survey(&bench.client, TABLE, START, |read| told.push(read))
        .await
        .unwrap();
    assert_eq!(survey.apps["app"].users.rows(), 9);
    assert!(told.len() > 1 && told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&9));
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_refused() {
    let bench = Bench::new().await;
    let refused = survey(&bench.client, "other", START, |_| ()).await;
    assert!(matches!(refused, Err(StoreError::Rejected { .. })));
}
