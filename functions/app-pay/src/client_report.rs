//! `app.checkResult`: what a front end says came of a payment. It is a reason to ask Alipay, and no proof of anything.

use alipay_gateway::{ClientResult, ClientResultError, verify_client_result};
use function_kit::{Caller, Failure, Outcome};
use function_payments::{OrderNumber, Standing};

use crate::AppPay;
use crate::answer::Fields;
use crate::input::ClientReport;

/// The client's codes of a payment that was not made: it failed, or the user left it. Of the others (8000, 6002, 6004 …) the
/// client does not know, or a payment may still come.
const NOT_PAID: [&str; 2] = ["4000", "6001"];

impl AppPay {
    pub(crate) async fn check_result(
        &self,
        report: &ClientReport,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let out_trade_no = self.reported_order(report, caller).await?;
        let order = self
            .order(&out_trade_no, Some(&report.owner), caller)
            .await?;
        // Alipay has said so before.
        let (paid, order) = if order.state.is_paid() {
            (Some(true), order)
        } else {
            let asked = self.ask(&order, caller).await?;
            (is_paid(asked.standing, &report.code), asked.order)
        };
        Ok(Fields::Checked {
            paid,
            trade_no: order.trade_no,
            out_trade_no: out_trade_no.as_str().to_owned(),
        })
    }

    /// The number of the order that the report is about. A signed result is believed which order it is about, once it is verified.
    async fn reported_order(
        &self,
        report: &ClientReport,
        caller: &Caller,
    ) -> Result<OrderNumber, Failure> {
        let Some(text) = &report.result else {
            return report
                .out_trade_no
                .clone()
                .ok_or_else(|| Failure::invalid("out_trade_no", "is required"));
        };
        let result = self.verify(text, caller).await.map_err(refused_result)?;
        let signed = result
            .out_trade_no
            .and_then(|number| OrderNumber::try_from(number).ok());
        match (signed, &report.out_trade_no) {
            (Some(signed), Some(named)) if signed != *named => Err(Failure::invalid(
                "result",
                "is that of another order than out_trade_no",
            )),
            (Some(signed), _) => Ok(signed),
            (None, Some(named)) => Ok(named.clone()),
            (None, None) => Err(Failure::invalid(
                "out_trade_no",
                "is required, because the result does not say it",
            )),
        }
    }

    /// A result that does not fit the keys may be signed with a newer one than was read when the function started.
    async fn verify(&self, text: &str, caller: &Caller) -> Result<ClientResult, ClientResultError> {
        let now = self.alipay.now();
        let verified = verify_client_result(&caller.app.settings().app, text, now);
        let is_about_our_keys = matches!(
            verified,
            Err(ClientResultError::WrongSignature
                | ClientResultError::OtherCertificate
                | ClientResultError::OtherSignType)
        );
        if !is_about_our_keys {
            return verified;
        }
        match self.alipay.read_again(&caller.app).await {
            Some(app) => verify_client_result(&app.settings().app, text, now),
            None => verified,
        }
    }
}

fn refused_result(error: ClientResultError) -> Failure {
    let outcome = Outcome::InvalidArgument {
        field: "result".to_owned(),
        rule: format!("is not what the Alipay client gave to an app of this appid: {error}"),
    };
    Failure::caused_by(outcome, error)
}

/// `None` where it is not known yet.
fn is_paid(standing: Standing, client_code: &str) -> Option<bool> {
    match standing {
        Standing::Paid => Some(true),
        Standing::Closed => Some(false),
        Standing::NotThere | Standing::Open => NOT_PAID.contains(&client_code).then_some(false),
    }
}
