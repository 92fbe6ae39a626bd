use std::fmt;
use std::time::SystemTime;

use alipay_gateway::methods::UserGrant;
use aws_sdk_dynamodb::Client;
use function_kit::{
    Alipay, Caller, Failure, SettingError, StartUpError, aws_settings, read_document, required,
};
use secrecy::SecretString;
use serde::Serialize;
use token_store::{
    ClaimToken, Completion, FirstAnswers, Grant, Keyring, StoreError, TokenKey, TokenKind,
    TokenStore, WallTime,
};

use crate::failure::store_failure;
use crate::once::kept_text;
use crate::refresh::{GatewayRefresher, stored_form};

const TABLE: &str = "TOKEN_TABLE";
const KEYS_FILE: &str = "TOKEN_KEYS_FILE";
const KEYS_SECRET: &str = "TOKEN_KEYS_SECRET";
/// The row of a login that named no scope.
const DEFAULT_SCOPE: &str = "default";

/// The table of tokens and first answers, with the keyring that seals what is in it.
#[derive(Clone)]
pub struct Tokens {
    pub(crate) store: TokenStore,
    pub(crate) answers: FirstAnswers,
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

/// A merchant's app that an ISV's app acts for.
#[derive(Debug, Clone, Copy)]
pub struct Merchant<'a> {
    /// The merchant's app.
    pub auth_app_id: &'a str,
    /// The token to act for it.
    pub app_auth_token: &'a SecretString,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// In `table`, sealed by `keyring`.
    pub fn new(client: Client, table: impl Into<String>, keyring: Keyring) -> Self {
        let store = TokenStore::new(client, table, keyring);
        let answers = store.first_answers();
        Self { store, answers }
    }

    /// From the environment: `TOKEN_TABLE`, `TOKEN_KEYS_FILE` or `TOKEN_KEYS_SECRET`, and the AWS SDKs' own names
    /// (`AWS_REGION`, credentials, `AWS_ENDPOINT_URL_DYNAMODB`).
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub async fn from_environment() -> Result<Self, StartUpError> {
        let table = required(TABLE)?;
        let client = Client::new(&aws_settings("AWS_ENDPOINT_URL_DYNAMODB")?);
        let document = read_document(KEYS_FILE, KEYS_SECRET).await?;
        let keyring = Keyring::from_json(&document)
            .map_err(|error| SettingError::new(KEYS_FILE, format!("(or {KEYS_SECRET}) {error}")))?;
        Ok(Self::new(client, table, keyring))
    }

    /// Keeps what a login granted, and with it `answer` as the first answer of `claim`: both or neither. Only when the claim was
    /// taken over meanwhile are the tokens kept alone.
    ///
    /// # Errors
    /// As [`TokenStore::put_login`]. After [`StoreError::Unavailable`] the login must not be answered as if it were stored.
    pub async fn keep_login<T: Serialize>(
        &self,
        login: &Login<'_>,
        claim: ClaimToken,
        answer: &T,
    ) -> Result<(), StoreError> {
        let Login {
            app_id,
            auth_app_id,
            scope,
            granted,
            asked_at,
        } = *login;
        let Some(openid) = granted.openid() else {
            return Err(StoreError::NotFound);
        };
        let key = user_key(app_id, auth_app_id, openid, scope);
        let grant = stored_form(granted, asked_at);
        self.keep(&key, &grant, WallTime::from(asked_at), claim, answer)
            .await
    }

    /// Keeps a pair, and with it the first answer of `claim`: both or neither.
    pub(crate) async fn keep<T: Serialize>(
        &self,
        key: &TokenKey,
        grant: &Grant,
        now: WallTime,
        claim: ClaimToken,
        answer: &T,
    ) -> Result<(), StoreError> {
        let text = kept_text::<T>(Ok(answer)).ok_or(StoreError::Sealing)?;
        match self
            .store
            .put_login(key, grant, now, Some(Completion::new(claim, &text)))
            .await
        {
            // Another caller took over after this one's deadline. The pair is good all the same.
            Err(StoreError::ClaimLost) => self.store.put_login(key, grant, now, None).await?,
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
        openid: &str,
        scope: Option<&str>,
    ) -> Result<SecretString, Failure> {
        let key = user_key(caller.app.id(), None, openid, scope);
        self.live_token(&key, alipay, caller, None).await
    }

    /// The live access token of a user of a merchant's app, for whom the ISV acts with `app_auth_token`: the one that a
    /// [`Login`] with this `auth_app_id` kept. Tokens that the merchant's app was given without the ISV are others.
    ///
    /// # Errors
    /// As [`Tokens::user_access_token`].
    pub async fn merchants_user_access_token(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        merchant: Merchant<'_>,
        openid: &str,
        scope: Option<&str>,
    ) -> Result<SecretString, Failure> {
        let key = user_key(caller.app.id(), Some(merchant.auth_app_id), openid, scope);
        let token = Some(merchant.app_auth_token);
        self.live_token(&key, alipay, caller, token).await
    }

    async fn live_token(
        &self,
        key: &TokenKey,
        alipay: &Alipay,
        caller: &Caller,
        app_auth_token: Option<&SecretString>,
    ) -> Result<SecretString, Failure> {
        let clock = || WallTime::from(alipay.now());
        let refresher = GatewayRefresher {
            alipay,
            app: caller.app.for_upkeep(),
            deadline: caller.deadline,
            app_auth_token,
        };
        let deadline = WallTime::from_millis(caller.deadline.unix_millis());
        let access = self
            .store
            .access_token(key, &clock, deadline, &refresher)
            .await
            .map_err(store_failure)?;
        Ok(access.token)
    }
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
