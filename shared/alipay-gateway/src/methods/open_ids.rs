use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Call, GatewayError};

/// How many users one question names at most. No document says how many Alipay takes.
pub const OPEN_ID_QUERY_LIMIT: usize = 100;

/// The `open_id`s of users who are known by `user_id`, for the app that asks. Alipay has two methods for it (their members are those of its
/// official SDKs):
/// - `alipay.open.app.openid.uidtoopenid.batchquery`, which needs nothing more;
/// - `alipay.open.app.openid.batchquery`, for the users of a *conversion order* (工单) that somebody handed in with their ids and Alipay approved.
///
/// Which apps may call which of them is not documented.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OpenIdQuery<'a> {
    /// The conversion order, for the second method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<&'a str>,
    /// One to [`OPEN_ID_QUERY_LIMIT`] ids, each 16 digits beginning 2088.
    pub user_id_list: &'a [&'a str],
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct OpenIds {
    open_id_list: Option<Vec<Named>>,
    illegal_user_id_list: Option<Vec<String>>,
}

/// Alipay sends a `union_id` too, where it has one; an account is not joined to others by it afterwards.
#[derive(Clone, PartialEq, Eq, Deserialize)]
struct Named {
    user_id: Option<String>,
    open_id: Option<String>,
}

/// What [`OpenIds`] say of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenIdOf<'a> {
    /// This is the user's `open_id`.
    Known(&'a str),
    /// Alipay says that it is nobody's `user_id`, or that of nobody in the conversion order.
    Illegal,
    /// Nothing that could be relied on: no `open_id`, or more than one.
    Unnamed,
}

impl OpenIdQuery<'_> {
    /// As a call. It only reads, so it is repeatable.
    ///
    /// # Errors
    /// [`GatewayError::Unbuildable`] for nobody, and for more than [`OPEN_ID_QUERY_LIMIT`] users.
    pub fn call(&self) -> Result<Call, GatewayError> {
        if !(1..=OPEN_ID_QUERY_LIMIT).contains(&self.user_id_list.len()) {
            return Err(GatewayError::Unbuildable {
                reason: "one question for open ids names 1 to 100 users",
            });
        }
        let method = match self.order_id {
            Some(_) => "alipay.open.app.openid.batchquery",
            None => "alipay.open.app.openid.uidtoopenid.batchquery",
        };
        Ok(Call::new(method)
            .with_biz_content(super::biz_content(self)?)
            .repeatable())
    }
}

impl OpenIds {
    /// What Alipay says of the user `user_id`.
    pub fn of(&self, user_id: &str) -> OpenIdOf<'_> {
        let illegal = self.illegal_user_id_list.iter().flatten();
        if illegal.into_iter().any(|id| id == user_id) {
            return OpenIdOf::Illegal;
        }
        let mut named = (self.open_id_list.iter().flatten())
            .filter(|named| named.user_id.as_deref() == Some(user_id))
            .filter_map(|named| named.open_id.as_deref());
        match named.next() {
            Some(open_id) if !open_id.is_empty() && named.all(|other| other == open_id) => {
                OpenIdOf::Known(open_id)
            }
            _ => OpenIdOf::Unnamed,
        }
    }
}

/// Ids are personal data.
impl fmt::Debug for OpenIdQuery<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenIdQuery")
            .field("order_id", &self.order_id)
            .field("users", &self.user_id_list.len())
            .finish()
    }
}

/// Ids are personal data.
impl fmt::Debug for OpenIds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenIds")
            .field("known", &self.open_id_list.iter().flatten().count())
            .field(
                "illegal",
                &self.illegal_user_id_list.iter().flatten().count(),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNE: &str = "2088000000000011";
    const BERT: &str = "2088000000000012";

    #[test]
    fn an_order_decides_which_method_is_asked() {
        let user_id_list = &[ANNE][..];
        let call = |order_id| {
            OpenIdQuery {
                order_id,
                user_id_list,
            }
            .call()
            .unwrap()
        };
        let of_an_order = call(Some("o-1"));
        assert_eq!(of_an_order.method, "alipay.open.app.openid.batchquery");
        assert_eq!(
            of_an_order.biz_content.unwrap(),
            r#"{"order_id":"o-1","user_id_list":["2088000000000011"]}"#
        );
        let direct = call(None);
        assert_eq!(
            direct.method,
            "alipay.open.app.openid.uidtoopenid.batchquery"
        );
        assert_eq!(
            direct.biz_content.unwrap(),
            r#"{"user_id_list":["2088000000000011"]}"#
        );
        assert!(direct.repeatable);
    }

    #[test]
    fn nobody_and_too_many_are_not_asked_for() {
        for count in [0, OPEN_ID_QUERY_LIMIT + 1] {
            let query = OpenIdQuery {
                order_id: None,
                user_id_list: &vec![ANNE; count],
            };
            assert!(
                matches!(query.call(), Err(GatewayError::Unbuildable { .. })),
                "{count}"
            );
        }
    }

    #[test]
    fn an_answer_that_could_mean_two_people_means_nobody() {
        for (node, expected) in [
            (
                r#"{"open_id_list":[{"user_id":"2088000000000011","open_id":"a","union_id":"u"}]}"#,
                OpenIdOf::Known("a"),
            ),
            (
                r#"{"open_id_list":[{"user_id":"2088000000000011","open_id":"a"},{"user_id":"2088000000000011","open_id":"a"}]}"#,
                OpenIdOf::Known("a"),
            ),
            (
                r#"{"open_id_list":[{"user_id":"2088000000000011","open_id":"a"},{"user_id":"2088000000000011","open_id":"b"}]}"#,
                OpenIdOf::Unnamed,
            ),
            (
                r#"{"open_id_list":[{"user_id":"2088000000000011","open_id":"a"}],"illegal_user_id_list":["2088000000000011"]}"#,
                OpenIdOf::Illegal,
            ),
            (
                r#"{"open_id_list":[{"user_id":"2088000000000011","open_id":""},{"open_id":"a"}]}"#,
                OpenIdOf::Unnamed,
            ),
            (
                r#"{"open_id_list":null,"illegal_user_id_list":null}"#,
                OpenIdOf::Unnamed,
            ),
            ("{}", OpenIdOf::Unnamed),
        ] {
            let answer: OpenIds = serde_json::from_str(node).unwrap();
            assert_eq!(answer.of(ANNE), expected, "{node}");
            assert_eq!(answer.of(BERT), OpenIdOf::Unnamed, "{node}");
        }
    }

    #[test]
    fn debug_shows_no_ids() {
        let query = OpenIdQuery {
            order_id: None,
            user_id_list: &[ANNE],
        };
        let answer: OpenIds = serde_json::from_str(
            r#"{"open_id_list":[{"user_id":"2088000000000011","open_id":"canary"}],"illegal_user_id_list":["2088000000000012"]}"#,
        )
        .unwrap();
        let shown = format!("{query:?} {answer:?}");
        assert!(
            !shown.contains("2088") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
