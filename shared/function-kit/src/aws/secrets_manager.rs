//! Reads a secret: the one call of Secrets Manager that a function makes. Its SDK would be a tenth of every package
//! (docs/decisions/0042).

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use http::StatusCode;
use https_client::{ExchangeError, Received};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::timeout;

use super::{ATTEMPT_TIMEOUT, Environment, FIRST_PAUSE, MAX_ATTEMPTS, OPERATION_TIMEOUT, client};
use crate::settings::StartUpError;

/// A secret holds 64 KiB at most, before it is escaped.
const MAX_REPLY_BYTES: usize = 1024 * 1024;
const TARGET: &str = "secretsmanager.GetSecretValue";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("AWS answered {status} {kind}: {message}")]
    Refused {
        status: StatusCode,
        /// AWS's name for it, such as `AccessDeniedException`.
        kind: String,
        message: String,
    },
    /// Without the parser's own words, which can quote the secret.
    #[error("AWS answered what is no answer of Secrets Manager")]
    Malformed,
    #[error("Secrets Manager did not answer in time")]
    TimedOut,
    #[error("Secrets Manager was not reached")]
    Unreachable(#[from] ExchangeError),
    #[error("the request could not be built")]
    Unbuildable(#[source] BoxError),
}

impl SecretError {
    /// Whether the same request may be answered a moment later.
    fn is_transient(&self) -> bool {
        match self {
            Self::TimedOut | Self::Unreachable(_) => true,
            Self::Refused { status, kind, .. } => {
                status.is_server_error() || kind.ends_with("ThrottlingException")
            }
            Self::Malformed | Self::Unbuildable(_) => false,
        }
    }
}

/// The text of the secret `id` (a name or an ARN); `None` where it holds bytes. `name` is the variable that names it.
///
/// # Errors
/// Names a variable of AWS's that is missing, or `name` where the secret cannot be read.
pub(crate) async fn secret_text(
    id: &str,
    name: &'static str,
) -> Result<Option<SecretString>, StartUpError> {
    let environment = Environment::read("AWS_ENDPOINT_URL_SECRETS_MANAGER")?;
    let client = client()?;
    let attempt = || async {
        let asking = async {
            let request = signed_request(&environment, id, SystemTime::now())
                .map_err(SecretError::Unbuildable)?;
            text(&client.exchange(request, MAX_REPLY_BYTES).await?)
        };
        timeout(ATTEMPT_TIMEOUT, asking)
            .await
            .unwrap_or(Err(SecretError::TimedOut))
    };
    let pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_times(MAX_ATTEMPTS as usize - 1)
        .with_jitter();
    let attempts = attempt.retry(pauses).when(SecretError::is_transient);
    timeout(OPERATION_TIMEOUT, attempts)
        .await
        .unwrap_or(Err(SecretError::TimedOut))
        .map_err(|error| StartUpError::Secret {
            name,
            source: error.into(),
        })
}

fn signed_request(
    environment: &Environment,
    id: &str,
    now: SystemTime,
) -> Result<http::Request<Bytes>, BoxError> {
    let address = environment.address("secretsmanager");
    let body = serde_json::json!({ "SecretId": id }).to_string();
    let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", TARGET)];
    let identity = Identity::from(environment.credentials.clone());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&environment.region)
        .name("secretsmanager")
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let signable = SignableRequest::new(
        "POST",
        &*address,
        headers.into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    )?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let mut request = http::Request::post(&*address);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(Bytes::from(body))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: Option<SecretString>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: String,
}

fn text(received: &Received) -> Result<Option<SecretString>, SecretError> {
    if received.status == StatusCode::OK {
        return serde_json::from_slice(&received.body)
            .map(|answer: Answer| answer.secret_string)
            .map_err(|_| SecretError::Malformed);
    }
    // What answers an error may be no service: a proxy, with HTML. Its status is left then.
    let refusal: Refusal = serde_json::from_slice(&received.body).unwrap_or_default();
    // Some services write it with a namespace before it.
    let kind = refusal.kind.rsplit('#').next().unwrap_or_default();
    Err(SecretError::Refused {
        status: received.status,
        kind: kind.to_owned(),
        message: refusal.message,
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use http::header::HeaderMap;
    use secrecy::ExposeSecret;

    use super::*;

    fn received(status: StatusCode, body: &str) -> Received {
        Received {
            status,
            headers: HeaderMap::new(),
            body: BytesMut::from(body),
        }
    }

    #[test]
    fn a_secret_of_bytes_has_no_text() {
        let bytes = received(StatusCode::OK, r#"{"SecretBinary":"e30="}"#);
        assert!(text(&bytes).unwrap().is_none());
        let written = received(StatusCode::OK, r#"{"SecretString":"{\"a\":1}"}"#);
        assert_eq!(
            text(&written).unwrap().unwrap().expose_secret(),
            r#"{"a":1}"#
        );
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let transient = |status, body| text(&received(status, body)).unwrap_err().is_transient();
        assert!(transient(StatusCode::BAD_GATEWAY, "<html>"));
        assert!(transient(
            StatusCode::BAD_REQUEST,
            r#"{"__type":"ThrottlingException"}"#
        ));
        assert!(!transient(
            StatusCode::BAD_REQUEST,
            r#"{"__type":"com.amazonaws#ResourceNotFoundException","Message":"no"}"#
        ));
        assert!(!transient(StatusCode::OK, "<html>"));
    }

    #[test]
    fn an_answer_that_is_none_is_not_quoted() {
        let error = text(&received(StatusCode::OK, r#"{"SecretString":8675309}"#)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("8675309"));
    }
}
