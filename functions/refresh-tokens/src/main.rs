//! `refresh-tokens` on Lambda.

use std::process::ExitCode;

use function_kit::{StartUpError, run_handler};
use function_tokens::Tokens;
use refresh_tokens::{NAME, RefreshTokens, Settings};

fn main() -> ExitCode {
    run_handler(NAME, powers(), |alipay, (tokens, settings)| {
        RefreshTokens::new(alipay, tokens, settings)
    })
}

async fn powers() -> Result<(Tokens, Settings), StartUpError> {
    let settings = Settings::from_environment()?;
    Ok((Tokens::keeping_from_environment().await?, settings))
}
