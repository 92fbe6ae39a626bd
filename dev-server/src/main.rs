//! Runs everything on this machine: `cargo run -p dev-server`, or `make run`.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use alipay_gateway::{Clock, SetUpError};
use clap::{Args, Parser, Subcommand};
use dev_server::{DevServer, DevServerError, DoctorOptions, Options, Report, banner, doctor};
use tracing_subscriber::EnvFilter;

/// The functions, an embedded DynamoDB and a simulated Alipay gateway in one local process.
///
/// Without a command it runs them. `doctor` examines a configuration instead.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Subcommand)]
enum Command {
    /// Proves a document of apps line by line: keys, certificates, gateway, clock, AES key, token table
    ///
    /// Each line is ok, warn or FAIL, with what was found and how to mend it. Each app's public key is printed, to paste into
    /// Alipay's console, and nothing secret is. Every app's gateway is asked for a trade that does not exist, which changes
    /// nothing. The token table is examined where TOKEN_TABLE is set, with TOKEN_KEYS_FILE or TOKEN_KEYS_SECRET and the AWS SDKs'
    /// own names, as for a function; a row is written to it and deleted.
    ///
    /// The exit code is 0 if nothing failed, else 1.
    Doctor(DoctorArguments),
}

#[derive(Args)]
struct RunArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Document of apps to use instead of the simulated gateway: Alipay's sandbox, production or any gateway
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder to keep the tables in between runs; without it they are in memory
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Args)]
struct DoctorArguments {
    /// The document of apps
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this app; without it all of the document
    #[arg(long, value_name = "APPID")]
    app: Option<String>,
    /// Ask nobody: neither gateways nor the table
    #[arg(long)]
    offline: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,function_kit=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    let Arguments { command, run } = Arguments::parse();
    match command {
        None => ended(serve(run).await),
        Some(Command::Doctor(arguments)) => match examine(arguments).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => ended(Err(error.into())),
        },
    }
}

fn ended(result: Result<(), DevServerError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "dev-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is right.
async fn examine(arguments: DoctorArguments) -> Result<bool, SetUpError> {
    let options = DoctorOptions {
        config: arguments.config,
        app: arguments.app,
        offline: arguments.offline,
    };
    let clock: Clock = Arc::new(SystemTime::now);
    let mut out = stdout();
    let terminal = out.is_terminal();
    let mut report = Report::new(&mut out, terminal);
    doctor(&options, &clock, &mut report).await?;
    Ok(report.all_right())
}

async fn serve(arguments: RunArguments) -> Result<(), DevServerError> {
    let data = arguments
        .data
        .as_ref()
        .map(|folder| folder.display().to_string());
    let options = Options {
        port: arguments.port,
        config: arguments.config,
        data: arguments.data,
    };
    let server = DevServer::start(&options).await?;
    let _ = writeln!(stdout(), "{}", banner(&server, data.as_deref()));
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
