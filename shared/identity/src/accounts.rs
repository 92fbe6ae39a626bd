//! Which account is whose.

mod alias;
mod link;
mod names;
mod record;
mod transaction;

use std::fmt;
use std::time::Duration;

use table_rows::WallTime;

use self::alias::Alias;
use self::names::{Holders, Names, OfApp};
use self::record::{AccountRecord, account_pk, attribute, uid_of};
use self::transaction::{Transaction, Written};
use crate::{IdentityError, IdentityTable, Uid};

pub use self::link::{LinkedOpenIds, OpenIdOfUser};

/// How often a call looks again when others write the same rows.
const ATTEMPTS: usize = 12;
/// The pause before looking again, on average.
const PAUSE: Duration = Duration::from_millis(20);
/// How many aliases one transaction moves at most; DynamoDB takes 100 writes, and two are of the accounts.
const MOVES_AT_ONCE: usize = 90;
/// How many merges [`Accounts::get`] follows: each needs an account that is older than all before it.
const LONGEST_CHAIN: usize = 16;

/// Who somebody is, as one verified reply of Alipay's says. All of its ids must be from that reply.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// The app that the ids hold for.
    pub app_id: &'a str,
    /// 16 digits beginning 2088.
    pub user_id: Option<&'a str>,
    /// Opaque, of this app only. At least one of `user_id` and `open_id` is needed.
    pub open_id: Option<&'a str>,
    /// What is the same in all apps of a group.
    pub union: Option<Union<'a>>,
}

/// A `union_id`.
#[derive(Clone, Copy)]
pub struct Union<'a> {
    /// The host of the gateway that named it, so that people of the sandbox and of production never meet.
    pub environment: &'a str,
    /// The id itself.
    pub id: &'a str,
}

/// Whose account it is that a login leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its key.
    pub uid: Uid,
    /// Whether this call made it.
    pub is_new: bool,
}

/// An account as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its key: another than was asked for, where that account was merged into this one.
    pub uid: Uid,
    /// When its person logged in for the first time.
    pub created_at: WallTime,
}

/// Finds and makes accounts.
///
/// A person has one account under several names: the `user_id` and the `open_id` of each app, and a `union_id`. An *alias* is the row that
/// leads from one name to the account. Alipay moves apps from `user_id` to `open_id`; whichever of the two a login brings, and in which
/// order, leads to the same account once one reply has brought both (or once [`Accounts::link_open_ids`] was told).
///
/// 1. No name is known: the account and all its aliases are written in one transaction, each on condition that it is not there. If somebody
///    was quicker, the names are read again.
/// 2. All of the app's names that are known lead to one account: the missing aliases are added to it. Where only the `union_id` is known, to
///    the account of that: so one person's apps share an account.
/// 3. The app's `user_id` and `open_id` lead to two accounts, each made when Alipay had named only one of them: the younger is merged into
///    the older. Its aliases are moved, and its row says from then on where it went; who reads an account follows that.
/// 4. The `union_id` leads elsewhere than the app's own names: those count, and nothing is changed.
/// 5. An account has one `user_id` of an app. Where 2 or 3 would give it a second, which Alipay's replies do not do unless something is
///    wrong, the name that led there is left aside, so that nobody gets into somebody else's account.
///
/// Invariants: an alias leads to an account that exists, has not been merged, and lists the alias. An account's row changes only at the
/// version that was read. An account is only merged into an older one, so there are no circles. Every step is one transaction, all or nothing;
/// what a process leaves behind that dies between two of them satisfies the same invariants, and the next login goes on.
#[derive(Clone)]
pub struct Accounts {
    table: IdentityTable,
}

/// The most that [`Accounts::settle`] had to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// The rows agreed.
    Nothing,
    /// An account or aliases were added.
    Added,
    /// Two accounts became one.
    Merged,
    /// A name was left aside (rule 5).
    LeftAside,
}

/// What one step came to.
enum Step {
    /// Everything agrees already.
    Agrees(Uid),
    /// The missing aliases, or all of a new account, were written; now it does.
    Written(Uid),
    /// A part of the younger account was carried over to the older, and the rest is to follow.
    CarriedOver,
    /// Two accounts became one; aliases may still be missing.
    Merged,
    /// Somebody else was quicker.
    Overtaken,
    /// It would give an account a second `user_id` of one app.
    Contradiction,
}

impl Accounts {
    /// Accounts in `table`.
    pub fn new(table: IdentityTable) -> Self {
        Self { table }
    }

    /// The account of `person`, made if there is none. One round trip for somebody who is known under all these names.
    ///
    /// # Errors
    /// - [`IdentityError::Refused`] with [`Refusal::Malformed`](crate::Refusal::Malformed), [`IdentityError::TooLarge`]: an id is none.
    /// - [`IdentityError::Conflict`]: others kept changing the same rows.
    /// - [`IdentityError::Table`]: if the account was made, the next call finds it.
    /// - [`IdentityError::Corrupt`].
    pub async fn account_of(
        &self,
        person: &Person<'_>,
        now: WallTime,
    ) -> Result<Account, IdentityError> {
        let names = Names::of(person)?;
        let (account, _) = self.settle(names, now).await?;
        Ok(account)
    }

    /// The account `uid`, or the one that it was merged into. `None` if there is no such account.
    ///
    /// # Errors
    /// [`IdentityError::Table`], [`IdentityError::Corrupt`].
    pub async fn get(&self, uid: &Uid) -> Result<Option<StoredAccount>, IdentityError> {
        let mut uid = uid.clone();
        for _ in 0..LONGEST_CHAIN {
            let Some(record) = self.record(&uid).await? else {
                return Ok(None);
            };
            match record.merged_into {
                Some(older) => uid = older,
                None => {
                    return Ok(Some(StoredAccount {
                        uid: record.uid,
                        created_at: record.created_at,
                    }));
                }
            }
        }
        Err(IdentityError::Corrupt {
            field: attribute::MERGED_INTO,
        })
    }

    /// Brings the rows into agreement with `names`, a step at a time.
    async fn settle(
        &self,
        mut names: Names,
        now: WallTime,
    ) -> Result<(Account, Change), IdentityError> {
        let new = Uid::random();
        let mut change = Change::Nothing;
        for _ in 0..ATTEMPTS {
            let holders = self.holders(&names).await?;
            let step = match holders.of_app() {
                OfApp::Two(one, other) => self.merge(one, other, &names, now).await?,
                OfApp::One(uid) => self.add_missing(uid, &names, &holders, now).await?,
                OfApp::Nobody => match &holders.union {
                    Some(uid) => self.add_missing(uid, &names, &holders, now).await?,
                    None => self.make(&new, &names, now).await?,
                },
            };
            change = change.max(match step {
                Step::Agrees(uid) => {
                    let is_new = uid == new;
                    return Ok((Account { uid, is_new }, change));
                }
                Step::Written(uid) => {
                    let is_new = uid == new;
                    return Ok((Account { uid, is_new }, change.max(Change::Added)));
                }
                Step::Merged => Change::Merged,
                Step::CarriedOver => Change::Nothing,
                Step::Overtaken => {
                    pause().await;
                    Change::Nothing
                }
                Step::Contradiction => {
                    tracing::error!(
                        "Alipay gave an account a second user id of one app; the id that led there is left aside"
                    );
                    names.leave_aside(&holders);
                    Change::LeftAside
                }
            });
        }
        Err(IdentityError::Conflict)
    }

    /// The account that each of `names` leads to.
    async fn holders(&self, names: &Names) -> Result<Holders, IdentityError> {
        let (user, open, union) = tokio::try_join!(
            self.holder(names.user.as_ref()),
            self.holder(names.open.as_ref()),
            self.holder(names.union.as_ref()),
        )?;
        Ok(Holders { user, open, union })
    }

    async fn holder(&self, alias: Option<&Alias>) -> Result<Option<Uid>, IdentityError> {
        let Some(alias) = alias else { return Ok(None) };
        let row = self.table.row(alias.pk()).await?;
        row.map(|row| uid_of(&row, attribute::UID)).transpose()
    }

    async fn record(&self, uid: &Uid) -> Result<Option<AccountRecord>, IdentityError> {
        let row = self.table.row(&account_pk(uid)).await?;
        row.map(|row| AccountRecord::from_item(&row)).transpose()
    }

    /// The account that an alias leads to. It is there, and may have been merged since the alias was read.
    async fn held_record(&self, uid: &Uid) -> Result<AccountRecord, IdentityError> {
        let record = self.record(uid).await?;
        record.ok_or(IdentityError::Corrupt {
            field: attribute::UID,
        })
    }

    /// Rule 1.
    async fn make(&self, uid: &Uid, names: &Names, now: WallTime) -> Result<Step, IdentityError> {
        let write = Transaction::on(&self.table).make(uid, &names.all(), now)?;
        Ok(match write.send().await? {
            Written::Yes => Step::Written(uid.clone()),
            Written::Overtaken => Step::Overtaken,
        })
    }

    /// Rules 2 and 4, for the account `uid`.
    async fn add_missing(
        &self,
        uid: &Uid,
        names: &Names,
        holders: &Holders,
        now: WallTime,
    ) -> Result<Step, IdentityError> {
        if holders.union.as_ref().is_some_and(|other| other != uid) {
            tracing::info!(%uid, "a union id leads to another account than the app's own ids; those count");
        }
        let missing = names.missing(holders);
        if missing.is_empty() {
            return Ok(Step::Agrees(uid.clone()));
        }
        let record = self.held_record(uid).await?;
        if record.merged_into.is_some() {
            return Ok(Step::Overtaken);
        }
        if record.is_contradicted_by(missing.iter().copied()) {
            return Ok(Step::Contradiction);
        }
        let write = Transaction::on(&self.table).link(&record, &missing, now)?;
        Ok(match write.send().await? {
            Written::Yes => Step::Written(record.uid),
            Written::Overtaken => Step::Overtaken,
        })
    }

    /// Rule 3, for the accounts `one` and `other`. One with very many aliases is carried over in several transactions; those of `names`
    /// move with the last, so that whatever happens in between, the next login still finds two accounts and goes on.
    async fn merge(
        &self,
        one: &Uid,
        other: &Uid,
        names: &Names,
        now: WallTime,
    ) -> Result<Step, IdentityError> {
        let (one, other) = tokio::try_join!(self.held_record(one), self.held_record(other))?;
        if one.merged_into.is_some() || other.merged_into.is_some() {
            return Ok(Step::Overtaken);
        }
        if one.is_contradicted_by(&other.aliases) {
            return Ok(Step::Contradiction);
        }
        let (older, younger) = if one.is_older_than(&other) {
            (one, other)
        } else {
            (other, one)
        };
        let (last, mut aliases): (Vec<&Alias>, Vec<&Alias>) = younger
            .aliases
            .iter()
            .partition(|alias| names.all().contains(alias));
        let is_last = aliases.len() + last.len() <= MOVES_AT_ONCE;
        if is_last {
            aliases.extend(last);
        } else {
            aliases.truncate(MOVES_AT_ONCE);
        }
        let write =
            Transaction::on(&self.table).carry_over(&younger, &older, &aliases, is_last, now)?;
        match write.send().await? {
            Written::Overtaken => Ok(Step::Overtaken),
            Written::Yes if !is_last => Ok(Step::CarriedOver),
            Written::Yes => {
                tracing::warn!(
                    uid = %older.uid,
                    merged = %younger.uid,
                    "two accounts are one person's; the younger is merged into the older"
                );
                Ok(Step::Merged)
            }
        }
    }
}

/// Waits a little, so that those who write the same rows do not go in step.
async fn pause() {
    tokio::time::sleep(PAUSE.mul_f64(rand::random_range(0.5..1.5))).await;
}

impl fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Accounts").finish_non_exhaustive()
    }
}
