use function_kit::{Alipay, Failure, Request, SelectedApp};
use function_logins::{Client, CodeChallenge, LoginDocument, WebScope};
use serde::{Deserialize, Serialize};
use url::Url;

/// What a page's login link asks for, checked. Anything else in the link, such as a `redirect_uri`, is not read.
pub(crate) struct Authorization {
    pub app: SelectedApp,
    pub scope: WebScope,
    pub beginning: Beginning,
}

/// What is kept while the user is at Alipay.
#[derive(Serialize, Deserialize)]
pub(crate) struct Beginning {
    pub client_id: String,
    pub return_to: String,
    pub code_challenge: Option<CodeChallenge>,
}

impl Authorization {
    pub(crate) fn read(
        request: &Request,
        alipay: &Alipay,
        document: &LoginDocument,
    ) -> Result<Self, Failure> {
        let value = |name| {
            let value = request.query_value(name)?;
            Ok::<_, Failure>(value.filter(|value| !value.is_empty()))
        };
        // An app that there is none of looks like one without this address.
        let app = alipay.app(value("appid")?).map_err(|_| wrong_return_to())?;
        let return_to = value("return_to")?.unwrap_or_default();
        let client = client_of(document, app.id(), return_to)?;
        Ok(Self {
            scope: scope(value("scope")?)?,
            beginning: Beginning {
                client_id: client.id.clone(),
                return_to: return_to.to_owned(),
                code_challenge: CodeChallenge::from_query(
                    value("code_challenge")?,
                    value("code_challenge_method")?,
                )?,
            },
            app,
        })
    }
}

/// The client of the app to which a login with this address belongs: the first that has it.
fn client_of<'a>(
    document: &'a LoginDocument,
    app_id: &str,
    return_to: &str,
) -> Result<&'a Client, Failure> {
    let mut clients = document.clients().iter();
    clients
        .find(|client| client.app_id.as_deref() == Some(app_id) && has_address(client, return_to))
        .ok_or_else(wrong_return_to)
}

/// Refuses an address that the client does not have (any more).
pub(crate) fn check_address(
    document: &LoginDocument,
    client_id: &str,
    return_to: &str,
) -> Result<(), Failure> {
    document
        .client(client_id)
        .filter(|client| has_address(client, return_to))
        .map(|_| ())
        .ok_or_else(wrong_return_to)
}

/// Addresses are compared as texts: whatever mends or reads them may do it otherwise than the browser that is sent there.
fn has_address(client: &Client, return_to: &str) -> bool {
    client.return_to.iter().any(|known| known == return_to)
}

/// Whether a script that asks from `origin` is in a page of the client's. Browsers say it of every script that posts; where nothing is
/// said, no page asks. A page that got somebody's ticket could otherwise show it to another client's, which would take the login for
/// one of its own.
pub(crate) fn is_page_of(client: &Client, origin: Option<&str>) -> bool {
    let is_origin = |address: &String, origin| {
        Url::parse(address).is_ok_and(|address| address.origin().ascii_serialization() == origin)
    };
    origin.is_none_or(|origin| {
        let mut addresses = client.return_to.iter();
        addresses.any(|address| is_origin(address, origin))
    })
}

fn scope(name: Option<&str>) -> Result<WebScope, Failure> {
    match name {
        None | Some("auth_base") => Ok(WebScope::AuthBase),
        Some("auth_user") => Ok(WebScope::AuthUser),
        Some(_) => Err(Failure::invalid("scope", "must be auth_base or auth_user")),
    }
}

fn wrong_return_to() -> Failure {
    Failure::invalid(
        "return_to",
        "must be, character by character, one of the addresses in returnTo of a client of this app in the login document",
    )
}
