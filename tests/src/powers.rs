use std::path::PathBuf;

use tempfile::NamedTempFile;

use crate::Stack;

/// What a function may do with stored tokens, accounts and orders, and so what its environment holds. `POWERS` in `tests/template/powers.py` says the same of
/// its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Nothing: it has the document of apps.
    OnlyApps,
    /// Keeps first answers beside the tokens.
    AnswersOnce,
    /// Opens access tokens, and has them refreshed by `refresh-tokens`.
    ReadsTokens,
    /// Stores pairs of tokens.
    KeepsTokens,
    /// Refreshes them, by schedule and for the readers.
    RefreshesTokens,
    /// Logs users in: stores their tokens, finds their accounts, signs id_tokens.
    LogsIn,
    /// Keeps sessions, and knows nothing of Alipay.
    KeepsSessions,
    /// Finds accounts and adds names to them, and can sign nobody in.
    LinksAccounts,
    /// Places orders, asks Alipay about them, and publishes what became of them.
    Pays,
    /// Records what notices lead to, and messages, and publishes both.
    TakesNotices,
    /// Publishes what was recorded and did not get out, and knows nothing of Alipay.
    PublishesEvents,
}

impl Power {
    /// The power of `function`.
    pub fn of(function: &str) -> Self {
        match function {
            "app-auth" | "code2session" | "h5-oauth" | "oidc" | "sdk-login" => Self::LogsIn,
            "session" => Self::KeepsSessions,
            "link-open-ids" => Self::LinksAccounts,
            "isv-auth-token" => Self::KeepsTokens,
            "generic-request" | "user-info" | "isv-auth-query" => Self::ReadsTokens,
            "subscribe-message-send" | "subscribe-message-batch-send" => Self::AnswersOnce,
            "refresh-tokens" => Self::RefreshesTokens,
            "app-pay" => Self::Pays,
            "pay-notify" => Self::TakesNotices,
            "publish-events" => Self::PublishesEvents,
            _ => Self::OnlyApps,
        }
    }

    /// The variables that a function of this power is given, and no other.
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::OnlyApps => &["ALIPAY_CONFIG_FILE"],
            Self::AnswersOnce => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "TOKEN_TABLE",
                "TOKEN_KEYS_FILE",
            ],
            Self::ReadsTokens => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "TOKEN_TABLE",
                "TOKEN_KEYS_FILE",
                "REFRESH_FUNCTION",
                "AWS_ENDPOINT_URL_LAMBDA",
            ],
            Self::KeepsTokens | Self::RefreshesTokens => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "TOKEN_TABLE",
                "TOKEN_KEYS_FILE",
                "REFRESH_TOKEN_KEYS_FILE",
            ],
            Self::LogsIn => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "TOKEN_TABLE",
                "TOKEN_KEYS_FILE",
                "REFRESH_TOKEN_KEYS_FILE",
                "IDENTITY_TABLE",
                "LOGIN_FILE",
                "LOGIN_ISSUER",
            ],
            Self::KeepsSessions => &[
                "AWS_ENDPOINT_URL_DYNAMODB",
                "IDENTITY_TABLE",
                "LOGIN_FILE",
                "LOGIN_ISSUER",
            ],
            Self::LinksAccounts => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "IDENTITY_TABLE",
            ],
            Self::Pays => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "ORDER_TABLE",
                "AWS_ENDPOINT_URL_EVENTBRIDGE",
                "EVENT_BUS",
                "NOTIFY_URL",
            ],
            Self::TakesNotices => &[
                "ALIPAY_CONFIG_FILE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "ORDER_TABLE",
                "AWS_ENDPOINT_URL_EVENTBRIDGE",
                "EVENT_BUS",
            ],
            Self::PublishesEvents => &[
                "AWS_ENDPOINT_URL_DYNAMODB",
                "ORDER_TABLE",
                "AWS_ENDPOINT_URL_EVENTBRIDGE",
                "EVENT_BUS",
            ],
        }
    }
}

/// The settings of a function's binary, and the files that they name.
pub struct Settings {
    values: Vec<(&'static str, String)>,
    _files: [NamedTempFile; 4],
}

impl Settings {
    pub(crate) fn of(stack: &Stack) -> Self {
        let table = stack.server.table();
        let files = [
            &*stack.apps_document(),
            table.keys(),
            table.refresh_keys(),
            stack.server.login().text(),
        ]
        .map(written);
        let [apps, keys, refresh_keys, login] = files
            .each_ref()
            .map(|file| PathBuf::from(file.path()).display().to_string());
        Self {
            values: vec![
                ("ALIPAY_CONFIG_FILE", apps),
                ("AWS_ENDPOINT_URL_DYNAMODB", table.endpoint().to_owned()),
                ("TOKEN_TABLE", dev_server::TOKEN_TABLE.to_owned()),
                ("TOKEN_KEYS_FILE", keys),
                ("REFRESH_TOKEN_KEYS_FILE", refresh_keys),
                ("REFRESH_FUNCTION", "refresh-tokens".to_owned()),
                ("AWS_ENDPOINT_URL_LAMBDA", stack.server.base_url()),
                ("IDENTITY_TABLE", dev_server::IDENTITY_TABLE.to_owned()),
                ("LOGIN_FILE", login),
                ("LOGIN_ISSUER", stack.server.base_url()),
                ("ORDER_TABLE", dev_server::ORDER_TABLE.to_owned()),
                (
                    "AWS_ENDPOINT_URL_EVENTBRIDGE",
                    stack.server.events().endpoint(),
                ),
                ("EVENT_BUS", dev_server::EVENT_BUS.to_owned()),
                ("NOTIFY_URL", stack.server.base_url()),
            ],
            _files: files,
        }
    }

    /// The value of the variable `name`.
    pub fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| *known == name);
        &found.expect("a variable of the functions").1
    }

    /// Those that a function of `power` is given.
    pub(crate) fn for_power(&self, power: Power) -> impl Iterator<Item = (&'static str, &str)> {
        self.values
            .iter()
            .filter(move |(name, _)| power.variables().contains(name))
            .map(|(name, value)| (*name, value.as_str()))
    }
}

fn written(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}
