use function_kit::{Failure, Outcome};
use payments::PaymentError;

/// The errors of `payments` as callers see them.
pub fn payment_failure(error: PaymentError) -> Failure {
    let outcome = match &error {
        PaymentError::UnknownOrder => Outcome::NotFound {
            what: "an order of this out_trade_no".to_owned(),
        },
        PaymentError::Incomplete { field } => Outcome::InvalidArgument {
            field: (*field).to_owned(),
            rule: "is required, because there is no order of this out_trade_no yet".to_owned(),
        },
        PaymentError::Differs { field } => Outcome::Conflict {
            reason: differs(field),
        },
        PaymentError::NotNow { state } => Outcome::Conflict {
            reason: format!("the order {state}"),
        },
        PaymentError::OtherTrade => Outcome::Conflict {
            reason: "Alipay has another trade under this out_trade_no than the order; it was used outside of this deployment".to_owned(),
        },
        PaymentError::TooLarge { field, limit } => Outcome::TooLarge {
            limit: format!("{field}: {limit} at most"),
        },
        error if error.is_transient() => Outcome::TemporarilyUnavailable {
            retry_after_seconds: 1,
            advice: String::new(),
        },
        _ => Outcome::Internal,
    };
    Failure::caused_by(outcome, error)
}

fn differs(field: &str) -> String {
    let what = match field {
        "out_trade_no" => {
            return "out_trade_no: is that of an order which is paid in another way (app.getOrderStr and trade.create do not share numbers)".to_owned();
        }
        "refund_amount" => "out_request_no: was used for a refund of another amount",
        "total_amount" => "out_trade_no: was used for an order of another total_amount",
        "subject" => "out_trade_no: was used for an order with another subject",
        _ => "out_trade_no: was used for an order of another buyer",
    };
    format!("{what}; take a new number")
}
