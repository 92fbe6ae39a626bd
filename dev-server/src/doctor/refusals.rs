//! What a refusal of the gateway says about the configuration.

use alipay_gateway::{Refusal, hint};

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Who calls: app id, signature, certificates, clock. Nothing of the call was looked at.
    Caller(&'static str),
    /// Content encryption.
    Encryption(&'static str),
    /// The gateway is busy, or down, or takes no more calls now. Says nothing about the configuration.
    Gateway,
    /// That there is no such trade, as is expected: all of the call was understood.
    Nothing,
    /// The call itself, so that the caller was accepted.
    Call,
}

const PAIR: &str = "paste the public key above into this appid's page in the console, or put the private key of the uploaded public key into the document; then check signType";
const UPLOAD: &str =
    "no public key is uploaded for this appid: paste the one above into the console (接口加签方式)";
const SIGN_TYPE: &str =
    "the console of this appid expects another signType: RSA2 is right for all but old apps";
const APP_ID: &str = "this appid does not exist at this gateway: sandbox and production have different ids; check appid and gateway";
const CLOCK: &str = "set this machine's clock (more than 10 minutes off is refused)";
const CERTIFICATES: &str = "the console of this appid knows other certificates: download all three files again from its page, or, if it is in key mode (密钥), give alipayPublicKey in their place";
pub(super) const CONTENT_KEY: &str = "copy aesKey again from the console (接口内容加密方式); setting a new one there takes some minutes to work";
const NO_CONTENT_KEY: &str =
    "no AES key is set for this appid: set one in the console (接口内容加密方式)";

/// Alipay's sub_codes of who calls, as its document of the gateway's errors has them.
const KNOWN: &[(&str, About)] = &[
    ("isv.invalid-signature", About::Caller(PAIR)),
    ("isv.missing-signature", About::Caller(PAIR)),
    ("isv.missing-signature-config", About::Caller(UPLOAD)),
    ("isv.missing-signature-key", About::Caller(UPLOAD)),
    ("isv.invalid-signature-type", About::Caller(SIGN_TYPE)),
    ("isv.missing-signature-type", About::Caller(SIGN_TYPE)),
    ("isv.invalid-app-id", About::Caller(APP_ID)),
    ("isv.missing-app-id", About::Caller(APP_ID)),
    ("isv.invalid-timestamp", About::Caller(CLOCK)),
    ("isv.missing-timestamp", About::Caller(CLOCK)),
    ("ACQ.TRADE_NOT_EXIST", About::Nothing),
    ("isv.missing-encrypt-key", About::Encryption(NO_CONTENT_KEY)),
];

/// Names that Alipay has grown over the years begin or end alike.
const ALIKE: &[(&str, About)] = &[
    ("cert", About::Caller(CERTIFICATES)),
    ("signature", About::Caller(PAIR)),
    ("app-id", About::Caller(APP_ID)),
    ("appid", About::Caller(APP_ID)),
    ("timestamp", About::Caller(CLOCK)),
    ("encrypt", About::Encryption(CONTENT_KEY)),
    ("decryption", About::Encryption(CONTENT_KEY)),
];

/// What `refusal` is about.
pub(super) fn about(refusal: &Refusal) -> About {
    if refusal.is_transient() || refusal.is_call_limit() {
        return About::Gateway;
    }
    let Some(sub_code) = refusal.sub_code.as_deref() else {
        return About::Call;
    };
    let lower = sub_code.to_ascii_lowercase();
    KNOWN
        .iter()
        .find(|(known, _)| *known == sub_code)
        .or_else(|| ALIKE.iter().find(|(part, _)| lower.contains(part)))
        .map_or(About::Call, |(_, about)| *about)
}

/// Code and sub_code, and what may be said about them. Never Alipay's own text: it may quote the request.
pub(super) fn named(refusal: &Refusal) -> String {
    let hint = hint(refusal).map_or(String::new(), |hint| format!(": {hint}"));
    format!("{refusal}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, sub_code: &str) -> About {
        about(&Refusal {
            code: code.to_owned(),
            sub_code: Some(sub_code.to_owned()),
            ..Refusal::default()
        })
    }

    #[test]
    fn what_is_refused_for_the_caller_is_told_from_what_is_refused_for_the_call() {
        for (sub_code, mend) in [
            ("isv.invalid-signature", PAIR),
            ("isv.missing-signature-config", UPLOAD),
            ("isv.invalid-app-id", APP_ID),
            ("isv.invalid-timestamp", CLOCK),
            ("isv.app-cert-sn-invalid", CERTIFICATES),
            ("isv.missing-alipay-root-cert-sn", CERTIFICATES),
        ] {
            assert_eq!(of("40002", sub_code), About::Caller(mend), "{sub_code}");
        }
        for (code, sub_code) in [
            ("40004", "ACQ.INVALID_PARAMETER"),
            ("40006", "isv.insufficient-isv-permissions"),
            ("40002", "isv.invalid-parameter"),
        ] {
            assert_eq!(of(code, sub_code), About::Call, "{sub_code}");
        }
        assert_eq!(of("40004", "ACQ.TRADE_NOT_EXIST"), About::Nothing);
        assert_eq!(of("20000", "isp.unknow-error"), About::Gateway);
        assert_eq!(of("40005", "isv.app-call-limited"), About::Gateway);
        assert_eq!(
            of("40003", "isv.decryption-error-unknown"),
            About::Encryption(CONTENT_KEY)
        );
        assert_eq!(
            of("40001", "isv.missing-encrypt-key"),
            About::Encryption(NO_CONTENT_KEY)
        );
    }
}
