//! A survey as a person reads it, and as a program does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::json;
use token_store::{AppSurvey, Counts, Survey, WallTime};

use super::finding::{Finding, findings};
use super::place::Place;

const HEADINGS: [&str; 11] = [
    "app",
    "tokens of",
    "active",
    "suspect",
    "reauthorize",
    "revoked",
    "due now",
    "oldest since",
    "next in",
    "refreshing",
    "waiting",
];
/// The columns that hold words stand on the left, numbers on the right.
const WORDS: usize = 2;

/// A survey with what is wrong in it.
pub(super) struct Page {
    table: String,
    apps: BTreeMap<String, AppSurvey>,
    other_rows: u64,
    damaged_rows: u64,
    findings: Vec<Finding>,
    now: WallTime,
}

impl Page {
    pub(super) fn new(survey: &Survey, table: String, place: &Place, now: WallTime) -> Self {
        let mut apps: BTreeMap<String, AppSurvey> = BTreeMap::new();
        let mut all = Counts::default();
        for (app_id, counts) in &survey.apps {
            // The rows of merchants' users bear both apps; the ISV's is the one that was given the tokens.
            let app_id = app_id.split('@').next().unwrap_or(app_id);
            let app = apps.entry(app_id.to_owned()).or_default();
            *app = app.clone().with(counts.clone());
            all = all.with(counts.users).with(counts.merchants);
        }
        Self {
            table,
            apps,
            other_rows: survey.other_rows,
            damaged_rows: survey.damaged_rows,
            findings: findings(&all, survey.damaged_rows, *place, now),
            now,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        if self.apps.is_empty() {
            writeln!(
                out,
                "No tokens are stored in the table {}; a login (auth.code2Session) stores the first.",
                self.table
            )?;
        } else {
            write_table(&self.lines(), out)?;
        }
        writeln!(out)?;
        for Finding { what, mend } in &self.findings {
            writeln!(out, "wrong: {what}\n       {mend}")?;
        }
        if self.findings.is_empty() {
            writeln!(out, "Nothing is wrong.")?;
        }
        Ok(())
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let mut lines = vec![HEADINGS.map(str::to_owned).to_vec()];
        for (app_id, app) in &self.apps {
            for (whose, counts) in [("users", &app.users), ("merchants", &app.merchants)] {
                if counts.rows() > 0 {
                    lines.push(self.line(app_id, whose, counts));
                }
            }
        }
        lines
    }

    fn line(&self, app_id: &str, whose: &str, counts: &Counts) -> Vec<String> {
        let or_dash = |duration: Option<Duration>| duration.map_or("-".to_owned(), span);
        vec![
            app_id.to_owned(),
            whose.to_owned(),
            counts.active.to_string(),
            counts.suspect.to_string(),
            counts.reauthorize.to_string(),
            counts.revoked.to_string(),
            counts.due.to_string(),
            or_dash(counts.oldest_due_at.map(|due_at| self.now.since(due_at))),
            or_dash(counts.next_due_at.map(|due_at| due_at.since(self.now))),
            counts.leased.to_string(),
            counts.waiting.to_string(),
        ]
    }

    pub(super) fn json(&self) -> String {
        let document = json!({
            "table": self.table,
            "at_ms": self.now.as_millis(),
            "apps": self.apps,
            "other_rows": self.other_rows,
            "damaged_rows": self.damaged_rows,
            "wrong": self.findings,
        });
        format!("{document:#}\n")
    }
}

fn write_table(lines: &[Vec<String>], out: &mut String) -> std::fmt::Result {
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells: Vec<_> = cells
            .map(|(column, (cell, &width))| {
                if column < WORDS {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        writeln!(out, "{}", cells.join("  "))?;
    }
    Ok(())
}

/// A length of time in its two-digit unit.
pub(crate) fn span(duration: Duration) -> String {
    const UNITS: [(&str, u64); 3] = [("d", 86_400), ("h", 3600), ("min", 60)];
    // What is left of a second is still one to wait.
    let seconds = duration.as_millis().div_ceil(1000);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    UNITS
        .into_iter()
        .find(|(_, length)| seconds >= 2 * length)
        .map_or_else(
            || format!("{seconds} s"),
            |(unit, length)| format!("{} {unit}", seconds / length),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_795_226_400);
    const LOCAL: Place = Place::Local { port: 3000 };

    fn survey(app_id: &str, users: Counts) -> Survey {
        let merchants = Counts::default();
        let app = AppSurvey { users, merchants };
        Survey {
            apps: BTreeMap::from([(app_id.to_owned(), app)]),
            ..Survey::default()
        }
    }

    fn text(survey: &Survey) -> String {
        Page::new(survey, "tokens".to_owned(), &LOCAL, NOW).text()
    }

    #[test]
    fn the_columns_stand_under_their_headings() {
        let mut survey = survey(
            "2021000000000001",
            Counts {
                active: 12_345,
                next_due_at: Some(NOW.plus(Duration::from_secs(5 * 3600))),
                ..Counts::default()
            },
        );
        let merchants = Counts {
            active: 1,
            ..Counts::default()
        };
        survey.apps.entry("2021".to_owned()).or_default().merchants = merchants;
        assert_eq!(
            text(&survey),
            "\
app               tokens of  active  suspect  reauthorize  revoked  due now  oldest since  next in  refreshing  waiting
2021              merchants       1        0            0        0        0             -        -           0        0
2021000000000001  users       12345        0            0        0        0             -      5 h           0        0

Nothing is wrong.
"
        );
    }

    #[test]
    fn the_users_of_an_isvs_merchants_count_with_the_isvs_app() {
        let one = Counts {
            active: 1,
            ..Counts::default()
        };
        let mut both = survey("2021", one);
        both.apps.extend(survey("2021@2022", one).apps);
        let page = Page::new(&both, "tokens".to_owned(), &LOCAL, NOW);
        assert_eq!(page.apps.len(), 1);
        assert_eq!(page.apps["2021"].users.active, 2);
    }

    #[test]
    fn an_empty_table_says_how_to_fill_it() {
        let said = text(&Survey::default());
        assert!(said.contains("code2Session"), "{said}");
    }

    #[test]
    fn a_schedule_that_is_behind_is_named_with_its_mend() {
        let due_since = |seconds| {
            text(&survey(
                "a",
                Counts {
                    active: 1,
                    due: 1,
                    oldest_due_at: Some(NOW.minus(Duration::from_secs(seconds))),
                    ..Counts::default()
                },
            ))
        };
        assert!(due_since(170).contains("Nothing is wrong."));
        let behind = due_since(600);
        assert!(
            behind.contains("wrong: the schedule is behind: 1 token is due, the oldest for 10 min")
                && behind.contains("--no-schedule"),
            "{behind}"
        );
    }

    #[test]
    fn what_the_audit_finds_is_named_with_its_mend() {
        let mut survey = survey(
            "a",
            Counts {
                active: 9,
                unscheduled: 2,
                scheduled_late: 1,
                ..Counts::default()
            },
        );
        survey.damaged_rows = 1;
        let said = text(&survey);
        for what in [
            "2 tokens are not in the index",
            "1 token is later",
            "1 row lacks",
        ] {
            assert!(said.contains(what), "no {what:?} in\n{said}");
        }
        assert!(!said.contains("Nothing is wrong"), "{said}");
    }

    #[test]
    fn a_length_of_time_is_in_a_unit_that_fits() {
        for (seconds, expected) in [
            (0.0, "0 s"),
            (0.2, "1 s"),
            (119.0, "119 s"),
            (120.0, "2 min"),
            (7200.0, "2 h"),
            (172_800.0, "2 d"),
        ] {
            assert_eq!(span(Duration::from_secs_f64(seconds)), expected);
        }
    }
}
