//! All that a simulator knows: one value behind one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::apps::{self, AppOptions, AppRecord, Identifiers, SimulatedApp};
use crate::authority::AlipayCertificates;
use crate::authorization::Nonces;
use crate::clock::Clock;
use crate::connection::Connections;
use crate::faults::Faults;
use crate::grants::{CodeOptions, Grants, random_text};
use crate::merchants::Merchants;
use crate::methods::batch_message::SentBatch;
use crate::methods::content::ContentRules;
use crate::methods::content::analyze::AnalyzedContent;
use crate::methods::mini_code::MiniCode;
use crate::methods::open_ids::ConversionOrder;
use crate::methods::template_message::SentMessage;
use crate::notices::Notices;
use crate::received::Received;
use crate::subscriptions::{Subscription, Subscriptions};
use crate::trades::Trade;
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
    pub(crate) alipay_certificates: AlipayCertificates,
    pub(crate) nonces: Nonces,
    pub(crate) users: BTreeMap<String, SimulatedUser>,
    pub(crate) grants: Grants,
    /// The `user_id` of whoever visits the page for users and the cashier.
    pub(crate) visitor: String,
    /// (app id, user id) of users who take no more messages.
    pub(crate) unsubscribed: BTreeSet<(String, String)>,
    pub(crate) messages: Vec<SentMessage>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) batches: Vec<SentBatch>,
    pub(crate) content_rules: ContentRules,
    pub(crate) analyzed: Vec<AnalyzedContent>,
    pub(crate) merchants: Merchants,
    /// By `order_id`.
    pub(crate) conversion_orders: BTreeMap<String, ConversionOrder>,
    pub(crate) mini_codes: BTreeMap<String, MiniCode>,
    /// Oldest first; of several of one number the newest counts.
    pub(crate) trades: Vec<Trade>,
    pub(crate) notices: Notices,
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
            alipay_certificates: AlipayCertificates::default(),
            nonces: Nonces::default(),
            users: BTreeMap::from([(user.user_id.clone(), user)]),
            grants: Grants::default(),
            visitor: SimulatedUser::DEFAULT_USER_ID.to_owned(),
            unsubscribed: BTreeSet::new(),
            messages: Vec::new(),
            subscriptions: Subscriptions::default(),
            batches: Vec::new(),
            content_rules: ContentRules::default(),
            analyzed: Vec::new(),
            merchants: Merchants::default(),
            conversion_orders: BTreeMap::new(),
            mini_codes: BTreeMap::new(),
            trades: Vec::new(),
            notices: Notices::default(),
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
        let (app, record) = apps::register(options, index, &mut self.alipay_certificates)?;
        self.apps.insert(app.app_id.clone(), record);
        Ok(app)
    }

    pub(crate) fn issue_code(&mut self, app_id: &str, options: &CodeOptions) -> String {
        self.know_user(&options.user);
        let now = self.clock.now();
        self.grants.issue_code(app_id, options, now)
    }

    /// From now on this user visits the page for users.
    pub(crate) fn change_visitor(&mut self, user_id: &str) {
        self.know_user(user_id);
        self.visitor = user_id.to_owned();
    }

    pub(crate) fn change_identifiers(
        &mut self,
        app_id: &str,
        identifiers: Identifiers,
    ) -> Result<(), &'static str> {
        let app = self.apps.get_mut(app_id).ok_or("no app of this app_id")?;
        app.options.identifiers = identifiers;
        Ok(())
    }

    /// The `order_id`. Users who are not known are registered.
    pub(crate) fn approve_conversion(&mut self, app_id: &str, user_ids: &[&str]) -> String {
        for user_id in user_ids {
            self.know_user(user_id);
        }
        let order_id = random_text("", 32);
        let order = ConversionOrder {
            app_id: app_id.to_owned(),
            user_ids: user_ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        self.conversion_orders.insert(order_id.clone(), order);
        order_id
    }

    fn know_user(&mut self, user_id: &str) {
        self.users
            .entry(user_id.to_owned())
            .or_insert_with(|| SimulatedUser::with_id(user_id));
    }

    pub(crate) fn subscribe(
        &mut self,
        app_id: &str,
        user_id: &str,
        template_id: &str,
        subscription: Subscription,
    ) {
        self.know_user(user_id);
        self.subscriptions
            .add(app_id, user_id, template_id, subscription);
    }

    /// The code for the ISV; merchants' apps that are not known are registered.
    pub(crate) fn authorize_merchants(
        &mut self,
        isv_app_id: &str,
        auth_app_ids: &[&str],
    ) -> String {
        for auth_app_id in auth_app_ids {
            if !self.apps.contains_key(*auth_app_id) {
                // Keys from the pool always load.
                let _ = self.add_app(AppOptions {
                    app_id: Some((*auth_app_id).to_owned()),
                    ..AppOptions::default()
                });
            }
        }
        let auth_app_ids = auth_app_ids.iter().map(|id| (*id).to_owned()).collect();
        let now = self.clock.now();
        self.merchants.authorize(isv_app_id, auth_app_ids, now)
    }

    pub(crate) fn cancel_merchant(&mut self, isv_app_id: &str, auth_app_id: &str) -> usize {
        let now = self.clock.now();
        self.merchants.cancel(isv_app_id, auth_app_id, now)
    }

    pub(crate) fn advance_clock(&mut self, by: Duration) {
        self.clock.advance(by);
        self.close_expired_trades();
        self.notices.changed();
    }
}
