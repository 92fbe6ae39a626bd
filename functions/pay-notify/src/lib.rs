//! `pay-notify`: takes what Alipay sends of its own accord, `POST /notify/{appid}`: notices of trades (the `notify_url` of an order)
//! and messages to an app (应用网关). Alipay's signature is the credential; anybody can call.
//!
//! A notice is a reason to ask. It is taken apart by rules that leave one reading, its signature is verified for the app of the path,
//! and what it says of a trade is held against the order. Where it has something new, Alipay is asked, and what Alipay answers is
//! recorded and published: never what the notice says. Before the signature holds nothing is read from the table.
//!
//! A message is recorded once and published, without the tokens in it.
//!
//! The answer is `success` (200), after which Alipay does not send the notice again, or `fail`, after which it does, 8 times within 25
//! hours:
//!
//! | status | |
//! |---|---|
//! | 400 | refused: no strict form, a query, not signed by Alipay for this app, or genuine and not fitting the order |
//! | 404 | no such app is configured |
//! | 405 | not `POST` |
//! | 413 | over 64 KiB |
//! | 503 | Alipay or the table was not reached, or a fault of ours |
//!
//! Each notice is one line in the log, with the member `notice`: `credited`, `closed`, `refunded`, `known`, `ignored`, `message`,
//! `refused`. One that is genuine and does not fit is an error with `outcome` = `notice_mismatch` and the `field` that differs: somebody
//! meddles, or a number is used outside of this deployment.

mod message;
mod redaction;
mod trade;

use alipay_gateway::{Deadline, Notice, NoticeError, UnverifiedNotice};
use function_kit::{
    Alipay, Caller, Failure, HttpFunction, Outcome, Request, Response, SelectedApp,
};
use function_payments::{AskError, PaymentError, Payments, payment_failure};

/// Where notices go, before the app's id.
const ROUTE: &str = "/notify";

/// The function.
#[derive(Debug, Clone)]
pub struct PayNotify {
    alipay: Alipay,
    payments: Payments,
}

/// What became of a notice that is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// The order is paid now.
    Credited,
    /// The order is closed now.
    Closed,
    /// A refund is recorded now.
    Refunded,
    /// There was nothing new in it.
    Known,
    /// It tells of nothing that is recorded.
    Ignored,
    /// A message, recorded now.
    Message,
}

impl Taken {
    fn as_str(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Closed => "closed",
            Self::Refunded => "refunded",
            Self::Known => "known",
            Self::Ignored => "ignored",
            Self::Message => "message",
        }
    }
}

/// Why a genuine notice is not done with.
#[derive(Debug)]
enum NotTaken {
    /// It does not fit what is recorded, or what Alipay says.
    Mismatch {
        /// What differs.
        field: &'static str,
    },
    /// It could not be dealt with.
    Failed(Failure),
}

impl From<PaymentError> for NotTaken {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::UnknownOrder => Self::mismatch("out_trade_no"),
            PaymentError::OtherTrade => Self::mismatch("trade_no"),
            error => Self::Failed(payment_failure(error)),
        }
    }
}

impl From<AskError> for NotTaken {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Contradiction { field } => Self::mismatch(field),
            AskError::Record(error) => error.into(),
            error => Self::Failed(error.into()),
        }
    }
}

impl NotTaken {
    fn mismatch(field: &'static str) -> Self {
        Self::Mismatch { field }
    }
}

impl PayNotify {
    /// Takes notices for the apps of `alipay`, and records what they lead to in `payments`.
    pub fn new(alipay: Alipay, payments: Payments) -> Self {
        Self { alipay, payments }
    }

    /// The notice, and the app with the settings that it was verified by. Keys that do not fit are read again, once a minute at most.
    async fn verified(
        &self,
        notice: &UnverifiedNotice,
        app: SelectedApp,
    ) -> Result<(Notice, SelectedApp), NoticeError> {
        let verify = |app: &SelectedApp| notice.verify(&app.settings().app, self.alipay.now());
        match verify(&app) {
            Ok(notice) => Ok((notice, app)),
            Err(error) if error.is_signature() => match self.alipay.read_again(&app).await {
                Some(app) => verify(&app).map(|notice| (notice, app)),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn take(
        &self,
        notice: &Notice,
        app: &SelectedApp,
        deadline: Deadline,
    ) -> Result<Taken, NotTaken> {
        match notice {
            Notice::Trade(notice) => self.take_trade(notice, app, deadline).await,
            Notice::Message(notice) => self.take_message(notice, app, deadline).await,
        }
    }
}

impl HttpFunction for PayNotify {
    const NAME: &'static str = "pay-notify";

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        let app_id = app_id_in(request.path()).ok_or_else(|| request.no_such_route())?;
        let Caller { app, deadline, .. } = request.caller(self.alipay.app(Some(app_id))?);
        if request.method() != "POST" {
            return Ok(refused("it is no POST", 405).with_header("allow", "POST"));
        }
        // Who merges query and body reads fields that nobody signed.
        if !request.query().is_empty() {
            return Ok(refused("it has a query", 400));
        }
        let verified = match UnverifiedNotice::read(request.body_text()?) {
            Ok(notice) => self.verified(&notice, app).await,
            Err(error) => Err(error),
        };
        let (notice, app) = match verified {
            Ok(verified) => verified,
            Err(error) => return Ok(not_genuine(error)),
        };
        let notify_id = match &notice {
            Notice::Trade(notice) => notice.notify_id(),
            Notice::Message(notice) => notice.notify_id(),
        };
        match self.take(&notice, &app, deadline).await {
            Ok(taken) => {
                let notice = taken.as_str();
                tracing::info!(notice, notify_id, "a notice was taken");
                Ok(Response::text(200, "success"))
            }
            Err(NotTaken::Mismatch { field }) => Ok(mismatch(field, notify_id)),
            Err(NotTaken::Failed(failure)) => Err(failure),
        }
    }

    fn refusal(&self, _request: &Request, failure: &Failure) -> Response {
        fail(match failure.outcome() {
            Outcome::InvalidArgument { .. } => 400,
            Outcome::UnknownApp | Outcome::NotFound { .. } => 404,
            Outcome::TooLarge { .. } => 413,
            _ => 503,
        })
    }
}

/// The app that a notice was sent for. A custom domain may have put something before the route.
fn app_id_in(path: &str) -> Option<&str> {
    let (route, app_id) = path.rsplit_once('/')?;
    (route.ends_with(ROUTE) && !app_id.is_empty()).then_some(app_id)
}

/// `fail` and nothing else, whatever went wrong: the rest is in the log.
fn fail(status: u16) -> Response {
    Response::text(status, "fail")
}

fn refused(reason: &str, status: u16) -> Response {
    tracing::warn!(notice = "refused", reason, "a notice was refused");
    fail(status)
}

fn not_genuine(error: NoticeError) -> Response {
    match error {
        NoticeError::OfAnotherApp => mismatch("app_id", ""),
        NoticeError::TooLong => refused(&error.to_string(), 413),
        error => refused(&error.to_string(), 400),
    }
}

/// Alarms go by this line.
fn mismatch(field: &'static str, notify_id: &str) -> Response {
    tracing::error!(
        outcome = "notice_mismatch",
        notice = "refused",
        field,
        notify_id,
        "a genuine notice does not fit; look the order up (trade.query), and at the app's address for notices"
    );
    fail(400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_is_the_last_part_of_the_path_behind_notify() {
        for (path, app_id) in [
            ("/notify/2021", Some("2021")),
            ("/pay/notify/2021", Some("2021")),
            ("/notify/", None),
            ("/notify", None),
            ("/notify/2021/", None),
            ("/denotify/2021", None),
            ("/notify/2021/more", None),
            ("", None),
        ] {
            assert_eq!(app_id_in(path), app_id, "{path}");
        }
    }
}
