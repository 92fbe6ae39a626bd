use aws_sdk_sqs::Client;
use function_kit::{SettingError, StartUpError, aws_settings, setting};

use crate::queue::Queue;

const REFRESH_QUEUE: &str = "REFRESH_QUEUE_URL";
const RESCUE_QUEUE: &str = "RESCUE_QUEUE_URL";
const REFRESH_RATE: &str = "REFRESH_RATE";

/// How the function is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where a sweep puts the rows that are due; `None`: it refreshes them itself.
    pub(crate) refresh_queue: Option<Queue>,
    /// Where a pair goes that the table does not take; `None`: it is lost then.
    pub(crate) rescue_queue: Option<Queue>,
    /// Refreshes a second and app that sweeps let through.
    pub(crate) rate: u32,
}

impl Default for Settings {
    /// Without queues, 50 refreshes a second and app: for one process on a laptop.
    fn default() -> Self {
        Self {
            refresh_queue: None,
            rescue_queue: None,
            rate: 50,
        }
    }
}

impl Settings {
    /// With queues that `client` reaches.
    #[must_use]
    pub fn with_queues(
        self,
        client: &Client,
        refresh: Option<String>,
        rescue: Option<String>,
    ) -> Self {
        let queue = |url| Queue::new(client.clone(), url);
        Self {
            refresh_queue: refresh.map(queue),
            rescue_queue: rescue.map(queue),
            ..self
        }
    }

    /// With so many refreshes a second and app.
    #[must_use]
    pub fn with_rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// From `REFRESH_QUEUE_URL`, `RESCUE_QUEUE_URL`, `REFRESH_RATE` (all may be left out), and the AWS SDKs' own names.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn from_environment() -> Result<Self, StartUpError> {
        let settings = match setting(REFRESH_RATE) {
            None => Self::default(),
            Some(text) => match text.trim().parse() {
                Ok(rate @ 1..=10_000) => Self::default().with_rate(rate),
                _ => {
                    let problem = "must be a whole number from 1 to 10000";
                    return Err(SettingError::new(REFRESH_RATE, problem).into());
                }
            },
        };
        let (refresh, rescue) = (setting(REFRESH_QUEUE), setting(RESCUE_QUEUE));
        if refresh.is_none() && rescue.is_none() {
            return Ok(settings);
        }
        let client = Client::new(&aws_settings("AWS_ENDPOINT_URL_SQS")?);
        Ok(settings.with_queues(&client, refresh, rescue))
    }
}
