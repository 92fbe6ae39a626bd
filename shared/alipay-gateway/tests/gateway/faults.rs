//! Every fault that the simulator knows: which error it becomes, and how often the call was sent.

use std::time::{Duration, SystemTime};

use alipay_gateway::{Deadline, GatewayError, Protocol};
use simulator::{AppOptions, Fault, FaultKind, Trade};

use crate::redaction::{CANARY, assert_redacted};
use crate::{Fixture, query_of};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Unreachable,
    TimedOut,
    Unverified,
    /// Refused, and it may pass.
    Unavailable,
    /// Refused for good.
    Refused,
}
use Outcome::{Refused, Success, TimedOut, Unavailable, Unreachable, Unverified};

/// What each kind has to become. No wildcard: a new kind of fault has to be thought about here.
fn expected(kind: &FaultKind) -> Outcome {
    match kind {
        FaultKind::Delay { milliseconds } if *milliseconds < 500 => Success,
        FaultKind::Delay { .. } | FaultKind::NeverAnswer | FaultKind::SlowBody { .. } => TimedOut,
        FaultKind::ResetBeforeReading
        | FaultKind::ResetAfterDone
        | FaultKind::HalfBody
        | FaultKind::TruncatedBody
        | FaultKind::Html { .. }
        | FaultKind::EmptyBody { .. }
        | FaultKind::Redirect { .. } => Unreachable,
        // JSON, but no reply.
        FaultKind::Body { text } if text.starts_with('{') => Unverified,
        FaultKind::Body { .. } => Unreachable,
        FaultKind::HugeBody { bytes } if *bytes < 1_000_000 => Success,
        FaultKind::HugeBody { .. } => Unreachable,
        FaultKind::BadSignature
        | FaultKind::NoSignature
        | FaultKind::SignMember { .. }
        | FaultKind::ForeignKey
        | FaultKind::Sha1Signature
        | FaultKind::DuplicateNode { .. }
        | FaultKind::OtherMethodNode
        | FaultKind::BothNodes
        | FaultKind::TwoDocuments
        | FaultKind::ByteOrderMark
        | FaultKind::Node { .. } => Unverified,
        // Certificate mode and encrypted calls: made in certificates.rs and encryption.rs.
        FaultKind::CertificateSn { .. }
        | FaultKind::ChangedCiphertext
        | FaultKind::WrongPadding
        | FaultKind::PlainReply => Unverified,
        // Befalls refreshes alone: made in newer_refresh_tokens.rs.
        FaultKind::AlreadyRefreshed => Success,
        FaultKind::EscapedSlashes | FaultKind::EscapedSlashesSigned => Success,
        FaultKind::Refusal { code, .. } if code == "20000" => Unavailable,
        FaultKind::Refusal { .. } => Refused,
        FaultKind::GbkBytes => Unavailable,
    }
}

/// V3 signs the body as it is sent and has no node, so a few differ.
fn expected_in_v3(kind: &FaultKind) -> Outcome {
    match kind {
        // What is left of the body is not what was signed, whatever it looks like.
        FaultKind::TruncatedBody | FaultKind::EscapedSlashes => Unverified,
        // There is nothing in a V3 reply that they could befall.
        FaultKind::DuplicateNode { .. } | FaultKind::OtherMethodNode | FaultKind::BothNodes => {
            Success
        }
        // V3 is UTF-8.
        FaultKind::GbkBytes => Unreachable,
        kind => expected(kind),
    }
}

fn every_kind() -> Vec<FaultKind> {
    let mut kinds = vec![
        FaultKind::Delay { milliseconds: 50 },
        FaultKind::Delay {
            milliseconds: 5_000,
        },
        FaultKind::NeverAnswer,
        FaultKind::ResetBeforeReading,
        FaultKind::ResetAfterDone,
        FaultKind::HalfBody,
        FaultKind::TruncatedBody,
        FaultKind::SlowBody {
            milliseconds_per_byte: 50,
        },
        FaultKind::Html { status: 200 },
        FaultKind::Html { status: 502 },
        FaultKind::EmptyBody { status: 200 },
        FaultKind::EmptyBody { status: 503 },
        FaultKind::Redirect { location: None },
        FaultKind::HugeBody { bytes: 900_000 },
        FaultKind::HugeBody { bytes: 1_048_577 },
        FaultKind::HugeBody { bytes: 5_000_000 },
        FaultKind::BadSignature,
        FaultKind::NoSignature,
        FaultKind::ForeignKey,
        FaultKind::Sha1Signature,
        FaultKind::OtherMethodNode,
        FaultKind::BothNodes,
        FaultKind::TwoDocuments,
        FaultKind::ByteOrderMark,
        FaultKind::EscapedSlashes,
        FaultKind::EscapedSlashesSigned,
        FaultKind::Body {
            text: "502 Bad Gateway".to_owned(),
        },
        FaultKind::Body {
            text: r#"{"message":"Service Unavailable"}"#.to_owned(),
        },
        FaultKind::Node {
            json: r#"{"code":"10000","out_trade_no":"another"}"#.to_owned(),
        },
        FaultKind::GbkBytes,
    ];
    kinds.extend(
        ["\"\"", "null", "0", "[]", "{}", "\"=\"", "\"AA==\""].map(|json| FaultKind::SignMember {
            json: json.to_owned(),
        }),
    );
    for (forged_first, escaped_name) in [(false, false), (false, true), (true, false), (true, true)]
    {
        kinds.push(FaultKind::DuplicateNode {
            forged_first,
            escaped_name,
        });
    }
    for (code, sub_code) in [
        ("20000", "isp.unknow-error"),
        ("40004", "ACQ.TRADE_NOT_EXIST"),
    ] {
        for (signed, error_response) in [(false, false), (false, true), (true, false), (true, true)]
        {
            kinds.push(FaultKind::Refusal {
                code: code.to_owned(),
                sub_code: sub_code.to_owned(),
                sub_msg: "文字".to_owned(),
                signed,
                error_response,
            });
        }
    }
    kinds
}

fn outcome_of(error: &GatewayError) -> Outcome {
    match error {
        GatewayError::Unreachable { sent: true, .. } => Unreachable,
        GatewayError::TimedOut => TimedOut,
        GatewayError::Unverified { .. } => Unverified,
        GatewayError::Refused(refusal) if refusal.is_transient() => Unavailable,
        GatewayError::Refused(_) => Refused,
        other => panic!("{other:?}"),
    }
}

async fn with_a_trade(protocol: Protocol) -> Fixture {
    let mut fixture = Fixture::with(AppOptions::default()).await;
    fixture.app.protocol = protocol;
    fixture.simulator.add_trade(Trade {
        app_id: fixture.app.app_id.clone(),
        out_trade_no: CANARY.to_owned(),
        trade_no: "2026/1".to_owned(),
        ..Trade::default()
    });
    fixture
}

/// Time for one attempt that fails by the clock, and for three that fail at once.
fn near() -> Deadline {
    Deadline::after(SystemTime::now(), Duration::from_millis(2_000))
}

async fn befall(protocol: Protocol, repeatable: bool) {
    let fixture = with_a_trade(protocol).await;
    let mut call = query_of(CANARY);
    call.repeatable = repeatable;
    for kind in every_kind() {
        let expected = match protocol {
            Protocol::V2 => expected(&kind),
            Protocol::V3 => expected_in_v3(&kind),
        };
        fixture.simulator.inject(Fault::always(kind.clone()));
        let deadline = match expected {
            TimedOut => near(),
            _ => crate::far(),
        };
        let result = fixture.gateway.call(&fixture.app, &call, deadline).await;
        fixture.simulator.clear_faults();
        let outcome = match &result {
            Ok(reply) => {
                assert!(reply.node().contains(CANARY), "{kind:?}");
                Success
            }
            Err(error) => {
                assert_redacted(error);
                assert!(!error.was_never_sent(), "{kind:?}");
                let transient = matches!(outcome_of(error), Unreachable | TimedOut | Unavailable);
                assert_eq!(error.is_transient(), transient, "{kind:?}");
                outcome_of(error)
            }
        };
        assert_eq!(outcome, expected, "{kind:?}");
        let received = match outcome {
            Unreachable | Unavailable if repeatable => 3,
            _ => 1,
        };
        assert_eq!(fixture.received(), received, "{kind:?}");
        // Nothing of the fault is left behind.
        assert!(fixture.call(&call).await.is_ok(), "after {kind:?}");
        fixture.simulator.clear_received();
    }
    assert_eq!(fixture.simulator.redirects_followed(), 0);
}

#[tokio::test]
async fn no_fault_is_a_success_and_what_may_not_be_repeated_is_sent_once() {
    befall(Protocol::V2, false).await;
}

#[tokio::test]
async fn what_may_be_repeated_is_sent_thrice_at_most_and_only_for_what_may_pass() {
    befall(Protocol::V2, true).await;
}

#[tokio::test]
async fn in_v3_too_no_fault_is_a_success_and_what_may_not_be_repeated_is_sent_once() {
    befall(Protocol::V3, false).await;
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen() {
    let fixture = with_a_trade(Protocol::V2).await;
    for kind in [
        FaultKind::ResetAfterDone,
        FaultKind::Html { status: 502 },
        FaultKind::GbkBytes,
    ] {
        fixture.simulator.inject(Fault::times(kind.clone(), 2));
        let result = fixture.call(&query_of(CANARY).repeatable()).await;
        assert!(result.is_ok(), "{kind:?}");
        assert_eq!(fixture.received(), 3, "{kind:?}");
    }
}
