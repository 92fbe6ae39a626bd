//! The member `contentCheck` of an app: which of Alipay's content checks it has a contract for.

use serde::Deserialize;

use crate::checked::{Rule, optional};

/// RiskGo, the product that mini-programs are offered.
const DEFAULT_CHANNEL: &str = "tinyapp-eco-open";
/// The mini-program cloud has one channel for texts and one for images (Alipay's document of the method).
const CLOUD_CHANNELS: (&str, &str) = ("miniappcloud", "miniappcloud-oss");
/// All that Alipay's document of the method names.
const DEFAULT_PRODUCTS: &str =
    "TJ_POLITICS_MC;TJ_PORN_MC;TJ_ILLEGAL_MC;TJ_TERRORISM_MC;TJ_ABUSES_MC";

/// How texts and images of an app are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum ContentCheck {
    /// Texts by `alipay.security.risk.content.detect`; images not at all.
    #[default]
    Detect,
    /// By `alipay.security.risk.content.sync.detect`.
    Sync(SyncContract),
    /// By `alipay.security.risk.content.analyze`, whose judgement may come later.
    Analyze(AnalyzeContract),
}

/// What the contract for `sync.detect` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncContract {
    pub(super) channel: String,
    pub(super) image_channel: String,
    pub(super) products: String,
    pub(super) tenants: Option<String>,
}

/// What the contract for `analyze` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzeContract {
    pub(super) app_name: String,
    pub(super) app_scene: String,
    pub(super) app_main_scene: Option<String>,
    pub(super) account_type: AccountType,
    pub(super) text_type: Option<String>,
}

/// Whose account the author's is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AccountType {
    #[default]
    User,
    Merchant,
}

impl AccountType {
    /// As Alipay writes it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::User => "0",
            Self::Merchant => "1",
        }
    }
}

/// All engines' members in one, so that a member of another engine is told apart from one that does not exist.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "optional")]
    engine: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    channel: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    image_channel: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    products: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    tenants: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    app_name: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    app_scene: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    app_main_scene: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    account_type: Option<Setting>,
    #[serde(default, deserialize_with = "optional")]
    text_type: Option<Setting>,
}

/// A text of a contract.
struct Setting(String);

impl TryFrom<String> for Setting {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let fits = text.chars().count() <= 128
            && !text.chars().any(char::is_control)
            && text.trim() == text;
        if fits {
            Ok(Self(text))
        } else {
            Err(Rule(
                "must have at most 128 characters, no control characters, and no spaces around it"
                    .to_owned(),
            ))
        }
    }
}

impl TryFrom<Written> for ContentCheck {
    type Error = Rule;

    fn try_from(written: Written) -> Result<Self, Rule> {
        let given = |setting: Option<Setting>| setting.map(|Setting(text)| text);
        let of_sync = [
            ("channel", written.channel.is_some()),
            ("imageChannel", written.image_channel.is_some()),
            ("products", written.products.is_some()),
            ("tenants", written.tenants.is_some()),
        ];
        let of_analyze = [
            ("appName", written.app_name.is_some()),
            ("appScene", written.app_scene.is_some()),
            ("appMainScene", written.app_main_scene.is_some()),
            ("accountType", written.account_type.is_some()),
            ("textType", written.text_type.is_some()),
        ];
        let none_of = |members: &[(&str, bool)], engine: &str| match members
            .iter()
            .find(|(_, is_given)| *is_given)
        {
            Some((member, _)) => Err(Rule(format!("{member} belongs to \"engine\":\"{engine}\""))),
            None => Ok(()),
        };
        match given(written.engine).as_deref() {
            None | Some("detect") => {
                none_of(&of_sync, "sync")?;
                none_of(&of_analyze, "analyze")?;
                Ok(Self::Detect)
            }
            Some("sync") => {
                none_of(&of_analyze, "analyze")?;
                let channel = given(written.channel).unwrap_or_else(|| DEFAULT_CHANNEL.to_owned());
                Ok(Self::Sync(SyncContract {
                    image_channel: given(written.image_channel).unwrap_or_else(|| {
                        match channel.as_str() {
                            text if text == CLOUD_CHANNELS.0 => CLOUD_CHANNELS.1.to_owned(),
                            same => same.to_owned(),
                        }
                    }),
                    channel,
                    products: given(written.products)
                        .unwrap_or_else(|| DEFAULT_PRODUCTS.to_owned()),
                    tenants: given(written.tenants),
                }))
            }
            Some("analyze") => {
                none_of(&of_sync, "sync")?;
                let required = |setting: Option<Setting>, member: &str| {
                    given(setting).ok_or_else(|| {
                        Rule(format!("{member} is required with \"engine\":\"analyze\""))
                    })
                };
                Ok(Self::Analyze(AnalyzeContract {
                    app_name: required(written.app_name, "appName")?,
                    app_scene: required(written.app_scene, "appScene")?,
                    app_main_scene: given(written.app_main_scene),
                    account_type: match given(written.account_type).as_deref() {
                        None | Some("user") => AccountType::User,
                        Some("merchant") => AccountType::Merchant,
                        Some(_) => {
                            return Err(Rule("accountType must be user or merchant".to_owned()));
                        }
                    },
                    text_type: given(written.text_type),
                }))
            }
            Some(_) => Err(Rule("engine must be detect, sync or analyze".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typed_json::{self, Misfit};

    fn read(text: &str) -> Result<ContentCheck, (String, String)> {
        typed_json::parse(text).map_err(|Misfit { path, rule }| (path, rule))
    }

    #[test]
    fn without_an_engine_texts_are_checked_by_detect() {
        for text in ["{}", r#"{"engine":"detect"}"#, r#"{"engine":""}"#] {
            assert_eq!(read(text), Ok(ContentCheck::Detect), "{text}");
        }
    }

    #[test]
    fn a_sync_contract_has_defaults_and_the_clouds_second_channel() {
        let contract = |text| match read(text) {
            Ok(ContentCheck::Sync(contract)) => contract,
            other => panic!("{other:?}"),
        };
        let plain = contract(r#"{"engine":"sync"}"#);
        assert_eq!(plain.channel, "tinyapp-eco-open");
        assert_eq!(plain.image_channel, "tinyapp-eco-open");
        assert_eq!(plain.products.split(';').count(), 5);
        let cloud = contract(
            r#"{"engine":"sync","channel":"miniappcloud","products":"TJ_PORN_MC","tenants":"t"}"#,
        );
        assert_eq!(cloud.image_channel, "miniappcloud-oss");
        assert_eq!(cloud.products, "TJ_PORN_MC");
        assert_eq!(cloud.tenants.as_deref(), Some("t"));
        let own = contract(r#"{"engine":"sync","imageChannel":"digital-tech"}"#);
        assert_eq!(own.image_channel, "digital-tech");
    }

    #[test]
    fn an_analyze_contract_needs_its_names() {
        let full =
            r#"{"engine":"analyze","appName":"forum","appScene":"post","accountType":"merchant"}"#;
        match read(full) {
            Ok(ContentCheck::Analyze(contract)) => {
                assert_eq!(contract.account_type.code(), "1");
            }
            other => panic!("{other:?}"),
        }
        for (text, member) in [
            (r#"{"engine":"analyze","appScene":"post"}"#, "appName"),
            (r#"{"engine":"analyze","appName":"forum"}"#, "appScene"),
            (
                r#"{"engine":"analyze","appName":"a","appScene":"b","accountType":"2"}"#,
                "accountType",
            ),
        ] {
            let (_, rule) = read(text).unwrap_err();
            assert!(rule.contains(member), "{text}: {rule}");
        }
    }

    #[test]
    fn what_belongs_to_another_engine_or_to_none_is_named() {
        for (text, named) in [
            (r#"{"channel":"x"}"#, "channel belongs to"),
            (r#"{"engine":"detect","appName":"x"}"#, "appName belongs to"),
            (r#"{"engine":"sync","appScene":"x"}"#, "appScene belongs to"),
            (
                r#"{"engine":"analyze","appName":"a","appScene":"b","products":"x"}"#,
                "products belongs to",
            ),
            (r#"{"engine":"v2"}"#, "engine must be"),
            (r#"{"engine":"sync","chanel":"x"}"#, "is not known here"),
            (r#"{"engine":"sync","channel":" x"}"#, "no spaces"),
            (r#"{"engine":7}"#, "must be a string"),
        ] {
            let (_, rule) = read(text).unwrap_err();
            assert!(rule.contains(named), "{text}: {rule}");
        }
    }
}
