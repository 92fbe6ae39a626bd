use function_kit::{Failure, Outcome};
use function_logins::CallError;

/// What the errors of this call begin with that OneAccess has no code for.
const FAMILY: &str = "ALIPAY";

/// `failure` as this call says it. Whatever is wrong with a code is one answer: of another app, used, expired, or none at all.
pub(crate) fn call_error(failure: &Failure) -> CallError {
    match failure.outcome() {
        Outcome::InvalidArgument { field, rule } if field == "code" => {
            code_invalid(&format!("code: {rule}"))
        }
        // A second use, which is refused here before Alipay would.
        Outcome::Conflict { .. } => code_invalid(REFUSED_CODE),
        Outcome::GatewayRefused(refusal) if refusal.caller_can_mend() => code_invalid(REFUSED_CODE),
        _ => CallError::of(failure, FAMILY),
    }
}

const REFUSED_CODE: &str =
    "The code is not valid, has expired, or was used. Log in again with a new code.";

fn code_invalid(english: &str) -> CallError {
    CallError::new(
        400,
        format!("{FAMILY}.CODE_INVALID"),
        english,
        "授权码无效、已过期或已被使用，请重新登录",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sub_code: &str) -> Failure {
        Failure::new(Outcome::GatewayRefused(alipay_gateway::Refusal {
            code: "40002".to_owned(),
            sub_code: Some(sub_code.to_owned()),
            ..alipay_gateway::Refusal::default()
        }))
    }

    #[test]
    fn a_code_that_is_refused_gives_one_answer_whatever_was_wrong_with_it() {
        let again = Failure::new(Outcome::Conflict {
            reason: String::new(),
        });
        let expected = call_error(&again);
        assert_eq!(
            (expected.status, &*expected.code),
            (400, "ALIPAY.CODE_INVALID")
        );
        for sub_code in ["isv.code-invalid", "isv.unmatched-app-id"] {
            assert_eq!(call_error(&refused(sub_code)), expected, "{sub_code}");
        }
    }

    #[test]
    fn a_code_in_the_wrong_form_is_the_same_error_and_says_which_rule_it_breaks() {
        let error = call_error(&Failure::invalid("code", "is required"));
        assert_eq!(error.code, "ALIPAY.CODE_INVALID");
        assert_eq!(error.english, "code: is required");
    }

    #[test]
    fn what_the_operator_has_to_mend_is_none_of_the_caller() {
        let error = call_error(&refused("isv.invalid-signature"));
        assert_eq!((error.status, &*error.code), (502, "ALIPAY.REFUSED"));
    }
}
