//! What is left behind by one worker that died, and how it is recovered from: one test for each line of the table.
//!
//! | Died | Left behind | Recovery |
//! |---|---|---|
//! | before its request was carried out | a lease at most | the next worker, 22 s later, with the same refresh token |
//! | with a pair that it had not stored | a refresh token that is spent | a user: doubt, quarantine, login; a merchant: by itself |
//! | with the pair in the rescue queue | a message | its consumer |
//! | with the pair stored | an old place in the index | the sweep's message, without a call |
//! | when all was done | a message that comes again | nothing to do |

use std::time::Duration;

use token_store::{Because, Clock, Generation, RefreshOutcome, Seen, TokenKey, TokenKind};

use crate::bench::{Bench, ManualClock, Row, START, key_of};
use crate::gateway::{ACCESS_LIFE, Gateway, Holder};
use crate::points::{Step, Steps};
use crate::schedule::{Queue, refresh};
use crate::wrong::Wrong;

/// Until a lease has run out for everybody: 20 s, and 2 s for clocks that differ.
const LEASE_OVER: Duration = Duration::from_millis(22_001);
const QUARANTINE: Duration = Duration::from_secs(120);

/// One row whose token is over.
struct Case {
    bench: Bench,
    clock: ManualClock,
    gateway: Gateway,
    key: TokenKey,
    queue: Queue,
}

impl Case {
    async fn of(kind: TokenKind) -> Self {
        let bench = Bench::new().await;
        let clock = ManualClock::at(START);
        let gateway = Gateway::of(kind, &clock);
        let key = key_of(kind, "u");
        let grant = gateway.log_in(0);
        bench
            .store()
            .put_login(&key, Seen::NOTHING, &grant, START, None)
            .await
            .unwrap();
        clock.advance(ACCESS_LIFE);
        Self {
            bench,
            clock,
            gateway,
            key,
            queue: Queue::default(),
        }
    }

    fn worker(
        &self,
        holder: Holder,
        because: Because,
    ) -> Steps<Result<RefreshOutcome, token_store::StoreError>> {
        Steps::of(refresh(
            self.bench.store_of(0),
            self.key.clone(),
            because,
            self.clock.clone(),
            self.gateway.line_of(holder),
            self.queue.clone(),
        ))
    }

    async fn refresh(&self, because: Because) -> RefreshOutcome {
        self.worker(9, because).finish().await.unwrap()
    }

    /// A worker that comes as far as `point` and no farther.
    async fn worker_dies_at(&self, point: &str) {
        run_to(&mut self.worker(1, Because::Due), point).await;
    }

    fn row(&self) -> Row {
        self.bench.row(&self.key).unwrap()
    }

    async fn sweep_finds_it(&self) -> bool {
        self.bench.sweep_finds(&self.key, self.clock.now()).await
    }

    async fn token_is_good(&self) -> bool {
        use secrecy::ExposeSecret as _;
        let token = self.bench.open(&self.key).await.unwrap();
        self.gateway.accepts(token.token.expose_secret())
    }

    async fn log_in(&self) -> Generation {
        let grant = self.gateway.log_in(5);
        let now = self.clock.now();
        let store = self.bench.store();
        let seen = store.look(&self.key).await.unwrap();
        store
            .put_login(&self.key, seen, &grant, now, None)
            .await
            .unwrap()
    }

    /// A login that has looked what is there and is about to write.
    async fn login_that_has_looked(&self) -> Steps<Result<Generation, token_store::StoreError>> {
        let grant = self.gateway.log_in(1);
        let (store, key, now) = (self.bench.store(), self.key.clone(), self.clock.now());
        let mut login = Steps::of(async move {
            let seen = store.look(&key).await?;
            store.put_login(&key, seen, &grant, now, None).await
        });
        run_to(&mut login, "before-login").await;
        login
    }
}

async fn run_to<T>(steps: &mut Steps<T>, point: &str) {
    loop {
        match steps.next().await {
            Step::At(reached) if reached == point => return,
            Step::At(_) => {}
            Step::Done(_) => panic!("it never comes to {point}"),
        }
    }
}

#[tokio::test]
async fn who_dies_before_the_request_is_carried_out_leaves_no_more_than_a_lease() {
    for kind in [TokenKind::User, TokenKind::Isv] {
        for point in ["before-acquire", "after-acquire", "gateway-before"] {
            let case = Case::of(kind).await;
            case.worker_dies_at(point).await;
            assert_eq!(case.gateway.calls(), 0, "{point}");
            if point != "before-acquire" {
                case.clock.advance(Duration::from_secs(22));
                assert_eq!(
                    case.refresh(Because::Due).await,
                    RefreshOutcome::Busy,
                    "{point}"
                );
                assert_eq!(case.gateway.calls(), 0, "{point}");
                case.clock.advance(Duration::from_millis(1));
            }
            assert_eq!(
                case.refresh(Because::Due).await,
                RefreshOutcome::Refreshed,
                "{point}"
            );
            let tokens = case.gateway.with_calls(|calls| {
                calls
                    .iter()
                    .map(|call| call.refresh_token.clone())
                    .collect::<Vec<_>>()
            });
            assert_eq!(tokens, ["refresh-1"], "{point}");
            assert!(case.token_is_good().await);
        }
    }
}

#[tokio::test]
async fn a_user_whose_pair_died_with_a_worker_logs_in_again_after_the_quarantine() {
    for point in ["gateway-after", "after-call", "before-commit"] {
        let case = Case::of(TokenKind::User).await;
        case.worker_dies_at(point).await;
        case.clock.advance(LEASE_OVER);
        let suspect = RefreshOutcome::Suspect {
            retry_after: QUARANTINE,
        };
        assert_eq!(case.refresh(Because::Due).await, suspect, "{point}");
        assert_eq!(case.gateway.calls(), 2);
        case.clock.advance(QUARANTINE - Duration::from_millis(1));
        assert!(
            !case.sweep_finds_it().await,
            "nobody looks at it in the quarantine"
        );
        let left = RefreshOutcome::Suspect {
            retry_after: Duration::from_millis(1),
        };
        assert_eq!(
            case.refresh(Because::Expired(Generation::new(1))).await,
            left
        );
        assert_eq!(case.gateway.calls(), 2, "no call in the quarantine");
        case.clock.advance(Duration::from_millis(1));
        assert!(case.sweep_finds_it().await);
        assert_eq!(
            case.refresh(Because::Due).await,
            RefreshOutcome::Reauthorize,
            "{point}"
        );
        assert_eq!(
            (case.gateway.calls(), case.row().state()),
            (3, "reauthorize")
        );
        assert!(!case.sweep_finds_it().await);
        assert_eq!(case.log_in().await, Generation::new(2));
        assert_eq!(case.row().state(), "active");
        assert_eq!(
            case.refresh(Because::Asked).await,
            RefreshOutcome::Refreshed
        );
        assert!(case.token_is_good().await);
    }
}

#[tokio::test]
async fn a_merchant_whose_pair_died_with_a_worker_recovers_by_itself() {
    for point in ["gateway-after", "after-call", "before-commit"] {
        // In the time in which the old refresh token works, and when it leads to the new one.
        for later in [LEASE_OVER, Duration::from_secs(3600)] {
            let case = Case::of(TokenKind::Isv).await;
            case.worker_dies_at(point).await;
            case.clock.advance(later);
            assert!(case.sweep_finds_it().await);
            assert_eq!(
                case.refresh(Because::Due).await,
                RefreshOutcome::Refreshed,
                "{point}"
            );
            assert!(case.token_is_good().await);
        }
    }
}

#[tokio::test]
async fn who_dies_with_the_pair_stored_leaves_an_index_that_is_put_right_without_a_call() {
    for kind in [TokenKind::User, TokenKind::Isv] {
        let case = Case::of(kind).await;
        case.worker_dies_at("after-commit").await;
        assert!(case.token_is_good().await);
        assert!(
            case.sweep_finds_it().await,
            "the old time stands in the index"
        );
        assert_eq!(case.refresh(Because::Due).await, RefreshOutcome::Fresh);
        assert_eq!(case.gateway.calls(), 1);
        assert!(!case.sweep_finds_it().await);
        assert!(case.row().time("due_at").unwrap() > case.clock.now());
    }
}

#[tokio::test]
async fn a_message_that_comes_again_does_nothing() {
    for kind in [TokenKind::User, TokenKind::Isv] {
        let case = Case::of(kind).await;
        case.worker_dies_at("after-due").await;
        assert!(!case.sweep_finds_it().await);
        let before = case.row();
        assert_eq!(case.refresh(Because::Due).await, RefreshOutcome::Fresh);
        assert_eq!(case.gateway.calls(), 1);
        assert_eq!(case.row(), before);
    }
}

#[tokio::test]
async fn a_pair_in_the_rescue_queue_survives_its_worker_and_its_consumer() {
    for kind in [TokenKind::User, TokenKind::Isv] {
        let case = Case::of(kind).await;
        case.bench.behaviour_of(0).set(Wrong::Nothing, true);
        case.worker_dies_at("after-rescue").await;
        case.bench.behaviour_of(0).set(Wrong::Nothing, false);
        let pair = case.queue.first().unwrap();
        if kind == TokenKind::User {
            // Longer than the quarantine: the row has been given up by then.
            for _ in 0..2 {
                case.clock.advance(QUARANTINE);
                case.refresh(Because::Due).await;
            }
            assert_eq!(case.row().state(), "reauthorize");
        }
        let (store, again) = (case.bench.store(), pair.clone());
        let mut consumer = Steps::of(async move { store.store_rescued(&again).await });
        run_to(&mut consumer, "after-rescued-commit").await;
        drop(consumer);
        assert_eq!(case.row().state(), "active");
        assert!(case.token_is_good().await);
        let outcome = case.bench.store().store_rescued(&pair).await.unwrap();
        assert!(
            matches!(outcome, RefreshOutcome::Refreshed | RefreshOutcome::Fresh),
            "{outcome:?}"
        );
        let calls = case.gateway.calls();
        assert_eq!(case.refresh(Because::Due).await, RefreshOutcome::Fresh);
        assert!(!case.sweep_finds_it().await);
        assert_eq!((case.row().generation(), case.gateway.calls()), (2, calls));
    }
}

#[tokio::test]
async fn a_pair_that_was_not_yet_in_the_rescue_queue_is_lost_with_its_worker() {
    let case = Case::of(TokenKind::User).await;
    case.bench.behaviour_of(0).set(Wrong::Nothing, true);
    case.worker_dies_at("before-rescue").await;
    assert!(case.queue.first().is_none());
    case.clock.advance(LEASE_OVER);
    assert!(matches!(
        case.refresh(Because::Due).await,
        RefreshOutcome::Suspect { .. }
    ));
    case.clock.advance(QUARANTINE);
    assert_eq!(
        case.refresh(Because::Due).await,
        RefreshOutcome::Reauthorize
    );
}

#[tokio::test]
async fn a_newer_refresh_token_that_was_saved_is_tried_by_the_next_worker() {
    let case = Case::of(TokenKind::Isv).await;
    case.worker_dies_at("gateway-after").await;
    case.clock.advance(Duration::from_secs(3600));
    case.worker_dies_at("after-sibling").await;
    case.clock.advance(LEASE_OVER);
    assert_eq!(case.refresh(Because::Due).await, RefreshOutcome::Refreshed);
    assert!(case.token_is_good().await);
    assert_eq!(case.row().generation(), 2);
}

/// T-05: the worker was paused, not dead.
#[tokio::test]
async fn a_pair_that_is_late_is_stored_although_somebody_else_had_the_lease_since() {
    for point in ["gateway-after", "after-call", "before-commit"] {
        let case = Case::of(TokenKind::User).await;
        let mut paused = case.worker(1, Because::Due);
        run_to(&mut paused, point).await;
        case.clock.advance(LEASE_OVER);
        assert!(matches!(
            case.refresh(Because::Due).await,
            RefreshOutcome::Suspect { .. }
        ));
        assert_eq!(paused.finish().await.unwrap(), RefreshOutcome::Refreshed);
        let row = case.row();
        assert_eq!((row.state(), row.time("suspect_since")), ("active", None));
        assert!(case.token_is_good().await);
    }
}

#[tokio::test]
async fn a_login_that_died_before_it_was_stored_is_made_again() {
    let case = Case::of(TokenKind::User).await;
    drop(case.login_that_has_looked().await);
    assert!(!case.token_is_good().await);
    assert_eq!(case.log_in().await, Generation::new(2));
    assert!(case.token_is_good().await);
}

#[tokio::test]
async fn a_login_that_looked_before_a_pair_was_stored_is_stored_after_it() {
    let case = Case::of(TokenKind::Isv).await;
    let mut worker = case.worker(2, Because::Due);
    run_to(&mut worker, "before-commit").await;
    let login = case.login_that_has_looked().await;
    assert_eq!(worker.finish().await.unwrap(), RefreshOutcome::Refreshed);
    assert_eq!(login.finish().await.unwrap(), Generation::new(3));
    assert!(case.token_is_good().await);
}

#[tokio::test]
async fn a_pair_that_comes_after_a_login_that_looked_does_not_replace_it() {
    let case = Case::of(TokenKind::User).await;
    let mut worker = case.worker(2, Because::Due);
    run_to(&mut worker, "before-commit").await;
    let login = case.login_that_has_looked().await;
    assert_eq!(login.finish().await.unwrap(), Generation::new(2));
    worker.finish().await.unwrap();
    assert_eq!(case.row().generation(), 2);
    assert!(case.token_is_good().await);
}

#[tokio::test]
async fn a_login_that_looked_at_a_row_which_has_gone_since_is_stored_as_the_first() {
    let case = Case::of(TokenKind::User).await;
    let login = case.login_that_has_looked().await;
    case.bench.forget(&case.key);
    assert_eq!(login.finish().await.unwrap(), Generation::new(1));
    assert!(case.token_is_good().await);
}

#[tokio::test]
async fn a_login_that_found_no_row_is_stored_after_the_one_that_came_since() {
    let case = Case::of(TokenKind::User).await;
    case.bench.forget(&case.key);
    let login = case.login_that_has_looked().await;
    assert_eq!(case.log_in().await, Generation::new(1));
    assert_eq!(login.finish().await.unwrap(), Generation::new(2));
}
