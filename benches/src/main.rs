//! `bench`: times our release binaries beside what a user would write instead.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use benches::compare::{Plan, compare};
use benches::field::{Places, Who};
use benches::growth::{Repeats, grow};
use benches::machine::Machine;
use benches::{
    BenchError, Job, Transport, cost, document, functions, on_interruption, packages, profile,
    report,
};
use clap::{Args, Parser, Subcommand};

/// Times our release binaries beside what a user would write instead (`make bench`).
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Cold and warm starts, CPU time, memory and package sizes of all contestants, and the goals.
    Compare(CompareArguments),
    /// The start of every packaged function, and one call of each.
    Functions(FunctionsArguments),
    /// How the cost grows: with the size of a request, the number of apps, and the number of stored tokens.
    Growth(GrowthArguments),
    /// What a million calls cost on AWS, ours beside Node's.
    Cost(CostArguments),
    /// Where the instructions of a start and of a call go, counted by callgrind.
    Profile(ProfileArguments),
    /// Writes the figures of the last runs into the documentation.
    Document(DocumentArguments),
}

#[derive(Args)]
struct PlaceArguments {
    /// The project's root.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// The packaged binaries: FUNCTION/bootstrap, or FUNCTION.
    #[arg(long, default_value = "target/lambda")]
    functions: PathBuf,
    /// The same binaries built with the feature bench-root; without them TLS is not measured with ours.
    #[arg(long)]
    functions_trusting_bench_root: Option<PathBuf>,
    /// The folder of the JSON files.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

impl PlaceArguments {
    fn places(&self) -> Result<Places, BenchError> {
        let this = std::env::current_exe().map_err(BenchError::system("this program's path"))?;
        Ok(Places {
            root: self.root.clone(),
            functions: self.functions.clone(),
            functions_trusting_bench_root: self.functions_trusting_bench_root.clone(),
            floor: this.with_file_name("floor"),
        })
    }
}

#[derive(Args)]
struct CompareArguments {
    #[command(flatten)]
    places: PlaceArguments,
    /// Who takes part.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Who::ALL)]
    contestants: Vec<Who>,
    /// Two cold starts and twenty warm calls of each: to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Plain HTTP alone.
    #[arg(long)]
    without_tls: bool,
    /// End with status 1 where a goal is missed or was not measured.
    #[arg(long)]
    require_goals: bool,
}

#[derive(Args)]
struct FunctionsArguments {
    #[command(flatten)]
    places: PlaceArguments,
    /// Two starts and four warm calls of each: to see that everything works.
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct GrowthArguments {
    #[command(flatten)]
    places: PlaceArguments,
    /// The largest table that is measured: 1000, 10000, 100000 or 1000000 rows.
    #[arg(long, default_value_t = 1_000_000)]
    most_tokens: u64,
    /// A few calls of each: to see that everything works.
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct CostArguments {
    #[command(flatten)]
    places: PlaceArguments,
    /// Whose calls are counted: ours, Node's.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Who::Ours, Who::Node])]
    contestants: Vec<Who>,
    /// How long the gateway waits before each reply, in milliseconds.
    #[arg(long, default_value_t = 60)]
    gateway_wait: u64,
    /// Which part of the calls is taken to be cold starts, in percent.
    #[arg(long, default_value_t = 1.0)]
    cold_percent: f64,
    /// A few calls of each: to see that everything works.
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct ProfileArguments {
    /// Binaries with their symbols: FUNCTION/bootstrap, or FUNCTION.
    #[arg(long, default_value = "target/bench/functions-trusting-bench-root")]
    functions: PathBuf,
    /// The folder of the JSON files.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Args)]
struct DocumentArguments {
    /// The folder of the JSON files.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// The document that has the marks.
    #[arg(long, default_value = "docs/PERFORMANCE.md")]
    file: PathBuf,
}

#[expect(clippy::print_stderr, reason = "where a command says why it failed")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = on_interruption().and_then(|()| match arguments.command {
        Command::Compare(arguments) => run_compare(&arguments),
        Command::Functions(arguments) => run_functions(&arguments),
        Command::Growth(arguments) => run_growth(&arguments),
        Command::Cost(arguments) => run_cost(&arguments),
        Command::Profile(arguments) => run_profile(&arguments),
        Command::Document(arguments) => {
            document::write(&arguments.out, &arguments.file)?;
            Ok(ExitCode::SUCCESS)
        }
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("bench: {error}");
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "the report")]
fn run_compare(arguments: &CompareArguments) -> Result<ExitCode, BenchError> {
    let places = arguments.places.places()?;
    let who = &arguments.contestants;
    let program = |rival: Who| -> Result<Option<PathBuf>, BenchError> {
        if !who.contains(&rival) {
            return Ok(None);
        }
        let found = places.contestant(rival, Job::GetMiniCode, Transport::Plain)?;
        Ok(found.ok().map(|contestant| contestant.program))
    };
    let (node, python) = (program(Who::Node)?, program(Who::Python)?);
    let machine = Machine::now(node.as_deref(), python.as_deref());
    let mut zips = packages::of_ours(&places.root);
    if node.is_some() && python.is_some() {
        zips.extend(packages::of_rivals(&places.root)?);
    }
    let mut plan = if arguments.quick {
        Plan::quick()
    } else {
        Plan::full()
    };
    plan.tls &= !arguments.without_tls;
    let comparison = compare(plan, who, &places, machine, zips)?;
    report::write_json(&arguments.places.out.join("compare.json"), &comparison)?;
    println!("{}\n", comparison.machine.describe());
    for section in report::sections(&comparison) {
        println!("{}", section.to_text());
    }
    let outcomes = report::outcomes(&comparison);
    println!("{}", report::goals_section(&outcomes).to_text());
    let all_met = outcomes.iter().all(|outcome| outcome.is_met);
    Ok(if arguments.require_goals && !all_met {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

#[expect(clippy::print_stdout, reason = "the report")]
fn run_functions(arguments: &FunctionsArguments) -> Result<ExitCode, BenchError> {
    let repeats = if arguments.quick {
        functions::Repeats::QUICK
    } else {
        functions::Repeats::FULL
    };
    let measured = functions::measure(
        &arguments.places.places()?,
        repeats,
        Machine::now(None, None),
    )?;
    report::write_json(&arguments.places.out.join("functions.json"), &measured)?;
    println!("{}\n", measured.machine.describe());
    println!("{}", measured.section().to_text());
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the report")]
fn run_growth(arguments: &GrowthArguments) -> Result<ExitCode, BenchError> {
    let repeats = if arguments.quick {
        Repeats::QUICK
    } else {
        Repeats::FULL
    };
    let growth = grow(
        &arguments.places.places()?,
        repeats,
        arguments.most_tokens,
        Machine::now(None, None),
    )?;
    report::write_json(&arguments.places.out.join("growth.json"), &growth)?;
    println!("{}\n", growth.machine.describe());
    for section in growth.sections() {
        println!("{}", section.to_text());
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the report")]
fn run_cost(arguments: &CostArguments) -> Result<ExitCode, BenchError> {
    if !(0.0..=100.0).contains(&arguments.cold_percent) {
        let problem = "--cold-percent: must be from 0 to 100".to_owned();
        return Err(BenchError::Arguments(problem));
    }
    let repeats = if arguments.quick {
        cost::Repeats::QUICK
    } else {
        cost::Repeats::FULL
    };
    let cost = cost::measure(
        &arguments.places.places()?,
        &arguments.contestants,
        repeats,
        Duration::from_millis(arguments.gateway_wait),
        arguments.cold_percent / 100.0,
        Machine::now(None, None),
    )?;
    report::write_json(&arguments.places.out.join("cost.json"), &cost)?;
    println!("{}\n", cost.machine.describe());
    println!("{}", cost.section().to_text());
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the report")]
fn run_profile(arguments: &ProfileArguments) -> Result<ExitCode, BenchError> {
    let profile = profile::count(&arguments.functions, Machine::now(None, None))?;
    report::write_json(&arguments.out.join("profile.json"), &profile)?;
    println!("{}\n", profile.machine.describe());
    println!("{}", profile.section().to_text());
    Ok(ExitCode::SUCCESS)
}
