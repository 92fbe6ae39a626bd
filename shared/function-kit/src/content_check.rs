//! The member `contentCheck` of an app: which of Alipay's content checks it has a contract for.

use serde::Deserialize;

/// How texts and images of an app are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentCheck {}
