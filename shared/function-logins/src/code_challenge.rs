use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use function_kit::Failure;
use serde::{Deserialize, Serialize};

/// Length of a SHA-256 in base64url.
const CHALLENGE_CHARACTERS: usize = 43;

/// The hash of a secret that whoever begins a login keeps to themselves, and shows when they collect its result (PKCE, RFC 7636): what
/// is handed over in a browser's address is then worth nothing to others who see it. `S256` is the one method: of `plain`, the
/// challenge is the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// The challenge in a request's `code_challenge` and `code_challenge_method`, where it has one.
    ///
    /// # Errors
    /// `invalid_argument` for anything but a challenge with the method `S256`. A missing method means `plain` (RFC 7636).
    pub fn from_query(
        challenge: Option<&str>,
        method: Option<&str>,
    ) -> Result<Option<Self>, Failure> {
        let Some(challenge) = challenge else {
            return match method {
                None => Ok(None),
                Some(_) => Err(Failure::invalid("code_challenge", "is required")),
            };
        };
        if method != Some("S256") {
            return Err(Failure::invalid("code_challenge_method", "must be S256"));
        }
        let is_hash = challenge.len() == CHALLENGE_CHARACTERS
            && challenge
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_hash {
            Ok(Some(Self(challenge.to_owned())))
        } else {
            Err(Failure::invalid(
                "code_challenge",
                "must be the SHA-256 of the verifier in base64url without padding: 43 characters",
            ))
        }
    }

    /// Whether `verifier` goes with the `challenge` of the beginning. A verifier without a challenge does not: its owner sent one,
    /// and somebody has taken it away on the way (RFC 9700, section 4.8).
    pub fn is_answered(challenge: Option<&Self>, verifier: Option<&str>) -> bool {
        match (challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => {
                let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
                is_verifier(verifier)
                    && verify_slices_are_equal(hash.as_bytes(), challenge.0.as_bytes()).is_ok()
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

/// RFC 7636, section 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge() -> CodeChallenge {
        let read = CodeChallenge::from_query(Some(CHALLENGE), Some("S256"));
        read.unwrap().unwrap()
    }

    #[test]
    fn the_verifier_of_the_rfc_answers_its_challenge_and_no_other_does() {
        let challenge = challenge();
        let answered = |verifier| CodeChallenge::is_answered(Some(&challenge), verifier);
        assert!(answered(Some(VERIFIER)));
        // The challenge itself is what others have seen.
        for other in [None, Some(""), Some(CHALLENGE), VERIFIER.get(1..)] {
            assert!(!answered(other), "{other:?}");
        }
    }

    #[test]
    fn a_verifier_that_is_none_answers_not_even_its_own_hash() {
        for text in ["short".to_owned(), "a".repeat(129), " ".repeat(43)] {
            let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
            let read = CodeChallenge::from_query(Some(&hash), Some("S256"));
            let challenge = read.unwrap();
            assert!(!CodeChallenge::is_answered(challenge.as_ref(), Some(&text)));
        }
    }

    #[test]
    fn without_a_challenge_there_is_no_verifier() {
        assert!(CodeChallenge::is_answered(None, None));
        assert!(!CodeChallenge::is_answered(None, Some(VERIFIER)));
    }

    #[test]
    fn nothing_but_a_hash_with_s256_is_a_challenge() {
        assert_eq!(CodeChallenge::from_query(None, None).unwrap(), None);
        let padded = format!("{CHALLENGE}=");
        for (challenge, method) in [
            (Some(CHALLENGE), None),
            (Some(CHALLENGE), Some("plain")),
            (Some(CHALLENGE), Some("s256")),
            (None, Some("S256")),
            (Some(""), Some("S256")),
            (Some(padded.as_str()), Some("S256")),
            (CHALLENGE.get(1..), Some("S256")),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"),
                Some("S256"),
            ),
        ] {
            let refused = CodeChallenge::from_query(challenge, method);
            assert!(refused.is_err(), "{challenge:?} {method:?}");
        }
    }
}
