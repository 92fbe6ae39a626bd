//! A comparison as tables, for the terminal and for the documentation.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::compare::{Comparison, Figures, Key};
use crate::field::Who;
use crate::goals::{MEGABYTE, Outcome, goals};
use crate::table::{Table, figure};
use crate::{BenchError, Job, Share, Summary, Transport};

/// Writes `what` as JSON to `path`; the folder is made.
///
/// # Errors
/// [`BenchError::System`].
pub fn write_json(path: &Path, what: &impl Serialize) -> Result<(), BenchError> {
    let failed = || BenchError::system(path.display().to_string());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed())?;
    }
    let text = serde_json::to_string_pretty(what)
        .map_err(|error| failed()(std::io::Error::other(error)))?;
    fs::write(path, text + "\n").map_err(failed())
}

/// Reads what [`write_json`] wrote.
///
/// # Errors
/// [`BenchError::Missing`], [`BenchError::Malformed`].
pub fn read_json<T: DeserializeOwned>(path: &Path, mend: &'static str) -> Result<T, BenchError> {
    let text = fs::read_to_string(path).map_err(|_| BenchError::Missing {
        path: path.to_owned(),
        mend,
    })?;
    serde_json::from_str(&text).map_err(|error| BenchError::Malformed {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

/// A table and what stands above it.
pub struct Section {
    /// Its heading.
    pub title: String,
    /// The table.
    pub table: Table,
    /// What stands below it.
    pub notes: Vec<String>,
}

impl Section {
    /// For the terminal; the heading in bold on one that is one.
    pub fn to_text(&self) -> String {
        let (bold, plain) = if std::io::stdout().is_terminal() {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        };
        let notes: String = self
            .notes
            .iter()
            .map(|note| format!("    {note}\n"))
            .collect();
        format!(
            "{bold}{}{plain}\n{}{notes}",
            self.title,
            self.table.to_text()
        )
    }

    /// For the documentation.
    pub fn to_markdown(&self) -> String {
        let notes: String = self
            .notes
            .iter()
            .map(|note| format!("\n{note}\n"))
            .collect();
        format!("### {}\n\n{}{notes}", self.title, self.table.to_markdown())
    }
}

fn median(values: &[f64]) -> String {
    Summary::of(values).map_or_else(String::new, |summary| figure(summary.median))
}

fn p99(values: &[f64]) -> String {
    Summary::of(values).map_or_else(String::new, |summary| figure(summary.p99))
}

fn mean(values: &[f64]) -> String {
    Summary::of(values).map_or_else(String::new, |summary| figure(summary.mean))
}

fn range(values: &[f64]) -> String {
    Summary::of(values).map_or_else(String::new, |summary| {
        format!("{}–{}", figure(summary.least), figure(summary.greatest))
    })
}

/// All tables of a comparison but the goals'.
pub fn sections(comparison: &Comparison) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut shares: Vec<Option<Share>> = vec![None];
    shares.extend(comparison.plan.shares.iter().copied().map(Some));
    for job in Job::ALL {
        for transport in Transport::ALL {
            for &share in &shares {
                let rows: Vec<_> = rows(comparison, job, transport, share).collect();
                if rows.is_empty() {
                    continue;
                }
                let measured = rows
                    .iter()
                    .filter(|(_, figures)| figures.not_measured.is_none());
                let table = match share {
                    None => whole_cpu(measured, comparison, job, transport),
                    Some(_) => at_share(measured),
                };
                let notes = rows.iter().filter_map(|(who, figures)| {
                    let reason = figures.not_measured.as_ref()?;
                    Some(format!("{who}: not measured: {reason}."))
                });
                let cpu = match share {
                    None => "a whole CPU".to_owned(),
                    Some(share) => format!(
                        "after INIT the CPU share of {} MB, counted over {} ms",
                        share.memory, share.period_ms
                    ),
                };
                sections.push(Section {
                    title: format!("{job} over {}, {cpu}", transport.name()),
                    table,
                    notes: notes.collect(),
                });
            }
        }
    }
    sections
}

/// The rows of all contestants under the same conditions, those without figures with the reason.
fn rows(
    comparison: &Comparison,
    job: Job,
    transport: Transport,
    share: Option<Share>,
) -> impl Iterator<Item = (Who, &Figures)> {
    Who::ALL.into_iter().filter_map(move |who| {
        let key = Key {
            job,
            transport,
            share,
            who,
        };
        Some((who, comparison.figures(key)?))
    })
}

fn whole_cpu<'a>(
    rows: impl Iterator<Item = &'a (Who, &'a Figures)>,
    comparison: &Comparison,
    job: Job,
    transport: Transport,
) -> Table {
    let mut table = Table::new(&[
        "ms",
        "INIT",
        "cold start",
        "least–greatest",
        "warm p50",
        "warm p99",
        "CPU a call",
        "peak MB",
        "gateway",
        "table",
        "zip MB",
    ]);
    for (who, figures) in rows {
        let optional = |value: Option<f64>| value.map_or_else(String::new, figure);
        let zip = comparison
            .zip(*who, job)
            .filter(|_| transport == Transport::Plain);
        let count = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        table.row([
            who.name().to_owned(),
            median(&figures.init_ms),
            median(&figures.first_reply_ms),
            range(&figures.first_reply_ms),
            median(&figures.warm_ms),
            p99(&figures.warm_ms),
            mean(&figures.cpu_ms),
            optional(figures.memory.map(|memory| memory.peak as f64 / MEGABYTE)),
            count(figures.gateway_requests),
            count(figures.table_requests),
            optional(zip.map(|bytes| bytes as f64 / MEGABYTE)),
        ]);
    }
    table
}

fn at_share<'a>(rows: impl Iterator<Item = &'a (Who, &'a Figures)>) -> Table {
    let mut table = Table::new(&[
        "ms",
        "INIT",
        "cold start",
        "least–greatest",
        "rested p50",
        "rested p99",
        "back to back p50",
        "p99",
        "mean",
        "CPU a call",
    ]);
    for (who, figures) in rows {
        table.row([
            who.name().to_owned(),
            median(&figures.init_ms),
            median(&figures.first_reply_ms),
            range(&figures.first_reply_ms),
            median(&figures.rested_ms),
            p99(&figures.rested_ms),
            median(&figures.warm_ms),
            p99(&figures.warm_ms),
            mean(&figures.warm_ms),
            mean(&figures.cpu_ms),
        ]);
    }
    table
}

/// What the comparison says of each goal.
pub fn outcomes(comparison: &Comparison) -> Vec<Outcome> {
    goals().iter().map(|goal| goal.judge(comparison)).collect()
}

/// The table of goals.
pub fn goals_section(outcomes: &[Outcome]) -> Section {
    let mut table = Table::new(&["goal", "bound", "measured", "", "of"]);
    for outcome in outcomes {
        table.row([
            outcome.goal.clone(),
            outcome.bound.clone(),
            outcome.measured.map_or_else(|| "–".to_owned(), figure),
            match (outcome.measured, outcome.is_met) {
                (None, _) => "not shown".to_owned(),
                (Some(_), true) => "met".to_owned(),
                (Some(_), false) => "MISSED".to_owned(),
            },
            outcome.of.clone(),
        ]);
    }
    Section {
        title: "Goals".to_owned(),
        table,
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::tests::comparison;

    #[test]
    fn a_comparison_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench/compare.json");
        let written = comparison(50.0);
        write_json(&path, &written).unwrap();
        let read: Comparison = read_json(&path, "").unwrap();
        assert_eq!(read, written);
    }

    #[test]
    fn there_is_a_table_for_each_set_of_conditions_that_was_measured() {
        let comparison = comparison(50.0);
        let sections = sections(&comparison);
        let titles: Vec<&str> = sections.iter().map(|section| &*section.title).collect();
        assert_eq!(
            titles,
            [
                "get-mini-code over HTTP, a whole CPU",
                "get-mini-code over HTTP, after INIT the CPU share of 128 MB, counted over 100 ms",
                "code2session over HTTP, a whole CPU",
                "code2session over HTTP, after INIT the CPU share of 128 MB, counted over 100 ms",
            ]
        );
    }

    #[test]
    fn what_was_not_measured_stands_there_with_its_reason() {
        let mut comparison = comparison(50.0);
        comparison.rows[0].figures = Figures {
            not_measured: Some("no root".to_owned()),
            ..Figures::default()
        };
        let text = sections(&comparison)[0].to_text();
        assert!(text.contains("not measured: no root"), "{text}");
    }
}
