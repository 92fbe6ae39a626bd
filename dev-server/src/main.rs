//! Runs everything on this machine: `cargo run -p dev-server`, or `make run`.

mod arguments;
mod logs;
mod progress;

use std::error::Error;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use alipay_gateway::{Clock, SetUpError};
use clap::Parser;
use dev_server::{
    DevServer, DevServerError, DoctorOptions, Options, Report, SCHEDULE, TokensError, banner,
    doctor, list_tokens, refresh_token,
};
use token_store::{Clock as _, SystemClock};

use arguments::{
    Arguments, Command, DoctorArguments, RunArguments, TokensArguments, TokensCommand,
};
use progress::Progress;

#[tokio::main]
async fn main() -> ExitCode {
    logs::start();
    let Arguments { command, run } = Arguments::parse();
    match command {
        None => match serve(run).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Some(Command::Doctor(arguments)) => match examine(arguments).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
        Some(Command::Tokens(arguments)) => match tokens(arguments).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    let _ = writeln!(stderr(), "dev-server: {error}");
    ExitCode::FAILURE
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

/// Whether what was asked for is done.
async fn tokens(arguments: TokensArguments) -> Result<bool, TokensError> {
    let TokensArguments {
        command,
        json,
        port,
    } = arguments;
    let (text, done) = match command {
        None => {
            let mut progress = Progress::on(stderr());
            let tell = |read| progress.tell(read);
            let text = list_tokens(port, json, SystemClock.now(), tell).await;
            progress.end();
            (text?, true)
        }
        Some(TokensCommand::Refresh(row)) => {
            let refreshed = refresh_token(port, &row.into()).await?;
            let text = if json {
                format!("{}\n", refreshed.json())
            } else {
                format!("{refreshed}\n")
            };
            (text, refreshed.is_fresh())
        }
    };
    let _ = write!(stdout(), "{text}");
    Ok(done)
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
        schedule: (!arguments.no_schedule).then_some(SCHEDULE),
    };
    let server = DevServer::start(&options).await?;
    let _ = writeln!(stdout(), "{}", banner(&server, data.as_deref()));
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
