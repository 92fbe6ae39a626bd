//! The notices of a simulator, and when each is sent.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::{Notice, NoticeAttempt, NoticeStanding};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
/// After how many seconds from the first time a notice is sent.
const SCHEDULE: [u64; 8] = [
    0,
    4 * MINUTE,
    14 * MINUTE,
    24 * MINUTE,
    HOUR + 24 * MINUTE,
    3 * HOUR + 24 * MINUTE,
    9 * HOUR + 24 * MINUTE,
    24 * HOUR + 24 * MINUTE,
];

struct Record {
    notice: Notice,
    first_due: SystemTime,
    /// How many times of the schedule are over.
    times: usize,
}

impl Record {
    /// When it is sent next, if it is waiting.
    fn due(&self) -> Option<SystemTime> {
        let seconds = SCHEDULE.get(self.times)?;
        let waits = self.notice.standing == NoticeStanding::Waiting;
        waits.then(|| self.first_due + Duration::from_secs(*seconds))
    }
}

/// All notices of a simulator.
pub(crate) struct Notices {
    records: Vec<Record>,
    /// Nothing is sent of its own accord.
    held: bool,
    /// Changes with every notice and every attempt, and with the clock.
    changes: watch::Sender<()>,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            held: false,
            changes: watch::Sender::new(()),
        }
    }
}

impl Notices {
    /// The notice is sent as soon as nothing holds it.
    pub(super) fn add(&mut self, notice: Notice, now: SystemTime) {
        self.records.push(Record {
            notice,
            first_due: now,
            times: 0,
        });
        self.changed();
    }

    pub(crate) fn changed(&self) {
        self.changes.send_replace(());
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(crate) fn all(&self) -> Vec<Notice> {
        let records = self.records.iter();
        records.map(|record| record.notice.clone()).collect()
    }

    pub(crate) fn find(&self, notify_id: &str) -> Option<&Notice> {
        let mut notices = self.records.iter().map(|record| &record.notice);
        notices.find(|notice| notice.notify_id == notify_id)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
        self.changed();
    }

    /// Whether nothing is being sent and nothing would be now.
    pub(crate) fn are_settled(&self, now: SystemTime) -> bool {
        self.records.iter().all(|record| {
            let is_due = !self.held && record.due().is_some_and(|due| due <= now);
            record.notice.standing != NoticeStanding::InDelivery && !is_due
        })
    }

    /// When the next notice is sent of its own accord.
    pub(super) fn next_due(&self) -> Option<SystemTime> {
        let records = self.records.iter().filter(|_| !self.held);
        records.filter_map(Record::due).min()
    }

    /// The notices whose time has come; each is in delivery from now on.
    pub(super) fn take_due(&mut self, now: SystemTime) -> Vec<String> {
        let held = self.held;
        let is_due = |record: &&mut Record| !held && record.due().is_some_and(|due| due <= now);
        let due = self.records.iter_mut().filter(is_due).map(|record| {
            record.notice.standing = NoticeStanding::InDelivery;
            record.notice.notify_id.clone()
        });
        due.collect()
    }

    /// A notice that waits is sent out of turn.
    pub(super) fn take(&mut self, notify_id: &str) -> bool {
        let mut records = self.records.iter_mut();
        let waiting = records.find(|record| {
            record.notice.notify_id == notify_id
                && record.notice.standing == NoticeStanding::Waiting
        });
        if let Some(record) = waiting {
            record.notice.standing = NoticeStanding::InDelivery;
            return true;
        }
        false
    }

    /// An attempt is over; one that was no repeat of a test's counts for the schedule.
    pub(super) fn attempted(
        &mut self,
        notify_id: &str,
        attempt: NoticeAttempt,
        is_scheduled: bool,
    ) {
        let mut records = self.records.iter_mut();
        let found = records.find(|record| record.notice.notify_id == notify_id);
        if let Some(record) = found {
            let is_success = attempt.answer.is_success();
            record.notice.attempts.push(attempt);
            if is_scheduled {
                record.times += 1;
                record.notice.standing = match SCHEDULE.get(record.times) {
                    Some(_) => NoticeStanding::Waiting,
                    None => NoticeStanding::GivenUp,
                };
            }
            let has_success = || {
                let mut attempts = record.notice.attempts.iter();
                attempts.any(|attempt| attempt.answer.is_success())
            };
            let is_in_delivery = record.notice.standing == NoticeStanding::InDelivery;
            if is_success || (!is_in_delivery && has_success()) {
                record.notice.standing = NoticeStanding::Acknowledged;
            }
        }
        self.changed();
    }
}
