//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use dev_server::{DEFAULT_PORT, NewClient, Row};

/// The functions, an embedded DynamoDB, an embedded event bus and a simulated Alipay gateway in one local process.
///
/// Without a command it runs them. `tokens` shows what they have stored meanwhile, `doctor` examines a configuration.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArguments,
}

#[derive(Subcommand)]
pub enum Command {
    /// Proves a configuration line by line: keys, certificates, gateway, clock, AES key, logins, tables
    ///
    /// Each line is ok, warn or FAIL, with what was found and how to mend it. Each app's public key is printed, to paste into
    /// Alipay's console, and nothing secret is. Every app's gateway is asked for a trade that does not exist, which changes
    /// nothing. The token table is examined where TOKEN_TABLE is set, with TOKEN_KEYS_FILE or TOKEN_KEYS_SECRET,
    /// REFRESH_TOKEN_KEYS_FILE or REFRESH_TOKEN_KEYS_SECRET, DUE_SHARDS and the AWS SDKs' own names, as for a function; a row is
    /// written to it and deleted. Logins are examined where IDENTITY_TABLE is set, with LOGIN_FILE or LOGIN_SECRET and
    /// LOGIN_ISSUER: which key signs, whose users the clients log in, and the table of accounts and sessions in the same way.
    ///
    /// The exit code is 0 if nothing failed, else 1.
    Doctor(DoctorArguments),
    /// Shows what is in the token table, app by app, and what is wrong with it
    ///
    /// One line for the tokens of users and one for those of merchants: how many are in which state (active; suspect: Alipay
    /// refused one, and it is settled within minutes; reauthorize: the user has to log in again), how many are due for their
    /// refresh and since when, when the next one is, how many are being refreshed, and how many wait after a refresh without an
    /// answer. Then what is wrong, with its mend. No token is printed, and no user's id.
    ///
    /// The tokens are those of the running development server. Where TOKEN_TABLE is set and --port is not given, they are those of
    /// that table, on AWS or any DynamoDB, with the AWS SDKs' own names (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    /// AWS_ENDPOINT_URL_DYNAMODB); the whole table is read once, which on AWS costs as much as it is large.
    ///
    /// The exit code is 0 if the table could be read, whatever is in it, else 1.
    Tokens(TokensArguments),
    /// Makes a login document, or adds a signing key to one
    LoginKeys(LoginKeysArguments),
}

#[derive(Args)]
pub struct RunArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    pub port: u16,
    /// Document of apps to use instead of the simulated gateway: Alipay's sandbox, production or any gateway
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Login document to use instead of one that is made here with the client `local`
    #[arg(long, value_name = "FILE")]
    pub login: Option<PathBuf>,
    /// Folder to keep the tables and their keys in between runs; without it they are in memory
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Do not look for tokens that are due every minute, nor for events that did not get out every 10 seconds
    ///
    /// Tokens are then refreshed when they are used, or by `tokens refresh`, and such events get out when `publish-events` is invoked.
    #[arg(long)]
    pub no_schedule: bool,
}

#[derive(Args)]
pub struct DoctorArguments {
    /// The document of apps
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only this app; without it all of the document
    #[arg(long, value_name = "APPID")]
    pub app: Option<String>,
    /// Ask nobody: neither gateways nor tables
    #[arg(long)]
    pub offline: bool,
}

#[derive(Args)]
pub struct TokensArguments {
    #[command(subcommand)]
    pub command: Option<TokensCommand>,
    /// Print JSON; times are milliseconds since 1970
    #[arg(long, global = true)]
    pub json: bool,
    /// Port of the development server on this machine, whatever the environment says [default: 3000]
    // With an id of its own, or it would take the default of the other `--port`.
    #[arg(id = "server_port", long = "port", value_name = "PORT", global = true)]
    pub port: Option<u16>,
}

#[derive(Subcommand)]
pub enum TokensCommand {
    /// Has one token refreshed now, whatever its age
    ///
    /// Prints in one word what came of it, and what that means: refreshed, fresh, busy, backed_off, suspect, reauthorize,
    /// misconfigured, rescued or gone. A user's refresh token works once: at Alipay the old pair ends with it, the new one is stored.
    ///
    /// The running development server does it. Where REFRESH_FUNCTION or TOKEN_TABLE is set and --port is not given, the function on
    /// AWS does that REFRESH_FUNCTION names, invoked with the AWS SDKs' own names (also AWS_ENDPOINT_URL_LAMBDA); the credentials
    /// need lambda:InvokeFunction.
    ///
    /// The exit code is 0 after refreshed and fresh, else 1.
    #[command(after_help = "Examples:
  tokens refresh --appid 2021000000000001 --openid 2088000000000001
  tokens refresh --appid 2021000000000001 --auth-app-id 2021000000000101")]
    Refresh(RefreshArguments),
}

#[derive(Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["openid", "auth_app_id"])))]
pub struct RefreshArguments {
    /// The app that was given the token
    #[arg(long)]
    appid: String,
    /// The user whose token it is
    #[arg(long)]
    openid: Option<String>,
    /// The name of the user's row, where the login was given a scope
    #[arg(long, conflicts_with = "auth_app_id")]
    scope: Option<String>,
    /// The merchant's app that the user logged in to, where --appid is an ISV's
    #[arg(long, value_name = "AUTH_APP_ID", conflicts_with = "auth_app_id")]
    merchant: Option<String>,
    /// The merchant's app whose own token it is, which --appid, an ISV's, was given
    #[arg(long, value_name = "AUTH_APP_ID")]
    auth_app_id: Option<String>,
}

impl From<RefreshArguments> for Row {
    fn from(arguments: RefreshArguments) -> Self {
        let RefreshArguments {
            appid,
            openid,
            scope,
            merchant,
            auth_app_id,
        } = arguments;
        match auth_app_id {
            Some(auth_app_id) => Self::Merchant { appid, auth_app_id },
            None => Self::User {
                appid,
                // Clap asks for one of the two.
                openid: openid.unwrap_or_default(),
                scope,
                merchant,
            },
        }
    }
}

#[derive(Args)]
pub struct LoginKeysArguments {
    #[command(subcommand)]
    pub command: LoginKeysCommand,
}

#[derive(Subcommand)]
pub enum LoginKeysCommand {
    /// Makes a login document: an RSA key that signs id_tokens, a key for session tokens, an RSA key that callers encrypt to, a client for each
    /// --appid
    ///
    /// The document is printed, or written to --file for its owner alone to read; nothing is overwritten. It is what LOGIN_FILE
    /// names, or the text of the secret that LOGIN_SECRET names. Each client gets a secret: leave it out of the document for one that
    /// cannot keep it, such as a page in a browser. Fill in `redirectUris` (OpenID Connect) and `returnTo` (the login of H5 pages)
    /// where they are used.
    #[command(after_help = "Examples:
  login-keys new --appid 2021000000000001 --file login.json
  login-keys new --client-id shop --appid 2021000000000001 --client-id admin --appid 2021000000000001")]
    New(NewLoginArguments),
    /// Adds a key to the login document in FILE that signs id_tokens from 24 hours later
    ///
    /// Put the document wherever it is used within these hours: the key is then published before it signs, and tokens of the old key
    /// are valid until their end. Everything else in the document stays. It is said which keys are not needed any more, and from when;
    /// removing them is left to you. While a key waits, another rotation is refused.
    ///
    /// The exit code is 0 if a key was added, else 1.
    Rotate {
        /// The login document
        file: PathBuf,
    },
}

#[derive(Args)]
pub struct NewLoginArguments {
    /// Alipay's id of an app whose users log in; can be given several times
    #[arg(long = "appid", value_name = "APPID")]
    app_ids: Vec<String>,
    /// What the client of the --appid at the same place calls itself, instead of its app id; for each --appid or for none
    #[arg(long = "client-id", value_name = "ID")]
    client_ids: Vec<String>,
    /// Write the document here instead of printing it
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl NewLoginArguments {
    /// The clients; `None` where there are client ids and not as many as app ids.
    pub fn clients(&self) -> Option<Vec<NewClient>> {
        let ids = match self.client_ids.len() {
            0 => &self.app_ids,
            count if count == self.app_ids.len() => &self.client_ids,
            _ => return None,
        };
        let clients = ids.iter().zip(&self.app_ids);
        Some(
            clients
                .map(|(id, app_id)| NewClient {
                    id: id.clone(),
                    app_id: app_id.clone(),
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn row(line: &str) -> Option<Row> {
        let words = ["dev-server", "tokens", "refresh", "--appid", "2021"];
        let arguments =
            Arguments::try_parse_from(words.into_iter().chain(line.split_whitespace())).ok()?;
        match arguments.command {
            Some(Command::Tokens(TokensArguments {
                command: Some(TokensCommand::Refresh(row)),
                ..
            })) => Some(row.into()),
            _ => None,
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_port_counts_as_named_only_where_it_is() {
        let port = |line: &str| {
            let words = ["dev-server"].into_iter().chain(line.split_whitespace());
            match Arguments::try_parse_from(words).unwrap().command {
                Some(Command::Tokens(arguments)) => arguments.port,
                _ => panic!("it is another command: {line}"),
            }
        };
        assert_eq!(port("tokens"), None);
        assert_eq!(port("tokens --port 3000"), Some(3000));
        let row = "refresh --appid 2021 --openid 2088";
        assert_eq!(port(&format!("tokens {row}")), None);
        assert_eq!(port(&format!("tokens {row} --port 3001")), Some(3001));
        assert_eq!(port(&format!("tokens --port 3001 {row}")), Some(3001));
    }

    #[test]
    fn a_row_is_a_users_or_a_merchants_and_never_both() {
        let merchants = Row::Merchant {
            appid: "2021".to_owned(),
            auth_app_id: "2022".to_owned(),
        };
        assert_eq!(row("--auth-app-id 2022"), Some(merchants));
        let users = Row::User {
            appid: "2021".to_owned(),
            openid: "2088".to_owned(),
            scope: Some("auth_user".to_owned()),
            merchant: Some("2022".to_owned()),
        };
        let line = "--openid 2088 --scope auth_user --merchant 2022 --port 3001 --json";
        assert_eq!(row(line), Some(users));
        for line in [
            "",
            "--openid 2088 --auth-app-id 2022",
            "--auth-app-id 2022 --scope auth_user",
            "--auth-app-id 2022 --merchant 2023",
        ] {
            assert_eq!(row(line), None, "{line}");
        }
    }

    #[test]
    fn a_new_login_document_has_a_client_for_each_app() {
        let clients = |line: &str| {
            let words = ["dev-server", "login-keys", "new"];
            let words = words.into_iter().chain(line.split_whitespace());
            match Arguments::try_parse_from(words).unwrap().command {
                Some(Command::LoginKeys(LoginKeysArguments {
                    command: LoginKeysCommand::New(new),
                })) => new.clients(),
                _ => panic!("it is another command: {line}"),
            }
        };
        let client = |id: &str, app_id: &str| NewClient {
            id: id.to_owned(),
            app_id: app_id.to_owned(),
        };
        assert_eq!(clients(""), Some(Vec::new()));
        assert_eq!(clients("--appid 2021"), Some(vec![client("2021", "2021")]));
        assert_eq!(
            clients("--client-id a --appid 1 --appid 2 --client-id b"),
            Some(vec![client("a", "1"), client("b", "2")])
        );
        assert_eq!(clients("--client-id a --appid 1 --appid 2"), None);
        assert_eq!(clients("--client-id a"), None);
    }
}
