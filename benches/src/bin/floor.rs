//! The floor as a Lambda bootstrap: `floor get-mini-code`, `floor code2session`. See `benches::floor`.

use std::process::ExitCode;

use benches::{Job, floor};
use clap::Parser;

/// The least that a job costs, as a Lambda bootstrap; `bench` starts it.
#[derive(Parser)]
struct Arguments {
    /// What to do.
    #[arg(value_enum)]
    job: Job,
}

#[expect(clippy::print_stderr, reason = "where a contestant says why it ended")]
fn main() -> ExitCode {
    match floor::run(Arguments::parse().job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
