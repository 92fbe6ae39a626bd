//! AWS clients without the SDK's configuration chain: in a Lambda, region and credentials are always in the environment, and the
//! chain (profiles, instance metadata, single sign-on) costs milliseconds of every cold start.

mod connector;
mod secrets_manager;

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use bytes::Bytes;
use https_client::Client;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::OnceCell;

pub(crate) use self::secrets_manager::secret_text;

use self::connector::connector;
use crate::settings::{SettingError, StartUpError, required, setting};

/// A host of AWS that takes longer is not reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The roots that AWS's endpoints chain to.
const ROOTS: &str = include_str!("aws/roots.pem");

/// One attempt of an AWS call, and all attempts together. Both fit inside a function's own limit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);
/// The first included.
const MAX_ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Where AWS is, and as whom it is called.
struct Environment {
    region: String,
    credentials: Credentials,
    /// What stands in place of a service's own address.
    endpoint: Option<String>,
}

impl Environment {
    /// `endpoint` names the variable that, as `AWS_ENDPOINT_URL` does for all, puts another address in place of the service's own.
    fn read(endpoint: &'static str) -> Result<Self, SettingError> {
        Ok(Self {
            region: setting("AWS_REGION")
                .or_else(|| setting("AWS_DEFAULT_REGION"))
                .ok_or_else(|| SettingError::new("AWS_REGION", "is not set"))?,
            credentials: Credentials::new(
                required("AWS_ACCESS_KEY_ID")?,
                required("AWS_SECRET_ACCESS_KEY")?,
                setting("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            endpoint: setting(endpoint).or_else(|| setting("AWS_ENDPOINT_URL")),
        })
    }

    /// The address of `service`. China's regions have a domain of their own.
    fn address(&self, service: &str) -> Cow<'_, str> {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.into();
        }
        let region = &self.region;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://{service}.{region}.{domain}/").into()
    }
}

/// The settings of an AWS client, from `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
/// `AWS_SESSION_TOKEN`. `endpoint` names the variable (`AWS_ENDPOINT_URL_DYNAMODB` …) that, as `AWS_ENDPOINT_URL` does for all,
/// puts another address in place of the service's own.
///
/// An attempt takes 2 s at most, an operation with its three attempts 4 s.
///
/// # Errors
/// Names the first variable that is missing.
pub fn aws_settings(endpoint: &'static str) -> Result<SdkConfig, StartUpError> {
    Ok(sdk_config(Environment::read(endpoint)?, client()?))
}

/// The settings of a DynamoDB client, as [`aws_settings`], with a connection opened ahead of the first call, so that it need not wait for
/// the TLS handshake. Opened once, however many ask.
///
/// # Errors
/// As [`aws_settings`]. That nothing can be reached is left for the first call to say.
pub async fn dynamodb_settings() -> Result<SdkConfig, StartUpError> {
    static OPENED: OnceCell<()> = OnceCell::const_new();
    let (environment, client) = (Environment::read(DYNAMODB)?, client()?);
    OPENED
        .get_or_init(|| open_connection(&client, &environment))
        .await;
    Ok(sdk_config(environment, client))
}

fn sdk_config(environment: Environment, client: Client) -> SdkConfig {
    let mut settings = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(environment.region))
        .credentials_provider(SharedCredentialsProvider::new(environment.credentials))
        .http_client(connector(client))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(MAX_ATTEMPTS)
                .with_initial_backoff(FIRST_PAUSE),
        );
    settings.set_endpoint_url(environment.endpoint);
    settings.build()
}

/// DynamoDB answers an unsigned `GET /` by saying that it is healthy.
async fn open_connection(client: &Client, environment: &Environment) {
    let greeting = http::Request::get(&*environment.address("dynamodb"));
    // An address that is none is left for the first call to name.
    if let Ok(greeting) = greeting.body(Bytes::new()) {
        client.open_connection(greeting).await;
    }
}

/// One per process, so that all AWS services share its roots and connections.
fn client() -> Result<Client, StartUpError> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    let client = Client::new(roots(), CONNECT_TIMEOUT)?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // None is left out: a test parses them.
    roots.add_parsable_certificates(
        CertificateDer::pem_slice_iter(ROOTS.as_bytes()).filter_map(Result::ok),
    );
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_region_and_china_has_its_own_domain() {
        let of = |region: &str, endpoint: Option<&str>| {
            Environment {
                region: region.to_owned(),
                credentials: Credentials::new("", "", None, None, "test"),
                endpoint: endpoint.map(str::to_owned),
            }
            .address("dynamodb")
            .into_owned()
        };
        assert_eq!(
            of("eu-central-1", None),
            "https://dynamodb.eu-central-1.amazonaws.com/"
        );
        assert_eq!(
            of("cn-north-1", None),
            "https://dynamodb.cn-north-1.amazonaws.com.cn/"
        );
        let local = "http://127.0.0.1:8000";
        assert_eq!(of("eu-central-1", Some(local)), local);
    }

    #[test]
    fn every_compiled_in_root_is_one_that_browsers_trust() {
        let trusted: Vec<&[u8]> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(AsRef::as_ref)
            .collect();
        let ours: Vec<_> = CertificateDer::pem_slice_iter(ROOTS.as_bytes())
            .map(Result::unwrap)
            .collect();
        assert!(ours.len() >= 5);
        assert_eq!(roots().len(), ours.len());
        for root in &ours {
            assert!(trusted.contains(&root.as_ref()));
        }
    }
}
