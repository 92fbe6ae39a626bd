//! All that a simulator knows: one value behind one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::apps::{self, AppOptions, AppRecord, SimulatedApp};
use crate::clock::Clock;
use crate::connection::Connections;
use crate::faults::Faults;
use crate::grants::{CodeOptions, Grants};
use crate::methods::mini_code::MiniCode;
use crate::methods::template_message::SentMessage;
use crate::methods::trade::Trade;
use crate::received::Received;
use crate::users::SimulatedUser;

/// The state, shared by the gateway, the control API and the Rust API.
#[derive(Clone)]
pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    pub(crate) connections: Arc<Connections>,
    /// `http://127.0.0.1:PORT`
    pub(crate) base_url: Arc<str>,
}

impl Shared {
    pub(crate) fn new(base_url: String) -> Self {
        Self {
            world: Arc::default(),
            connections: Arc::default(),
            base_url: base_url.into(),
        }
    }

    /// The state. A test that panicked while it held the lock spoils it for nobody.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state.
pub(crate) struct World {
    pub(crate) apps: BTreeMap<String, AppRecord>,
    pub(crate) users: BTreeMap<String, SimulatedUser>,
    pub(crate) grants: Grants,
    /// (app id, user id) of users who take no more messages.
    pub(crate) unsubscribed: BTreeSet<(String, String)>,
    pub(crate) messages: Vec<SentMessage>,
    pub(crate) mini_codes: BTreeMap<String, MiniCode>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) faults: Faults,
    pub(crate) received: Received,
    pub(crate) clock: Clock,
    /// How many requests followed an injected redirect.
    pub(crate) redirects_followed: u64,
}

impl Default for World {
    fn default() -> Self {
        let user = SimulatedUser::default();
        Self {
            apps: BTreeMap::new(),
            users: BTreeMap::from([(user.user_id.clone(), user)]),
            grants: Grants::default(),
            unsubscribed: BTreeSet::new(),
            messages: Vec::new(),
            mini_codes: BTreeMap::new(),
            trades: Vec::new(),
            faults: Faults::default(),
            received: Received::default(),
            clock: Clock::default(),
            redirects_followed: 0,
        }
    }
}

impl World {
    pub(crate) fn add_app(&mut self, options: AppOptions) -> Result<SimulatedApp, String> {
        let mut index = self.apps.len();
        // A chosen id may be the one that would be made next.
        while options.app_id.is_none() && self.apps.contains_key(&format!("2021{:012}", index + 1))
        {
            index += 1;
        }
        let (app, record) = apps::register(options, index)?;
        self.apps.insert(app.app_id.clone(), record);
        Ok(app)
    }

    pub(crate) fn issue_code(&mut self, app_id: &str, options: &CodeOptions) -> String {
        self.users
            .entry(options.user.clone())
            .or_insert_with(|| SimulatedUser::with_id(options.user.clone()));
        let now = self.clock.now();
        self.grants.issue_code(app_id, options, now)
    }

    pub(crate) fn advance_clock(&mut self, by: Duration) {
        self.clock.advance(by);
    }
}
