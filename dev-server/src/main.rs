//! Runs everything on this machine: `cargo run -p dev-server`, or `make run`.

mod arguments;
mod event_lines;
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
    DevServer, DevServerError, DoctorOptions, Options, PUBLISHING, Report, SCHEDULE, TokensError,
    banner, doctor, list_tokens, new_login_document, refresh_token, rotate_login_keys,
    save_login_document,
};
use secrecy::ExposeSecret;
use token_store::{Clock as _, SystemClock};

use arguments::{
    Arguments, Command, DoctorArguments, LoginKeysCommand, RunArguments, TokensArguments,
    TokensCommand,
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
        Some(Command::LoginKeys(arguments)) => match login_keys(arguments.command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(error.as_ref()),
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

fn login_keys(command: LoginKeysCommand) -> Result<(), Box<dyn Error>> {
    let now = SystemClock.now();
    match command {
        LoginKeysCommand::New(arguments) => {
            let clients = arguments
                .clients()
                .ok_or("name a --client-id for each --appid, or none")?;
            let document = new_login_document(&clients, now)?;
            match arguments.file {
                Some(file) => save_login_document(&file, &document)?,
                None => write!(stdout(), "{}", document.expose_secret())?,
            }
        }
        LoginKeysCommand::Rotate { file } => {
            write!(stdout(), "{}", rotate_login_keys(&file, now)?)?;
        }
    }
    Ok(())
}

async fn serve(arguments: RunArguments) -> Result<(), DevServerError> {
    let data = arguments
        .data
        .as_ref()
        .map(|folder| folder.display().to_string());
    let options = Options {
        port: arguments.port,
        config: arguments.config,
        login: arguments.login,
        data: arguments.data,
        schedule: (!arguments.no_schedule).then_some(SCHEDULE),
        publishing: (!arguments.no_schedule).then_some(PUBLISHING),
    };
    let server = DevServer::start(&options).await?;
    let _ = writeln!(stdout(), "{}", banner(&server, data.as_deref()));
    tokio::spawn(event_lines::print(server.events().subscribe()));
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
