//! The measured part of the documentation, written from the JSON files and never by hand.

use std::fs;
use std::path::Path;

use crate::compare::Comparison;
use crate::cost::Cost;
use crate::functions::Functions;
use crate::growth::Growth;
use crate::profile::Profile;
use crate::{BenchError, report};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Puts the figures of `folder`'s JSON files between the marks in `document`.
///
/// # Errors
/// [`BenchError::Missing`] where a run was not made, [`BenchError::Malformed`] where a file is another's or the marks are not there.
pub fn write(folder: &Path, document: &Path) -> Result<(), BenchError> {
    let comparison: Comparison = report::read_json(
        &folder.join("compare.json"),
        "`make bench`, or bench compare, makes it",
    )?;
    let functions: Functions = report::read_json(
        &folder.join("functions.json"),
        "`make bench`, or bench functions, makes it",
    )?;
    let cost: Cost = report::read_json(
        &folder.join("cost.json"),
        "`make bench`, or bench cost, makes it",
    )?;
    let growth: Growth = report::read_json(
        &folder.join("growth.json"),
        "`make bench`, or bench growth, makes it",
    )?;
    let profile: Profile = report::read_json(
        &folder.join("profile.json"),
        "`make bench`, or bench profile, makes it",
    )?;
    let failed = || BenchError::system(document.display().to_string());
    let text = fs::read_to_string(document).map_err(failed())?;
    let measured = measured(&comparison, &functions, &cost, &growth, &profile);
    let text = replaced(&text, &measured).ok_or_else(|| BenchError::Malformed {
        path: document.to_owned(),
        problem: format!("has to have the lines `{BEGIN}` and `{END}`, in this order"),
    })?;
    fs::write(document, text).map_err(failed())
}

fn measured(
    comparison: &Comparison,
    functions: &Functions,
    cost: &Cost,
    growth: &Growth,
    profile: &Profile,
) -> String {
    let plan = &comparison.plan;
    let mut parts = vec![format!(
        "{}\n\nCold starts: {} of each, at a share {} (Python a quarter of that). Warm calls: {} in {} blocks after {} that do not count, at a \
         share {} of each kind after the first one. The contestants take turns. Times are in milliseconds; p99 of few runs is the greatest.",
        comparison.machine.describe(),
        plan.cold_runs,
        plan.cold_runs_at_share,
        plan.warm_calls,
        plan.blocks,
        plan.unmeasured,
        plan.warm_calls_at_share,
    )];
    let goals = report::goals_section(&report::outcomes(comparison));
    let sections = [goals, profile.section()]
        .into_iter()
        .chain(report::sections(comparison))
        .chain([functions.section(), cost.section()])
        .chain(growth.sections());
    parts.extend(sections.map(|section| section.to_markdown().trim_end().to_owned()));
    for (what, machine) in [
        ("The part about every function", &functions.machine),
        ("Cost", &cost.machine),
        ("Growth", &growth.machine),
        ("The part about instructions", &profile.machine),
    ] {
        if machine.date.get(..10) != comparison.machine.date.get(..10)
            || machine.commit != comparison.machine.commit
        {
            parts.push(format!(
                "{what} was measured in another run: {}",
                machine.describe()
            ));
        }
    }
    parts.join("\n\n")
}

/// `text` with `measured` between the marks.
fn replaced(text: &str, measured: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{measured}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_the_rest_is_left() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = replaced(&text, "new").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(replaced(&new, "new"), Some(new.clone()));
    }

    #[test]
    fn without_marks_nothing_is_written() {
        assert_eq!(replaced("text", "new"), None);
        assert_eq!(replaced(&format!("{END}{BEGIN}"), "new"), None);
    }
}
