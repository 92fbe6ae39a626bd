use std::fmt;

use function_kit::{SettingError, required};
use url::{Host, Url};

const NOTIFY_URL: &str = "NOTIFY_URL";

/// Where Alipay reaches this deployment: the base of the addresses that orders give it for its notices.
#[derive(Clone, PartialEq, Eq)]
pub struct NotifyUrl(Url);

impl fmt::Debug for NotifyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("NotifyUrl")
            .field(&self.0.as_str())
            .finish()
    }
}

impl NotifyUrl {
    /// `https://` and a host, or `http://` and a loopback address; a port may follow, a path may not.
    ///
    /// # Errors
    /// The rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url =
            Url::parse(text).map_err(|_| "must be an address such as https://api.example.com")?;
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(domain)) => domain == "localhost",
            None => false,
        };
        let is_plain = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            _ if !is_plain => Err("must be scheme and host alone, without path and query"),
            "https" => Ok(Self(url)),
            "http" if is_loopback => Ok(Self(url)),
            _ => Err("must begin with https://"),
        }
    }

    /// From `NOTIFY_URL`.
    ///
    /// # Errors
    /// Names the rule that it breaks.
    pub fn from_environment() -> Result<Self, SettingError> {
        Self::parse(&required(NOTIFY_URL)?).map_err(|rule| SettingError::new(NOTIFY_URL, rule))
    }

    /// Where notices for this app go. `app_id` is that of a configured app: letters and digits.
    pub fn of_app(&self, app_id: &str) -> String {
        format!("{}notify/{app_id}", self.0)
    }
}
