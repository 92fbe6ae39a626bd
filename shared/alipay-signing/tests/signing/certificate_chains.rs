//! Which chains of certificates hold, and what is said of the others.

use std::time::{Duration, SystemTime};

use alipay_signing::SigningKey;
use alipay_signing::certificate::{Certificate, ChainError, RootCertificates};

use crate::OTHER_KEY;
use crate::certificate_writer::*;

/// A file of the drafts, each signed by the key beside it.
fn file(drafts: &[(Draft, &SigningKey)]) -> String {
    drafts.iter().map(|(draft, key)| draft.pem(key)).collect()
}

fn verdict_at(
    now: SystemTime,
    certificates: &[(Draft, &SigningKey)],
    roots: &[(Draft, &SigningKey)],
) -> Result<(), ChainError> {
    Certificate::from_text(&file(certificates))
        .expect("certificates")
        .check_chain(
            &RootCertificates::from_text(&file(roots)).expect("roots"),
            now,
        )
}

fn verdict(
    certificates: &[(Draft, &SigningKey)],
    roots: &[(Draft, &SigningKey)],
) -> Result<(), ChainError> {
    verdict_at(within(), certificates, roots)
}

/// The usual chain with a change to each of its three.
fn changed(
    subject_change: impl FnOnce(&mut Draft),
    intermediate_change: impl FnOnce(&mut Draft),
    root_change: impl FnOnce(&mut Draft),
) -> Result<(), ChainError> {
    let (mut subject, mut intermediate, mut root) = (subject(), intermediate(), root());
    subject_change(&mut subject);
    intermediate_change(&mut intermediate);
    root_change(&mut root);
    verdict(
        &[(subject, &INTERMEDIATE_KEY), (intermediate, &ROOT_KEY)],
        &[(root, &ROOT_KEY)],
    )
}

fn unchanged(_: &mut Draft) {}

#[test]
fn a_chain_to_a_root_holds() {
    assert_eq!(changed(unchanged, unchanged, unchanged), Ok(()));
    // Straight from the root; with the root in the file; out of order; with strangers in between.
    let straight = Draft {
        issuer: name("root"),
        ..subject()
    };
    let roots = [(root(), &*ROOT_KEY)];
    assert_eq!(verdict(&[(straight, &ROOT_KEY)], &roots), Ok(()));
    let stranger = Draft::authority("stranger", &OTHER_KEY, "stranger");
    let certificates = [
        (subject(), &*INTERMEDIATE_KEY),
        (root(), &*ROOT_KEY),
        (stranger, &*OTHER_KEY),
        (intermediate(), &*ROOT_KEY),
    ];
    assert_eq!(verdict(&certificates, &roots), Ok(()));
}

#[test]
fn an_issuer_among_the_roots_ends_the_chain() {
    let roots = [(intermediate(), &*ROOT_KEY)];
    assert_eq!(verdict(&[(subject(), &INTERMEDIATE_KEY)], &roots), Ok(()));
}

#[test]
fn a_chain_without_its_issuer_says_so() {
    let roots = [(root(), &*ROOT_KEY)];
    assert_eq!(
        verdict(&[(subject(), &INTERMEDIATE_KEY)], &roots),
        Err(ChainError::IssuerMissing)
    );
    let foreign = [(Draft::authority("other", &OTHER_KEY, "other"), &*OTHER_KEY)];
    assert_eq!(
        verdict(
            &[(subject(), &INTERMEDIATE_KEY), (intermediate(), &ROOT_KEY)],
            &foreign
        ),
        Err(ChainError::IssuerMissing)
    );
}

#[test]
fn a_chain_that_only_bears_the_names_is_foreign() {
    let roots = [(root(), &*ROOT_KEY)];
    let foreign = Err(ChainError::NotIssuedByRoot);
    // The subject signed by another key than the intermediate's.
    assert_eq!(
        verdict(
            &[(subject(), &OTHER_KEY), (intermediate(), &ROOT_KEY)],
            &roots
        ),
        foreign
    );
    // The intermediate made by somebody who calls himself root.
    assert_eq!(
        verdict(
            &[(subject(), &INTERMEDIATE_KEY), (intermediate(), &OTHER_KEY)],
            &roots
        ),
        foreign
    );
    // A whole chain of the same names, with its own root in the file.
    let own_root = Draft::authority("root", &OTHER_KEY, "root");
    assert_eq!(
        verdict(
            &[
                (subject(), &INTERMEDIATE_KEY),
                (intermediate(), &OTHER_KEY),
                (own_root, &OTHER_KEY)
            ],
            &roots
        ),
        foreign
    );
    // Signed by itself.
    let alone = Draft::new("subject", &SUBJECT_KEY, "subject");
    assert_eq!(verdict(&[(alone, &SUBJECT_KEY)], &roots), foreign);
    // A changed byte of what is signed.
    let mut der = subject().der(&INTERMEDIATE_KEY);
    let at = der
        .windows(7)
        .position(|window| window == b"subject")
        .expect("its name");
    der[at] ^= 0x20;
    let text = pem("CERTIFICATE", &der) + &intermediate().pem(&ROOT_KEY);
    let certificate = Certificate::from_text(&text).expect("certificates");
    let roots = RootCertificates::from_text(&file(&roots)).expect("roots");
    assert_eq!(certificate.check_chain(&roots, within()), foreign);
}

#[test]
fn every_certificate_on_the_path_must_be_valid_at_the_time() {
    type Place = (fn(&mut Draft), fn(&mut Draft), fn(&mut Draft));
    let late: fn(&mut Draft) = |draft| draft.not_before = "20210101000000Z";
    let early: fn(&mut Draft) = |draft| draft.not_after = "200101000001Z";
    let places = |change: fn(&mut Draft)| -> [Place; 3] {
        [
            (change, unchanged, unchanged),
            (unchanged, change, unchanged),
            (unchanged, unchanged, change),
        ]
    };
    for (subject, intermediate, root) in places(late) {
        assert_eq!(
            changed(subject, intermediate, root),
            Err(ChainError::NotYetValid)
        );
    }
    for (subject, intermediate, root) in places(early) {
        assert_eq!(
            changed(subject, intermediate, root),
            Err(ChainError::Expired)
        );
    }
}

#[test]
fn both_ends_of_the_validity_belong_to_it() {
    let certificate =
        Certificate::from_text(&subject().pem(&INTERMEDIATE_KEY)).expect("a certificate");
    let at = |now| {
        verdict_at(
            now,
            &[(subject(), &INTERMEDIATE_KEY), (intermediate(), &ROOT_KEY)],
            &[(root(), &ROOT_KEY)],
        )
    };
    let second = Duration::from_secs(1);
    assert_eq!(at(certificate.not_before()), Ok(()));
    assert_eq!(at(certificate.not_after()), Ok(()));
    assert_eq!(
        at(certificate.not_before() - second),
        Err(ChainError::NotYetValid)
    );
    assert_eq!(
        at(certificate.not_after() + second),
        Err(ChainError::Expired)
    );
}

#[test]
fn an_expired_issuer_does_not_hide_its_renewed_certificate() {
    let expired = Draft {
        not_after: "200101000001Z",
        ..intermediate()
    };
    let certificates = [
        (subject(), &*INTERMEDIATE_KEY),
        (expired.clone(), &*ROOT_KEY),
        (intermediate(), &*ROOT_KEY),
    ];
    let roots = [(root(), &*ROOT_KEY)];
    assert_eq!(verdict(&certificates, &roots), Ok(()));
    assert_eq!(
        verdict(&certificates[..2], &roots),
        Err(ChainError::Expired)
    );
}

#[test]
fn only_an_authority_may_issue() {
    let not_authority = Err(ChainError::IssuerNotAuthority);
    // A subject's certificate, itself in order, that issues another one.
    assert_eq!(
        changed(
            unchanged,
            |draft| draft.extensions = vec![key_usage(false)],
            unchanged
        ),
        not_authority
    );
    assert_eq!(
        changed(unchanged, |draft| draft.extensions.clear(), unchanged),
        not_authority
    );
    assert_eq!(
        changed(
            unchanged,
            |draft| draft.extensions = vec![authority(None), key_usage(false)],
            unchanged
        ),
        not_authority
    );
    assert_eq!(
        changed(
            unchanged,
            |draft| draft.extensions = vec![authority(None)],
            unchanged
        ),
        Ok(())
    );
    assert_eq!(
        changed(unchanged, unchanged, |draft| draft.extensions.clear()),
        not_authority
    );
}

/// Time passes and is mended by a new file; an issuer that was none never was one.
#[test]
fn that_an_issuer_is_none_is_said_whatever_the_time() {
    let app = Draft {
        issuer: name("root"),
        subject: name("app"),
        ..subject()
    };
    let expired = Draft {
        not_after: "200102000000Z",
        ..Draft::authority("own authority", &OTHER_KEY, "app")
    };
    let forged = Draft {
        issuer: name("own authority"),
        ..subject()
    };
    let certificates = [
        (forged, &*OTHER_KEY),
        (expired, &*SUBJECT_KEY),
        (app, &*ROOT_KEY),
    ];
    assert_eq!(
        verdict(&certificates, &[(root(), &ROOT_KEY)]),
        Err(ChainError::IssuerNotAuthority)
    );
}

#[test]
fn an_authority_is_no_subject() {
    let roots = [(root(), &*ROOT_KEY)];
    let refused = Err(ChainError::AuthorityAsSubject);
    assert_eq!(verdict(&[(intermediate(), &ROOT_KEY)], &roots), refused);
    assert_eq!(verdict(&[(root(), &ROOT_KEY)], &roots), refused);
}

#[test]
fn an_authority_issues_no_deeper_than_it_may() {
    let limit = |length| move |draft: &mut Draft| draft.extensions = vec![authority(Some(length))];
    assert_eq!(changed(unchanged, limit(0), limit(1)), Ok(()));
    assert_eq!(
        changed(unchanged, unchanged, limit(0)),
        Err(ChainError::TooLong)
    );
}

#[test]
fn signatures_that_prove_nothing_are_refused() {
    let sha1 = |draft: &mut Draft| draft.algorithm = SHA1_WITH_RSA;
    let refused = Err(ChainError::SignatureAlgorithm);
    assert_eq!(changed(sha1, unchanged, unchanged), refused);
    assert_eq!(changed(unchanged, sha1, unchanged), refused);
    // A root is trusted for itself; Alipay's older one is signed so.
    assert_eq!(changed(unchanged, unchanged, sha1), Ok(()));
    let curve = |draft: &mut Draft| draft.algorithm = ECDSA_WITH_SHA256;
    assert_eq!(changed(curve, unchanged, unchanged), refused);
}

#[test]
fn a_critical_extension_that_is_not_known_is_refused() {
    let oid = [0x55, 0x1d, 0x1e];
    let add =
        |critical| move |draft: &mut Draft| draft.extensions.push(extension(&oid, critical, &[]));
    assert_eq!(changed(add(false), add(false), add(false)), Ok(()));
    let refused = Err(ChainError::CriticalExtension);
    assert_eq!(changed(add(true), unchanged, unchanged), refused);
    assert_eq!(changed(unchanged, add(true), unchanged), refused);
    assert_eq!(changed(unchanged, unchanged, add(true)), refused);
}

#[test]
fn authorities_that_issue_each_other_come_to_an_end() {
    // Seven of one name and key, each issued by all: every path goes on until it is too long or has used all.
    let tangle: Vec<(Draft, &SigningKey)> = (0..7)
        .map(|serial| {
            let draft = Draft {
                serial: vec![serial + 1],
                ..Draft::authority("tangle", &OTHER_KEY, "tangle")
            };
            (draft, &*OTHER_KEY)
        })
        .collect();
    let subject = Draft::new("subject", &SUBJECT_KEY, "tangle");
    let mut certificates = vec![(subject, &*OTHER_KEY)];
    certificates.extend(tangle);
    let verdict = verdict(&certificates, &[(root(), &ROOT_KEY)]);
    assert_eq!(verdict, Err(ChainError::TooLong));
}

#[test]
fn a_path_has_a_length() {
    // Six issuers in the file, subject and root: eight. And one more.
    let chain = |issuers: usize| {
        let names: Vec<String> = (0..issuers).map(|at| format!("issuer {at}")).collect();
        let above = |at: usize| names.get(at + 1).map_or("root", String::as_str);
        let mut certificates = vec![(
            Draft::new("subject", &SUBJECT_KEY, &names[0]),
            &*INTERMEDIATE_KEY,
        )];
        certificates.extend((0..issuers).map(|at| {
            let draft = Draft::authority(&names[at], &INTERMEDIATE_KEY, above(at));
            let is_last = at + 1 == issuers;
            (
                draft,
                if is_last {
                    &*ROOT_KEY
                } else {
                    &*INTERMEDIATE_KEY
                },
            )
        }));
        verdict(&certificates, &[(root(), &ROOT_KEY)])
    };
    assert_eq!(chain(6), Ok(()));
    assert_eq!(chain(7), Err(ChainError::TooLong));
}
