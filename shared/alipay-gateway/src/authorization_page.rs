use url::Url;

use crate::app::is_loopback;

/// The page for users; those for merchants are named by who links to them.
const FOR_USERS: &str = "publicAppAuthorize.htm";

/// The site of one of Alipay's environments on which people agree in a browser: users to a login (`publicAppAuthorize.htm`),
/// merchants to an app of another company's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationPage {
    host: &'static str,
    /// The gateway's own origin, where that is a stand-in on this machine.
    stand_in: Option<String>,
    /// `production` or `sandbox`.
    pub environment: &'static str,
    /// Whether the site goes with the app's gateway for certain.
    pub is_known: bool,
}

/// The site of the environment that `gateway` belongs to.
///
/// A gateway that is none of Alipay's known ones says nothing about it; then it is production's. That holds for the gateway for
/// servers outside of China too: no document names a site that goes with it. A gateway on this machine is a stand-in, and is asked
/// to show the users' page itself.
pub fn authorization_page(gateway: &Url) -> AuthorizationPage {
    let (host, environment, is_known) = match gateway.host_str() {
        Some("openapi.alipay.com") => ("openauth.alipay.com", "production", true),
        Some("openapi-sandbox.dl.alipaydev.com") => {
            ("openauth-sandbox.dl.alipaydev.com", "sandbox", true)
        }
        Some("openapi.alipaydev.com") => ("openauth.alipaydev.com", "sandbox", true),
        _ => ("openauth.alipay.com", "production", false),
    };
    AuthorizationPage {
        host,
        stand_in: is_loopback(gateway).then(|| gateway.origin().ascii_serialization()),
        environment,
        is_known,
    }
}

impl AuthorizationPage {
    /// Where a user is sent to agree to `scopes`, such as `auth_base` (who they are, silently) or `auth_user` (their profile, after
    /// a question).
    ///
    /// They come back to `redirect_uri`, whose host is the one that is registered in the app's console, with `app_id`, `source`,
    /// `scope`, `auth_code` and `state`. Alipay takes a `state` of at most 100 characters of the base64 alphabet.
    pub fn link(&self, scopes: &[&str], app_id: &str, redirect_uri: &str, state: &str) -> String {
        let alipay = format!("https://{}", self.host);
        let origin = self.stand_in.as_deref().unwrap_or(&alipay);
        let scope = scopes.join(",");
        let arguments = [
            ("app_id", app_id),
            ("scope", &scope),
            ("redirect_uri", redirect_uri),
            ("state", state),
        ];
        address(origin, FOR_USERS, &arguments)
    }

    /// The link to a page for merchants, such as `appToAppAuth.htm`, with these arguments. It leads to Alipay in any case: no
    /// stand-in has such pages.
    pub fn merchant_link(&self, page: &str, arguments: &[(&str, &str)]) -> String {
        address(&format!("https://{}", self.host), page, arguments)
    }
}

fn address(origin: &str, page: &str, arguments: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(arguments)
        .finish();
    format!("{origin}/oauth2/{page}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(gateway: &str) -> AuthorizationPage {
        authorization_page(&Url::parse(gateway).unwrap())
    }

    /// Host of the page, environment, whether it is known: for each gateway.
    const ENVIRONMENTS: [(&str, &str, &str, bool); 5] = [
        (
            "https://openapi.alipay.com/gateway.do",
            "https://openauth.alipay.com",
            "production",
            true,
        ),
        (
            "https://openapi-sandbox.dl.alipaydev.com/gateway.do",
            "https://openauth-sandbox.dl.alipaydev.com",
            "sandbox",
            true,
        ),
        (
            "https://openapi.alipaydev.com/gateway.do",
            "https://openauth.alipaydev.com",
            "sandbox",
            true,
        ),
        (
            "https://globalopenapi.alipay.com/gateway.do",
            "https://openauth.alipay.com",
            "production",
            false,
        ),
        (
            "https://127.0.0.1.example.com/gateway.do",
            "https://openauth.alipay.com",
            "production",
            false,
        ),
    ];

    #[test]
    fn each_environment_has_its_own_page() {
        for (gateway, origin, environment, is_known) in ENVIRONMENTS {
            let page = page_of(gateway);
            assert_eq!((page.environment, page.is_known), (environment, is_known));
            let users = page.link(&["auth_base"], "2021", "https://a.example/", "s");
            assert!(
                users.starts_with(&format!("{origin}/oauth2/publicAppAuthorize.htm?")),
                "{users}"
            );
            assert_eq!(
                page.merchant_link("appToAppAuth.htm", &[("app_id", "2021")]),
                format!("{origin}/oauth2/appToAppAuth.htm?app_id=2021")
            );
        }
    }

    #[test]
    fn a_stand_in_on_this_machine_shows_the_users_page_itself() {
        for (gateway, origin) in [
            ("http://127.0.0.1:3001/gateway.do", "http://127.0.0.1:3001"),
            ("http://[::1]:3001/gateway.do", "http://[::1]:3001"),
            ("http://localhost:3001/gateway.do", "http://localhost:3001"),
        ] {
            let page = page_of(gateway);
            assert!(!page.is_known);
            let users = page.link(&["auth_base"], "2021", "http://127.0.0.1:3000/", "s");
            assert!(
                users.starts_with(&format!("{origin}/oauth2/publicAppAuthorize.htm?")),
                "{users}"
            );
            let merchants = page.merchant_link("appToAppAuth.htm", &[]);
            assert!(
                merchants.starts_with("https://openauth.alipay.com/"),
                "{merchants}"
            );
        }
    }

    #[test]
    fn a_link_has_every_argument_encoded() {
        let page = page_of("https://openapi.alipay.com/gateway.do");
        assert_eq!(
            page.link(
                &["auth_user", "auth_ecard"],
                "2021000000000001",
                "https://login.example.com/h5/callback?a=1&b=你",
                "QUJD+/8="
            ),
            "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?app_id=2021000000000001\
             &scope=auth_user%2Cauth_ecard\
             &redirect_uri=https%3A%2F%2Flogin.example.com%2Fh5%2Fcallback%3Fa%3D1%26b%3D%E4%BD%A0\
             &state=QUJD%2B%2F8%3D"
        );
    }
}
