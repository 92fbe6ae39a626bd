use std::fmt;
use std::time::{Duration, SystemTime};

use alipay_gateway::methods::UserGrant;
use alipay_gateway::{Call, GatewayError, Refusal, Reply};
use aws_sdk_dynamodb::Client;
use function_kit::{
    Alipay, Caller, Failure, SettingError, StartUpError, dynamodb_settings, read_document,
    required, setting,
};
use secrecy::SecretString;
use serde::Serialize;
use token_store::{
    AccessToken, ClaimToken, Completion, DueShards, DueShardsError, FirstAnswers, Grant, Keyring,
    Replacement, Seen, StoreError, TokenKey, TokenKeys, TokenKind, TokenStore, WallTime,
};
use tokio::time::timeout;

use crate::failure::store_failure;
use crate::once::kept_text;
use crate::refresh::{RenewalBy, stored_form};
use crate::refresh_function::RefreshFunction;

const TABLE: &str = "TOKEN_TABLE";
const KEYS_FILE: &str = "TOKEN_KEYS_FILE";
const KEYS_SECRET: &str = "TOKEN_KEYS_SECRET";
const REFRESH_KEYS_FILE: &str = "REFRESH_TOKEN_KEYS_FILE";
const REFRESH_KEYS_SECRET: &str = "REFRESH_TOKEN_KEYS_SECRET";
const DUE_SHARDS: &str = "DUE_SHARDS";
/// How long a login waits at most for what is no more than a hint.
const LOOK_TIMEOUT: Duration = Duration::from_millis(300);
/// The row of a login that named no scope.
pub(crate) const DEFAULT_SCOPE: &str = "default";

/// The table of tokens and first answers, with the keyring that seals what is in it.
#[derive(Clone)]
pub struct Tokens {
    pub(crate) store: TokenStore,
    pub(crate) answers: FirstAnswers,
    /// Who refreshes for this process; `None` where it does that itself.
    pub(crate) refresh_function: Option<RefreshFunction>,
}

/// A login to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The app that asked for the tokens.
    pub app_id: &'a str,
    /// The merchant's app that the user logged in to, where an ISV's app asked for it.
    pub auth_app_id: Option<&'a str>,
    /// The name of the row, where a user has several authorisations side by side; `None` for the default one.
    pub scope: Option<&'a str>,
    /// What Alipay granted.
    pub granted: &'a UserGrant,
    /// The moment before the exchange was sent, from which the tokens' lives are counted.
    pub asked_at: SystemTime,
}

/// A user whose stored token is meant.
#[derive(Debug, Clone, Copy)]
pub struct User<'a> {
    /// The user's id for the app.
    pub openid: &'a str,
    /// The row of tokens, as in the [`Login`].
    pub scope: Option<&'a str>,
    /// The merchant's app that the user logged in to, as in the [`Login`]. Tokens that the merchant's app was given without the
    /// ISV are others.
    pub auth_app_id: Option<&'a str>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// In `table`, for a process that stores pairs and refreshes them itself.
    pub fn keeping(
        client: Client,
        table: impl Into<String>,
        keys: TokenKeys,
        shards: DueShards,
    ) -> Self {
        Self::with(client, table.into(), keys, shards, None)
    }

    /// In `table`, for a process that only reads access tokens and has them refreshed by `refresh_function`.
    pub fn reading(
        client: Client,
        table: impl Into<String>,
        keyring: Keyring,
        refresh_function: RefreshFunction,
    ) -> Self {
        let keys = TokenKeys::for_reading(keyring);
        let shards = DueShards::default();
        Self::with(client, table.into(), keys, shards, Some(refresh_function))
    }

    fn with(
        client: Client,
        table: String,
        keys: TokenKeys,
        shards: DueShards,
        refresh_function: Option<RefreshFunction>,
    ) -> Self {
        let store = TokenStore::new(client, table, keys, shards);
        let answers = store.first_answers();
        Self {
            store,
            answers,
            refresh_function,
        }
    }

    /// From the environment, for a function that stores pairs or refreshes them: `TOKEN_TABLE`, `TOKEN_KEYS_FILE` or
    /// `TOKEN_KEYS_SECRET`, `REFRESH_TOKEN_KEYS_FILE` or `REFRESH_TOKEN_KEYS_SECRET`, `DUE_SHARDS`, and the AWS SDKs' own names
    /// (`AWS_REGION`, credentials, `AWS_ENDPOINT_URL_DYNAMODB`).
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub async fn keeping_from_environment() -> Result<Self, StartUpError> {
        let ((client, table), access, refresh) = tokio::try_join!(
            table_settings(),
            keyring(KEYS_FILE, KEYS_SECRET),
            keyring(REFRESH_KEYS_FILE, REFRESH_KEYS_SECRET)
        )?;
        let shards = match setting(DUE_SHARDS) {
            None => DueShards::default(),
            Some(text) => text.parse().map_err(|error: DueShardsError| {
                SettingError::new(DUE_SHARDS, error.to_string())
            })?,
        };
        let keys = TokenKeys::for_keeping(access, refresh);
        Ok(Self::keeping(client, table, keys, shards))
    }

    /// From the environment, for a function that only reads access tokens: `TOKEN_TABLE`, `TOKEN_KEYS_FILE` or
    /// `TOKEN_KEYS_SECRET`, `REFRESH_FUNCTION`, and the AWS SDKs' own names (also `AWS_ENDPOINT_URL_LAMBDA`).
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub async fn reading_from_environment() -> Result<Self, StartUpError> {
        let refresh_function = RefreshFunction::from_environment()?;
        let ((client, table), access) =
            tokio::try_join!(table_settings(), keyring(KEYS_FILE, KEYS_SECRET))?;
        Ok(Self::reading(client, table, access, refresh_function))
    }

    /// From the environment, for a function that keeps first answers and no tokens: `TOKEN_TABLE`, `TOKEN_KEYS_FILE` or
    /// `TOKEN_KEYS_SECRET`, and the AWS SDKs' own names.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub async fn answering_from_environment() -> Result<Self, StartUpError> {
        let ((client, table), access) =
            tokio::try_join!(table_settings(), keyring(KEYS_FILE, KEYS_SECRET))?;
        let keys = TokenKeys::for_reading(access);
        Ok(Self::with(client, table, keys, DueShards::default(), None))
    }

    /// The store behind it: for the sweep, which looks for due rows, and for rescued pairs.
    pub fn store(&self) -> &TokenStore {
        &self.store
    }

    /// Looks whether the user has logged in before, which spares [`Tokens::keep_login`] a write that is refused. To be asked beside
    /// something that takes as long. It never fails: without an answer in time nothing was seen.
    pub async fn look(&self, login: &Login<'_>) -> Seen {
        let Some(key) = login.key() else {
            return Seen::NOTHING;
        };
        match timeout(LOOK_TIMEOUT, self.store.look(&key)).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => {
                tracing::debug!(%error, "it could not be seen whether the user has logged in before");
                Seen::NOTHING
            }
            Err(_) => {
                tracing::debug!("it was not seen in time whether the user has logged in before");
                Seen::NOTHING
            }
        }
    }

    /// Keeps what a login granted, and with it `answer` as the first answer of `claim`: both or neither. Only when the claim was
    /// taken over meanwhile are the tokens kept alone. `seen` is what [`Tokens::look`] saw, which may be out of date.
    ///
    /// # Errors
    /// As [`TokenStore::put_login`]. After [`StoreError::Unavailable`] the login must not be answered as if it were stored.
    pub async fn keep_login<T: Serialize>(
        &self,
        login: &Login<'_>,
        seen: Seen,
        claim: ClaimToken,
        answer: &T,
    ) -> Result<(), StoreError> {
        let key = login.key().ok_or(StoreError::NotFound)?;
        let grant = stored_form(login.granted, login.asked_at);
        let now = WallTime::from(login.asked_at);
        self.keep(&key, seen, &grant, now, claim, answer).await
    }

    /// Keeps a pair, and with it the first answer of `claim`: both or neither.
    pub(crate) async fn keep<T: Serialize>(
        &self,
        key: &TokenKey,
        seen: Seen,
        grant: &Grant,
        now: WallTime,
        claim: ClaimToken,
        answer: &T,
    ) -> Result<(), StoreError> {
        let text = kept_text::<T>(Ok(answer)).ok_or(StoreError::Sealing)?;
        let completion = Completion::new(claim, &text);
        match self
            .store
            .put_login(key, seen.clone(), grant, now, Some(completion))
            .await
        {
            // Another caller took over after this one's deadline. The pair is good all the same.
            Err(StoreError::ClaimLost) => self.store.put_login(key, seen, grant, now, None).await?,
            stored => stored?,
        };
        Ok(())
    }

    /// The live access token of a user, refreshed first where it has expired.
    ///
    /// # Errors
    /// `reauthorize` when the user has to log in; `temporarily_unavailable` when the store or a refresh is.
    pub async fn user_access_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        user: &User<'_>,
    ) -> Result<AccessToken, Failure> {
        let key = user.key(caller.app.id());
        self.live(&key, alipay, caller).await.map_err(store_failure)
    }

    /// Makes a call with a user's stored token; once more with another where Alipay did not accept that one, which it says of calls
    /// that it did not execute.
    ///
    /// # Errors
    /// As [`Tokens::user_access_token`]; what the call itself ends with.
    pub async fn answer_for_user(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        user: &User<'_>,
        call_with: impl Fn(&SecretString) -> Call + Send + Sync,
    ) -> Result<Reply, Failure> {
        let token = self.user_access_token(alipay, caller, user).await?;
        let call = call_with(&token.token);
        match alipay.call(&caller.app, &call, caller.deadline).await {
            Err(GatewayError::Refused(refusal)) if is_refused_user_token(&refusal) => {
                let token = self
                    .replaced_user_token(alipay, caller, user, &token)
                    .await?;
                let call = call_with(&token.token);
                match alipay.call(&caller.app, &call, caller.deadline).await {
                    // There is no third call, but what Alipay says is told and noted.
                    Err(GatewayError::Refused(refusal)) if is_refused_user_token(&refusal) => {
                        self.replaced_user_token(alipay, caller, user, &token)
                            .await?;
                        Err(GatewayError::Refused(refusal).into())
                    }
                    answer => answer.map_err(|error| Failure::of_call(error, &call)),
                }
            }
            answer => answer.map_err(|error| Failure::of_call(error, &call)),
        }
    }

    /// Another token in place of `refused`, which Alipay did not accept for the user ([`is_refused_user_token`]). The call may be
    /// made once more with it.
    ///
    /// # Errors
    /// As [`Tokens::user_access_token`]: `reauthorize` when there is no other.
    pub async fn replaced_user_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        user: &User<'_>,
        refused: &AccessToken,
    ) -> Result<AccessToken, Failure> {
        let key = user.key(caller.app.id());
        self.replaced(&key, alipay, caller, refused)
            .await
            .map_err(store_failure)
    }

    pub(crate) async fn live(
        &self,
        key: &TokenKey,
        alipay: &Alipay,
        caller: &Caller,
    ) -> Result<AccessToken, StoreError> {
        let renewal = RenewalBy {
            tokens: self,
            alipay,
        };
        self.store
            .access_token(key, &clock(alipay), deadline(caller), &renewal)
            .await
    }

    pub(crate) async fn replaced(
        &self,
        key: &TokenKey,
        alipay: &Alipay,
        caller: &Caller,
        refused: &AccessToken,
    ) -> Result<AccessToken, StoreError> {
        let renewal = RenewalBy {
            tokens: self,
            alipay,
        };
        match self
            .store
            .invalidate(key, refused, &clock(alipay), deadline(caller), &renewal)
            .await?
        {
            Replacement::Token(token) => Ok(token),
            Replacement::Reauthorize => Err(StoreError::Reauthorize),
        }
    }
}

/// Whether Alipay refused the `auth_token` of a call, which it then did not execute. A token of scope `auth_base` is refused so too
/// where a method wants `auth_user`.
pub fn is_refused_user_token(refusal: &Refusal) -> bool {
    matches!(
        refusal.sub_code.as_deref(),
        Some("aop.invalid-auth-token" | "aop.auth-token-time-out")
    )
}

impl Login<'_> {
    /// Its row; `None` where Alipay named nobody.
    fn key(&self) -> Option<TokenKey> {
        let openid = self.granted.openid()?;
        Some(user_key(self.app_id, self.auth_app_id, openid, self.scope))
    }
}

impl User<'_> {
    fn key(&self, app_id: &str) -> TokenKey {
        user_key(app_id, self.auth_app_id, self.openid, self.scope)
    }
}

pub(crate) fn clock(alipay: &Alipay) -> impl Fn() -> WallTime + Send + Sync {
    || WallTime::from(alipay.now())
}

pub(crate) fn deadline(caller: &Caller) -> WallTime {
    WallTime::from_millis(caller.deadline.unix_millis())
}

async fn table_settings() -> Result<(Client, String), StartUpError> {
    let table = required(TABLE)?;
    let client = Client::new(&dynamodb_settings().await?);
    Ok((client, table))
}

async fn keyring(file: &'static str, secret: &'static str) -> Result<Keyring, StartUpError> {
    let document = read_document(file, secret).await?;
    Ok(Keyring::from_json(&document)
        .map_err(|error| SettingError::new(file, format!("(or {secret}) {error}")))?)
}

/// Tokens of a merchant's app that an ISV asked for can be refreshed by this ISV only, so they have rows of their own.
fn user_key(
    app_id: &str,
    auth_app_id: Option<&str>,
    openid: &str,
    scope: Option<&str>,
) -> TokenKey {
    TokenKey {
        app_id: match auth_app_id {
            None => app_id.to_owned(),
            Some(auth_app_id) => format!("{app_id}@{auth_app_id}"),
        },
        kind: TokenKind::User,
        subject: openid.to_owned(),
        scopes: scope.unwrap_or(DEFAULT_SCOPE).to_owned(),
    }
}
