use function_kit::checked::{OpenId, TemplateData, Text, UserIdKind, optional};
use serde::Deserialize;

/// The arguments of vk's `subscribeMessage.send`. Its `access_token` is accepted and ignored: Alipay has no such token.
#[derive(Debug, Deserialize)]
pub struct Input {
    pub(crate) touser: OpenId,
    pub(crate) template_id: Text<64>,
    /// May carry `?k=v`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) page: Option<Text<128>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) form_id: Option<Text<64>>,
    pub(crate) data: TemplateData,
    /// Which kind of id `touser` is; absent: 16 digits beginning 2088 are a user id.
    #[serde(default, rename = "touserType", deserialize_with = "optional")]
    touser_type: Option<UserIdKind>,
    #[serde(default, rename = "idempotencyKey", deserialize_with = "optional")]
    pub(crate) idempotency_key: Option<Text<128>>,
}

impl Input {
    pub(crate) fn recipient_kind(&self) -> UserIdKind {
        self.touser_type.unwrap_or_else(|| self.touser.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(touser: &str, data: &str, more: &str) -> Result<Input, String> {
        serde_json::from_str(&format!(
            r#"{{"touser":"{touser}","template_id":"t","data":{data}{more}}}"#
        ))
        .map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn the_kind_of_id_is_guessed_unless_the_caller_says() {
        let data = r#"{"k":{"value":"v"}}"#;
        assert_eq!(
            input("2088411964574197", data, "")
                .unwrap()
                .recipient_kind(),
            UserIdKind::UserId
        );
        assert_eq!(
            input("074a1CcTG1LelxKe4x", data, "")
                .unwrap()
                .recipient_kind(),
            UserIdKind::OpenId
        );
        let said = input("2088411964574197", data, r#","touserType":"openId""#).unwrap();
        assert_eq!(said.recipient_kind(), UserIdKind::OpenId);
    }
}
