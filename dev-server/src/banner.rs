mod examples;

use std::fmt::Write;

use crate::doors::LOCAL_EVENTS;
use crate::local_login::LOCAL_CLIENT;
use crate::routes::{ROUTES, Who};
use crate::server::{DevServer, Gateway};
use crate::tokens::DEFAULT_PORT;
use examples::examples;

/// What is printed at the start: where everything is, and a command line for each function that works when pasted.
pub fn banner(server: &DevServer, data: Option<&str>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(server, data, &mut text);
    text
}

fn write(server: &DevServer, data: Option<&str>, out: &mut String) -> std::fmt::Result {
    let base = server.base_url();
    writeln!(out, "alipay-functions is running on {base}\n")?;
    writeln!(out, "  apps       {}", server.app_ids().join(", "))?;
    match server.gateway() {
        Gateway::Simulated(simulated) => {
            let simulator = &simulated.0;
            writeln!(
                out,
                "  gateway    {} (simulated; control: {}/_simulator/)",
                simulator.gateway_url(),
                simulator.base_url()
            )?;
        }
        Gateway::Configured => writeln!(out, "  gateway    as configured for each app")?,
    }
    writeln!(
        out,
        "  DynamoDB   {} ({})",
        server.table().endpoint(),
        data.unwrap_or("in memory")
    )?;
    writeln!(
        out,
        "  events     {base}{LOCAL_EVENTS} (each is printed below as it is published)"
    )?;
    match server.login().secret() {
        Some(secret) => writeln!(out, "  login      client {LOCAL_CLIENT}, secret {secret}")?,
        None => writeln!(out, "  login      as in the document given")?,
    }
    writeln!(out, "\nRoutes")?;
    for route in ROUTES {
        let who = match route.who {
            Who::Public => "public",
            Who::SignedIn => "bearer",
            Who::Iam => "IAM",
        };
        writeln!(
            out,
            "  {:<6} {:<45} {:<7} {}",
            route.method, route.path, who, route.function
        )?;
    }
    writeln!(
        out,
        "  {:<6} {:<45} {:<7} any function, directly\n",
        "POST", "/2015-03-31/functions/NAME/invocations", "IAM"
    )?;
    writeln!(out, "Try them (paste as they stand)\n")?;
    for example in examples(server, &base) {
        writeln!(out, "# {}\n{}\n", example.title, example.line)?;
    }
    writeln!(
        out,
        "# the stored tokens, app by app\ncargo run -q -p dev-server -- tokens{}\n",
        port_option(server.address().port())
    )?;
    writeln!(out, "Stop with Ctrl-C.")
}

/// What the command has to be told of a port that is not the usual one.
fn port_option(port: u16) -> String {
    if port == DEFAULT_PORT {
        String::new()
    } else {
        format!(" --port {port}")
    }
}
