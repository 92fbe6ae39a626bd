use url::Url;

/// Alipay's pages on which people authorise apps, one host for each of its environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuthorizePage {
    host: &'static str,
    /// `production` or `sandbox`.
    pub environment: &'static str,
    /// Whether the host goes with the app's gateway for certain.
    pub is_known: bool,
}

impl AuthorizePage {
    /// The page of the environment that `gateway` belongs to. A gateway that is none of Alipay's known ones says nothing about
    /// it; then it is production's.
    pub fn of_gateway(gateway: &Url) -> Self {
        let (host, environment, is_known) = match gateway.host_str() {
            Some("openapi.alipay.com") => ("openauth.alipay.com", "production", true),
            Some("openapi-sandbox.dl.alipaydev.com") => {
                ("openauth-sandbox.dl.alipaydev.com", "sandbox", true)
            }
            Some("openapi.alipaydev.com") => ("openauth.alipaydev.com", "sandbox", true),
            _ => ("openauth.alipay.com", "production", false),
        };
        Self {
            host,
            environment,
            is_known,
        }
    }

    /// The link to `page` with these arguments.
    pub fn link(&self, page: &str, arguments: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(arguments)
            .finish();
        format!("https://{}/oauth2/{page}?{query}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_has_its_own_page() {
        for (gateway, host, environment, is_known) in [
            (
                "https://openapi.alipay.com/gateway.do",
                "openauth.alipay.com",
                "production",
                true,
            ),
            (
                "https://openapi-sandbox.dl.alipaydev.com/gateway.do",
                "openauth-sandbox.dl.alipaydev.com",
                "sandbox",
                true,
            ),
            (
                "https://openapi.alipaydev.com/gateway.do",
                "openauth.alipaydev.com",
                "sandbox",
                true,
            ),
            (
                "http://127.0.0.1:3001/gateway.do",
                "openauth.alipay.com",
                "production",
                false,
            ),
        ] {
            let page = AuthorizePage::of_gateway(&Url::parse(gateway).unwrap());
            assert_eq!(
                (page.host, page.environment, page.is_known),
                (host, environment, is_known)
            );
        }
    }
}
