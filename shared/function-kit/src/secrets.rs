use std::path::PathBuf;

use secrecy::SecretString;

use crate::aws::secret_text;
use crate::settings::{SettingError, StartUpError, setting};

/// An app with its keys is about 2 KiB, so this is room for two thousand; Secrets Manager itself allows 64 KiB.
const MAX_DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;

/// Where a document lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    File(PathBuf),
    Secret(String),
}

/// A document as read, with the folder that `{"file":…}` entries in it are relative to. In a secret there are none.
#[derive(Debug)]
pub(crate) struct Document {
    pub text: SecretString,
    pub folder: Option<PathBuf>,
}

impl Location {
    /// From the two variables, of which exactly one must be set.
    pub(crate) fn from_settings(
        file: &'static str,
        secret: &'static str,
    ) -> Result<Self, SettingError> {
        match (setting(file), setting(secret)) {
            (Some(path), None) => Ok(Self::File(path.into())),
            (None, Some(id)) => Ok(Self::Secret(id)),
            (None, None) => Err(SettingError::new(
                file,
                format!("is not set, and {secret} is not either; set one of them"),
            )),
            (Some(_), Some(_)) => Err(SettingError::new(
                file,
                format!("is set, and {secret} is too; set only one of them"),
            )),
        }
    }

    pub(crate) async fn read(
        &self,
        file: &'static str,
        secret: &'static str,
    ) -> Result<Document, StartUpError> {
        match self {
            Self::File(path) => {
                let problem = |problem: String| SettingError::new(file, problem);
                let length = std::fs::metadata(path)
                    .map_err(|error| problem(format!("the file cannot be read: {error}")))?
                    .len();
                if length > MAX_DOCUMENT_BYTES {
                    return Err(problem("the file is larger than 4 MiB".to_owned()).into());
                }
                let text = std::fs::read_to_string(path)
                    .map_err(|error| problem(format!("the file cannot be read: {error}")))?;
                Ok(Document {
                    text: text.into(),
                    folder: path.parent().map(Into::into),
                })
            }
            Self::Secret(id) => {
                let text = secret_text(id, secret).await?.ok_or_else(|| {
                    SettingError::new(
                        secret,
                        "the secret holds no text; store the document as SecretString",
                    )
                })?;
                Ok(Document { text, folder: None })
            }
        }
    }
}

/// The text of the document that one of the two variables names: a local file, or a secret in Secrets Manager.
///
/// # Errors
/// Names the variable when neither or both are set, or when the document cannot be read.
pub async fn read_document(
    file: &'static str,
    secret: &'static str,
) -> Result<SecretString, StartUpError> {
    Ok(Location::from_settings(file, secret)?
        .read(file, secret)
        .await?
        .text)
}
