//! V3's errors in V2's terms, so that hints, retries and callers know one set of names.
//!
//! V3 answers `{"code":"invalid-auth-token","message":"…","links":[…]}`: a name, for the gateway's own errors without the family
//! (`isv.`, `isp.`, `aop.`) that V2's `sub_code` has, and no number. So:
//!
//! 1. `sub_code` is the V2 name that is the same but for the family, where the table has one; else the name as it came.
//! 2. `code` is the number that V2 answers with that name. For a name outside the table it is 20000 (service unavailable) with
//!    an HTTP status of 500 and more, else 40004 (business failure), which is where V2 has the errors of single methods.
//! 3. `sub_msg` is `message`, and `msg` is V2's text for `code`.
//!
//! Alipay publishes no complete table of V3; these are the names of V2's common errors and of `alipay.system.oauth.token`.

use crate::{Refusal, TraceId};

const UNAVAILABLE: &str = "20000";
const TOKEN: &str = "20001";
const MISSING: &str = "40001";
const INVALID: &str = "40002";
const CONDITION: &str = "40003";
const BUSINESS: &str = "40004";
const PERMISSION: &str = "40006";

/// V2's `sub_code`s with their `code`. Spellings are Alipay's.
const KNOWN: &[(&str, &str)] = &[
    ("aop.unknow-error", UNAVAILABLE),
    ("isp.service-not-available", UNAVAILABLE),
    ("isp.unknow-error", UNAVAILABLE),
    ("aop.app-auth-token-time-out", TOKEN),
    ("aop.auth-token-time-out", TOKEN),
    ("aop.invalid-app-auth-token", TOKEN),
    ("aop.invalid-app-auth-token-no-api", TOKEN),
    ("aop.invalid-auth-token", TOKEN),
    ("aop.no-product-reg-by-partner", TOKEN),
    ("isv.decryption-error-missing-encrypt-type", MISSING),
    ("isv.missing-app-id", MISSING),
    ("isv.missing-default-signature-type", MISSING),
    ("isv.missing-encrypt-key", MISSING),
    ("isv.missing-method", MISSING),
    ("isv.missing-signature", MISSING),
    ("isv.missing-signature-key", MISSING),
    ("isv.missing-signature-type", MISSING),
    ("isv.missing-timestamp", MISSING),
    ("isv.missing-version", MISSING),
    ("isv.code-invalid", INVALID),
    ("isv.grant-type-invalid", INVALID),
    ("isv.invalid-app-id", INVALID),
    ("isv.invalid-charset", INVALID),
    ("isv.invalid-digest", INVALID),
    ("isv.invalid-encrypt", INVALID),
    ("isv.invalid-encrypt-type", INVALID),
    ("isv.invalid-file-extension", INVALID),
    ("isv.invalid-file-size", INVALID),
    ("isv.invalid-format", INVALID),
    ("isv.invalid-method", INVALID),
    ("isv.invalid-parameter", INVALID),
    ("isv.invalid-signature", INVALID),
    ("isv.invalid-signature-type", INVALID),
    ("isv.invalid-timestamp", INVALID),
    ("isv.missing-signature-config", INVALID),
    ("isv.not-support-app-auth", INVALID),
    ("isv.refresh-token-invalid", INVALID),
    ("isv.refresh-token-time-out", INVALID),
    ("isv.refreshed-token-invalid", INVALID),
    ("isv.suspected-attack", INVALID),
    ("isv.unmatched-app-id", INVALID),
    ("isv.app-openid-not-match", CONDITION),
    ("isv.decryption-error-unknown", CONDITION),
    ("isv.invalid-auth-relations", CONDITION),
    ("isv.access-forbidden", PERMISSION),
    ("isv.insufficient-isv-permissions", PERMISSION),
    ("isv.insufficient-user-permissions", PERMISSION),
    ("isv.route-no-permissions", PERMISSION),
    ("isv.self-invoke-forbidden", PERMISSION),
];

/// The refusal that a V3 error is.
pub(super) fn refusal(
    name: &str,
    message: Option<String>,
    status: u16,
    trace_id: Option<String>,
    verified: bool,
) -> Refusal {
    let (sub_code, code) = match known(name) {
        Some(known) => known,
        None if status >= 500 => (name, UNAVAILABLE),
        None => (name, BUSINESS),
    };
    Refusal {
        code: code.to_owned(),
        sub_code: Some(sub_code.to_owned()).filter(|name| !name.is_empty()),
        msg: text_of(code).to_owned(),
        sub_msg: message.filter(|message| !message.is_empty()),
        trace_id: trace_id.map(TraceId::from),
        verified,
        refresh_token: None,
    }
}

/// A name that came with its family keeps it where V2 has it so.
fn known(name: &str) -> Option<(&'static str, &'static str)> {
    let row =
        |matches: &dyn Fn(&str) -> bool| KNOWN.iter().find(|(known, _)| matches(known)).copied();
    row(&|known| known == name)
        .or_else(|| row(&|known| without_family(known) == without_family(name)))
}

fn without_family(name: &str) -> &str {
    ["isv.", "isp.", "aop."]
        .iter()
        .find_map(|family| name.strip_prefix(family))
        .unwrap_or(name)
}

/// V2's text for a code.
fn text_of(code: &str) -> &'static str {
    match code {
        UNAVAILABLE => "Service Currently Unavailable",
        TOKEN => "Insufficient Token Permissions",
        MISSING => "Missing Required Arguments",
        INVALID => "Invalid Arguments",
        CONDITION => "Insufficient Conditions",
        PERMISSION => "Insufficient Permissions",
        _ => "Business Failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint;

    fn of(name: &str, status: u16) -> Refusal {
        refusal(name, Some("m".to_owned()), status, None, false)
    }

    #[test]
    fn a_name_without_its_family_is_the_one_that_v2_answers() {
        for (name, sub_code, code) in [
            ("invalid-auth-token", "aop.invalid-auth-token", "20001"),
            ("isv.invalid-auth-token", "aop.invalid-auth-token", "20001"),
            ("code-invalid", "isv.code-invalid", "40002"),
            ("isv.code-invalid", "isv.code-invalid", "40002"),
            ("invalid-signature", "isv.invalid-signature", "40002"),
            ("unknow-error", "aop.unknow-error", "20000"),
            ("isp.unknow-error", "isp.unknow-error", "20000"),
        ] {
            let refusal = of(name, 400);
            assert_eq!(refusal.sub_code.as_deref(), Some(sub_code), "{name}");
            assert_eq!(refusal.code, code, "{name}");
            assert_eq!(refusal.sub_msg.as_deref(), Some("m"));
        }
        assert!(of("invalid-signature", 401).is_wrong_signature());
        assert!(of("unknow-error", 500).is_transient());
        assert!(of("code-invalid", 400).caller_can_mend());
        assert!(hint(&of("insufficient-isv-permissions", 403)).is_some());
    }

    #[test]
    fn a_name_that_nobody_knows_is_kept_and_its_status_says_whether_it_may_pass() {
        for name in [
            "ACQ.TRADE_NOT_EXIST",
            "MSG_UNSUBSCRIBED",
            "isv.new-and-unknown",
        ] {
            let refusal = of(name, 400);
            assert_eq!(refusal.sub_code.as_deref(), Some(name));
            assert_eq!(refusal.code, "40004");
            assert!(!refusal.is_transient());
            assert!(of(name, 503).is_transient());
        }
    }

    #[test]
    fn no_name_stands_twice_in_the_table() {
        let mut names: Vec<_> = KNOWN.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KNOWN.len());
    }
}
