//! Why somebody wants a row refreshed.

use serde::{Deserialize, Serialize};

use crate::record::Generation;

/// Why a row is to be refreshed; it decides what is done where it turns out to be as good as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The schedule found it due.
    Due,
    /// A reader found this generation near its end.
    Ageing(Generation),
    /// A reader found this generation past its end.
    Expired(Generation),
    /// Alipay did not accept the access token of this generation (`aop.invalid-auth-token`, `aop.auth-token-time-out`).
    Refused(Generation),
    /// Somebody wants it, whatever its age.
    Asked,
}

impl Because {
    /// The generation that is meant; another one need not be refreshed.
    pub(crate) fn generation(self) -> Option<Generation> {
        match self {
            Self::Due | Self::Asked => None,
            Self::Ageing(seen) | Self::Expired(seen) | Self::Refused(seen) => Some(seen),
        }
    }
}

/// As it stands in a message: two members, `because` (absent: asked) and, where it has one, `generation`.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default)]
    because: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Due,
    Ageing,
    Expired,
    Refused,
    #[default]
    Asked,
}

impl Serialize for Because {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let because = match self {
            Self::Due => Word::Due,
            Self::Ageing(_) => Word::Ageing,
            Self::Expired(_) => Word::Expired,
            Self::Refused(_) => Word::Refused,
            Self::Asked => Word::Asked,
        };
        let generation = self.generation().map(Generation::get);
        Written {
            because,
            generation,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Because {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written {
            because,
            generation,
        } = Written::deserialize(deserializer)?;
        let seen = generation
            .map(Generation::new)
            .ok_or_else(|| serde::de::Error::missing_field("generation"));
        Ok(match because {
            Word::Due => Self::Due,
            Word::Asked => Self::Asked,
            Word::Ageing => Self::Ageing(seen?),
            Word::Expired => Self::Expired(seen?),
            Word::Refused => Self::Refused(seen?),
        })
    }
}
