use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::config::{BehaviorVersion, Builder, Config, Credentials, Region};

/// What a client of an event bus on this machine needs, which is at `endpoint`, such as `http://127.0.0.1:8000`: made-up credentials and a
/// region, 5 s to connect, and 30 s for each attempt, since a loaded machine is slow. The caller may change all of it.
pub fn client_config(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "fixed"))
        .endpoint_url(endpoint)
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(30))
                .build(),
        )
}

/// A client of the event bus at `endpoint`. It shares no connection with any other, as that of another process. It tries three times in
/// all, 10 ms after the first failure.
pub fn client(endpoint: &str) -> Client {
    let quick = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(10));
    Client::from_conf(client_config(endpoint).retry_config(quick).build())
}
