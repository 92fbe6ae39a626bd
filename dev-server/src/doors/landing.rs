//! Where the logins of the client `local` end in a browser.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::Doors;

/// The page's path. No route of the project: nothing like it is deployed.
pub(crate) const LANDING: &str = "/_local/landing";

/// The page loads and runs nothing, and what it was asked with goes nowhere as a referrer.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What came back, as far as the page looks at it: whether there is a parameter, never what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrived {
    /// Of `h5-oauth`.
    Ticket,
    /// Of `oidc`.
    Code,
    /// A login that did not come to its end.
    Error,
    Nothing,
}

impl Arrived {
    fn in_query(query: &str) -> Self {
        let has = |name: &str| {
            let mut names = query.split('&').map(|part| part.split('=').next());
            names.any(|found| found == Some(name))
        };
        if has("ticket") {
            Self::Ticket
        } else if has("code") {
            Self::Code
        } else if has("error") {
            Self::Error
        } else {
            Self::Nothing
        }
    }

    fn page(self, base: &str) -> String {
        let json = "-H 'content-type: application/json'";
        let (said, next) = match self {
            Self::Ticket => (
                "A ticket arrived. It stands in the address of this page, works once, and for a minute.",
                format!(r#"curl -s {base}/h5/ticket {json} -d '{{"ticket":"TICKET"}}'; echo"#),
            ),
            Self::Code => (
                "A code arrived. It stands in the address of this page, works once, and for a minute.",
                format!(
                    "curl -s {base}/token -u CLIENT:SECRET -d grant_type=authorization_code -d redirect_uri={base}{LANDING} -d code=CODE; echo"
                ),
            ),
            Self::Error => (
                "The login ended with an error. It stands in the address of this page.",
                String::new(),
            ),
            Self::Nothing => (
                "Nothing arrived. Logins of the client <code>local</code> come back here.",
                String::new(),
            ),
        };
        let next = match next.as_str() {
            "" => String::new(),
            line => format!("<p>Next:</p><pre id=\"next\">{line}</pre>"),
        };
        format!(
            "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Login</title>\
             <p id=\"arrived\">{said}</p>{next}</html>\n"
        )
    }
}

pub(super) async fn landing(
    State(doors): State<Doors>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
) -> Response {
    if !address.ip().is_loopback() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let arrived = Arrived::in_query(query.as_deref().unwrap_or_default());
    (HEADERS, Html(arrived.page(&doors.base_url))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_arrived_and_nothing_of_what_it_holds() {
        for (query, arrived) in [
            ("ticket=canary", Arrived::Ticket),
            ("a=b&ticket=canary&c", Arrived::Ticket),
            ("code=canary&state=canary&iss=canary", Arrived::Code),
            ("error=canary&error_description=canary", Arrived::Error),
            ("tickets=canary", Arrived::Nothing),
            ("", Arrived::Nothing),
        ] {
            let found = Arrived::in_query(query);
            assert_eq!(found, arrived, "{query}");
            assert!(!found.page("http://127.0.0.1:3000").contains("canary"));
        }
    }
}
