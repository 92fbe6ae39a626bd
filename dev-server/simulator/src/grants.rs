//! Authorisation codes and tokens, with Alipay's rules for a user's grants:
//! a code works once; a refresh kills the old pair at once; the refresh deadline never moves.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::apps::TokenRules;
use crate::users::SimulatedUser;

/// What the user agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Who they are; silent.
    #[default]
    AuthBase,
    /// Their profile as well.
    AuthUser,
}

/// How to issue an authorisation code.
#[derive(Clone, Debug)]
pub struct CodeOptions {
    /// The `user_id` of the user who agrees. An unknown one is registered.
    pub user: String,
    /// What they agree to.
    pub scope: Scope,
    /// A chosen value; absent: 32 random characters.
    pub code: Option<String>,
    /// How long the code can be exchanged. Alipay: 3 minutes to 24 hours.
    pub lifetime: Duration,
}

impl Default for CodeOptions {
    fn default() -> Self {
        Self {
            user: SimulatedUser::DEFAULT_USER_ID.to_owned(),
            scope: Scope::default(),
            code: None,
            lifetime: Duration::from_secs(180),
        }
    }
}

struct Code {
    app_id: String,
    user_id: String,
    scope: Scope,
    expires: SystemTime,
    used: bool,
}

/// One access token and its refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) app_id: String,
    pub(crate) user_id: String,
    pub(crate) scope: Scope,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) issued: SystemTime,
    pub(crate) access_expires: SystemTime,
    pub(crate) refresh_expires: SystemTime,
    live: bool,
}

/// Why a code or a refresh token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    Code,
    RefreshToken,
    RefreshTokenExpired,
    OtherApp,
}

/// Why an access token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadAccess {
    Invalid,
    Expired,
}

/// All codes and tokens of a simulator.
#[derive(Default)]
pub(crate) struct Grants {
    codes: HashMap<String, Code>,
    by_access: HashMap<String, Tokens>,
    /// Refresh token → access token of the same pair.
    by_refresh: HashMap<String, String>,
}

impl Grants {
    pub(crate) fn issue_code(
        &mut self,
        app_id: &str,
        options: &CodeOptions,
        now: SystemTime,
    ) -> String {
        let value = options.code.clone().unwrap_or_else(|| random_text("", 32));
        let code = Code {
            app_id: app_id.to_owned(),
            user_id: options.user.clone(),
            scope: options.scope,
            expires: now + options.lifetime,
            used: false,
        };
        self.codes.insert(value.clone(), code);
        value
    }

    pub(crate) fn exchange(
        &mut self,
        app_id: &str,
        code: &str,
        rules: TokenRules,
        now: SystemTime,
    ) -> Result<Tokens, Rejected> {
        let code = self.codes.get_mut(code).ok_or(Rejected::Code)?;
        if code.app_id != app_id || code.used || code.expires <= now {
            return Err(Rejected::Code);
        }
        code.used = true;
        let (user_id, scope) = (code.user_id.clone(), code.scope);
        let refresh_expires = now + Duration::from_secs(rules.refresh_seconds);
        Ok(self.issue(app_id, &user_id, scope, rules, refresh_expires, now))
    }

    pub(crate) fn refresh(
        &mut self,
        app_id: &str,
        refresh_token: &str,
        rules: TokenRules,
        now: SystemTime,
    ) -> Result<Tokens, Rejected> {
        let access = self
            .by_refresh
            .get(refresh_token)
            .ok_or(Rejected::RefreshToken)?;
        let old = self
            .by_access
            .get_mut(access)
            .ok_or(Rejected::RefreshToken)?;
        if old.app_id != app_id {
            return Err(Rejected::OtherApp);
        }
        if !old.live {
            return Err(Rejected::RefreshToken);
        }
        if old.refresh_expires <= now {
            return Err(Rejected::RefreshTokenExpired);
        }
        old.live = false;
        let (user_id, scope, deadline) = (old.user_id.clone(), old.scope, old.refresh_expires);
        Ok(self.issue(app_id, &user_id, scope, rules, deadline, now))
    }

    fn issue(
        &mut self,
        app_id: &str,
        user_id: &str,
        scope: Scope,
        rules: TokenRules,
        refresh_expires: SystemTime,
        now: SystemTime,
    ) -> Tokens {
        let prefix = match scope {
            Scope::AuthBase => "authbseB",
            Scope::AuthUser => "authusrB",
        };
        let tokens = Tokens {
            app_id: app_id.to_owned(),
            user_id: user_id.to_owned(),
            scope,
            access_token: random_text(prefix, 40),
            refresh_token: random_text(prefix, 40),
            issued: now,
            access_expires: now + Duration::from_secs(rules.access_seconds),
            refresh_expires,
            live: true,
        };
        self.by_refresh
            .insert(tokens.refresh_token.clone(), tokens.access_token.clone());
        self.by_access
            .insert(tokens.access_token.clone(), tokens.clone());
        tokens
    }

    pub(crate) fn access(
        &self,
        app_id: &str,
        access_token: &str,
        now: SystemTime,
    ) -> Result<&Tokens, BadAccess> {
        let tokens = self.by_access.get(access_token).ok_or(BadAccess::Invalid)?;
        if tokens.app_id != app_id || !tokens.live {
            return Err(BadAccess::Invalid);
        }
        if tokens.access_expires <= now {
            Err(BadAccess::Expired)
        } else {
            Ok(tokens)
        }
    }

    /// Of every login of this user that still stands.
    pub(crate) fn live_refresh_tokens(
        &self,
        app_id: &str,
        user_id: &str,
        now: SystemTime,
    ) -> Vec<String> {
        self.by_access
            .values()
            .filter(|tokens| tokens.app_id == app_id && tokens.user_id == user_id)
            .filter(|tokens| tokens.live && now < tokens.refresh_expires)
            .map(|tokens| tokens.refresh_token.clone())
            .collect()
    }

    /// The user withdraws their consent: every token of theirs for this app dies. Answers how many did.
    pub(crate) fn revoke(&mut self, app_id: &str, user_id: &str) -> usize {
        let theirs = |tokens: &&mut Tokens| {
            tokens.live && tokens.app_id == app_id && tokens.user_id == user_id
        };
        self.by_access
            .values_mut()
            .filter(theirs)
            .map(|tokens| tokens.live = false)
            .count()
    }
}

/// Random letters and digits up to `length` characters, prefix included.
pub(crate) fn random_text(prefix: &str, length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut text = prefix.to_owned();
    while text.len() < length {
        let letter = ALPHABET
            .get(usize::from(rand::random::<u8>() % 32))
            .copied()
            .unwrap_or(b'a');
        text.push(char::from(letter));
    }
    text
}
