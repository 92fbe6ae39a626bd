use std::fmt;
use std::time::SystemTime;

use alipay_gateway::methods::UserGrant;
use aws_sdk_dynamodb::Client as DynamoDb;
use function_kit::{
    Failure, SelectedApp, SettingError, StartUpError, calls_have_less_cpu_than_init,
    dynamodb_settings, read_document, required,
};
use identity::{
    Account, Accounts, Client, IdTokenClaims, IdentityTable, Issuer, LoginDocument,
    LoginDocumentError, OneTime, Person, Sessions, Uid, Union,
};
use secrecy::SecretString;
use table_rows::WallTime;

use crate::failure::{exchanged_without_account, identity_failure};

const TABLE: &str = "IDENTITY_TABLE";
const DOCUMENT_FILE: &str = "LOGIN_FILE";
const DOCUMENT_SECRET: &str = "LOGIN_SECRET";
const ISSUER: &str = "LOGIN_ISSUER";

/// What to do when a code was exchanged and the login could not be finished.
pub(crate) const LOG_IN_AGAIN: &str = "the code is spent; begin the login again";

/// Accounts, sessions, one-time values and the issuer of tokens. Cheap to clone.
#[derive(Clone)]
pub struct Logins {
    accounts: Accounts,
    sessions: Sessions,
    one_time: OneTime,
    document: LoginDocument,
    issuer: Issuer,
}

impl fmt::Debug for Logins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Logins").finish_non_exhaustive()
    }
}

/// Whom an id_token is about.
#[derive(Clone, Copy)]
pub struct SignedInPerson<'a> {
    /// The account.
    pub uid: &'a Uid,
    /// The app that was logged in to.
    pub app_id: &'a str,
    /// The user's id for that app.
    pub openid: &'a str,
    /// The merchant's app that the user logged in to, where an ISV's app asked for it.
    pub auth_app_id: Option<&'a str>,
    /// The nonce of the request, where it had one.
    pub nonce: Option<&'a str>,
    /// When the user logged in.
    pub logged_in_at: SystemTime,
}

/// A signed token.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// Its text.
    pub token: SecretString,
    /// From when on it is not taken.
    pub expires_at: WallTime,
}

impl Logins {
    /// From the environment: `IDENTITY_TABLE`, `LOGIN_FILE` or `LOGIN_SECRET`, `LOGIN_ISSUER`, and the AWS SDKs' own names.
    ///
    /// # Errors
    /// Names the setting that is wrong, and the field where it is the document.
    pub async fn from_environment() -> Result<Self, StartUpError> {
        let table = required(TABLE)?;
        let issuer = required(ISSUER)?;
        let (client, text) = tokio::try_join!(
            client_from_environment(),
            read_document(DOCUMENT_FILE, DOCUMENT_SECRET)
        )?;
        let document = LoginDocument::from_json(&text).map_err(|error| {
            SettingError::new(DOCUMENT_FILE, format!("(or {DOCUMENT_SECRET}) {error}"))
        })?;
        let logins = Self::new(client, table, document, &issuer)
            .map_err(|error| SettingError::new(ISSUER, error.problem()))?;
        if calls_have_less_cpu_than_init() {
            logins.issuer.warm_up(WallTime::from(SystemTime::now()));
        }
        Ok(logins)
    }

    /// The accounts alone, from the environment: `IDENTITY_TABLE` and the AWS SDKs' own names. Who has no more than these logs nobody in.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub async fn accounts_from_environment() -> Result<Accounts, StartUpError> {
        let table = required(TABLE)?;
        let client = client_from_environment().await?;
        Ok(Accounts::new(IdentityTable::new(client, table)))
    }

    /// With the rows in `table`; tokens are signed as those of `issuer`, an address without a path.
    ///
    /// # Errors
    /// When `issuer` is no such address.
    pub fn new(
        client: DynamoDb,
        table: impl Into<String>,
        document: LoginDocument,
        issuer: &str,
    ) -> Result<Self, LoginDocumentError> {
        let table = IdentityTable::new(client, table);
        Ok(Self {
            accounts: Accounts::new(table.clone()),
            sessions: Sessions::new(table.clone(), document.session_keys()),
            one_time: OneTime::new(table),
            issuer: Issuer::new(issuer, &document)?,
            document,
        })
    }

    /// Which clients there are.
    pub fn document(&self) -> &LoginDocument {
        &self.document
    }

    /// Who signs and verifies tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// States, tickets and codes that work once.
    pub fn one_time(&self) -> &OneTime {
        &self.one_time
    }

    /// The accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The account of whom Alipay names in `granted`, made where there is none. `auth_app_id` is the merchant's app that the user
    /// logged in to, where an ISV's app asked.
    ///
    /// # Errors
    /// `temporarily_unavailable` when the table is; not repeatable, since the code is spent.
    pub async fn account_of(
        &self,
        app: &SelectedApp,
        auth_app_id: Option<&str>,
        granted: &UserGrant,
        now: SystemTime,
    ) -> Result<Account, Failure> {
        let environment = app.settings().app.gateway.host_str().unwrap_or_default();
        let union = granted.union_id.as_deref();
        let person = Person {
            app_id: auth_app_id.unwrap_or(app.id()),
            user_id: granted.user_id.as_deref(),
            open_id: granted.open_id.as_deref(),
            union: union.map(|id| Union { environment, id }),
        };
        self.accounts
            .account_of(&person, WallTime::from(now))
            .await
            .map_err(|error| exchanged_without_account(error, LOG_IN_AGAIN))
    }

    /// An id_token for `client`, as the routes for signed-in users and OIDC clients take it.
    ///
    /// # Errors
    /// `internal` when it could not be signed.
    pub fn id_token(
        &self,
        client: &Client,
        person: &SignedInPerson<'_>,
        now: SystemTime,
    ) -> Result<IssuedToken, Failure> {
        let now = WallTime::from(now);
        let claims = IdTokenClaims {
            uid: person.uid,
            audience: &client.id,
            app_id: person.app_id,
            openid: person.openid,
            auth_app_id: person.auth_app_id,
            nonce: person.nonce,
            authenticated_at: WallTime::from(person.logged_in_at),
            life: client.id_token_life,
        };
        let token = self
            .issuer
            .id_token(&claims, now)
            .map_err(identity_failure)?;
        Ok(IssuedToken {
            token,
            expires_at: now.plus(client.id_token_life),
        })
    }
}

async fn client_from_environment() -> Result<DynamoDb, StartUpError> {
    Ok(DynamoDb::new(&dynamodb_settings().await?))
}
