//! The names of one person, and who holds them.

use super::Person;
use super::alias::Alias;
use crate::{IdentityError, Refusal, Uid};

/// The aliases that a reply of Alipay's is about.
pub(super) struct Names {
    pub(super) user: Option<Alias>,
    pub(super) open: Option<Alias>,
    pub(super) union: Option<Alias>,
}

/// The account that each of the [`Names`] leads to.
pub(super) struct Holders {
    pub(super) user: Option<Uid>,
    pub(super) open: Option<Uid>,
    pub(super) union: Option<Uid>,
}

/// The accounts that the app's own ids, its user id and its open id, lead to.
pub(super) enum OfApp<'a> {
    Nobody,
    One(&'a Uid),
    Two(&'a Uid, &'a Uid),
}

impl Holders {
    pub(super) fn of_app(&self) -> OfApp<'_> {
        match (&self.user, &self.open) {
            (Some(user), Some(open)) if user != open => OfApp::Two(user, open),
            (Some(uid), _) | (None, Some(uid)) => OfApp::One(uid),
            (None, None) => OfApp::Nobody,
        }
    }
}

impl Names {
    pub(super) fn of(person: &Person<'_>) -> Result<Self, IdentityError> {
        if person.user_id.is_none() && person.open_id.is_none() {
            return Err(Refusal::Malformed.into());
        }
        let user = |id| Alias::of_user(person.app_id, id);
        let open = |id| Alias::of_open(person.app_id, id);
        Ok(Self {
            user: person.user_id.map(user).transpose()?,
            open: person.open_id.map(open).transpose()?,
            union: person.union.as_ref().map(Alias::of_union).transpose()?,
        })
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<&Alias> {
        [&self.user, &self.open, &self.union]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Those that lead nowhere yet.
    pub(super) fn missing(&self, holders: &Holders) -> Vec<&Alias> {
        [
            (&self.user, &holders.user),
            (&self.open, &holders.open),
            (&self.union, &holders.union),
        ]
        .into_iter()
        .filter(|(_, holder)| holder.is_none())
        .filter_map(|(alias, _)| alias.as_ref())
        .collect()
    }

    /// Forgets the name that contradicts: the open id where it leads somewhere, else the union id. A user id is the number of the person's
    /// account at Alipay and always counts.
    pub(super) fn leave_aside(&mut self, holders: &Holders) {
        if holders.open.is_some() {
            self.open = None;
        } else {
            self.union = None;
        }
    }
}
