//! What a client wants of a login.

use function_kit::Failure;
use function_logins::{Client, CodeChallenge, Issuer, Uid, WallTime, WebScope};

use crate::parameters::Parameters;
use crate::refusal::{ErrorCode, Refusal, refused};

/// Most bytes of `state`: some clients, Cognito among them, put more than 1 KiB into it. A one-time value has room for it, escaped too.
pub(crate) const STATE_BYTES: usize = 4096;

/// Most bytes of `nonce`, which stands in every id_token.
const NONCE_BYTES: usize = 1024;

/// A request whose client and address are trusted already.
///
/// What is not read of it is ignored, as the specification allows: `display`, `ui_locales`, `login_hint`, `acr_values`, `claims`, and
/// `max_age`, since each request is a login of its own.
pub(crate) struct AuthorizationRequest {
    /// Whether the client wants to know more of the user than who it is.
    pub profile: bool,
    /// What Alipay asks of the user.
    pub scope: WebScope,
    pub nonce: Option<String>,
    pub code_challenge: Option<CodeChallenge>,
    /// Who it must be, where the client says so by `id_token_hint`.
    pub expected_user: Option<Uid>,
}

/// What of `prompt` can be done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prompt {
    /// Nothing said.
    Unsaid,
    /// Nothing may be shown.
    Nothing,
    /// The user is to be asked.
    Consent,
}

impl AuthorizationRequest {
    /// # Errors
    /// What the client is told, with the `error` that it is for.
    pub fn read(
        parameters: &Parameters<'_>,
        client: &Client,
        issuer: &Issuer,
        now: WallTime,
    ) -> Result<Self, Failure> {
        check_kind(parameters)?;
        let profile = profile(parameters)?;
        let code_challenge = code_challenge(parameters, client)?;
        Ok(Self {
            profile,
            scope: scope(profile, prompt(parameters)?)?,
            nonce: opaque(parameters, "nonce", NONCE_BYTES)?,
            code_challenge,
            expected_user: expected_user(parameters, client, issuer, now)?,
        })
    }
}

/// A value that the client gets back as it came. Such values are visible ASCII (RFC 6749, appendix A.5).
pub(crate) fn opaque(
    parameters: &Parameters<'_>,
    name: &'static str,
    limit: usize,
) -> Result<Option<String>, Failure> {
    let Some(value) = parameters.get(name)? else {
        return Ok(None);
    };
    let fits = value.len() <= limit && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !fits {
        let rule = "is too long (state: 4096 characters, nonce: 1024), or has characters that are neither visible ASCII nor spaces";
        return Err(refused(ErrorCode::InvalidRequest, name, rule));
    }
    Ok(Some(value.to_owned()))
}

/// The code flow, its answer in the query, and the request in its own parameters.
fn check_kind(parameters: &Parameters<'_>) -> Result<(), Failure> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if parameters.get(name)?.is_some() {
            return Err(refused(code, name, "is not supported"));
        }
    }
    match parameters.get("response_type")? {
        Some("code") => {}
        None => return Err(missing("response_type")),
        Some(_) => {
            let code = ErrorCode::UnsupportedResponseType;
            return Err(refused(code, "response_type", "must be code"));
        }
    }
    match parameters.get("response_mode")? {
        None | Some("query") => Ok(()),
        Some(_) => {
            let code = ErrorCode::InvalidRequest;
            Err(refused(code, "response_mode", "must be query"))
        }
    }
}

/// Whether `profile` is among the scopes. Unknown ones are ignored (OpenID Connect Core, section 3.1.2.1).
fn profile(parameters: &Parameters<'_>) -> Result<bool, Failure> {
    let scope = parameters.get("scope")?.unwrap_or_default();
    let mut words = scope.split(' ');
    if !words.clone().any(|word| word == "openid") {
        let code = ErrorCode::InvalidScope;
        return Err(refused(code, "scope", "must have openid among its words"));
    }
    Ok(words.any(|word| word == "profile"))
}

fn code_challenge(
    parameters: &Parameters<'_>,
    client: &Client,
) -> Result<Option<CodeChallenge>, Failure> {
    let challenge = CodeChallenge::from_query(
        parameters.get("code_challenge")?,
        parameters.get("code_challenge_method")?,
    )?;
    if challenge.is_none() && !client.has_secret() {
        let rule = "is required of a client that has no secret (PKCE, S256)";
        return Err(refused(ErrorCode::InvalidRequest, "code_challenge", rule));
    }
    Ok(challenge)
}

fn prompt(parameters: &Parameters<'_>) -> Result<Prompt, Failure> {
    let mut prompt = Prompt::Unsaid;
    let text = parameters.get("prompt")?.unwrap_or_default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        prompt = match (word, prompt) {
            ("none", Prompt::Unsaid) if text == "none" => Prompt::Nothing,
            ("consent", _) => Prompt::Consent,
            ("login", _) => {
                let rule = "login: Alipay decides whether the user has to prove who they are";
                return Err(refused(ErrorCode::LoginRequired, "prompt", rule));
            }
            ("select_account", _) => {
                let rule = "select_account: there is one account, that of the user's Alipay";
                let code = ErrorCode::AccountSelectionRequired;
                return Err(refused(code, "prompt", rule));
            }
            _ => {
                let rule = "must be none, alone, or consent";
                return Err(refused(ErrorCode::InvalidRequest, "prompt", rule));
            }
        };
    }
    Ok(prompt)
}

/// Alipay shows no page where nothing but the identity is asked for, and always one for the profile.
fn scope(profile: bool, prompt: Prompt) -> Result<WebScope, Failure> {
    match (profile, prompt) {
        (true, Prompt::Nothing) => {
            let rule = "none: Alipay asks the user for the profile; leave the scope profile out";
            Err(refused(ErrorCode::ConsentRequired, "prompt", rule))
        }
        (true, _) | (false, Prompt::Consent) => Ok(WebScope::AuthUser),
        (false, Prompt::Unsaid | Prompt::Nothing) => Ok(WebScope::AuthBase),
    }
}

fn expected_user(
    parameters: &Parameters<'_>,
    client: &Client,
    issuer: &Issuer,
    now: WallTime,
) -> Result<Option<Uid>, Failure> {
    let Some(hint) = parameters.get("id_token_hint")? else {
        return Ok(None);
    };
    let claims = issuer
        .verify_id_token(hint, &[&client.id], now)
        .map_err(|error| {
            let rule = "is no id_token of this client that is still valid";
            Refusal::new(ErrorCode::LoginRequired)
                .because(error)
                .of_rule("id_token_hint", rule)
        })?;
    Ok(Some(claims.uid))
}

/// A parameter that has to be there.
pub(crate) fn missing(name: &'static str) -> Failure {
    refused(ErrorCode::InvalidRequest, name, "is required")
}
