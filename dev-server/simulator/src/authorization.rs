//! The header `Authorization` of V3: who calls, when, and the signature.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::TIMESTAMP_TOLERANCE;
use crate::refusal::Refusal;

const SCHEME: &str = "ALIPAY-SHA256withRSA";

/// What the header says.
pub(crate) struct Authorization<'a> {
    /// All but scheme and signature: it is signed as it was sent.
    pub(crate) text: &'a str,
    /// Empty where it is missing.
    pub(crate) signature: &'a str,
    members: HashMap<&'a str, &'a str>,
}

impl<'a> Authorization<'a> {
    pub(crate) fn parse(header: &'a str) -> Result<Self, Refusal> {
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme != SCHEME {
            return Err(Refusal::invalid(
                "isv.invalid-signature-type",
                "无效的签名类型",
            ));
        }
        let rest = rest.trim();
        let (text, signature) = rest.rsplit_once(",sign=").unwrap_or((rest, ""));
        let mut members = HashMap::new();
        for member in text.split(',') {
            let (name, value) = member.split_once('=').unwrap_or((member, ""));
            if members.insert(name.trim(), value.trim()).is_some() {
                let message = "authorization中的参数重复";
                return Err(Refusal::invalid("isv.suspected-attack", message));
            }
        }
        Ok(Self {
            text,
            signature,
            members,
        })
    }

    pub(crate) fn member(&self, name: &str) -> Option<&'a str> {
        self.members
            .get(name)
            .copied()
            .filter(|value| !value.is_empty())
    }

    /// Whether its time, ms since 1970, is the present one.
    pub(crate) fn check_time(&self, now: SystemTime) -> Result<(), Refusal> {
        let timestamp = self
            .member("timestamp")
            .ok_or_else(|| Refusal::missing("isv.missing-timestamp", "缺少时间戳参数"))?;
        let apart = timestamp
            .parse()
            .ok()
            .and_then(|sent| UNIX_EPOCH.checked_add(Duration::from_millis(sent)))
            .map(|sent| match now.duration_since(sent) {
                Ok(behind) => behind,
                Err(ahead) => ahead.duration(),
            });
        if apart.is_some_and(|apart| apart <= TIMESTAMP_TOLERANCE) {
            Ok(())
        } else {
            let message = "非法的时间戳参数";
            Err(Refusal::invalid("isv.invalid-timestamp", message))
        }
    }
}

/// The nonces of the last minutes. Alipay's documents say that a nonce must not be used again; how the gateway refuses
/// one is a choice.
#[derive(Default)]
pub(crate) struct Nonces {
    /// App id, nonce.
    used: HashSet<(String, String)>,
    /// When the oldest of them was used.
    since: Option<SystemTime>,
    /// Those of the time before.
    older: HashSet<(String, String)>,
}

impl Nonces {
    /// Uses the nonce, once within 10 minutes at the least.
    pub(crate) fn spend(
        &mut self,
        app_id: &str,
        nonce: Option<&str>,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let nonce = nonce.ok_or_else(|| Refusal::missing("isv.missing-nonce", "缺少随机数参数"))?;
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since).unwrap_or_default() > 2 * TIMESTAMP_TOLERANCE {
            self.older = std::mem::take(&mut self.used);
            self.since = Some(now);
        }
        let entry = (app_id.to_owned(), nonce.to_owned());
        if self.older.contains(&entry) || !self.used.insert(entry) {
            let message = "随机数参数重复";
            return Err(Refusal::invalid("isv.suspected-attack", message));
        }
        Ok(())
    }
}
