use crate::Refusal;

/// What to mend after a refusal, for the errors that users meet. `None` where nothing better can be said than Alipay's text.
pub fn hint(refusal: &Refusal) -> Option<&'static str> {
    refusal
        .sub_code
        .as_deref()
        .and_then(|sub_code| {
            BY_SUB_CODE
                .iter()
                .find(|(_, name, _)| *name == sub_code)
                .map(|(_, _, hint)| *hint)
        })
        .or_else(|| {
            BY_CODE
                .iter()
                .find(|(code, _)| *code == refusal.code)
                .map(|(_, hint)| *hint)
        })
}

impl Refusal {
    /// Whether the one who called can mend it by calling with other arguments, as opposed to the one who runs the app.
    pub fn caller_can_mend(&self) -> bool {
        BY_SUB_CODE
            .iter()
            .any(|(by, name, _)| *by == MendedBy::Caller && Some(*name) == self.sub_code.as_deref())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MendedBy {
    Caller,
    Others,
}

use MendedBy::{Caller, Others};

/// Meanings as in Alipay's documents of the gateway and of the methods; spellings are Alipay's, typos included.
const BY_SUB_CODE: &[(MendedBy, &str, &str)] = &[
    // alipay.system.oauth.token
    (
        Caller,
        "isv.code-invalid",
        "the code was used, has expired, or belongs to another appid or environment; call my.getAuthCode again",
    ),
    (
        Caller,
        "isv.grant-type-invalid",
        "grant_type must be authorization_code or refresh_token",
    ),
    (
        Others,
        "isv.refresh-token-invalid",
        "the refresh token was used or revoked; let the user log in again",
    ),
    (
        Others,
        "isv.refresh-token-time-out",
        "the refresh token has expired; let the user log in again",
    ),
    (
        Others,
        "isv.refreshed-token-invalid",
        "the refresh token was already refreshed; the newer one must be used",
    ),
    (
        Caller,
        "isv.unmatched-app-id",
        "the code or token belongs to another appid; check which app the front end runs in",
    ),
    // tokens of users and merchants
    (
        Others,
        "aop.invalid-auth-token",
        "the user's access token is not accepted (expired, revoked, or of scope auth_base); let the user authorise again with auth_user",
    ),
    (
        Others,
        "aop.auth-token-time-out",
        "the user's access token has expired; let the user log in again",
    ),
    (
        Others,
        "aop.invalid-app-auth-token",
        "the merchant's app_auth_token is not accepted; let the merchant authorise again",
    ),
    (
        Others,
        "aop.app-auth-token-time-out",
        "the merchant's app_auth_token has expired; let the merchant authorise again",
    ),
    (
        Others,
        "aop.invalid-app-auth-token-no-api",
        "the merchant's authorisation does not cover this method; let the merchant authorise again with it",
    ),
    (
        Others,
        "aop.no-product-reg-by-partner",
        "the merchant has not signed the product that this method needs",
    ),
    // keys and protocol
    (
        Others,
        "isv.invalid-signature",
        "the private key configured for this appid is not the pair of the public key uploaded to Alipay's console, or signType differs",
    ),
    (
        Others,
        "isv.missing-signature-config",
        "no public key is uploaded for this appid in Alipay's console",
    ),
    (
        Others,
        "isv.missing-default-signature-type",
        "no way of signing is set for this appid in Alipay's console (接口加签方式)",
    ),
    (
        Others,
        "isv.invalid-signature-type",
        "the console of this appid expects another signType (RSA2 for new apps)",
    ),
    (
        Others,
        "isv.invalid-app-id",
        "this appid does not exist in the environment of the configured gateway (sandbox and production have different ids)",
    ),
    (
        Others,
        "isv.missing-app-id",
        "the configured appid is empty",
    ),
    (
        Others,
        "isv.invalid-timestamp",
        "the clock of this machine is wrong",
    ),
    (
        Others,
        "isv.invalid-charset",
        "charset must be utf-8 or GBK",
    ),
    (
        Caller,
        "isv.invalid-method",
        "the method does not exist, or not in this environment",
    ),
    (
        Caller,
        "isv.invalid-parameter",
        "an argument breaks a rule of the method; sub_msg names it",
    ),
    (
        Caller,
        "INVALID_PARAMETER",
        "an argument breaks a rule of the method; sub_msg names it",
    ),
    (
        Others,
        "SYSTEM_ERROR",
        "Alipay's service is unavailable; try again later",
    ),
    (
        Others,
        "isv.invalid-encrypt",
        "the console and the call disagree on content encryption; check aesKey",
    ),
    (
        Others,
        "isv.missing-encrypt-key",
        "no AES key is set for this appid in Alipay's console (接口内容加密方式)",
    ),
    (
        Others,
        "isv.decryption-error-unknown",
        "Alipay could not decrypt the call; check aesKey",
    ),
    (
        Others,
        "isv.invalid-auth-relations",
        "the user or merchant has not authorised this app",
    ),
    (
        Caller,
        "isv.suspected-attack",
        "Alipay's firewall refused the content of the call",
    ),
    // permissions
    (
        Others,
        "isv.insufficient-isv-permissions",
        "add the product of this method to the app in Alipay's console and publish it (ISV权限不足)",
    ),
    (
        Others,
        "isv.insufficient-user-permissions",
        "the user's authorisation does not cover this method; ask for the right scope",
    ),
    (
        Others,
        "isv.route-no-permissions",
        "the app may not call this method",
    ),
    (
        Others,
        "isv.access-forbidden",
        "the app may not call this method",
    ),
    (
        Others,
        "isv.self-invoke-forbidden",
        "an ISV app must call for a merchant: app_auth_token is missing",
    ),
    // alipay.open.app.qrcode.create
    (
        Caller,
        "QRCODE_DESC_CHECK_INVALID",
        "describe was refused by Alipay's content check",
    ),
    (
        Caller,
        "HM_BG_COLOR_INVALID",
        "line_color must be 0x and six hexadecimal digits",
    ),
    // alipay.open.app.mini.templatemessage.send
    (
        Others,
        "MSG_UNSUBSCRIBED",
        "the user has not subscribed to this template (or has used the subscription up)",
    ),
    (
        Others,
        "MSG_UNAUTHORIZED",
        "the user has not subscribed to this template (or has used the subscription up)",
    ),
    (Others, "MSG_REJECTED", "the user refuses this message"),
    (
        Others,
        "MSG_CONTENT_NOT_INTERESTED",
        "the user has marked such messages as not interesting",
    ),
    (
        Others,
        "MSG_SINGLE_SD_OVER",
        "the user has had the day's number of messages",
    ),
    (
        Others,
        "MESSAGE_SEND_AUTH_ERROR",
        "the app may not send this kind of message; check the template's rights in the console",
    ),
    (
        Caller,
        "TEMPLATE_ILLEGAL",
        "template_id does not exist or does not belong to this appid",
    ),
    (
        Caller,
        "USER_TEMPLATE_ILLEGAL",
        "template_id does not exist or does not belong to this appid",
    ),
    (
        Others,
        "USER_TEMPLATE_STATUS_ILLEGAL",
        "the template is not online; check its state in the console",
    ),
    (
        Caller,
        "MSG_TEMPLATE_ID_VALID",
        "template_id does not exist or does not belong to this appid",
    ),
    (
        Caller,
        "USER_TEMPLATE_LACK_KEYWORD",
        "data lacks a keyword of the template",
    ),
    (
        Caller,
        "MESSAGE_TEMPLATE_KEYWORD_ILLEGAL",
        "data has a keyword that the template has not",
    ),
    (
        Caller,
        "USER_KEYWORD_LENGTH_ERROR",
        "a keyword's value is too long (50 characters at most)",
    ),
    (
        Caller,
        "DATA_IS_EMPTY",
        "data is empty; it must hold every keyword of the template",
    ),
    (
        Caller,
        "DATA_CONTENT_FORMAT_ERROR",
        "data must be {\"keyword1\":{\"value\":\"…\"},…}",
    ),
    (
        Caller,
        "DATA_SENSITIVE",
        "a keyword's value was refused by Alipay's content check",
    ),
    (
        Caller,
        "PAGE_OVER_LIMIT",
        "page is too long (128 characters at most)",
    ),
    (
        Caller,
        "ILLEGAL_ARGUMENT_PARAMS",
        "an argument is missing or wrong, see msg; Alipay wants a page in every message",
    ),
    (
        Caller,
        "USER_ID_INVALID",
        "touser is not a user of this app; an openId of another app never is",
    ),
    (
        Caller,
        "FORM_ID_INVALID",
        "form_id is not valid; subscription messages need none",
    ),
    (
        Caller,
        "FORM_ID_NOT_MATCH_APPID",
        "form_id belongs to another appid",
    ),
    (Caller, "FORM_ID_OVER_TIME", "form_id is older than 7 days"),
    (Caller, "FORM_ID_SEND_LIMIT", "form_id has been used up"),
    (
        Caller,
        "TRADE_NO_NOT_MATCH_USERID",
        "the payment in form_id was made by another user",
    ),
    (
        Others,
        "NO_BIND_PUBLIC_APP",
        "the app has no life account bound; see the console",
    ),
    // alipay.open.auth.token.app
    (
        Others,
        "APP_NOT_ISV",
        "this appid is no third-party app (第三方应用) in Alipay's console",
    ),
    (
        Caller,
        "AUTH_CODE_NOT_EXIST",
        "the app_auth_code is unknown or belongs to another environment; let the merchant authorise again",
    ),
    (
        Caller,
        "AUTH_CODE_NOT_VALID",
        "the app_auth_code was used or has expired; let the merchant authorise again",
    ),
    (
        Caller,
        "APP_ID_NOT_CONSISTENT",
        "the code or token belongs to another ISV's app; check appid",
    ),
    (
        Caller,
        "GRANT_TYPE_INVALID",
        "grant_type must be authorization_code or refresh_token",
    ),
    (
        Others,
        "REFRESH_TOKEN_NOT_VALID",
        "the merchant's refresh token was used or revoked; let the merchant authorise again",
    ),
    (
        Others,
        "REFRESH_TOKEN_NOT_EXIST",
        "the merchant's refresh token is unknown; let the merchant authorise again",
    ),
    (
        Others,
        "REFRESH_TOKEN_TIME_OUT",
        "the merchant's refresh token has expired; let the merchant authorise again",
    ),
    (
        Others,
        "AUTH_TOKEN_NOT_FOUND",
        "the merchant's authorisation is unknown; let the merchant authorise again",
    ),
    (
        Others,
        "AUTH_TOKEN_NOT_EXISTED",
        "the merchant's app_auth_token is unknown; let the merchant authorise again",
    ),
    (
        Others,
        "AUTH_TOKEN_NOT_CONSISTENT",
        "the merchant's app_auth_token belongs to another ISV's app",
    ),
    // alipay.open.app.messagetemplate.subscribe.query
    (Caller, "MSG_TEMPLATE_INVALID", "a template id is not valid"),
    (
        Caller,
        "MSG_TEMPLATE_NOT_EXIST",
        "a template id does not exist or does not belong to this appid",
    ),
    (
        Caller,
        "OPENID_INVALID",
        "the openId is not one of this app; an openId of another app never is",
    ),
    (
        Caller,
        "SUBSCRIBE_TEMPLATE_OVER_LIMIT",
        "too many templates; ask for three at most",
    ),
    // trades
    (
        Others,
        "ACQ.TRADE_NOT_EXIST",
        "no such trade; before the user opens the cashier there is none yet",
    ),
    (
        Others,
        "ACQ.SYSTEM_ERROR",
        "query the trade, then repeat with the same numbers",
    ),
    (
        Caller,
        "ACQ.INVALID_PARAMETER",
        "an argument breaks a rule of the method; sub_msg names it",
    ),
    (
        Others,
        "ACQ.ACCESS_FORBIDDEN",
        "the merchant has not signed the product that this method needs, or its contract has ended",
    ),
    (
        Others,
        "ACQ.BIZ_PRODUCT_NOT_ALLOWED",
        "the merchant has not signed the product of this payment (JSAPI支付, APP支付)",
    ),
    (
        Others,
        "ACQ.PARTNER_ERROR",
        "the app or its merchant is not in order at Alipay; ask its support",
    ),
    (
        Others,
        "ACQ.SELLER_BEEN_BLOCKED",
        "the merchant's account is blocked; ask Alipay's support",
    ),
    (
        Caller,
        "ACQ.EXIST_FORBIDDEN_WORD",
        "the order's subject or body was refused by Alipay's content check",
    ),
    (
        Caller,
        "ACQ.TOTAL_FEE_EXCEED",
        "the amount is above what the merchant's contract allows",
    ),
    (
        Caller,
        "ACQ.CONTEXT_INCONSISTENT",
        "there is a trade of this out_trade_no with other contents; repeat it as it was, or use another number",
    ),
    (
        Caller,
        "ACQ.TRADE_BUYER_NOT_MATCH",
        "there is a trade of this out_trade_no with another buyer; use another number",
    ),
    (
        Caller,
        "ACQ.TRADE_HAS_SUCCESS",
        "the order is paid; query it, and use another out_trade_no for another order",
    ),
    (
        Caller,
        "ACQ.TRADE_HAS_CLOSE",
        "the order is closed; use another out_trade_no",
    ),
    (
        Others,
        "ACQ.TRADE_HAS_FINISHED",
        "the trade is finished: nothing of it can be refunded or changed any more",
    ),
    (
        Caller,
        "ACQ.BUYER_NOT_EXIST",
        "buyer_id or buyer_open_id is nobody in this environment (sandbox and production have different users)",
    ),
    (
        Caller,
        "ACQ.OPEN_ID_NOT_TINY_APP",
        "op_app_id is not the appid of a mini-program; this payment is for mini-programs only",
    ),
    (
        Caller,
        "ACQ.BUYER_SELLER_EQUAL",
        "the buyer is the merchant; let another account pay",
    ),
    (
        Others,
        "ACQ.BUYER_ENABLE_STATUS_FORBID",
        "the buyer's account may not pay; the buyer has to ask Alipay's support",
    ),
    (
        Others,
        "ACQ.TRADE_STATUS_ERROR",
        "the trade's state does not allow this; query it (a paid order is refunded, not closed)",
    ),
    (
        Caller,
        "ACQ.DISCORDANT_REPEAT_REQUEST",
        "there is a refund of this out_request_no with another amount; repeat it as it was, or use another number",
    ),
    (
        Caller,
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
        "a refund of a part needs an out_request_no of its own, and one of the whole the order's amount",
    ),
    (
        Caller,
        "ACQ.REASON_TRADE_REFUND_FEE_ERR",
        "refund_amount is above what is left of the order",
    ),
    (
        Others,
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        "the merchant's account does not hold enough; put money in, then repeat with the same out_request_no",
    ),
    (
        Others,
        "ACQ.REASON_TRADE_BEEN_FREEZEN",
        "the trade is frozen; ask Alipay's support",
    ),
    (
        Others,
        "ACQ.TRADE_NOT_ALLOW_REFUND",
        "the trade cannot be refunded: it was never paid, or the time for refunds has passed",
    ),
];

const BY_CODE: &[(&str, &str)] = &[
    ("10003", "the payment is in progress; query the trade later"),
    ("20000", "Alipay's service is unavailable; try again later"),
    ("20001", "a token was not accepted; authorise again"),
    ("40005", "too many calls; slow down"),
    (
        "40006",
        "the app lacks a permission; add the method's product to the app in Alipay's console",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sub_code_decides_before_the_code() {
        let refusal = |code: &str, sub_code: Option<&str>| Refusal {
            code: code.to_owned(),
            sub_code: sub_code.map(str::to_owned),
            ..Refusal::default()
        };
        assert!(
            hint(&refusal("40002", Some("isv.code-invalid")))
                .unwrap()
                .contains("was used")
        );
        assert!(
            hint(&refusal("40006", Some("isv.new-and-unknown")))
                .unwrap()
                .contains("permission")
        );
        assert!(hint(&refusal("40004", None)).is_none());
    }

    #[test]
    fn every_hint_stands_in_the_document_with_the_status_that_it_is_answered_with() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ERRORS.md");
        let document = std::fs::read_to_string(document).unwrap();
        for (by, name, hint) in BY_SUB_CODE {
            let status = if *by == Caller { 400 } else { 422 };
            let row = format!("| `{name}` | {status} | {hint} |");
            assert!(document.contains(&row), "docs/ERRORS.md lacks: {row}");
        }
    }

    #[test]
    fn no_sub_code_stands_twice_in_the_table() {
        let mut names: Vec<_> = BY_SUB_CODE.iter().map(|(_, name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BY_SUB_CODE.len());
    }
}
