//! What the gateway received, for tests to look at.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use serde::Serialize;

use crate::consent::PageVisit;
use crate::refreshes::Refreshes;

/// How many calls, and how many visits, are kept; older ones are forgotten, the counts are not.
const KEPT: usize = 10_000;

/// One request to the gateway. It shows tokens and codes: it is for tests, never for a log.
#[derive(Clone, Debug, Serialize)]
pub struct ReceivedCall {
    /// Counts from 1.
    pub sequence: u64,
    /// `/gateway.do`, or the path of V3.
    pub path: String,
    /// `method`, where it could be read; in V3 the path says it.
    pub method: Option<String>,
    /// `app_id`, where it could be read.
    pub app_id: Option<String>,
    /// All parameters, from query and body together, decoded in the request's charset. In V3 these are the query's, the
    /// members of the body and, as `biz_content`, the body itself as it was sent.
    pub parameters: BTreeMap<String, String>,
    /// Names of the parameters that came in the query.
    pub in_query: Vec<String>,
    /// Names of the parameters that came in the form body, or of the members of the JSON body.
    pub in_body: Vec<String>,
    /// HTTP headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The connection it came on.
    pub connection: ConnectionFacts,
    /// What became of it.
    pub verdict: Verdict,
    /// The wall clock of the arrival, ms since 1970 UTC.
    pub received_at: u64,
    /// The `trace_id` of the reply, in V3 its `alipay-trace-id`.
    pub trace_id: String,
}

/// What was sent, as far as it could be read.
pub(crate) struct Sent {
    pub(crate) method: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) in_query: Vec<String>,
    pub(crate) in_body: Vec<String>,
}

impl ReceivedCall {
    /// A call that arrived now.
    pub(crate) fn new(
        head: &Parts,
        sent: Sent,
        connection: ConnectionFacts,
        verdict: Verdict,
        trace_id: String,
    ) -> Self {
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            sequence: 0,
            path: head.uri.path().to_owned(),
            method: sent.method,
            app_id: sent.app_id,
            parameters: sent.parameters,
            in_query: sent.in_query,
            in_body: sent.in_body,
            headers,
            connection,
            verdict,
            received_at: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
            trace_id,
        }
    }
}

/// Facts of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionFacts {
    /// Counts the connections from 1.
    pub id: u64,
    /// 1 for the first HTTP request on this connection; more means that it was reused.
    pub request: u32,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// It passed every check and was done. An injected fault may have spoiled the reply all the same.
    Done,
    /// It was refused by the rules of the gateway or of the method.
    Refused {
        /// Gateway code, such as `40002`.
        code: String,
        /// Such as `isv.invalid-signature`.
        sub_code: String,
    },
    /// An injected fault answered in place of the gateway; nothing was done.
    NotDone,
}

/// The log of received calls.
#[derive(Default)]
pub(crate) struct Received {
    calls: VecDeque<ReceivedCall>,
    last: u64,
    by_method: BTreeMap<String, u64>,
    refreshes: Refreshes,
    page_visits: VecDeque<PageVisit>,
}

impl Received {
    pub(crate) fn add(&mut self, mut call: ReceivedCall) {
        self.last += 1;
        call.sequence = self.last;
        if let Some(method) = &call.method {
            *self.by_method.entry(method.clone()).or_default() += 1;
        }
        self.refreshes.add(&call);
        if self.calls.len() == KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(crate) fn add_page_visit(&mut self, visit: PageVisit) {
        if self.page_visits.len() == KEPT {
            self.page_visits.pop_front();
        }
        self.page_visits.push_back(visit);
    }

    pub(crate) fn page_visits(&self) -> Vec<PageVisit> {
        self.page_visits.iter().cloned().collect()
    }

    pub(crate) fn calls(&self) -> Vec<ReceivedCall> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn count(&self, method: &str) -> u64 {
        self.by_method.get(method).copied().unwrap_or_default()
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.by_method.clone()
    }

    pub(crate) fn refreshes(&self) -> &Refreshes {
        &self.refreshes
    }

    pub(crate) fn clear(&mut self) {
        *self = Self {
            last: self.last,
            ..Self::default()
        };
    }
}
