use std::fmt;
use std::ops::Deref;

/// Alipay's name of one reply. One word wide, where a text is two or three.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct TraceId(Box<Box<str>>);

impl From<String> for TraceId {
    fn from(text: String) -> Self {
        Self(Box::new(text.into_boxed_str()))
    }
}

impl From<&str> for TraceId {
    fn from(text: &str) -> Self {
        Self(Box::new(text.into()))
    }
}

impl Deref for TraceId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}
