//! Who subscribed to which message template, and the crowds that a batch of messages may be sent to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How long a user's consent lasts. It belongs to the template: the last subscription to one decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionKind {
    /// Used up by one message.
    OneTime,
    /// Until the user ends it.
    #[default]
    LongTerm,
}

impl SubscriptionKind {
    /// `subscribe_type`. Alipay's document shows `longterm`; the other is formed like it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneTime => "onetime",
            Self::LongTerm => "longterm",
        }
    }
}

/// A user's consent to the messages of one template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subscription {
    /// Once, or until further notice.
    pub kind: SubscriptionKind,
    /// Whether the user asked to keep their choice and not to be asked again.
    pub kept: bool,
}

/// The subscriptions and crowds of a simulator.
#[derive(Default)]
pub(crate) struct Subscriptions {
    /// (app id, template id) → kind.
    kinds: BTreeMap<(String, String), SubscriptionKind>,
    /// (app id, template id) → user id → subscription.
    users: BTreeMap<(String, String), BTreeMap<String, Subscription>>,
    /// `crowd_code` → user ids.
    crowds: BTreeMap<String, BTreeSet<String>>,
}

impl Subscriptions {
    pub(crate) fn add(
        &mut self,
        app_id: &str,
        user_id: &str,
        template_id: &str,
        subscription: Subscription,
    ) {
        let template = (app_id.to_owned(), template_id.to_owned());
        self.kinds.insert(template.clone(), subscription.kind);
        let users = self.users.entry(template).or_default();
        users.insert(user_id.to_owned(), subscription);
    }

    pub(crate) fn add_crowd(&mut self, code: String, user_ids: BTreeSet<String>) {
        self.crowds.insert(code, user_ids);
    }

    pub(crate) fn crowd(&self, code: &str) -> Option<&BTreeSet<String>> {
        self.crowds.get(code)
    }

    pub(crate) fn kind(&self, app_id: &str, template_id: &str) -> SubscriptionKind {
        self.kinds
            .get(&(app_id.to_owned(), template_id.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn get(
        &self,
        app_id: &str,
        user_id: &str,
        template_id: &str,
    ) -> Option<Subscription> {
        self.users
            .get(&(app_id.to_owned(), template_id.to_owned()))?
            .get(user_id)
            .copied()
    }

    /// The users who subscribed to this template.
    pub(crate) fn subscribers(&self, app_id: &str, template_id: &str) -> Vec<String> {
        self.users
            .get(&(app_id.to_owned(), template_id.to_owned()))
            .map(|users| users.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// A message of this template went to this user: a subscription for one message is used up.
    pub(crate) fn use_up(&mut self, app_id: &str, user_id: &str, template_id: &str) {
        let template = (app_id.to_owned(), template_id.to_owned());
        if let Some(users) = self.users.get_mut(&template)
            && users
                .get(user_id)
                .is_some_and(|subscription| subscription.kind == SubscriptionKind::OneTime)
        {
            users.remove(user_id);
        }
    }
}
