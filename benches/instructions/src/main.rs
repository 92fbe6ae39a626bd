//! Repeats one case of a call's computing, for callgrind to count: `instructions CASE REPETITIONS`.
//!
//! It is started by `benches/instructions/count`, once with few and once with many repetitions: the difference is the case alone,
//! without start-up, reading of keys and first use. It is built and started like a function, log and all.

mod cases;
mod error;
mod samples;

use std::env;
use std::io::{Write, stderr};
use std::process::{ExitCode, exit};

use function_kit::{Service, StartUpError, run_handler_without_apps};

use crate::cases::{CASES, Case, Prepared};
use crate::error::CountError;

fn main() -> ExitCode {
    // The work is done where a function makes its powers ready: by then its log is set up.
    let counted = async {
        let outcome = repeat(env::args().skip(1).collect());
        if let Err(error) = &outcome {
            let _ = writeln!(stderr(), "instructions: {error}");
        }
        exit(i32::from(outcome.is_err()));
        #[expect(unreachable_code, reason = "gives the block its type")]
        Err::<Service<Prepared>, StartUpError>(StartUpError::from(error::never_started()))
    };
    run_handler_without_apps("instructions", counted, |service| service)
}

fn repeat(arguments: Vec<String>) -> Result<(), CountError> {
    let [name, repetitions] = arguments.as_slice() else {
        return Err(CountError::Usage(names()));
    };
    let case = CASES.iter().find(|case| case.name == name);
    let (Some(case), Ok(repetitions)) = (case, repetitions.parse::<u32>()) else {
        return Err(CountError::Usage(names()));
    };
    let mut operation = (case.prepare)()?;
    for _ in 0..repetitions {
        operation()?;
    }
    Ok(())
}

fn names() -> String {
    let names: Vec<_> = CASES.iter().map(|Case { name, .. }| *name).collect();
    names.join(", ")
}
