//! The path from a certificate to a root: first it is found, by names and signatures, then it is judged.

use std::time::SystemTime;

use super::ChainError;
use super::x509::X509;

/// Certificates on a path, the first and the root counted.
const MAX_PATH: usize = 8;
/// Signatures that one check verifies at most, however a file's certificates are entangled.
const MAX_SIGNATURES: u32 = 64;

/// Checks that a path leads from `subject` over `issuers` to one of `roots`, and that it is valid at `now`.
pub(super) fn check(
    subject: &X509,
    issuers: &[X509],
    roots: &[X509],
    now: SystemTime,
) -> Result<(), ChainError> {
    if subject.extensions.is_authority {
        return Err(ChainError::AuthorityAsSubject);
    }
    let mut search = Search {
        issuers,
        roots,
        now,
        signatures_left: MAX_SIGNATURES,
    };
    search.extend(&mut vec![subject])
}

struct Search<'a> {
    issuers: &'a [X509],
    roots: &'a [X509],
    now: SystemTime,
    signatures_left: u32,
}

impl<'a> Search<'a> {
    /// Goes on from the last certificate of `path`. With several issuers to choose from, one good path is enough.
    fn extend(&mut self, path: &mut Vec<&'a X509>) -> Result<(), ChainError> {
        let Some(&last) = path.last() else {
            return Err(ChainError::NotIssuedByRoot);
        };
        let mut outcome = if last.is_self_issued() {
            ChainError::NotIssuedByRoot
        } else {
            ChainError::IssuerMissing
        };
        let roots = self.roots.iter().map(|root| (root, true));
        let issuers = self.issuers.iter().map(|issuer| (issuer, false));
        for (candidate, is_root) in roots.chain(issuers) {
            if candidate.subject != last.issuer
                || path.iter().any(|&on| std::ptr::eq(on, candidate))
            {
                continue;
            }
            let found = self.step(path, last, candidate, is_root);
            match found {
                Ok(()) => return Ok(()),
                Err(error) => outcome = more_telling(outcome, error),
            }
        }
        Err(outcome)
    }

    fn step(
        &mut self,
        path: &mut Vec<&'a X509>,
        last: &X509,
        candidate: &'a X509,
        is_root: bool,
    ) -> Result<(), ChainError> {
        if path.len() == MAX_PATH {
            return Err(ChainError::TooLong);
        }
        if !last.has_safe_signature() {
            return Err(ChainError::SignatureAlgorithm);
        }
        self.signatures_left = self
            .signatures_left
            .checked_sub(1)
            .ok_or(ChainError::TooLong)?;
        if !last.is_signed_by(candidate) {
            return Err(ChainError::NotIssuedByRoot);
        }
        path.push(candidate);
        let outcome = if is_root {
            judge(path, self.now)
        } else {
            self.extend(path)
        };
        path.pop();
        outcome
    }
}

/// A fault of a path that was found says more than that another one was not.
fn more_telling(known: ChainError, new: ChainError) -> ChainError {
    let weight = |error| match error {
        ChainError::IssuerMissing => 0,
        ChainError::NotIssuedByRoot => 1,
        ChainError::TooLong => 2,
        ChainError::SignatureAlgorithm => 3,
        _ => 4,
    };
    if weight(new) > weight(known) {
        new
    } else {
        known
    }
}

/// The rules for a path whose signatures are right, subject first and root last. Time comes last: what is only out of date was
/// in order once, and nothing else may hide behind it.
fn judge(path: &[&X509], now: SystemTime) -> Result<(), ChainError> {
    for (position, certificate) in path.iter().enumerate() {
        let extensions = certificate.extensions;
        if extensions.has_unknown_critical {
            return Err(ChainError::CriticalExtension);
        }
        if position > 0 {
            if !extensions.is_authority || extensions.signs_certificates == Some(false) {
                return Err(ChainError::IssuerNotAuthority);
            }
            // Self-issued certificates do not count (RFC 5280, 6.1).
            let between = path[1..position]
                .iter()
                .filter(|issuer| !issuer.is_self_issued())
                .count() as u64;
            if extensions.path_length.is_some_and(|most| between > most) {
                return Err(ChainError::TooLong);
            }
        }
    }
    for certificate in path {
        if now < certificate.validity.not_before {
            return Err(ChainError::NotYetValid);
        }
        if now > certificate.validity.not_after {
            return Err(ChainError::Expired);
        }
    }
    Ok(())
}
