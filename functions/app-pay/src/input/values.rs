//! The values that arguments may have, so that one that exists is a valid one.

use std::collections::BTreeMap;
use std::fmt;

use function_kit::checked::{OpenId, Rule, UserIdKind};
use function_payments::{Amount, OrderNumber, RefundNumber};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Alipay's limit of `subject`.
const LONGEST_SUBJECT: usize = 256;

/// Bytes of further contents as they are sent. An order string goes from the app to the Alipay client as one text.
const MOST_CONTENTS: usize = 16 * 1024;

/// Members of the contents that the order decides, or that name the same thing otherwise.
const RESERVED: [&str; 16] = [
    "app_id",
    "buyer_id",
    "buyer_logon_id",
    "buyer_open_id",
    "notify_url",
    "op_app_id",
    "out_trade_no",
    "product_code",
    "seller_id",
    "settle_currency",
    "subject",
    "time_expire",
    "timeout_express",
    "total_amount",
    "trade_no",
    "trans_currency",
];

/// The merchant's number of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct OutTradeNo(pub OrderNumber);

impl TryFrom<String> for OutTradeNo {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        OrderNumber::try_from(text)
            .map(Self)
            .map_err(|error| Rule(error.to_string()))
    }
}

/// The merchant's number of a refund.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct OutRequestNo(pub RefundNumber);

impl TryFrom<String> for OutRequestNo {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        RefundNumber::try_from(text)
            .map(Self)
            .map_err(|error| Rule(error.to_string()))
    }
}

/// Whose order it is, by the caller's own name for the user.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Owner(pub String);

impl TryFrom<String> for Owner {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let fits =
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text))
        } else {
            Err(rule("must be 1 to 128 visible ASCII characters"))
        }
    }
}

/// Reads an owner that may be left out. An empty one and `null` are refused, unlike those of other arguments: whoever names the owner
/// wants only his orders, and would get everybody's.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Owner>, D::Error> {
    Owner::deserialize(deserializer).map(Some)
}

/// What the buyer reads. Alipay takes no `/`, `=` and `&` in it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Subject(pub String);

impl TryFrom<String> for Subject {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if !(1..=LONGEST_SUBJECT).contains(&text.chars().count()) {
            return Err(rule("must have 1 to 256 characters"));
        }
        if text
            .chars()
            .any(|character| character.is_control() || matches!(character, '/' | '=' | '&'))
        {
            return Err(rule(
                "must not hold /, =, & and control characters, which Alipay does not take",
            ));
        }
        Ok(Self(text))
    }
}

/// A buyer by user id.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct BuyerId(pub String);

impl TryFrom<String> for BuyerId {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        match OpenId::try_from(text) {
            Ok(id) if id.kind() == UserIdKind::UserId => Ok(Self((*id).to_owned())),
            _ => Err(rule(
                "must be a userId, 16 digits that begin with 2088; an openId goes into buyer_open_id",
            )),
        }
    }
}

/// A buyer by open id.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct BuyerOpenId(pub String);

impl TryFrom<String> for BuyerOpenId {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        match OpenId::try_from(text) {
            Ok(id) if id.kind() == UserIdKind::OpenId => Ok(Self((*id).to_owned())),
            _ => Err(rule(
                "must be an openId, 1 to 128 visible ASCII characters; a userId (2088…) goes into buyer_id",
            )),
        }
    }
}

/// Further members of the contents.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "BTreeMap<String, Box<RawValue>>")]
pub(crate) struct Contents(pub Map<String, Value>);

impl TryFrom<BTreeMap<String, Box<RawValue>>> for Contents {
    type Error = Rule;

    fn try_from(written: BTreeMap<String, Box<RawValue>>) -> Result<Self, Rule> {
        let length: usize = written
            .iter()
            .map(|(name, value)| name.len() + value.get().len())
            .sum();
        if length > MOST_CONTENTS {
            return Err(rule("must have at most 16 KiB"));
        }
        let mut members = Map::new();
        for (name, value) in written {
            if RESERVED.iter().any(|one| one.eq_ignore_ascii_case(&name)) {
                return Err(Rule(format!(
                    "{} is set by the order and cannot be given",
                    name.to_ascii_lowercase()
                )));
            }
            let value = serde_json::from_str(value.get()).map_err(|_| rule("must be an object"))?;
            members.insert(name, value);
        }
        Ok(Self(members))
    }
}

/// The code of a client's result: the plugin writes a text, a mini-program a text or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResultCode(pub String);

/// Reads an optional [`ResultCode`]; an empty text counts as absent.
pub(crate) fn result_code<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ResultCode>, D::Error> {
    struct Code;

    impl Visitor<'_> for Code {
        type Value = Option<ResultCode>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a code such as \"9000\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text {
                "" => Ok(None),
                _ if text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Ok(Some(ResultCode(text.to_owned())))
                }
                _ => Err(E::custom(
                    "must be a code such as \"9000\", as the client gave it",
                )),
            }
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Code)
}

/// Reads an optional amount; an empty text counts as absent. A number is refused, because its digits may not be those that were
/// meant.
pub(crate) fn amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Amount>, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Option<Amount>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a text such as \"12.50\", not a number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text {
                "" => Ok(None),
                _ => text.parse().map(Some).map_err(E::custom),
            }
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Text)
}

fn rule(text: &str) -> Rule {
    Rule(text.to_owned())
}
