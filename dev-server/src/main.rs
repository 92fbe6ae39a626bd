//! Runs everything on this machine: `cargo run -p dev-server`, or `make run`.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dev_server::{DevServer, DevServerError, Options, banner};
use tracing_subscriber::EnvFilter;

/// The functions, an embedded DynamoDB and a simulated Alipay gateway in one local process.
#[derive(Parser)]
#[command(version)]
struct Arguments {
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

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,function_kit=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "dev-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), DevServerError> {
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
