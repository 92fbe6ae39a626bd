//! AWS clients without the SDK's configuration chain: in a Lambda, region and credentials are always in the environment, and the
//! chain (profiles, instance metadata, single sign-on) costs milliseconds of every cold start.

use std::sync::OnceLock;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::settings::{SettingError, required, setting};

/// The roots that AWS's endpoints chain to, so that the system's 150 need not be parsed.
const ROOTS: &str = include_str!("aws_roots.pem");

/// The settings of an AWS client, from `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
/// `AWS_SESSION_TOKEN`. `endpoint` names the variable (`AWS_ENDPOINT_URL_DYNAMODB` …) that, as `AWS_ENDPOINT_URL` does for all,
/// puts another address in place of the service's own.
///
/// The limits fit inside a function's: an attempt takes 2 s at most, an operation with its three attempts 4 s.
///
/// # Errors
/// Names the first variable that is missing.
pub fn aws_settings(endpoint: &'static str) -> Result<SdkConfig, SettingError> {
    let region = setting("AWS_REGION")
        .or_else(|| setting("AWS_DEFAULT_REGION"))
        .ok_or_else(|| SettingError::new("AWS_REGION", "is not set"))?;
    let credentials = Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        setting("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let mut settings = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(Duration::from_secs(2))
                .operation_timeout(Duration::from_secs(4))
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(50)),
        );
    settings.set_endpoint_url(setting(endpoint).or_else(|| setting("AWS_ENDPOINT_URL")));
    Ok(settings.build())
}

/// One per process, so that all AWS services share its roots and connections.
fn http_client() -> SharedHttpClient {
    static CLIENT: OnceLock<SharedHttpClient> = OnceLock::new();
    CLIENT.get_or_init(new_http_client).clone()
}

fn new_http_client() -> SharedHttpClient {
    let builder =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    let roots = TrustStore::empty().with_pem_certificate(ROOTS);
    match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        // Cannot happen for the certificates compiled in (a test parses them); the system's roots serve as well.
        Err(_) => builder.build_https(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn every_compiled_in_root_is_one_that_browsers_trust() {
        let trusted: Vec<&[u8]> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(AsRef::as_ref)
            .collect();
        let ours: Vec<Vec<u8>> = ROOTS
            .split("-----BEGIN CERTIFICATE-----")
            .skip(1)
            .map(|part| {
                let body: String = part
                    .split("-----END")
                    .next()
                    .unwrap()
                    .split_whitespace()
                    .collect();
                STANDARD.decode(body).unwrap()
            })
            .collect();
        assert!(ours.len() >= 5);
        for root in &ours {
            assert!(trusted.contains(&root.as_slice()));
        }
    }
}
