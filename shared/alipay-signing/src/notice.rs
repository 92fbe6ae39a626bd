//! The text of a notice that is signed.

use crate::parameters::joined;

/// Which rule a notice is signed by. Alipay has two, and which one it is depends on what the notice tells, not on anything in it
/// that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeRule {
    /// `sign_type` is left out beside `sign`: notices of payments (the SDKs' "V1").
    WithoutSignType,
    /// Only `sign` is left out: messages to an app's gateway address, such as those of the service market (the SDKs' "V2").
    WithSignType,
}

/// What becomes of a field with an empty value. The official SDKs keep it in a notice, while they leave it out of a request; some
/// other clients leave it out here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmptyValues {
    /// As `name=`.
    Kept,
    /// Left out.
    Dropped,
}

/// The text of a notice that is signed: `name=value` pairs in the byte order of their names, joined by `&`, values as they are after
/// the form was decoded once. `sign` is never in it.
///
/// The rule is another one than that of requests ([`canonical_string`](crate::canonical_string)). Of a name given twice both pairs
/// stay, in the order of their values; whoever reads a notice has to refuse that before.
///
/// Check the bytes of this text in the notice's charset: [`Charset::encode`](crate::Charset::encode).
pub fn notice_text<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    rule: NoticeRule,
    empty_values: EmptyValues,
) -> String {
    let is_signed = |name: &str, value: &str| {
        name != "sign"
            && !(name == "sign_type" && rule == NoticeRule::WithoutSignType)
            && !(value.is_empty() && empty_values == EmptyValues::Dropped)
    };
    let mut pairs: Vec<(&str, &str)> = fields
        .into_iter()
        .filter(|(name, value)| is_signed(name, value))
        .collect();
    pairs.sort_unstable();
    joined(&pairs)
}
