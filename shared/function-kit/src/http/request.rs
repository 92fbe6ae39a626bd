use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use alipay_gateway::Deadline;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::Span;
use url::form_urlencoded;

use crate::alipay::SelectedApp;
use crate::event::{
    BodyFault, Caller, Door, HttpContext, Origin, Payload, Source, check_arguments, source,
    without_stage,
};
use crate::function::{Invocation, parse};
use crate::{Failure, Outcome};

/// The most bytes of path, query, headers and cookies together. API Gateway itself lets about 10,000 through.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A request over HTTP, as API Gateway describes it. Nothing in it is to be believed but [`source_address`](Self::source_address).
pub struct Request {
    method: String,
    path: String,
    /// Names in small letters, each once.
    headers: BTreeMap<String, String>,
    query: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
    body: Result<String, BodyFault>,
    origin: Origin,
    invocation: Invocation,
}

/// Everything else may hold codes, tokens or persons.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The request in `event`, for tests of what takes requests; [`HttpService`](crate::HttpService) reads them itself.
    ///
    /// # Errors
    /// `invalid_argument` when the event is not that of an HTTP call, or its path, query, headers or cookies cannot be read;
    /// `too_large` when they are over 64 KiB.
    pub fn from_event(event: &str, invocation: Invocation) -> Result<Self, Failure> {
        match source(event)? {
            Source::Http(context) => {
                let (request, readable) = Self::read(event, context, invocation);
                readable.map(|()| request)
            }
            Source::Direct => Err(super::not_http()),
        }
    }

    /// The request in `event`, and whether all of it could be read. Where not, it has no query, headers and cookies.
    pub(super) fn read(
        event: &str,
        context: HttpContext<'_>,
        invocation: Invocation,
    ) -> (Self, Result<(), Failure>) {
        let head = Head::read(event, &context);
        let (head, readable) = match head {
            Ok(head) => (head, Ok(())),
            Err(failure) => (Head::default(), Err(failure)),
        };
        let path = head.path.or(context.path).unwrap_or_default();
        let request = Self {
            method: context.method,
            path: without_stage(path, context.stage.as_deref()),
            headers: head.headers,
            query: head.query,
            cookies: head.cookies,
            body: context.body.decoded(),
            origin: context.origin,
            invocation,
        };
        (request, readable)
    }

    /// The method, such as `GET`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path as it was written, without the stage: `/` and whatever follows, nothing in it decoded or mended.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// That there is nothing at this path, or not for this method.
    pub fn no_such_route(&self) -> Failure {
        Failure::new(Outcome::NotFound {
            what: "this path, with this method,".to_owned(),
        })
    }

    /// The value of the header `name`, in capital or small letters. One that was sent twice has both values, with a comma between
    /// them.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(&name.to_ascii_lowercase())
            .map(String::as_str)
    }

    /// Whether `accept` names this media type, such as `text/html`: what browsers ask for when a person goes somewhere, and programs
    /// do not. A wildcard names none.
    pub fn accepts(&self, media_type: &str) -> bool {
        let accepted = self.header("accept").unwrap_or_default();
        let mut names = accepted
            .split(',')
            .map(|range| range.split(';').next().unwrap_or_default().trim());
        names.any(|name| name.eq_ignore_ascii_case(media_type))
    }

    /// The names and values of the query, decoded.
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The value of `name` in the query; an empty one is one.
    ///
    /// # Errors
    /// `invalid_argument` when it stands there twice: who reads the first and who reads the last would see different requests.
    pub fn query_value(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.query.iter().filter(|(known, _)| known == name);
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(Failure::invalid(name, "stands twice")),
            (value, _) => Ok(value.map(|(_, value)| value.as_str())),
        }
    }

    /// The value of the cookie `name`. One that is sent twice counts as absent, because nothing tells which of them is ours.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut values = self.cookies.iter().filter(|(known, _)| known == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// The body; empty where there is none.
    ///
    /// # Errors
    /// `too_large` when it is over 1 MiB, `invalid_argument` when it is no UTF-8.
    pub fn body_text(&self) -> Result<&str, Failure> {
        self.body
            .as_ref()
            .map(String::as_str)
            .map_err(|fault| Failure::from(*fault))
    }

    /// The body, read as JSON, whatever its `content-type` says.
    ///
    /// # Errors
    /// `too_large`, or `invalid_argument` with the field and the rule and never the value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let text = self.body_text()?;
        check_arguments(text)?;
        parse(text)
    }

    /// The body of a form (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// `too_large`, or `invalid_argument` when it is no form or a name stands twice.
    pub fn form(&self) -> Result<Form, Failure> {
        let content_type = self.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        if !media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            return Err(Failure::invalid(
                "content-type",
                "must be application/x-www-form-urlencoded",
            ));
        }
        Form::read(self.body_text()?)
    }

    /// The address that the call came from, as API Gateway saw it; empty where it did not say. What a header says about it is not
    /// believed.
    pub fn source_address(&self) -> &str {
        &self.origin.address
    }

    /// The invocation's deadline.
    pub fn deadline(&self) -> Deadline {
        self.invocation.deadline
    }

    /// The invocation's id, which is in every log line.
    pub fn request_id(&self) -> &str {
        &self.invocation.request_id
    }

    /// Who calls for `app`, for what asks for a [`Caller`]: the gateway, the tokens. The log lines name the app from here on.
    pub fn caller(&self, app: SelectedApp) -> Caller {
        Span::current().record("appid", app.id());
        Caller {
            door: Door::Http,
            app,
            deadline: self.invocation.deadline,
            request_id: self.invocation.request_id.clone(),
            user: None,
            path: Some(self.path.clone()),
            origin: self.origin.clone(),
        }
    }
}

/// The names and values of a form. They may hold secrets, so there is no `Debug` of them.
pub struct Form(BTreeMap<String, String>);

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Form")
    }
}

impl Form {
    fn read(text: &str) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match values.entry(name.into_owned()) {
                Entry::Vacant(place) => place.insert(value.into_owned()),
                Entry::Occupied(_) => {
                    // The name is the caller's own text and is not repeated to them.
                    return Err(Failure::invalid("body", "has a name that stands twice"));
                }
            };
        }
        Ok(Self(values))
    }

    /// The value of `name`; an empty one is one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Path, query, headers and cookies of either payload version.
#[derive(Default)]
struct Head {
    path: Option<String>,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    cookies: Vec<(String, String)>,
}

/// Any of the members may be null, and so may any value in them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenHead {
    // Payload 2.0.
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    cookies: Option<Vec<String>>,
    // Both.
    headers: Option<BTreeMap<String, Option<String>>>,
    // Payload 1.0.
    multi_value_headers: Option<BTreeMap<String, Option<Vec<String>>>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Option<Vec<String>>>>,
}

impl Head {
    fn read(event: &str, context: &HttpContext<'_>) -> Result<Self, Failure> {
        let written: WrittenHead = serde_json::from_str(event).map_err(|_| {
            Failure::invalid(
                "event",
                "has a path, query, headers or cookies that cannot be read",
            )
        })?;
        let head = match context.payload {
            Payload::V2 => Self::of_payload_2(written),
            Payload::V1 => Self::of_payload_1(written),
        };
        if head.length() > MAX_HEAD_BYTES {
            return Err(Failure::new(Outcome::TooLarge {
                limit: "path, query and headers of 64 KiB at most".to_owned(),
            }));
        }
        Ok(head)
    }

    fn of_payload_2(written: WrittenHead) -> Self {
        let query = written.raw_query_string.unwrap_or_default();
        let headers = written.headers.unwrap_or_default();
        let headers = joined(
            headers
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        // API Gateway takes the cookies out of the headers, the tools that play it on a developer's machine may not.
        let cookies = match written.cookies {
            Some(cookies) => cookies.iter().flat_map(|line| cookies_of(line)).collect(),
            None => cookie_header(&headers),
        };
        Self {
            path: written.raw_path,
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            cookies,
        }
    }

    fn of_payload_1(written: WrittenHead) -> Self {
        let several = |values: BTreeMap<String, Option<Vec<String>>>| {
            values.into_iter().flat_map(|(name, values)| {
                let values = values.unwrap_or_default();
                values.into_iter().map(move |value| (name.clone(), value))
            })
        };
        let headers = match written.multi_value_headers {
            Some(headers) => joined(several(headers)),
            None => joined(
                written
                    .headers
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?))),
            ),
        };
        let query = written
            .multi_value_query_string_parameters
            .unwrap_or_default();
        Self {
            // The context has the path in the same form whatever API sent it: with the stage.
            path: None,
            query: several(query).collect(),
            cookies: cookie_header(&headers),
            headers,
        }
    }

    fn length(&self) -> usize {
        let pairs = self.query.iter().chain(&self.cookies);
        let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        pairs + headers + self.path.as_ref().map_or(0, String::len)
    }
}

/// Headers by their names in small letters; the values of one name with a comma between them, as API Gateway joins them.
fn joined(headers: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        match joined.entry(name.to_ascii_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut known) => {
                let separator = if known.key() == "cookie" { "; " } else { "," };
                known.get_mut().push_str(separator);
                known.get_mut().push_str(&value);
            }
        }
    }
    joined
}

fn cookie_header(headers: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let line = headers.get("cookie").map_or("", String::as_str);
    cookies_of(line).collect()
}

/// The cookies of one line, `a=1; b=2`.
fn cookies_of(line: &str) -> impl Iterator<Item = (String, String)> {
    line.split(';').filter_map(|cookie| {
        let (name, value) = cookie.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    })
}
