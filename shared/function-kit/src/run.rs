use std::future::{Future, Ready, ready};
use std::process::ExitCode;
use std::sync::Arc;

use alipay_gateway::Deadline;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::alipay::Alipay;
use crate::failure::with_causes;
use crate::function::{Function, Handler, Invocation, Service};
use crate::http::{HttpFunction, HttpService};
use crate::settings::StartUpError;
use crate::telemetry;

/// The powers of a function that needs nothing but the gateway.
pub fn no_powers() -> Ready<Result<(), StartUpError>> {
    ready(Ok(()))
}

/// Runs a function on Lambda: the whole of its `main`.
///
/// `powers` is what the function needs beside the gateway (its store). It is made ready at the same time as the configuration is
/// read and the gateway's connection opened, during INIT, when Lambda gives a full CPU. A start-up error is logged with the name
/// of the setting and ends the process.
pub fn run<F, Powers, Build>(
    powers: impl Future<Output = Result<Powers, StartUpError>>,
    build: Build,
) -> ExitCode
where
    F: Function,
    Build: FnOnce(Alipay, Powers) -> F,
{
    run_handler(F::NAME, powers, |alipay, powers| {
        Service::new(build(alipay.clone(), powers), alipay)
    })
}

/// The same for a function whose interface is HTTP itself.
pub fn run_http<F, Powers, Build>(
    powers: impl Future<Output = Result<Powers, StartUpError>>,
    build: Build,
) -> ExitCode
where
    F: HttpFunction,
    Build: FnOnce(Alipay, Powers) -> F,
{
    run_handler(F::NAME, powers, |alipay, powers| {
        HttpService::new(build(alipay, powers))
    })
}

/// The same for one that has no business with Alipay: it is given no document of apps and reads none.
pub fn run_http_without_apps<F, Powers, Build>(
    powers: impl Future<Output = Result<Powers, StartUpError>>,
    build: Build,
) -> ExitCode
where
    F: HttpFunction,
    Build: FnOnce(Powers) -> F,
{
    start(F::NAME, async {
        powers.await.map(|powers| HttpService::new(build(powers)))
    })
}

/// [`run`] for a function that takes other events than callers' arguments: a schedule's, a queue's.
pub fn run_handler<H, Powers, Build>(
    name: &'static str,
    powers: impl Future<Output = Result<Powers, StartUpError>>,
    build: Build,
) -> ExitCode
where
    H: Handler + 'static,
    Build: FnOnce(Alipay, Powers) -> H,
{
    start(name, async {
        let (alipay, powers) = tokio::try_join!(Alipay::from_environment(), powers)?;
        Ok(build(alipay, powers))
    })
}

/// The same for one that has no business with Alipay: it is given no document of apps and reads none.
pub fn run_handler_without_apps<H, Powers, Build>(
    name: &'static str,
    powers: impl Future<Output = Result<Powers, StartUpError>>,
    build: Build,
) -> ExitCode
where
    H: Handler + 'static,
    Build: FnOnce(Powers) -> H,
{
    start(name, async { powers.await.map(build) })
}

/// Logs, the async runtime, `handler` made ready, and the Lambda loop.
fn start<H: Handler + 'static>(
    name: &'static str,
    handler: impl Future<Output = Result<H, StartUpError>>,
) -> ExitCode {
    telemetry::start();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(function = name, %error, "the async runtime did not start");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match handler.await {
            Ok(handler) => serve(handler).await,
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(function = name, error, "the function did not start");
                ExitCode::FAILURE
            }
        }
    })
}

async fn serve<H: Handler + 'static>(handler: H) -> ExitCode {
    let name = handler.name();
    let handler = Arc::new(handler);
    let outcome = lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move {
            let invocation = Invocation {
                request_id: event.context.request_id,
                deadline: Deadline::from_unix_millis(event.context.deadline),
            };
            Ok::<_, std::convert::Infallible>(handler.handle(event.payload.get(), invocation).await)
        }
    }))
    .await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(function = name, %error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}
