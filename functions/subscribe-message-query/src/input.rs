use function_kit::checked::{OpenId, Rule, Text, UserIdKind, optional};
use serde::Deserialize;

/// How many templates Alipay answers about in one call.
const MAX_TEMPLATES: usize = 3;

/// The arguments of `subscribeMessage.query`. The user is `touser`, as in `subscribeMessage.send`, or `openid`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Input {
    pub(crate) user: OpenId,
    pub(crate) user_kind: UserIdKind,
    pub(crate) template_ids: Vec<Text<64>>,
}

/// The arguments as written: the user has two names, and one template may stand without a list.
#[derive(Deserialize)]
struct Written {
    #[serde(default, deserialize_with = "optional")]
    touser: Option<OpenId>,
    #[serde(default, deserialize_with = "optional")]
    openid: Option<OpenId>,
    /// Which kind of id it is; absent: 16 digits beginning 2088 are a user id.
    #[serde(default, rename = "touserType", deserialize_with = "optional")]
    touser_type: Option<UserIdKind>,
    #[serde(default, deserialize_with = "optional")]
    template_id: Option<Text<64>>,
    #[serde(default)]
    template_id_list: Option<TemplateIds>,
}

/// Templates to ask about.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Text<64>>")]
struct TemplateIds(Vec<Text<64>>);

impl TryFrom<Vec<Text<64>>> for TemplateIds {
    type Error = Rule;

    fn try_from(ids: Vec<Text<64>>) -> Result<Self, Rule> {
        if (1..=MAX_TEMPLATES).contains(&ids.len()) {
            Ok(Self(ids))
        } else {
            Err(Rule(format!("must name 1 to {MAX_TEMPLATES} templates")))
        }
    }
}

impl TryFrom<Written> for Input {
    type Error = Rule;

    fn try_from(written: Written) -> Result<Self, Rule> {
        // Said in serde's words, which the kit turns into "touser: is required".
        let missing = |field: &str| Rule(format!("missing field `{field}`"));
        let user = written
            .touser
            .or(written.openid)
            .ok_or_else(|| missing("touser"))?;
        let template_ids = match (written.template_id_list, written.template_id) {
            (Some(ids), _) => ids.0,
            (None, Some(id)) => vec![id],
            (None, None) => return Err(missing("template_id_list")),
        };
        Ok(Self {
            user_kind: written.touser_type.unwrap_or_else(|| user.kind()),
            user,
            template_ids,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> Result<Input, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_user_has_two_names_and_one_template_needs_no_list() {
        let one = input(r#"{"touser":"2088000000000001","template_id":"t"}"#).unwrap();
        assert_eq!(
            (one.user_kind, one.template_ids.len()),
            (UserIdKind::UserId, 1)
        );
        let two = input(r#"{"touser":"","openid":"0o","template_id_list":["t","u"]}"#).unwrap();
        assert_eq!(
            (two.user_kind, two.template_ids.len()),
            (UserIdKind::OpenId, 2)
        );
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        for (text, named) in [
            (r#"{"template_id":"t"}"#, "missing field `touser`"),
            (r#"{"openid":"o"}"#, "missing field `template_id_list`"),
            (
                r#"{"openid":"o","template_id_list":["a","b","c","d"]}"#,
                "must name 1 to 3 templates",
            ),
            (
                r#"{"openid":"o","template_id_list":[]}"#,
                "1 to 3 templates",
            ),
            (r#"{"openid":"o","template_id_list":[""]}"#, "not be empty"),
        ] {
            assert!(input(text).unwrap_err().contains(named), "{text}");
        }
    }
}
