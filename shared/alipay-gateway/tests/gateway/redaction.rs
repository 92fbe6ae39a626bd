//! What an error shows of the call: nothing.

use std::error::Error;
use std::fmt::Write;

use alipay_gateway::GatewayError;
use simulator::{Fault, FaultKind};

use crate::{Fixture, failure, query_of};

/// Stands in codes, tokens and content of the calls whose errors are checked.
pub(crate) const CANARY: &str = "canary7f3a";

/// Everything that a log could get of an error: `Display` and `Debug`, of it and of each of its sources.
pub(crate) fn shown(error: &GatewayError) -> String {
    let mut shown = format!("{error}\n{error:?}\n{error:#?}\n");
    let mut source = error.source();
    while let Some(error) = source {
        write!(shown, "{error}\n{error:?}\n").expect("text");
        source = error.source();
    }
    shown
}

pub(crate) fn assert_redacted(error: &GatewayError) {
    let shown = shown(error);
    for secret in [CANARY, "sign=", "app_id=", "biz_content", "PRIVATE KEY"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn a_refusal_that_echoes_the_signed_text_does_not_show_it() {
    let fixture = Fixture::new().await;
    fixture.simulator.inject(Fault::once(FaultKind::Refusal {
        code: "40002".to_owned(),
        sub_code: "isv.invalid-signature".to_owned(),
        sub_msg: format!("app_id=1&biz_content={CANARY}&sign=x"),
        signed: true,
        error_response: false,
    }));
    let error = failure(fixture.call(&query_of("T1")).await);
    assert_redacted(&error);
    // It is there for the one who asks for it by name.
    let GatewayError::Refused(refusal) = error else {
        panic!("not refused");
    };
    assert!(refusal.sub_msg.unwrap().contains(CANARY));
}

#[tokio::test]
async fn keys_and_clients_are_not_shown() {
    let fixture = Fixture::new().await;
    let shown = format!("{:?} {:?}", fixture.app, fixture.gateway);
    let alipay_key = fixture.app.alipay_key.to_base64();
    for secret in ["PRIVATE", "MII", &alipay_key] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
