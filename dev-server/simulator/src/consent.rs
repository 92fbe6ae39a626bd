//! `/oauth2/publicAppAuthorize.htm`: the page on which a user agrees in a browser that an app logs them in.
//!
//! `auth_base` is silent: the answer is the way back already. `auth_user` asks. Agreeing leads back with a code that is exchanged
//! like one of the mini-program's; refusing leads nowhere, as at Alipay as far as is known.

mod page;
mod request;

use std::sync::MutexGuard;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use self::request::{AuthorizationRequest, Flaw};
use crate::charset::Charset;
use crate::grants::{CodeOptions, Scope};
use crate::parameters::Parameters;
use crate::users::SimulatedUser;
use crate::world::{Shared, World};

pub(crate) use self::request::callback_host;

const PATH: &str = "/oauth2/publicAppAuthorize.htm";

/// One request to the page for users, without what came as `state` and without the code that it led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageVisit {
    /// `app_id` as it came, where it came.
    pub app_id: Option<String>,
    /// `scope` as it came.
    pub scope: Option<String>,
    /// `redirect_uri` as it came.
    pub redirect_uri: Option<String>,
    /// Whether a `state` came.
    pub has_state: bool,
    /// What became of it.
    pub outcome: VisitOutcome,
}

/// What became of a request to the page for users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum VisitOutcome {
    /// The user was asked.
    Asked,
    /// The user goes back with a code: silently, or because they agreed.
    CodeIssued {
        /// The `user_id` of the user.
        user_id: String,
    },
    /// The user refused, and stays.
    RefusedByUser,
    /// The page was answered with an error.
    Rejected {
        /// The parameter that is wrong.
        parameter: String,
    },
}

pub(crate) fn router() -> Router<Shared> {
    Router::new().route(PATH, get(visit).post(decide))
}

/// The user arrives.
async fn visit(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let arrival = Arrival::new(&shared, query);
    match arrival.request() {
        Err(flaw) => arrival.rejected(&flaw),
        Ok(request) if request.scope == Scope::AuthBase => arrival.back_with_code(&request),
        Ok(request) => arrival.asked(&request),
    }
}

/// The user decided. The form came to the address of the page, so everything is checked once more.
async fn decide(State(shared): State<Shared>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let arrival = Arrival::new(&shared, query);
    match (arrival.request(), Decision::read(&body)) {
        (Err(flaw), _) | (Ok(_), Err(flaw)) => arrival.rejected(&flaw),
        (Ok(request), Ok(Decision::Agree)) => arrival.back_with_code(&request),
        (Ok(_), Ok(Decision::Refuse)) => arrival.refused(),
    }
}

/// The button that was pressed.
enum Decision {
    Agree,
    Refuse,
}

impl Decision {
    fn read(form: &[u8]) -> Result<Self, Flaw> {
        let form = Parameters::parse(b"", form);
        let texts = form.decode_lossy(Charset::Utf8);
        match texts.get(page::DECISION).map(String::as_str) {
            Some(page::AGREE) if form.contradiction.is_none() => Ok(Self::Agree),
            Some(page::REFUSE) if form.contradiction.is_none() => Ok(Self::Refuse),
            _ => Err(Flaw::new(page::DECISION, "只能是 agree 或 refuse")),
        }
    }
}

/// One request to the page, and the world that it came to.
struct Arrival<'a> {
    world: MutexGuard<'a, World>,
    parameters: Parameters,
}

impl<'a> Arrival<'a> {
    fn new(shared: &'a Shared, query: Option<String>) -> Self {
        Self {
            world: shared.world(),
            parameters: Parameters::parse(query.unwrap_or_default().as_bytes(), b""),
        }
    }

    fn request(&self) -> Result<AuthorizationRequest, Flaw> {
        AuthorizationRequest::read(&self.parameters, &self.world)
    }

    fn back_with_code(mut self, request: &AuthorizationRequest) -> Response {
        let user_id = self.world.visitor.clone();
        let code = self.world.issue_code(
            &request.app_id,
            &CodeOptions {
                user: user_id.clone(),
                scope: request.scope,
                ..CodeOptions::default()
            },
        );
        self.record(VisitOutcome::CodeIssued { user_id });
        let location = [
            (header::LOCATION, request.way_back(&code)),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
        ];
        (StatusCode::FOUND, location).into_response()
    }

    fn asked(mut self, request: &AuthorizationRequest) -> Response {
        let user_id = self.world.visitor.as_str();
        let stranger = || SimulatedUser::with_id(user_id);
        let user = self.world.users.get(user_id).cloned();
        let user = user.unwrap_or_else(stranger);
        self.record(VisitOutcome::Asked);
        page::question(request, &user)
    }

    fn refused(mut self) -> Response {
        self.record(VisitOutcome::RefusedByUser);
        page::refused()
    }

    fn rejected(mut self, flaw: &Flaw) -> Response {
        let parameter = flaw.parameter.to_owned();
        self.record(VisitOutcome::Rejected { parameter });
        page::rejected(flaw)
    }

    fn record(&mut self, outcome: VisitOutcome) {
        let mut texts = self.parameters.decode_lossy(Charset::Utf8);
        self.world.received.add_page_visit(PageVisit {
            app_id: texts.remove("app_id"),
            scope: texts.remove("scope"),
            redirect_uri: texts.remove("redirect_uri"),
            has_state: texts.contains_key("state"),
            outcome,
        });
    }
}
