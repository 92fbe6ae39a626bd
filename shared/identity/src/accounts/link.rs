//! The migration of an app that is switched from user ids to open ids at one stroke.

use table_rows::WallTime;

use super::names::Names;
use super::{Accounts, Change, Person};
use crate::IdentityError;

/// A user under both ids of one app, as one verified reply of `alipay.open.app.openid.batchquery` says.
#[derive(Clone, Copy)]
pub struct OpenIdOfUser<'a> {
    /// 16 digits beginning 2088.
    pub user_id: &'a str,
    /// The same user's.
    pub open_id: &'a str,
}

/// What came of [`Accounts::link_open_ids`], in users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkedOpenIds {
    /// The open id leads to the account of the user id from now on.
    pub linked: usize,
    /// It did already.
    pub unchanged: usize,
    /// It led to another account; the two are one now.
    pub merged: usize,
    /// The user id has no account; none was made.
    pub unknown: usize,
    /// An id is none, or it is somebody else's as far as we know; nothing was changed.
    pub refused: usize,
}

impl Accounts {
    /// Adds to accounts that are known by a `user_id` of the app `app_id` the `open_id` of the same user, so that people who do not log in
    /// while Alipay names both keep their accounts. Makes no account. May be repeated, also after an error in the middle.
    ///
    /// # Errors
    /// [`IdentityError::Table`], [`IdentityError::Conflict`], [`IdentityError::Corrupt`]: the users before stay linked.
    pub async fn link_open_ids(
        &self,
        app_id: &str,
        users: &[OpenIdOfUser<'_>],
        now: WallTime,
    ) -> Result<LinkedOpenIds, IdentityError> {
        let mut count = LinkedOpenIds::default();
        for user in users {
            let names = Names::of(&Person {
                app_id,
                user_id: Some(user.user_id),
                open_id: Some(user.open_id),
                union: None,
            });
            let names = match names {
                Ok(names) => names,
                Err(IdentityError::Refused(_) | IdentityError::TooLarge { .. }) => {
                    count.refused += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if self.holder(names.user.as_ref()).await?.is_none() {
                count.unknown += 1;
                continue;
            }
            let (_, change) = self.settle(names, now).await?;
            match change {
                Change::Nothing => count.unchanged += 1,
                Change::Added => count.linked += 1,
                Change::Merged => count.merged += 1,
                Change::LeftAside => count.refused += 1,
            }
        }
        Ok(count)
    }
}
