//! Storing a pair that the gateway gave, whatever it takes.

use std::time::Duration;

use secrecy::SecretString;
use uuid::Uuid;

use super::outcome::RefreshOutcome;
use super::refresh::{COMMIT_BUDGET, Lease, RefreshWith};
use super::rescue::RescuedPair;
use super::{Grant, RescueQueue, TokenStore};
use crate::address::Address;
use crate::change::{Change, Changed};
use crate::crash_points::crash_point;
use crate::dynamo::{Item, blob, text};
use crate::error::StoreError;
use crate::record::{Lineage, State, TokenRecord, attribute, time};
use crate::sealed_pair::{Commit, SealedPair};
use table_rows::WallTime;

/// The first pause after a commit did not reach the table, at most; doubles up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The pause that later ones do not exceed.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the schedule leaves a row alone that does not open.
const SET_ASIDE: Duration = Duration::from_secs(24 * 3600);

/// What a commit came to.
pub(super) enum Committed {
    Yes,
    /// Another pair was stored first; the row as it is.
    Superseded(Option<Item>),
}

impl TokenStore {
    /// The pair as the generation after the one of `record`.
    pub(super) fn seal_next(
        &self,
        record: &TokenRecord,
        grant: &Grant,
        now: WallTime,
    ) -> Result<SealedPair, StoreError> {
        let commit = Commit {
            generation: record.generation.next(),
            grant_id: &record.grant_id,
            commit_id: &Uuid::new_v4().to_string(),
            committed_at: now,
        };
        SealedPair::seal(&self.table, &record.address, &commit, grant)
    }

    /// Commits, and tries again for 3 s while the table does not take it. Not a moment longer: a table that does not answer at all
    /// would use up the time in which the pair can still be rescued. Whether the last try was carried out does not matter then.
    pub(super) async fn commit_within_budget(
        &self,
        record: &TokenRecord,
        pair: &SealedPair,
    ) -> Result<Committed, StoreError> {
        let mut last = None;
        let trying = async {
            let mut longest = FIRST_PAUSE;
            loop {
                let committed = self
                    .commit(&record.address, record.generation.get(), pair)
                    .await;
                match committed {
                    Err(error) if error.is_transient() => last = Some(error),
                    settled => return settled,
                }
                tokio::time::sleep(longest.mul_f64(rand::random_range(0.0..1.0))).await;
                longest = (longest * 2).min(LONGEST_PAUSE);
            }
        };
        match tokio::time::timeout(COMMIT_BUDGET, trying).await {
            Ok(settled) => settled,
            Err(_) => Err(last.unwrap_or_else(|| StoreError::Unavailable {
                source: "the table did not answer in time".into(),
            })),
        }
    }

    /// Stores `pair` by lineage: if the row still has the generation that its refresh token came from, and the same grant.
    /// Whoever has the lease by now is not asked.
    pub(super) async fn commit(
        &self,
        address: &Address,
        consumed: u64,
        pair: &SealedPair,
    ) -> Result<Committed, StoreError> {
        let mut change = Change::of_row(&self.table, address)
            .only_at(consumed, &pair.grant_id)
            .in_states(&[State::Active, State::Suspect, State::Reauthorize]);
        for (name, value) in pair.attributes(address) {
            change = change.set(name, value);
        }
        let changed = change
            .remove(&[
                attribute::LEASE_OWNER,
                attribute::LEASE_UNTIL,
                attribute::ATTEMPTS,
                attribute::NOT_BEFORE,
                attribute::SUSPECT_SINCE,
                attribute::REFUSED_SINCE,
                attribute::SIBLING_TOKEN,
                attribute::SIBLING_KEY_ID,
            ])
            .send()
            .await?;
        let Changed::No(found) = changed else {
            return Ok(Committed::Yes);
        };
        let lineage = found.as_ref().map(Lineage::from_item).transpose()?;
        Ok(match lineage {
            // Our own, then an earlier reply was lost.
            Some(lineage) if lineage.commit_id == pair.commit_id => Committed::Yes,
            _ => Committed::Superseded(found),
        })
    }

    /// Step 8: the pair's place in the index of due rows. Best effort: a place that is too early is put right by the sweep.
    pub(super) async fn set_due(&self, address: &Address, pair: &SealedPair) {
        let (due_shard, due_at) = pair.due(address, &self.shards).unzip();
        let change = Change::of_row(&self.table, address)
            .only_at(pair.generation, &pair.grant_id)
            .in_states(&[State::Active])
            .put(attribute::DUE_SHARD, due_shard)
            .put(attribute::DUE_AT, due_at);
        if let Err(error) = change.send().await {
            tracing::warn!(%error, "when a token is due could not be noted; the sweep puts it right");
        }
    }

    /// Puts the place in the index right where it is not what the record demands. A row that no refresh can help any more has none.
    pub(super) async fn repair_due(&self, record: &TokenRecord, now: WallTime) {
        let right = record
            .due_at()
            .filter(|_| record.is_refreshable_at(now))
            .map(|due_at| (self.shards.of(&record.address).to_string(), due_at));
        if record.due == right {
            return;
        }
        let (due_shard, due_at) = right
            .map(|(_, due_at)| self.shards.place(&record.address, due_at))
            .unzip();
        let change = Change::of_lineage(&self.table, record)
            .in_states(&[record.state])
            .put(attribute::DUE_SHARD, due_shard)
            .put(attribute::DUE_AT, due_at);
        match change.send().await {
            Ok(_) => tracing::info!("when a token is due was put right"),
            Err(error) => tracing::warn!(%error, "when a token is due could not be put right"),
        }
    }

    /// `change` with the row's place in the index at `due_at`.
    pub(super) fn with_due(&self, change: Change, address: &Address, due_at: WallTime) -> Change {
        let (due_shard, due_at) = self.shards.place(address, due_at);
        change
            .set(attribute::DUE_SHARD, due_shard)
            .set(attribute::DUE_AT, due_at)
    }

    /// A row that is due and does not open: the schedule leaves it alone for a day, so that it is not sent every minute.
    pub(super) async fn set_aside(&self, address: &Address, now: WallTime) {
        let change = Change::of_row(&self.table, address)
            .only_if("#due_at <= :now")
            .with(":now", time(now));
        let change = self.with_due(change, address, now.plus(SET_ASIDE));
        if let Err(error) = change.send().await {
            tracing::warn!(%error, "a row that does not open could not be set aside");
        }
    }

    /// The table did not take the pair: into the rescue queue with it.
    pub(super) async fn rescue<R, Q: RescueQueue>(
        &self,
        record: &TokenRecord,
        pair: SealedPair,
        error: StoreError,
        with: &RefreshWith<'_, R, Q>,
    ) -> Result<RefreshOutcome, StoreError> {
        let rescued = RescuedPair::new(&record.address, record.generation.get(), pair);
        crash_point("before-rescue").await;
        match with.rescue.put(&rescued).await {
            Ok(()) => {
                crash_point("after-rescue").await;
                tracing::error!(outcome = "rescued", %error, "a refreshed pair could not be stored; it is in the rescue queue");
                Ok(RefreshOutcome::Rescued)
            }
            Err(problem) => {
                tracing::error!(outcome = "lost", %error, %problem, "a refreshed pair could not be stored and is lost");
                Err(error)
            }
        }
    }

    /// Stores a pair out of the rescue queue, as its worker would have. What came of it: [`RefreshOutcome::Refreshed`], or
    /// [`RefreshOutcome::Fresh`] where another pair or a login was stored meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Rejected`]: the table. [`StoreError::Corrupt`]: the message is not one that this
    /// crate wrote.
    pub async fn store_rescued(&self, rescued: &RescuedPair) -> Result<RefreshOutcome, StoreError> {
        let address = rescued.address()?;
        // Nothing that does not open takes the place of what does.
        let refresh_token = rescued.open(&self.table, &address)?;
        match self
            .commit(&address, rescued.consumed_generation, &rescued.pair)
            .await?
        {
            Committed::Yes => {
                crash_point("after-rescued-commit").await;
                self.set_due(&address, &rescued.pair).await;
                Ok(RefreshOutcome::Refreshed)
            }
            Committed::Superseded(found) => {
                self.keep_sibling(
                    &address,
                    &rescued.pair.grant_id,
                    found,
                    Some(&refresh_token),
                )
                .await?;
                Ok(RefreshOutcome::Fresh)
            }
        }
    }

    /// Saves one more refresh token to try for the generation of `record`, while the lease is ours.
    pub(super) async fn save_sibling(
        &self,
        record: &TokenRecord,
        lease: &Lease<'_>,
        token: &SecretString,
    ) -> Result<(), StoreError> {
        let change = self
            .sibling_change(
                &record.address,
                &record.grant_id,
                record.generation.get(),
                token,
            )?
            .only_if("#lease_owner = :lease_owner")
            .named(attribute::LEASE_OWNER)
            .with(":lease_owner", text(lease.owner));
        if let Changed::No(_) = change.send().await? {
            tracing::info!("the row changed while a newer refresh token was to be saved");
        }
        Ok(())
    }

    /// Of two refreshes that both succeeded the first stored one stays. The refresh token of the other is kept as one more to try:
    /// a merchant's pairs both work for a while, and a user's newer one may be the only one that does. `found` is the row that
    /// the commit met.
    pub(super) async fn keep_sibling(
        &self,
        address: &Address,
        grant_id: &str,
        mut found: Option<Item>,
        token: Option<&SecretString>,
    ) -> Result<(), StoreError> {
        while let (Some(row), Some(token)) = (&found, token) {
            let lineage = Lineage::from_item(row)?;
            if lineage.grant_id != grant_id {
                tracing::info!("a login was stored first; the refreshed pair is discarded");
                return Ok(());
            }
            let change = self.sibling_change(address, grant_id, lineage.generation.get(), token)?;
            match change.send().await? {
                Changed::Yes => {
                    tracing::info!(
                        "another pair was stored first; this one's refresh token is kept beside it"
                    );
                    return Ok(());
                }
                // Yet another pair was stored: beside that one.
                Changed::No(row) => found = row,
            }
        }
        Ok(())
    }

    fn sibling_change(
        &self,
        address: &Address,
        grant_id: &str,
        generation: u64,
        token: &SecretString,
    ) -> Result<Change, StoreError> {
        let place = address.place(
            &self.table.name,
            attribute::SIBLING_TOKEN,
            generation,
            grant_id,
        );
        let sealed = self.table.refresh_keyring()?.seal_text(&place, token)?;
        Ok(Change::of_row(&self.table, address)
            .only_at(generation, grant_id)
            .set(attribute::SIBLING_TOKEN, blob(sealed.bytes.clone()))
            .set(attribute::SIBLING_KEY_ID, text(sealed.key_id)))
    }
}
