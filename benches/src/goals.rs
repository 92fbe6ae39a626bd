//! The goals of speed as data, and what a run says of them.

use serde::{Deserialize, Serialize};

use crate::compare::{Comparison, Figures, Key};
use crate::field::Who;
use crate::{Job, Share, Summary, Transport};

/// Bytes of a megabyte, in goals and tables.
pub const MEGABYTE: f64 = 1_000_000.0;

/// One goal.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// What is compared.
    pub what: &'static str,
    /// Where.
    pub job: Job,
    /// At which share of a CPU.
    share: Option<Share>,
    quantity: Quantity,
    bound: Bound,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
enum Quantity {
    /// Another's median of these values by ours.
    Ratio(Who, fn(&Figures) -> &[f64]),
    /// Our median by the floor's.
    OverFloor(fn(&Figures) -> &[f64]),
    /// Our peak memory in megabytes.
    Memory,
    /// Our zip in megabytes.
    Zip,
}

/// What it has to be.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// What a run says of a goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The goal in words.
    pub goal: String,
    /// Its bound in words.
    pub bound: String,
    /// What was measured; `None` where it was not, and then the goal is not shown to be met.
    pub measured: Option<f64>,
    /// Both sides in words: theirs and ours, with the spread.
    pub of: String,
    /// Whether it is met.
    pub is_met: bool,
}

fn first_reply(figures: &Figures) -> &[f64] {
    &figures.first_reply_ms
}

fn warm(figures: &Figures) -> &[f64] {
    &figures.warm_ms
}

fn cpu(figures: &Figures) -> &[f64] {
    &figures.cpu_ms
}

const AT_128_MB: Option<Share> = Some(Share::of(128));

/// All goals.
pub fn goals() -> Vec<Goal> {
    let goal = |what, job, share, quantity, bound| Goal {
        what,
        job,
        share,
        quantity,
        bound,
    };
    let mut goals = Vec::new();
    for job in Job::ALL {
        let than_node = |values| Quantity::Ratio(Who::Node, values);
        goals.push(goal(
            "cold start, Node's to ours",
            job,
            None,
            than_node(first_reply),
            Bound::AtLeast(50.0),
        ));
        goals.push(goal(
            "cold start at 128 MB's share, Node's to ours",
            job,
            AT_128_MB,
            than_node(first_reply),
            Bound::AtLeast(100.0),
        ));
        goals.push(goal(
            "warm call at 128 MB's share, back to back, Node's to ours",
            job,
            AT_128_MB,
            than_node(warm),
            Bound::AtLeast(150.0),
        ));
        if job == Job::GetMiniCode {
            goals.push(goal(
                "warm call, ours to the floor's",
                job,
                None,
                Quantity::OverFloor(warm),
                Bound::AtMost(1.15),
            ));
        }
        goals.push(goal(
            "CPU time of a warm call, Node's to ours",
            job,
            None,
            than_node(cpu),
            Bound::AtLeast(6.0),
        ));
        let (memory, zip) = match job {
            Job::GetMiniCode => (7.0, 2.2),
            Job::Code2Session => (9.0, 3.5),
        };
        goals.push(goal(
            "peak memory, MB",
            job,
            None,
            Quantity::Memory,
            Bound::AtMost(memory),
        ));
        goals.push(goal(
            "zip, MB",
            job,
            None,
            Quantity::Zip,
            Bound::AtMost(zip),
        ));
    }
    goals
}

impl Goal {
    /// What `comparison` says of it.
    pub fn judge(&self, comparison: &Comparison) -> Outcome {
        let figures = |who| {
            comparison.figures(Key {
                job: self.job,
                transport: Transport::Plain,
                share: self.share,
                who,
            })
        };
        let summary = |who, values: fn(&Figures) -> &[f64]| Summary::of(values(figures(who)?));
        let ratio = |theirs: Option<Summary>, ours: Option<Summary>| {
            let (theirs, ours) = (theirs?, ours?);
            let of = |summary: Summary| {
                format!(
                    "{} ms ±{:.0} %",
                    crate::table::figure(summary.median),
                    summary.spread * 50.0
                )
            };
            Some((
                theirs.median / ours.median,
                format!("{} : {}", of(theirs), of(ours)),
            ))
        };
        let found = match self.quantity {
            Quantity::Ratio(who, values) => ratio(summary(who, values), summary(Who::Ours, values)),
            Quantity::OverFloor(values) => {
                ratio(summary(Who::Ours, values), summary(Who::Floor, values))
            }
            Quantity::Memory => figures(Who::Ours)
                .and_then(|figures| figures.memory)
                .map(|memory| (memory.peak as f64 / MEGABYTE, String::new())),
            Quantity::Zip => comparison
                .zip(Who::Ours, self.job)
                .map(|bytes| (bytes as f64 / MEGABYTE, String::new())),
        };
        let (measured, of) = found.map_or_else(
            || (None, self.why_not(comparison)),
            |(measured, of)| (Some(measured), of),
        );
        let is_met = |measured: f64| match self.bound {
            Bound::AtLeast(bound) => measured >= bound,
            Bound::AtMost(bound) => measured <= bound,
        };
        Outcome {
            goal: format!("{}: {}", self.job, self.what),
            bound: match self.bound {
                Bound::AtLeast(bound) => format!("≥ {bound}"),
                Bound::AtMost(bound) => format!("≤ {bound}"),
            },
            measured,
            of,
            is_met: measured.is_some_and(is_met),
        }
    }

    /// The reason that stands in place of a figure.
    fn why_not(&self, comparison: &Comparison) -> String {
        let rows = comparison.rows.iter();
        let mut reasons = rows
            .filter(|row| {
                row.key.job == self.job
                    && row.key.transport == Transport::Plain
                    && row.key.share == self.share
            })
            .filter_map(|row| row.figures.not_measured.clone());
        reasons
            .next()
            .unwrap_or_else(|| "was left out of this run".to_owned())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compare::{Plan, Row, Zip};
    use crate::machine::Machine;
    use crate::process_figures::Memory;

    /// A comparison in which Node takes `times` as long as ours, and ours as long as the floor.
    pub(crate) fn comparison(times: f64) -> Comparison {
        let mut rows = Vec::new();
        for job in Job::ALL {
            for share in [None, AT_128_MB] {
                for (who, factor) in [(Who::Ours, 1.0), (Who::Floor, 1.0), (Who::Node, times)] {
                    let values = vec![factor, factor, factor];
                    let figures = Figures {
                        init_ms: values.clone(),
                        first_reply_ms: values.clone(),
                        warm_ms: values.clone(),
                        cpu_ms: values,
                        memory: Some(Memory {
                            peak: 6_900_000,
                            anonymous: 0,
                            of_files: 0,
                        }),
                        ..Figures::default()
                    };
                    let key = Key {
                        job,
                        transport: Transport::Plain,
                        share,
                        who,
                    };
                    rows.push(Row { key, figures });
                }
            }
        }
        Comparison {
            machine: Machine::default(),
            plan: Plan::quick(),
            rows,
            zips: vec![Zip {
                who: Who::Ours,
                job: Job::GetMiniCode,
                bytes: 2_300_000,
            }],
        }
    }

    fn outcome(comparison: &Comparison, goal: &str) -> Outcome {
        let outcomes = goals().into_iter().map(|goal| goal.judge(comparison));
        let mut found = outcomes.filter(|outcome| outcome.goal == goal);
        found.next().unwrap()
    }

    #[test]
    fn a_ratio_is_theirs_by_ours_and_is_met_at_the_bound() {
        let goal = "get-mini-code: cold start, Node's to ours";
        let met = outcome(&comparison(50.0), goal);
        assert_eq!((met.measured, met.is_met), (Some(50.0), true));
        let missed = outcome(&comparison(49.9), goal);
        assert!(!missed.is_met);
    }

    #[test]
    fn what_may_not_be_exceeded_is_met_below() {
        let comparison = comparison(50.0);
        assert!(outcome(&comparison, "get-mini-code: warm call, ours to the floor's").is_met);
        assert!(outcome(&comparison, "get-mini-code: peak memory, MB").is_met);
        assert!(!outcome(&comparison, "get-mini-code: zip, MB").is_met);
    }

    #[test]
    fn a_goal_without_figures_is_not_met_and_says_why() {
        let mut comparison = comparison(1000.0);
        for row in &mut comparison.rows {
            if row.key.share.is_some() {
                row.figures = Figures {
                    not_measured: Some("no CPU quota here: not root".to_owned()),
                    ..Figures::default()
                };
            }
        }
        let goal = "code2session: cold start at 128 MB's share, Node's to ours";
        let outcome = outcome(&comparison, goal);
        assert_eq!((outcome.measured, outcome.is_met), (None, false));
        assert_eq!(outcome.of, "no CPU quota here: not root");
    }

    #[test]
    fn a_missing_package_is_no_small_package() {
        let outcome = outcome(&comparison(50.0), "code2session: zip, MB");
        assert_eq!((outcome.measured, outcome.is_met), (None, false));
    }
}
