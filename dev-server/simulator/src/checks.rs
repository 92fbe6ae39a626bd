//! What the gateway checks of a call, in its order.
//!
//! The refusals of certificate mode have been seen in real replies, but for an app in key mode that names a
//! certificate: that one, and the refusal of an encrypted call to a method without `biz_content`, are choices.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::apps::AppRecord;
use crate::authority::authority;
use crate::charset::Charset;
use crate::clock;
use crate::encryption::{self, AesKey};
use crate::gateway::charset_of;
use crate::keys::{self, SignType};
use crate::merchants::acting_app;
use crate::methods::trade::order_string::METHOD as ORDER_STRING;
use crate::methods::{self, Call, Method};
use crate::parameters::Parameters;
use crate::refusal::{Refusal, with_html_entities};
use crate::world::World;

/// Where and how a refusal stands in the reply.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) under_error_response: bool,
    pub(crate) signed: bool,
    /// The key that the reply is encrypted with.
    pub(crate) encryption: Option<AesKey>,
}

/// Where a signed request came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/gateway.do`
    Gateway,
    /// The cashier, with an order string.
    Cashier,
}

impl Door {
    fn method(self, name: &str) -> Option<&'static Method> {
        match self {
            Self::Gateway => methods::find(name),
            Self::Cashier => Some(&ORDER_STRING).filter(|method| method.name == name),
        }
    }

    /// How old a request may be. An order string lies with the buyer for a while.
    fn longest_age(self) -> Duration {
        match self {
            Self::Gateway => clock::TIMESTAMP_TOLERANCE,
            Self::Cashier => Duration::from_secs(86_400),
        }
    }
}

/// The gateway's checks, then the method.
pub(crate) fn judge(
    world: &mut World,
    parameters: &Parameters,
    base_url: &str,
    place: &mut Place,
    door: Door,
) -> methods::Answer {
    if let Some(name) = &parameters.contradiction {
        return Err(Refusal::invalid(
            "isv.suspected-attack",
            format!("参数{}重复且取值不同", with_html_entities(name)),
        ));
    }
    // The public parameters are ASCII whatever the charset is; the method's own are decoded further down.
    let public = parameters.decode_lossy(Charset::Utf8);
    let get = |name: &str| public.get(name).filter(|value| !value.is_empty()).cloned();
    let app_id =
        get("app_id").ok_or_else(|| Refusal::missing("isv.missing-app-id", "缺少AppID参数"))?;
    let app = world
        .apps
        .get(&app_id)
        .ok_or_else(|| Refusal::invalid("isv.invalid-app-id", "无效的AppID参数"))?;
    let method =
        get("method").ok_or_else(|| Refusal::missing("isv.missing-method", "缺少方法名参数"))?;
    let method = door
        .method(&method)
        .ok_or_else(|| Refusal::invalid("isv.invalid-method", "不存在的方法名"))?;
    *place = Place {
        under_error_response: method.fails_under_error_response,
        signed: !method.fails_under_error_response || app.options.signed_error_responses,
        encryption: None,
    };
    let timestamp = get("timestamp")
        .ok_or_else(|| Refusal::missing("isv.missing-timestamp", "缺少时间戳参数"))?;
    if clock::is_current(&timestamp, SystemTime::now(), door.longest_age()) != Some(true) {
        return Err(Refusal::invalid(
            "isv.invalid-timestamp",
            "非法的时间戳参数",
        ));
    }
    match get("version").as_deref() {
        None => return Err(Refusal::missing("isv.missing-version", "缺少版本参数")),
        Some("1.0") => {}
        Some(_) => {
            return Err(Refusal::invalid(
                "isv.invalid-parameter",
                "参数无效：version",
            ));
        }
    }
    if get("format").is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
        return Err(Refusal::invalid("isv.invalid-format", "无效的数据格式"));
    }
    let charset = charset_of(parameters)
        .ok_or_else(|| Refusal::invalid("isv.invalid-charset", "字符集错误"))?;
    let sign_type = get("sign_type")
        .ok_or_else(|| Refusal::missing("isv.missing-signature-type", "缺少签名类型参数"))?;
    let sign_type = SignType::parse(&sign_type)
        .filter(|sign_type| app.options.sign_types.contains(sign_type))
        .ok_or_else(|| Refusal::invalid("isv.invalid-signature-type", "无效的签名类型"))?;
    certificates_named(
        app,
        get("app_cert_sn").as_deref(),
        get("alipay_root_cert_sn").as_deref(),
    )?;
    let signature =
        get("sign").ok_or_else(|| Refusal::missing("isv.missing-signature", "缺少签名参数"))?;
    let signed = parameters.signed_bytes();
    let texts = parameters.decode(charset);
    let (Some(mut texts), true) = (
        texts,
        keys::verify(&app.public_key, sign_type, &signed, &signature),
    ) else {
        let echo = with_html_entities(&charset.decode_lossy(&signed));
        return Err(Refusal::invalid(
            "isv.invalid-signature",
            format!("验签出错，网关生成的验签字符串为：{echo}"),
        ));
    };
    may_call(app, method)?;
    let encryption = match get("encrypt_type").as_deref() {
        None => None,
        Some("AES") => Some(encryption_key(app, method)?),
        Some(_) => {
            return Err(Refusal::invalid(
                "isv.invalid-encrypt-type",
                "无效的加密类型",
            ));
        }
    };
    decrypt_biz_content(&mut texts, encryption, charset)?;
    // From here on the reply is encrypted as the request was.
    place.encryption = encryption;
    let acting = acting_app(
        world,
        &app_id,
        texts.get("app_auth_token").map(String::as_str),
    )?;
    (method.run)(
        world,
        &Call {
            app_id: &acting,
            parameters: &texts,
            base_url,
        },
    )
}

/// In certificate mode a call names the app's certificate and the roots that it trusts.
pub(crate) fn certificates_named(
    app: &AppRecord,
    app_cert_sn: Option<&str>,
    alipay_root_cert_sn: Option<&str>,
) -> Result<(), Refusal> {
    let refused = |sub_code, sub_msg: &str| Err(Refusal::invalid(sub_code, sub_msg));
    let (Some(registered), named) = (&app.certificate_sn, app_cert_sn) else {
        return match app_cert_sn {
            None => Ok(()),
            Some(_) => refused("isv.app-cert-not-exist", "应用公钥证书不存在"),
        };
    };
    match named {
        None => return refused("isv.missing-app-cert-sn", "缺少应用公钥证书序列号"),
        Some(named) if named != registered => {
            return refused("isv.app-cert-not-exist", "应用公钥证书不存在");
        }
        Some(_) => {}
    }
    match alipay_root_cert_sn {
        None => refused("isv.missing-alipay-root-cert-sn", "缺少支付宝根证书序列号"),
        Some(named) if named != authority().root_sn => {
            refused("isv.invalid-alipay-root-cert-sn", "无效支付宝根证书序列号")
        }
        Some(_) => Ok(()),
    }
}

/// Whether the app has permission for the method.
pub(crate) fn may_call(app: &AppRecord, method: &Method) -> Result<(), Refusal> {
    match &app.options.methods {
        Some(allowed) if !allowed.iter().any(|name| name == method.name) => Err(
            Refusal::permission("isv.insufficient-isv-permissions", "ISV权限不足"),
        ),
        _ => Ok(()),
    }
}

/// The key of an encrypted call.
pub(crate) fn encryption_key(app: &AppRecord, method: &Method) -> Result<AesKey, Refusal> {
    let key = app
        .aes_key
        .ok_or_else(|| Refusal::missing("isv.missing-encrypt-key", "未配置对应的AES密钥"))?;
    if methods::takes_biz_content(method.name) {
        Ok(key)
    } else {
        Err(Refusal::invalid(
            "isv.invalid-encrypt",
            "当前API不支持加密请求",
        ))
    }
}

/// A text that could not be decrypted, as a real reply says it.
pub(crate) fn undecipherable() -> Refusal {
    Refusal::new(
        "40003",
        "isv.decryption-error-unknown",
        "解密出错, 未知错误",
    )
}

fn decrypt_biz_content(
    texts: &mut BTreeMap<String, String>,
    key: Option<AesKey>,
    charset: Charset,
) -> Result<(), Refusal> {
    let Some(biz_content) = texts.get_mut("biz_content") else {
        return Ok(());
    };
    let Some(key) = key else {
        if encryption::looks_encrypted(biz_content) {
            return Err(Refusal::missing(
                "isv.decryption-error-missing-encrypt-type",
                "解密出错, 未指定加密算法",
            ));
        }
        return Ok(());
    };
    *biz_content = key
        .decrypt(biz_content)
        .and_then(|plain| charset.decode(&plain))
        .ok_or_else(undecipherable)?;
    Ok(())
}
