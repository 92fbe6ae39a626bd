use function_kit::checked::{Color, PagePath, Rule, Text, optional};
use serde::Deserialize;

/// The arguments of vk's `acode.getMiniCode`. Its `access_token` is accepted and ignored: Alipay has no such token.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The page that the code opens; absent: the app's `homePage`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) page: Option<PagePath>,
    /// The launch query.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) scene: Option<Text<256>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) line_color: Option<Color>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) describe: Option<Text<32>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) size: Option<Size>,
}

/// The image's size, as Alipay names it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Size {
    Small,
    Medium,
    Large,
}

impl TryFrom<String> for Size {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        match text.as_str() {
            "s" => Ok(Self::Small),
            "m" => Ok(Self::Medium),
            "l" => Ok(Self::Large),
            _ => Err(Rule("must be s, m or l".to_owned())),
        }
    }
}

impl Size {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Small => "s",
            Self::Medium => "m",
            Self::Large => "l",
        }
    }
}
