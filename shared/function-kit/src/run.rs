use std::future::{Future, Ready, ready};
use std::process::ExitCode;
use std::sync::Arc;

use alipay_gateway::Deadline;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::alipay::Alipay;
use crate::failure::with_causes;
use crate::function::{Function, Handler, Invocation, Service};
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

/// The same for a function that takes other events than callers' arguments: a schedule's, a queue's.
pub fn run_handler<H, Powers, Build>(
    name: &'static str,
    powers: impl Future<Output = Result<Powers, StartUpError>>,
    build: Build,
) -> ExitCode
where
    H: Handler + 'static,
    Build: FnOnce(Alipay, Powers) -> H,
{
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
        let (alipay, powers) = match tokio::try_join!(Alipay::from_environment(), powers) {
            Ok(ready) => ready,
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(function = name, error, "the function did not start");
                return ExitCode::FAILURE;
            }
        };
        serve(build(alipay, powers)).await
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
