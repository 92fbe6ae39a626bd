//! Runs the simulator by itself: `cargo run -p simulator -- --help`.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Parser;
use simulator::{AppOptions, Simulator};

/// A stand-in of Alipay's OpenAPI gateway.
///
/// Prints one line of JSON with its address and the apps that it made, keys and certificates included, then serves V2
/// (gateway_url) and V3 (base_url and /v3/…) until it is interrupted or its standard input closes (see --until-stdin-closes). GET /_simulator/ lists its routes.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Port on the address; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Address to listen on. It is for tests: think twice before it leaves this machine.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// An app to register, as JSON, such as {"app_id":"2021000000000009","identifiers":"open_id_only"} or
    /// {"certificates":true}; may be repeated. Without it one ordinary app is made, in key mode and with an AES key.
    #[arg(long = "app", value_parser = app_options)]
    apps: Vec<AppOptions>,
    /// Stop when standard input closes: a parent that dies takes the simulator with it.
    #[arg(long)]
    until_stdin_closes: bool,
}

fn app_options(text: &str) -> Result<AppOptions, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let simulator = Simulator::start_on(SocketAddr::new(options.address, options.port)).await?;
    let wanted = if options.apps.is_empty() {
        vec![AppOptions::default()]
    } else {
        options.apps
    };
    let apps: Vec<_> = wanted
        .into_iter()
        .map(|app| simulator.add_app(app))
        .collect();
    let line = serde_json::json!({
        "gateway_url": simulator.gateway_url(),
        "base_url": simulator.base_url(),
        "apps": apps,
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    drop(stdout);
    if options.until_stdin_closes {
        tokio::select! {
            stopped = interrupted() => stopped?,
            _ = stdin_closed() => {}
        }
    } else {
        interrupted().await?;
    }
    simulator.stop();
    // A thread may still be waiting in a read of standard input; the process does not wait for it.
    std::process::exit(0)
}

#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

async fn stdin_closed() {
    let _ = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await;
}
