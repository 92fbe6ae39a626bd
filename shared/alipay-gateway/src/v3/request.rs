use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use alipay_signing::v3::{SCHEME, auth_string, request_text};
use alipay_signing::{Charset, SignType, form_encode};
use serde_json::value::{RawValue, to_raw_value};
use url::{Position, Url};

use crate::request::encrypted;
use crate::unique_json::{Members, top_level_members};
use crate::{App, Call, GatewayError};

/// The methods that V3 has as `GET`: their arguments stand in the query. All others are `POST`.
const ASKED_BY_GET: [&str; 1] = ["alipay.open.auth.token.app.query"];

/// A request as it goes over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// `GET` or `POST`.
    pub http_method: &'static str,
    /// Where to, with the query exactly as it was signed.
    pub url: Url,
    /// Name and value, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, its ciphertext, or nothing.
    pub body: String,
}

/// Builds and signs the request of `call` as sent at `now`. `nonce` must never have been used before; it is the request's id too.
///
/// # Errors
/// [`GatewayError::Unbuildable`] when V3 has no such request, or the call is to be encrypted and cannot be;
/// [`GatewayError::Signing`] when the key cannot sign.
pub fn signed_request(
    app: &App,
    call: &Call,
    nonce: &str,
    now: SystemTime,
) -> Result<SignedRequest, GatewayError> {
    check_settings(app)?;
    let arguments = Arguments::of(call)?;
    let (http_method, query, plain_body) = match is_asked_by_get(&call.method) {
        true => ("GET", arguments.all_as_query()?, String::new()),
        false => ("POST", arguments.query(), arguments.body()?),
    };
    let body = match call.encrypted {
        false => plain_body,
        true if plain_body.is_empty() => {
            return Err(GatewayError::unbuildable(
                "a call without a body has nothing to encrypt",
            ));
        }
        true => encrypted(app, &plain_body)?,
    };
    let url = address(app, call, &query)?;

    let certificates = app.certificates.as_ref();
    let auth_string = auth_string(
        &app.app_id,
        certificates.map(|certificates| &*certificates.app_serial_number),
        nonce,
        milliseconds(now),
    );
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let text = request_text(
        &auth_string,
        http_method,
        target,
        &body,
        arguments.app_auth_token,
    );
    let sign = app.signing_key.sign(SignType::Rsa2, text.as_bytes())?;

    let mut headers = headers(app, call, &arguments, &body);
    headers.push(("alipay-request-id", nonce.to_owned()));
    headers.push((
        "authorization",
        [SCHEME, " ", &auth_string, ",sign=", &sign].concat(),
    ));
    Ok(SignedRequest {
        http_method,
        url,
        headers,
        body,
    })
}

/// Whether V3 has `method` as `GET`, without a body.
pub(crate) fn is_asked_by_get(method: &str) -> bool {
    ASKED_BY_GET.contains(&method)
}

/// What stands in the headers beside the signature.
fn headers(
    app: &App,
    call: &Call,
    arguments: &Arguments<'_>,
    body: &str,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![("accept", "application/json".to_owned())];
    if let Some(certificates) = &app.certificates {
        let roots = certificates.roots.serial_numbers().to_owned();
        headers.push(("alipay-root-cert-sn", roots));
    }
    if let Some(token) = arguments.app_auth_token {
        headers.push(("alipay-app-auth-token", token.to_owned()));
    }
    if call.encrypted {
        headers.push(("alipay-encrypt-type", "AES".to_owned()));
        headers.push(("content-type", "text/plain".to_owned()));
    } else if !body.is_empty() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    headers
}

/// V3 knows neither the old algorithm nor another charset.
fn check_settings(app: &App) -> Result<(), GatewayError> {
    if app.sign_type != SignType::Rsa2 {
        return Err(GatewayError::unbuildable("protocol v3 needs signType RSA2"));
    }
    if app.charset != Charset::Utf8 {
        return Err(GatewayError::unbuildable("protocol v3 needs charset utf-8"));
    }
    Ok(())
}

/// `/v3/` and the method with slashes for its dots, at the gateway's host.
fn address(app: &App, call: &Call, query: &[(String, String)]) -> Result<Url, GatewayError> {
    let is_method = call.method.split('.').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    if !is_method {
        return Err(GatewayError::unbuildable("the method is no method's name"));
    }
    let mut url = app.gateway.clone();
    url.set_path(&format!("/v3/{}", call.method.replace('.', "/")));
    let query = query.iter().map(|(name, value)| (&**name, &**value));
    let query = form_encode(query, Charset::Utf8)?;
    url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
    Ok(url)
}

/// A call's arguments by the places they go to. Empty ones go nowhere.
struct Arguments<'a> {
    biz_content: Option<&'a str>,
    beside: BTreeMap<&'a str, &'a str>,
    auth_token: Option<&'a str>,
    app_auth_token: Option<&'a str>,
}

impl<'a> Arguments<'a> {
    fn of(call: &'a Call) -> Result<Self, GatewayError> {
        let mut beside: BTreeMap<&str, &str> = call
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .collect();
        let auth_token = beside.remove("auth_token");
        let app_auth_token = beside.remove("app_auth_token");
        // It has a line of its own in the signed text, which a line end in it would split.
        if app_auth_token.is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(GatewayError::unbuildable(
                "app_auth_token holds a character that no token has",
            ));
        }
        let biz_content = call.biz_content.as_deref().filter(|text| !text.is_empty());
        Ok(Self {
            biz_content,
            beside,
            auth_token,
            app_auth_token,
        })
    }

    /// The JSON body: `biz_content` as it is, or with the arguments beside it as further members.
    fn body(&self) -> Result<String, GatewayError> {
        if self.beside.is_empty() {
            return Ok(self.biz_content.unwrap_or_default().to_owned());
        }
        let beside = self.beside.iter().map(|(name, value)| {
            let value = to_raw_value(value)
                .map_err(|_| GatewayError::unbuildable("an argument is no JSON text"))?;
            Ok((*name, value))
        });
        let beside = beside.collect::<Result<BTreeMap<&str, Box<RawValue>>, GatewayError>>()?;
        let mut members = self.members()?;
        for (name, value) in &beside {
            if members.insert((*name).into(), value).is_some() {
                return Err(stands_twice());
            }
        }
        serde_json::to_string(&members)
            .map_err(|_| GatewayError::unbuildable("the arguments are no JSON"))
    }

    fn query(&self) -> Vec<(String, String)> {
        self.auth_token
            .map(|token| ("auth_token".to_owned(), token.to_owned()))
            .into_iter()
            .collect()
    }

    /// Every argument as a pair of the query: texts as they read, anything else as JSON.
    fn all_as_query(&self) -> Result<Vec<(String, String)>, GatewayError> {
        let of_content = self.members()?.into_iter().map(|(name, value)| {
            let text = serde_json::from_str::<String>(value.get());
            let text = text.unwrap_or_else(|_| value.get().to_owned());
            (name.into_owned(), text)
        });
        let mut pairs: BTreeMap<String, String> = of_content.collect();
        let beside = self
            .beside
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        for (name, value) in beside.chain(self.query()) {
            if pairs.insert(name, value).is_some() {
                return Err(stands_twice());
            }
        }
        Ok(pairs.into_iter().collect())
    }

    fn members(&self) -> Result<Members<'a>, GatewayError> {
        self.biz_content
            .map_or_else(|| Ok(Members::new()), top_level_members)
            .map_err(|_| GatewayError::unbuildable("biz_content is no JSON object"))
    }
}

fn stands_twice() -> GatewayError {
    GatewayError::unbuildable("an argument stands in biz_content and beside it")
}

fn milliseconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
