//! What is wrong with a table of tokens, and how to mend it.

use std::time::Duration;

use serde::Serialize;
use token_store::{Counts, WallTime};

use super::page::span;
use super::place::Place;
use crate::schedule::SCHEDULE;

/// A schedule that works looks at every row within two of its intervals.
const LATE: Duration = SCHEDULE.saturating_mul(3);

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub what: String,
    pub mend: &'static str,
}

pub(super) fn findings(
    all: &Counts,
    damaged_rows: u64,
    place: Place,
    now: WallTime,
) -> Vec<Finding> {
    let late = all.oldest_due_at.map(|due_at| now.since(due_at));
    let mut findings = Vec::new();
    if let Some(late) = late.filter(|late| *late > LATE) {
        findings.push(Finding {
            what: format!(
                "the schedule is behind: {} due, the oldest for {}",
                counted(all.due, "token is", "tokens are"),
                span(late)
            ),
            mend: match place {
                Place::Local { .. } => {
                    "run the development server without --no-schedule; what refreshes end with is in its log"
                }
                Place::Aws => {
                    "see that the schedule starts refresh-tokens every minute and that its queue is worked off; its log says what refreshes end with, and REFRESH_RATE bounds them"
                }
            },
        });
    }
    if all.unscheduled > 0 {
        findings.push(Finding {
            what: format!(
                "{} not in the index of due rows, so the schedule does not see them",
                counted(all.unscheduled, "token is", "tokens are")
            ),
            mend: "the next refresh or login puts each right: a reader's, when it has expired, or `tokens refresh`",
        });
    }
    if all.scheduled_late > 0 {
        findings.push(Finding {
            what: format!(
                "{} later in the index of due rows than they should be",
                counted(all.scheduled_late, "token is", "tokens are")
            ),
            mend: "rows that do not open are put off by a day: look for \"damaged\" in the log of refresh-tokens and see that it has every key that sealed them",
        });
    }
    if damaged_rows > 0 {
        findings.push(Finding {
            what: format!(
                "{} what a token's row must have",
                counted(damaged_rows, "row lacks", "rows lack")
            ),
            mend: "they are never served; somebody else than the functions wrote them, delete them",
        });
    }
    findings
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
