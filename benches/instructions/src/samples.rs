//! What the cases work on: the same bytes in every run, but for what is random by design (RSA blinding).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alipay_gateway::methods::MiniCodeRequest;
use alipay_gateway::{App, Call};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{SigningKey, VerifyingKey};
use url::Url;

use crate::error::CountError;

/// Keys of the test vectors. The app's pair signs the replies too: which key it is makes no difference to the count.
pub const APP_KEY: &str = include_str!("../../../tests/vectors/keys/app-2048.pkcs8.pem");
/// The public half of [`APP_KEY`].
pub const APP_PUBLIC_KEY: &str = include_str!("../../../tests/vectors/keys/app-2048.public.pem");
/// A key that is not the app's, for the document of apps.
pub const OTHER_PUBLIC_KEY: &str = include_str!("../../../tests/vectors/keys/app-3072.public.pem");

/// The events that the tests run too.
pub const HTTP_EVENT: &str = include_str!("../../../events/get-mini-code/http.json");
/// As [`HTTP_EVENT`], by direct invoke.
pub const DIRECT_EVENT: &str = include_str!("../../../events/get-mini-code/direct.json");

/// The app of [`HTTP_EVENT`].
pub const APP_ID: &str = "2021000000000001";

const AES_KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
/// 2026-11-22 18:00:00 in China.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_341_600)
}

/// An app in key mode, with an AES key.
pub fn app() -> Result<App, CountError> {
    let mut app = App::new(
        APP_ID,
        SigningKey::from_text(APP_KEY)?,
        VerifyingKey::from_text(APP_PUBLIC_KEY)?,
        Url::parse("http://127.0.0.1:9/gateway.do")?,
    );
    app.content_key = Some(ContentKey::from_text(AES_KEY)?);
    Ok(app)
}

/// The call that get-mini-code makes for [`HTTP_EVENT`].
pub fn call() -> Result<Call, CountError> {
    let request = MiniCodeRequest {
        url_param: "pages/index/index",
        query_param: "a=1&b=2",
        describe: "推广",
        color: None,
        size: None,
    };
    Ok(request.call()?)
}

/// The node of the reply to [`call`], with the slashes escaped as the gateway writes them.
pub const NODE: &str = r#"{"code":"10000","msg":"Success","qr_code_url":"https:\/\/mobilecodec.alipay.com\/show.htm?code=s4x00000abcdefgh","qr_code_url_circle_white":"https:\/\/mobilecodec.alipay.com\/show.htm?code=s4x00000ijklmnop","qr_code_url_circle_blue":"https:\/\/mobilecodec.alipay.com\/show.htm?code=s4x00000qrstuvwx"}"#;

/// The signature over [`NODE`], made by `openssl dgst -sha256 -sign app-2048.pkcs8.pem`: a signature made here would bring the chance in
/// its cost into the counts of what verifies it.
const NODE_SIGN: &str = "SGiKdwGv904ugMfvAkwmTHDjovwY60/v43IQpE1lRddSCUvbgqA7FHxpbTq1mGdLOLKgmy4RE0MZ9nMNHvoIefcdfVQDMhroipjH+LYui/IbDQpY1f1T4nz52S7AfxPtWQ935oCU/1KWm97Zrh6Cg+2OfoWCFSvCh3TbGLnhAbyY8fzYVx/rCY/q/98FVBsNBtbU9RyMJRPSyQMc2NOhFbd/qw137pglYR40P/vyE7tVuQMNszXvyzNfdETcm2U0ExGne2jxivxgbOOJgH70jid6x58NUjeGyVnD6nbGxxAbWFRE2rdVmY8uMSW7WScQeIr8aQXijK4h21BPRfwS5Q==";

/// The gateway's reply to [`call`].
pub fn reply() -> String {
    format!(r#"{{"alipay_open_app_qrcode_create_response":{NODE},"sign":"{NODE_SIGN}"}}"#)
}

/// What `my.getPhoneNumber` hands out: `{"code":"10000","msg":"Success","mobile":"13800000000"}` under [`AES_KEY`].
pub const PHONE_NUMBER: &str =
    "igATcyTqqgv1AFpBiHJyVf94zn4d80DWhHrnUhty+8QLcUOlYjxvP9Xk+YXblbTSoe2bGplnUECoaQrDECEzOw==";
/// The signature over [`PHONE_NUMBER`] in double quotes, made like [`NODE_SIGN`].
pub const PHONE_NUMBER_SIGN: &str = "qs9GerRXH4kia/4CTtgY2NhLyUoTyidepjrBFrUi22ME81cu1XmbSUNvdV7pQgG1piOslcl+qwQfmD7uuyP69nyeG1mnT0Lr0BbFYAVSLq92mR6d6CUIhNJPDmCbBw9xN+IlXVHfYzGqbJ9U8vZkG8c5sdrS/8hwEs2XVZytVK1RSRstvmDiy+x44My34h9NXUEpSNRHcOFSpwX0DVUx1dWKODpZNwOWBYMpOBdWLtq0M9huaF0gvsx+NYzftUJREXyblmBGxNrZ8dFbG96BMgqTvHBq0KFO304HGBZ+ncW8WWonNSh8dfzWMi8EM++sYC/jpuheoH20siYB0U8wtQ==";
