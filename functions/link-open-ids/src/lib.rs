//! `link-open-ids`: keeps the accounts of an app that Alipay moves from `user_id`s to `open_id`s.
//!
//! While Alipay names both ids of who logs in, logins join them by themselves. Who does not log in in that time, and everybody where an
//! app is switched at one stroke, would get a second account by the first login after it. So the operator hands in the `user_id`s,
//! this function asks Alipay for the `open_id`s, and leads these to the accounts that are there.
//!
//! It has no route. It makes no account, and may be repeated at will.

mod input;

use std::time::Duration;

use alipay_gateway::methods::{OPEN_ID_QUERY_LIMIT, OpenIdOf, OpenIdQuery, OpenIds};
use function_kit::{Alipay, Caller, Door, Failure, Function, Success};
use function_logins::{Accounts, IdentityError, OpenIdOfUser, WallTime, identity_failure};
use serde::Serialize;

pub use input::{Input, UserId, UserIds};

/// With less time than this nothing more is begun: a call of Alipay takes 5 s at most, and the last second is for the answer.
const LAST_START: Duration = Duration::from_secs(6);

/// The function.
#[derive(Clone)]
pub struct LinkOpenIds {
    alipay: Alipay,
    accounts: Accounts,
}

/// What became of the users: each is counted in one number, or stands in one of the lists. Personal, so there is no `Debug`.
#[derive(Default, Serialize)]
pub struct Fields {
    /// The account is found by the `open_id` too from now on.
    linked: usize,
    /// It was already.
    unchanged: usize,
    /// The `open_id` had an account of its own; the younger is now part of the older.
    merged: usize,
    /// The `user_id` has no account, and none was made.
    unknown: usize,
    /// Nothing was done for these.
    failed: Vec<Failed>,
    /// The time was up before these were looked at: call again with them.
    left: Vec<String>,
}

/// A user for whom nothing was done.
#[derive(Serialize)]
struct Failed {
    #[serde(rename = "userId")]
    user_id: String,
    reason: Reason,
}

/// Why nothing was done for a user.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// Alipay says that it is nobody's id, or nobody's in the conversion order.
    Illegal,
    /// Alipay named no open id, or more than one.
    Unnamed,
    /// The open id is somebody else's as far as the accounts know.
    Contradiction,
    /// A stored row is damaged; the log says which part of it.
    Damaged,
}

impl LinkOpenIds {
    /// Asks for the apps of `alipay`, and links in `accounts`.
    pub fn new(alipay: Alipay, accounts: Accounts) -> Self {
        Self { alipay, accounts }
    }

    fn time_is_up(&self, caller: &Caller) -> bool {
        caller.deadline.remaining(self.alipay.now()) < LAST_START
    }

    async fn ask(
        &self,
        caller: &Caller,
        order_id: Option<&str>,
        user_id_list: &[&str],
    ) -> Result<OpenIds, Failure> {
        let query = OpenIdQuery {
            order_id,
            user_id_list,
        };
        let reply = self.alipay.answer_to(caller, &query.call()?).await?;
        Ok(reply.parse()?)
    }

    /// Does for one user what Alipay's answer says.
    ///
    /// # Errors
    /// Whatever is not about this user alone.
    async fn link(
        &self,
        caller: &Caller,
        user_id: &str,
        answer: &OpenIds,
        done: &mut Fields,
    ) -> Result<(), Failure> {
        let open_id = match answer.of(user_id) {
            OpenIdOf::Known(open_id) => open_id,
            OpenIdOf::Illegal => return done.fail(user_id, Reason::Illegal),
            OpenIdOf::Unnamed => return done.fail(user_id, Reason::Unnamed),
        };
        let user = OpenIdOfUser { user_id, open_id };
        let now = WallTime::from(self.alipay.now());
        let linked = self
            .accounts
            .link_open_ids(caller.app.id(), &[user], now)
            .await;
        let count = match linked {
            Ok(count) => count,
            Err(IdentityError::Corrupt { field }) => {
                tracing::error!(field, "a row of an account is damaged");
                return done.fail(user_id, Reason::Damaged);
            }
            Err(error) => return Err(identity_failure(error)),
        };
        done.linked += count.linked;
        done.unchanged += count.unchanged;
        done.merged += count.merged;
        done.unknown += count.unknown;
        match count.refused {
            0 => Ok(()),
            _ => done.fail(user_id, Reason::Contradiction),
        }
    }
}

impl Fields {
    fn fail(&mut self, user_id: &str, reason: Reason) -> Result<(), Failure> {
        self.failed.push(Failed {
            user_id: user_id.to_owned(),
            reason,
        });
        Ok(())
    }
}

impl Function for LinkOpenIds {
    const NAME: &'static str = "link-open-ids";
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        // It tells who has an account, so a route that somebody makes to it leads nowhere.
        if caller.door == Door::Http {
            return Err(Failure::forbidden(
                "this function has no HTTP route: the operator invokes it directly",
            ));
        }
        let mut done = Fields::default();
        for batch in input.user_ids.as_texts().chunks(OPEN_ID_QUERY_LIMIT) {
            if self.time_is_up(caller) {
                done.left.extend(batch.iter().map(|id| (*id).to_owned()));
                continue;
            }
            let answer = self.ask(caller, input.order_id.as_deref(), batch).await?;
            for user_id in batch {
                if self.time_is_up(caller) {
                    done.left.push((*user_id).to_owned());
                } else {
                    self.link(caller, user_id, &answer, &mut done).await?;
                }
            }
        }
        tracing::info!(
            linked = done.linked,
            unchanged = done.unchanged,
            merged = done.merged,
            unknown = done.unknown,
            failed = done.failed.len(),
            left = done.left.len(),
            "open ids were linked"
        );
        Ok(Success::new("ok", done))
    }
}
