//! What the front end gets encrypted: `my.getPhoneNumber` and the like (Alipay's document of that call).
//!
//! A text with the members `response`, `sign`, `sign_type`, `encrypt_type` and `charset`. A ciphertext is signed with its
//! double quotes around it. Members of an error are in camelCase here.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::encryption::AesKey;
use crate::keys::{self, SignType};
use crate::users::SimulatedUser;
use crate::world::World;

/// How `my.getPhoneNumber` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneNumberFailure {
    /// The user did not agree: a plain error without a signature, `isv.invalid-auth-relations`.
    RefusedByUser,
    /// An error inside a signed ciphertext: `isv.insufficient-isv-permissions`.
    EncryptedError,
    /// A plain error that is signed as it stands: `aop.unknow-error`.
    SignedError,
    /// The app has not set how it signs: a ciphertext without a signature.
    Unsigned,
}

impl World {
    pub(crate) fn phone_number(
        &mut self,
        app_id: &str,
        user_id: &str,
    ) -> Result<String, &'static str> {
        let user = self
            .users
            .entry(user_id.to_owned())
            .or_insert_with(|| SimulatedUser::with_id(user_id));
        let mobile = user.mobile.clone();
        if self.apps.get(app_id).ok_or(NO_APP)?.aes_key.is_none() {
            let message = "未配置对应签名算法的公钥或者AES密钥";
            return Ok(plain_error("40001", "isv.missing-encrypt-key", message));
        }
        let data = json!({ "code": "10000", "msg": "Success", "mobile": mobile });
        self.encrypted_data(app_id, &data.to_string())
    }

    pub(crate) fn phone_number_failure(
        &mut self,
        app_id: &str,
        failure: PhoneNumberFailure,
    ) -> Result<String, &'static str> {
        match failure {
            PhoneNumberFailure::RefusedByUser => Ok(plain_error(
                "40003",
                "isv.invalid-auth-relations",
                "无效的授权关系",
            )),
            PhoneNumberFailure::EncryptedError => {
                let data = error("40006", "isv.insufficient-isv-permissions", "ISV权限不足");
                self.encrypted_data(app_id, &data.to_string())
            }
            PhoneNumberFailure::SignedError => {
                let text = error("20000", "aop.unknow-error", "系统繁忙").to_string();
                let sign = self.sign_for(app_id, text.as_bytes())?;
                Ok(handed_over(&text, Some(&sign)))
            }
            PhoneNumberFailure::Unsigned => {
                let data = json!({ "code": "10000", "msg": "Success", "mobile": "12300000001" });
                let ciphertext = self.aes_key(app_id)?.encrypt(data.to_string().as_bytes());
                Ok(handed_over(&ciphertext, None))
            }
        }
    }

    pub(crate) fn encrypted_data(
        &mut self,
        app_id: &str,
        json: &str,
    ) -> Result<String, &'static str> {
        let ciphertext = self.aes_key(app_id)?.encrypt(json.as_bytes());
        let sign = self.sign_for(app_id, format!("\"{ciphertext}\"").as_bytes())?;
        Ok(handed_over(&ciphertext, Some(&sign)))
    }

    fn aes_key(&self, app_id: &str) -> Result<AesKey, &'static str> {
        let app = self.apps.get(app_id).ok_or(NO_APP)?;
        app.aes_key.ok_or("the app has no AES key")
    }

    fn sign_for(&mut self, app_id: &str, text: &[u8]) -> Result<String, &'static str> {
        let app = self.apps.get(app_id).ok_or(NO_APP)?;
        let key = if app.options.certificates {
            self.alipay_certificates.current().key
        } else {
            keys::alipay_key()
        };
        Ok(keys::sign(key, SignType::Rsa2, text))
    }
}

const NO_APP: &str = "no app of this app_id";

fn error(code: &str, sub_code: &str, sub_msg: &str) -> Value {
    let msg = crate::refusal::message(code);
    json!({ "code": code, "msg": msg, "subCode": sub_code, "subMsg": sub_msg })
}

fn plain_error(code: &str, sub_code: &str, sub_msg: &str) -> String {
    handed_over(&error(code, sub_code, sub_msg).to_string(), None)
}

fn handed_over(response: &str, sign: Option<&str>) -> String {
    let signed = sign.map(|sign| {
        json!({
            "response": response,
            "sign": sign,
            "sign_type": "RSA2",
            "encrypt_type": "AES",
            "charset": "UTF-8",
        })
    });
    signed
        .unwrap_or_else(|| json!({ "response": response }))
        .to_string()
}
