//! Pairs that the table does not take at once.

use std::sync::Mutex;
use std::time::Duration;

use embedded_dynamodb::{Fault, Proxy};
use secrecy::ExposeSecret;
use token_store::{
    Because, Clock, RefreshOutcome, RefreshWith, RescueQueue, RescuedPair, StoreError, TokenStore,
};

use crate::faults::{ArmingGateway, THROTTLED};
use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, START, grant, long_grant, text, time, user};

const DENIED: Fault = Fault::Answer {
    status: 400,
    code: "AccessDeniedException",
};

/// A queue, as texts.
#[derive(Default)]
pub struct Queue(Mutex<Vec<String>>);

impl Queue {
    /// The only message that was put into it.
    pub fn only(self) -> String {
        let mut messages = self.0.into_inner().unwrap();
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }
}

impl RescueQueue for Queue {
    async fn put(
        &self,
        pair: &RescuedPair,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let message = serde_json::to_string(pair)?;
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

/// A bench whose user's new pair the table refused, as `fault` says, after the gateway gave it.
async fn refreshed_but_not_stored(fault: Fault) -> (Bench, String) {
    let bench = Bench::new().await;
    bench.log_in(&grant("a", START)).await;
    bench.clock.advance(Duration::from_secs(400));
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    let gateway = Gateway::with_live("a", &bench.clock).giving_long_lives();
    let arming = ArmingGateway {
        inner: &gateway,
        proxy: &proxy,
        fault,
        passing: 0,
        times: usize::MAX,
    };
    let queue = Queue::default();
    let with = RefreshWith {
        clock: &bench.clock,
        deadline: bench.deadline(),
        gateway: &arming,
        rescue: &queue,
    };
    let outcome = store.refresh(&user("u"), Because::Asked, &with).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Rescued);
    assert_eq!(text(&bench.item().await, "generation"), "1");
    (bench, queue.only())
}

pub async fn store_rescued(
    store: &TokenStore,
    message: &str,
) -> Result<RefreshOutcome, StoreError> {
    let rescued: RescuedPair = serde_json::from_str(message).unwrap();
    store.store_rescued(&rescued).await
}

#[tokio::test]
async fn a_pair_that_the_table_throttles_for_long_goes_into_the_rescue_queue_and_is_stored_from_there()
 {
    let (bench, message) = refreshed_but_not_stored(THROTTLED).await;
    // Meanwhile nobody takes the spent refresh token for a good one.
    let outcome = bench.read(&bench.store(), &NoGateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "{outcome:?}"
    );

    let store = bench.store();
    let outcome = store_rescued(&store, &message).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Refreshed);
    let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    let row = bench.item().await;
    assert!(time(&row, "due_at").is_some() && !row.contains_key("lease_owner"));
    // A queue may deliver twice.
    let outcome = store_rescued(&store, &message).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Refreshed);
    assert_eq!(bench.item().await, row);
}

#[tokio::test]
async fn a_rescued_pair_lands_though_the_grant_was_given_up_meanwhile() {
    let (bench, message) = refreshed_but_not_stored(DENIED).await;
    let gateway = Gateway::with_live("nothing", &bench.clock);
    for wait in [23, 120] {
        bench.clock.advance(Duration::from_secs(wait));
        bench
            .refresh(&bench.store(), Because::Asked, &gateway)
            .await
            .unwrap();
    }
    assert_eq!(text(&bench.item().await, "state"), "reauthorize");
    store_rescued(&bench.store(), &message).await.unwrap();
    assert_eq!(text(&bench.item().await, "state"), "active");
}

#[tokio::test]
async fn a_rescued_pair_never_replaces_a_login() {
    let (bench, message) = refreshed_but_not_stored(DENIED).await;
    bench.log_in(&grant("b", bench.clock.now())).await;
    let login = bench.item().await;
    let outcome = store_rescued(&bench.store(), &message).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Fresh);
    assert_eq!(bench.item().await, login);
}

#[tokio::test]
async fn a_rescued_pair_that_comes_second_leaves_its_refresh_token_beside_the_first() {
    let (bench, message) = refreshed_but_not_stored(DENIED).await;
    bench.clock.advance(Duration::from_secs(23));
    let gateway = Gateway::with_live("a", &bench.clock).keeping_the_refresh_token();
    bench
        .refresh(&bench.store(), Because::Asked, &gateway)
        .await
        .unwrap();
    let outcome = store_rescued(&bench.store(), &message).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Fresh);
    let gateway = Gateway::with_live("refreshed-1", &bench.clock);
    bench
        .refresh(&bench.store(), Because::Asked, &gateway)
        .await
        .unwrap();
    assert_eq!(gateway.used(), ["refresh-a", "refresh-refreshed-1"]);
    assert_eq!(text(&bench.item().await, "generation"), "3");
}

#[tokio::test]
async fn a_message_in_the_rescue_queue_shows_no_token() {
    let (_, message) = refreshed_but_not_stored(DENIED).await;
    let rescued: RescuedPair = serde_json::from_str(&message).unwrap();
    for shown in [message, format!("{rescued:?}")] {
        assert!(
            !shown.contains("access-") && !shown.contains("refresh-r"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_message_for_no_token_row_is_refused() {
    let (bench, message) = refreshed_but_not_stored(DENIED).await;
    let message = message.replace("APP#", "ANSWER#");
    let outcome = store_rescued(&bench.store(), &message).await;
    assert!(
        matches!(outcome, Err(StoreError::Corrupt { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_rescued_pair_that_does_not_open_replaces_nothing() {
    let (bench, message) = refreshed_but_not_stored(DENIED).await;
    let message: serde_json::Value = serde_json::from_str(&message).unwrap();
    let mut of_another_key = message.clone();
    of_another_key["pair"]["refresh_token"]["key_id"] = "removed".into();
    let mut without = message;
    without["pair"]["refresh_token"].take();
    let before = bench.item().await;
    for message in [of_another_key, without] {
        let outcome = store_rescued(&bench.store(), &message.to_string()).await;
        assert!(
            matches!(outcome, Err(StoreError::Corrupt { .. })),
            "{outcome:?}"
        );
        assert_eq!(bench.item().await, before);
    }
}

/// Who may start the function can also hand it a message. A reader has the key for access tokens, and the table shows it the rest.
#[tokio::test]
async fn a_message_that_nobody_with_the_key_for_refresh_tokens_wrote_replaces_nothing() {
    let (bench, genuine) = refreshed_but_not_stored(DENIED).await;
    let store = bench.store();
    store_rescued(&store, &genuine).await.unwrap();
    // The sealed tokens of the row itself, for once more the same generation.
    let mut repeated: serde_json::Value = serde_json::from_str(&genuine).unwrap();
    repeated["consumed_generation"] = 2.into();
    repeated["pair"]["commit_id"] = "another".into();
    repeated["pair"]["expires_at"] = u64::MAX.into();
    let before = bench.item().await;
    let outcome = store_rescued(&store, &repeated.to_string()).await;
    assert!(
        matches!(outcome, Err(StoreError::Corrupt { .. })),
        "{outcome:?}"
    );
    assert_eq!(bench.item().await, before);
}

#[tokio::test]
async fn a_table_that_does_not_answer_leaves_time_to_rescue_the_pair() {
    let refreshing = refreshed_but_not_stored(Fault::Silence);
    let limit = Duration::from_secs(6);
    let (bench, message) = tokio::time::timeout(limit, refreshing).await.unwrap();
    store_rescued(&bench.store(), &message).await.unwrap();
    assert_eq!(text(&bench.item().await, "generation"), "2");
}

/// A long-lived token of `u` that is due now, refreshed by a worker whose last write is refused.
async fn refreshed_without_a_new_due_time() -> Bench {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    bench
        .clock
        .set(time(&bench.item().await, "due_at").unwrap());
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    let gateway = Gateway::with_live("a", &bench.clock).giving_long_lives();
    let arming = ArmingGateway {
        inner: &gateway,
        proxy: &proxy,
        fault: THROTTLED,
        passing: 1,
        times: usize::MAX,
    };
    let outcome = bench.refresh(&store, Because::Due, &arming).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert!(proxy.suffered() > 0);
    bench
}

#[tokio::test]
async fn an_index_that_takes_no_write_does_not_keep_a_pair_from_being_stored() {
    let bench = refreshed_without_a_new_due_time().await;
    let row = bench.item().await;
    assert_eq!(text(&row, "generation"), "2");
    assert_eq!(time(&row, "due_at"), Some(bench.clock.now()), "as it was");
    let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn a_due_time_left_behind_is_put_right_by_the_next_sweep_without_a_gateway_call() {
    let bench = refreshed_without_a_new_due_time().await;
    let store = bench.store();
    assert_eq!(bench.due(&store).await.len(), 1);
    let outcome = bench.refresh(&store, Because::Due, &NoGateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Fresh);
    assert!(bench.due(&store).await.is_empty());
    let due_at = time(&bench.item().await, "due_at").unwrap();
    assert!(due_at > bench.clock.now());
}
