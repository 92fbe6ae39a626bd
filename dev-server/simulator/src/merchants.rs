//! What merchants let a third-party developer (ISV) do for their apps: codes, app_auth_tokens, and Alipay's rules for
//! them. An app is an ISV app once a merchant has authorised it.
//!
//! A code works once, for 24 hours. A refresh or a new authorisation replaces the pair, and the old one, both halves of
//! it, stays usable for [`GRACE`] (Alipay's documents say "for a while" and no number). A merchant's app can be
//! authorised to one ISV app at a time.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::apps::MerchantTokenRules;
use crate::grants::random_text;
use crate::refusal::Refusal;
use crate::world::World;

/// How long a replaced pair stays usable.
pub(crate) const GRACE: Duration = Duration::from_secs(600);
const CODE_LIFETIME: Duration = Duration::from_secs(86_400);
struct Code {
    isv_app_id: String,
    auth_app_ids: Vec<String>,
    expires: SystemTime,
    used: bool,
}

/// An app_auth_token and its refresh token.
#[derive(Clone, Debug)]
pub(crate) struct MerchantTokens {
    pub(crate) isv_app_id: String,
    pub(crate) auth_app_id: String,
    pub(crate) app_auth_token: String,
    pub(crate) app_refresh_token: String,
    pub(crate) issued: SystemTime,
    pub(crate) token_expires: SystemTime,
    pub(crate) refresh_expires: SystemTime,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Live,
    /// Another pair has taken its place.
    Replaced {
        usable_until: SystemTime,
    },
    /// The merchant took their consent back.
    Cancelled,
}

impl MerchantTokens {
    pub(crate) fn is_usable(&self, now: SystemTime) -> bool {
        match self.standing {
            Standing::Live => true,
            Standing::Replaced { usable_until } => now < usable_until,
            Standing::Cancelled => false,
        }
    }
}

/// Why a code or a refresh token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    CodeUnknown,
    CodeSpent,
    RefreshTokenUnknown,
    RefreshTokenDead,
    RefreshTokenExpired,
    OtherApp,
}

/// All authorisations of a simulator.
#[derive(Default)]
pub(crate) struct Merchants {
    isv_apps: BTreeSet<String>,
    codes: HashMap<String, Code>,
    by_token: HashMap<String, MerchantTokens>,
    /// app_refresh_token → app_auth_token of the same pair.
    by_refresh: HashMap<String, String>,
}

impl Merchants {
    pub(crate) fn is_isv(&self, app_id: &str) -> bool {
        self.isv_apps.contains(app_id)
    }

    /// The `app_auth_code` that comes to the ISV's callback.
    pub(crate) fn authorize(
        &mut self,
        isv_app_id: &str,
        auth_app_ids: Vec<String>,
        now: SystemTime,
    ) -> String {
        self.isv_apps.insert(isv_app_id.to_owned());
        let value = random_text("", 32);
        let code = Code {
            isv_app_id: isv_app_id.to_owned(),
            auth_app_ids,
            expires: now + CODE_LIFETIME,
            used: false,
        };
        self.codes.insert(value.clone(), code);
        value
    }

    /// The merchant takes their consent back; how many tokens that ends.
    pub(crate) fn cancel(&mut self, isv_app_id: &str, auth_app_id: &str, now: SystemTime) -> usize {
        self.by_token
            .values_mut()
            .filter(|tokens| {
                tokens.isv_app_id == isv_app_id
                    && tokens.auth_app_id == auth_app_id
                    && tokens.is_usable(now)
            })
            .map(|tokens| tokens.standing = Standing::Cancelled)
            .count()
    }

    /// One pair for each app that the code stands for.
    pub(crate) fn exchange(
        &mut self,
        isv_app_id: &str,
        code: &str,
        rules: MerchantTokenRules,
        now: SystemTime,
    ) -> Result<Vec<MerchantTokens>, Rejected> {
        let code = self.codes.get_mut(code).ok_or(Rejected::CodeUnknown)?;
        if code.isv_app_id != isv_app_id {
            return Err(Rejected::OtherApp);
        }
        if code.used || code.expires <= now {
            return Err(Rejected::CodeSpent);
        }
        code.used = true;
        let merchants = code.auth_app_ids.clone();
        let refresh_expires = now + Duration::from_secs(rules.refresh_seconds);
        let issued = merchants.into_iter().map(|auth_app_id| {
            self.end_others(isv_app_id, &auth_app_id);
            self.issue(isv_app_id, &auth_app_id, rules, refresh_expires, now)
        });
        Ok(issued.collect())
    }

    pub(crate) fn refresh(
        &mut self,
        isv_app_id: &str,
        refresh_token: &str,
        rules: MerchantTokenRules,
        now: SystemTime,
    ) -> Result<MerchantTokens, Rejected> {
        let old = self
            .by_refresh
            .get(refresh_token)
            .and_then(|token| self.by_token.get(token))
            .ok_or(Rejected::RefreshTokenUnknown)?;
        if old.isv_app_id != isv_app_id {
            return Err(Rejected::OtherApp);
        }
        if !old.is_usable(now) {
            return Err(Rejected::RefreshTokenDead);
        }
        if old.refresh_expires <= now {
            return Err(Rejected::RefreshTokenExpired);
        }
        let (auth_app_id, deadline) = (old.auth_app_id.clone(), old.refresh_expires);
        Ok(self.issue(isv_app_id, &auth_app_id, rules, deadline, now))
    }

    /// The tokens of this app_auth_token, whatever became of them.
    pub(crate) fn find(&self, app_auth_token: &str) -> Option<&MerchantTokens> {
        self.by_token.get(app_auth_token)
    }

    pub(crate) fn live_refresh_token(
        &self,
        isv_app_id: &str,
        auth_app_id: &str,
        now: SystemTime,
    ) -> Option<String> {
        self.by_token
            .values()
            .filter(|tokens| tokens.isv_app_id == isv_app_id && tokens.auth_app_id == auth_app_id)
            .find(|tokens| tokens.standing == Standing::Live && now < tokens.refresh_expires)
            .map(|tokens| tokens.app_refresh_token.clone())
    }

    fn end_others(&mut self, isv_app_id: &str, auth_app_id: &str) {
        for tokens in self.by_token.values_mut() {
            if tokens.auth_app_id == auth_app_id && tokens.isv_app_id != isv_app_id {
                tokens.standing = Standing::Cancelled;
            }
        }
    }

    fn issue(
        &mut self,
        isv_app_id: &str,
        auth_app_id: &str,
        rules: MerchantTokenRules,
        refresh_expires: SystemTime,
        now: SystemTime,
    ) -> MerchantTokens {
        for tokens in self.by_token.values_mut() {
            if tokens.isv_app_id == isv_app_id
                && tokens.auth_app_id == auth_app_id
                && tokens.standing == Standing::Live
            {
                tokens.standing = Standing::Replaced {
                    usable_until: now + GRACE,
                };
            }
        }
        let tokens = MerchantTokens {
            isv_app_id: isv_app_id.to_owned(),
            auth_app_id: auth_app_id.to_owned(),
            app_auth_token: random_text("", 40),
            app_refresh_token: random_text("", 40),
            issued: now,
            token_expires: now + Duration::from_secs(rules.token_seconds),
            refresh_expires,
            standing: Standing::Live,
        };
        self.by_refresh.insert(
            tokens.app_refresh_token.clone(),
            tokens.app_auth_token.clone(),
        );
        self.by_token
            .insert(tokens.app_auth_token.clone(), tokens.clone());
        tokens
    }
}

/// The app that a call acts for: the caller's own, or the merchant's whose `app_auth_token` came with it.
///
/// Both protocol versions ask this once the call's signature has verified.
pub(crate) fn acting_app(
    world: &World,
    app_id: &str,
    app_auth_token: Option<&str>,
) -> Result<String, Refusal> {
    let Some(token) = app_auth_token.filter(|token| !token.is_empty()) else {
        return Ok(app_id.to_owned());
    };
    let now = world.clock.now();
    let tokens = world
        .merchants
        .find(token)
        .filter(|tokens| tokens.isv_app_id == app_id && tokens.is_usable(now))
        .ok_or_else(|| Refusal::token("aop.invalid-app-auth-token", "无效的应用授权令牌"))?;
    if tokens.token_expires <= now {
        return Err(Refusal::token(
            "aop.app-auth-token-time-out",
            "应用授权令牌已过期",
        ));
    }
    Ok(tokens.auth_app_id.clone())
}

/// The `user_id` of the merchant who owns the app.
pub(crate) fn owner(auth_app_id: &str) -> String {
    let digest = Sha256::digest(format!("merchant\n{auth_app_id}"));
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("2088{:012}", number % 1_000_000_000_000)
}
