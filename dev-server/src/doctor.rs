//! `dev-server doctor`: proves a configuration line by line, each failure with its mend.

mod document;
mod gateway;
mod keys;
mod login;
mod refusals;
mod report;
mod table;
mod table_shape;

use std::path::PathBuf;

use alipay_gateway::{Clock, Gateway, SetUpError};
use function_kit::{AppSettings, Apps};

pub use report::Report;

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct DoctorOptions {
    /// The document of apps.
    pub config: PathBuf,
    /// The one app to look at; absent: all.
    pub app: Option<String>,
    /// Whether to ask nobody: neither gateways nor tables.
    pub offline: bool,
}

/// Looks at the document of apps, at the gateway of each app, and at what the environment names of a function: the token table
/// (`TOKEN_TABLE`), the login document, and the table of accounts and sessions (`IDENTITY_TABLE`). Says all in `report`; nothing secret is in it. `clock` is the clock under examination.
///
/// It asks the gateways for a trade that does not exist, which changes nothing, and writes a row of its own to each table,
/// which it deletes.
///
/// # Errors
/// When the gateway client cannot be set up.
pub async fn doctor(
    options: &DoctorOptions,
    clock: &Clock,
    report: &mut Report<'_>,
) -> Result<(), SetUpError> {
    let apps = document::read(&options.config, report);
    if let Some(apps) = &apps {
        let gateway = Gateway::new(clock.clone())?;
        for app in chosen(apps, options, report) {
            document::examine(app, clock(), report);
            if options.offline {
                report.skipped("the gateway: --offline");
            } else {
                gateway::examine(&gateway, &app.app, clock, report).await;
            }
        }
    }
    table::examine(options.offline, clock, report).await;
    login::examine(apps.as_ref(), options.offline, clock, report).await;
    report.summary();
    Ok(())
}

/// The apps to look at, the default one first.
fn chosen<'a>(
    apps: &'a Apps,
    options: &DoctorOptions,
    report: &mut Report<'_>,
) -> Vec<&'a AppSettings> {
    let all = apps.in_order();
    let Some(id) = &options.app else {
        return all;
    };
    let chosen: Vec<_> = all
        .iter()
        .copied()
        .filter(|app| app.app.app_id == *id)
        .collect();
    if chosen.is_empty() {
        let known: Vec<_> = all.iter().map(|app| app.app.app_id.as_str()).collect();
        report.wrong(
            "--app: no such app is in the document",
            &format!("give one of {}", known.join(", ")),
        );
    }
    chosen
}
