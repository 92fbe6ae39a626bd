//! A gateway that behaves as Alipay's does, and ones that do not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use token_store::{
    Because, Clock, Grant, RefreshFailure, RefreshOutcome, Refresher, Renewal, StoreError,
    TokenKey, WallTime,
};
use tokio::sync::Notify;

use crate::harness::{ManualClock, grant, long_grant};

/// Holds a reply back: the exchange is done, the caller does not hear of it yet.
#[derive(Default)]
pub struct Gate {
    pub reached: Notify,
    pub open: Notify,
}

/// Exchanges a refresh token once, as Alipay does for users.
pub struct Gateway {
    /// The tokens that are good; a user has one.
    live: Mutex<Vec<String>>,
    used: Mutex<Vec<String>>,
    clock: ManualClock,
    calls: AtomicUsize,
    failures: Mutex<Vec<RefreshFailure>>,
    always: Option<RefreshFailure>,
    latency: Duration,
    gate: Option<Arc<Gate>>,
    without_refresh_token: bool,
    grace: bool,
    life: fn(&str, WallTime) -> Grant,
}

impl Gateway {
    /// A gateway at which `refresh-<name>` is good.
    pub fn with_live(name: &str, clock: &ManualClock) -> Self {
        Self {
            live: Mutex::new(vec![format!("refresh-{name}")]),
            used: Mutex::default(),
            clock: clock.clone(),
            calls: AtomicUsize::new(0),
            failures: Mutex::default(),
            always: None,
            latency: Duration::ZERO,
            gate: None,
            without_refresh_token: false,
            grace: false,
            life: grant,
        }
    }

    pub fn slow(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    pub fn gated(mut self, gate: &Arc<Gate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    /// Fails once so, the last named first.
    pub fn failing_once(self, failure: RefreshFailure) -> Self {
        self.failures.lock().unwrap().push(failure);
        self
    }

    pub fn failing(mut self, failure: RefreshFailure) -> Self {
        self.always = Some(failure);
        self
    }

    pub fn keeping_the_refresh_token(mut self) -> Self {
        self.without_refresh_token = true;
        self
    }

    /// Old refresh tokens stay good, as merchants' do for a while.
    pub fn with_grace(mut self) -> Self {
        self.grace = true;
        self
    }

    /// Pairs live as long as `long_grant` says.
    pub fn giving_long_lives(self) -> Self {
        self.giving(long_grant)
    }

    pub fn giving(mut self, life: fn(&str, WallTime) -> Grant) -> Self {
        self.life = life;
        self
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The refresh tokens that were shown to it, in order.
    pub fn used(&self) -> Vec<String> {
        self.used.lock().unwrap().clone()
    }

    fn exchange(&self, refresh_token: &str, call: usize) -> Result<Grant, RefreshFailure> {
        let mut live = self.live.lock().unwrap();
        if !live.iter().any(|token| token == refresh_token) {
            return Err(RefreshFailure::Refused);
        }
        let mut pair = (self.life)(&format!("refreshed-{call}"), self.clock.now());
        if self.without_refresh_token {
            pair.refresh_token = None;
            pair.refresh_expires_at = None;
        } else {
            if !self.grace {
                live.clear();
            }
            live.push(format!("refresh-refreshed-{call}"));
        }
        Ok(pair)
    }
}

impl Refresher for Gateway {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let refresh_token = refresh_token.expose_secret();
        self.used.lock().unwrap().push(refresh_token.to_owned());
        if let Some(failure) = self.failures.lock().unwrap().pop() {
            return Err(failure);
        }
        if let Some(failure) = &self.always {
            return Err(failure.clone());
        }
        let answer = self.exchange(refresh_token, call);
        if let Some(gate) = &self.gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        tokio::time::sleep(self.latency).await;
        answer
    }
}

/// A gateway that must not be called, and a worker that must not be asked.
pub struct NoGateway;

impl Refresher for NoGateway {
    async fn refresh(&self, _: &SecretString) -> Result<Grant, RefreshFailure> {
        panic!("the gateway was called");
    }
}

impl Renewal for NoGateway {
    async fn renew(
        &self,
        _: &TokenKey,
        because: Because,
        _: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        panic!("a refresh was asked for: {because:?}");
    }
}

/// Holds back the replies of another gateway.
pub struct Held {
    pub inner: Arc<Gateway>,
    pub gate: Arc<Gate>,
}

impl Refresher for Held {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        let answer = self.inner.refresh(refresh_token).await;
        self.gate.reached.notify_one();
        self.gate.open.notified().await;
        answer
    }
}
