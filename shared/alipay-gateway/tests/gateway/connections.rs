//! Connections: kept, lost while nobody looked, refused.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use alipay_gateway::methods::exchange_code;
use alipay_gateway::{App, GatewayError};
use simulator::CodeOptions;
use url::Url;

use crate::redaction::{CANARY, assert_redacted};
use crate::{Fixture, OAUTH_TOKEN, failure, query_of};

#[tokio::test]
async fn one_connection_serves_many_calls_and_is_opened_ahead() {
    let fixture = Fixture::new().await;
    fixture.gateway.open_connection(&fixture.app.gateway).await;
    assert_eq!(fixture.simulator.connections_accepted(), 1);
    for _ in 0..3 {
        let _ = fixture.call(&query_of("T1")).await;
    }
    assert_eq!(fixture.simulator.connections_accepted(), 1);
    assert_eq!(fixture.received(), 3);
}

#[tokio::test]
async fn opening_a_connection_to_nobody_is_not_an_error() {
    let fixture = Fixture::new().await;
    fixture.gateway.open_connection(&nobody()).await;
}

/// Returns when the resets have gone out. It blocks the thread, so that a runtime of one thread sees nothing of them.
fn reset_and_wait(fixture: &Fixture) {
    while fixture.simulator.reset_connections() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A Lambda environment is frozen between two calls, and the gateway resets the idle connection meanwhile. The thread sleeps
/// here and the runtime with it: when the next call begins, nothing has looked at the connection.
#[tokio::test]
async fn a_connection_that_died_in_a_freeze_costs_nothing() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        let _ = fixture.call(&query_of("T1")).await;
        fixture.simulator.clear_received();
        reset_and_wait(&fixture);
        // A code: it must not be spent twice, and must not be lost.
        let code = fixture
            .simulator
            .issue_code(&fixture.app.app_id, CodeOptions::default());
        let result = fixture.call(&exchange_code(&code.into())).await;
        assert!(result.is_ok(), "{}", failure(result));
        assert_eq!(fixture.simulator.received_count(OAUTH_TOKEN), 1);
    }
}

/// The same with a runtime that goes on meanwhile.
#[tokio::test]
async fn a_connection_that_died_while_idle_costs_nothing() {
    let fixture = Fixture::new().await;
    for _ in 0..20 {
        let _ = fixture.call(&query_of("T1")).await;
        fixture.simulator.clear_received();
        reset_and_wait(&fixture);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let code = fixture
            .simulator
            .issue_code(&fixture.app.app_id, CodeOptions::default());
        let result = fixture.call(&exchange_code(&code.into())).await;
        assert!(result.is_ok(), "{}", failure(result));
        assert_eq!(fixture.received(), 1);
    }
}

/// An address at which nobody listens.
fn nobody() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    Url::parse(&format!("http://127.0.0.1:{port}/gateway.do")).expect("a URL")
}

#[tokio::test]
async fn who_was_not_reached_received_nothing() {
    let fixture = Fixture::new().await;
    // A label this long is no name at all, so no resolver is asked.
    let no_host = format!("http://{}.invalid/gateway.do", "a".repeat(64));
    // The simulator speaks no TLS: https never falls back to plain text.
    let no_tls = fixture.simulator.gateway_url().replace("http:", "https:");
    for gateway in [
        nobody(),
        Url::parse(&no_host).unwrap(),
        Url::parse(&no_tls).unwrap(),
    ] {
        let app = App {
            gateway,
            ..fixture.app.clone()
        };
        for call in [query_of(CANARY), query_of(CANARY).repeatable()] {
            let result = fixture.gateway.call(&app, &call, crate::far()).await;
            let error = failure(result);
            assert!(
                matches!(error, GatewayError::Unreachable { sent: false, .. }),
                "{}: {error:?}",
                app.gateway
            );
            assert!(error.was_never_sent() && error.is_transient());
            assert_redacted(&error);
        }
    }
    assert_eq!(fixture.received(), 0);
}

/// The first attempt arrives and its connection breaks; by the second nobody listens any more. Alipay may have done the call.
#[tokio::test]
async fn what_was_sent_once_is_never_called_unsent() {
    let fixture = Fixture::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a connection");
        drop(listener);
        let mut some = [0; 16];
        connection.read_exact(&mut some).expect("a request");
    });
    let app = App {
        gateway: Url::parse(&format!("http://{address}/gateway.do")).expect("a URL"),
        ..fixture.app.clone()
    };
    let call = query_of("T1").repeatable();
    let error = failure(fixture.gateway.call(&app, &call, crate::far()).await);
    server.join().expect("the server");
    assert!(
        matches!(error, GatewayError::Unreachable { sent: true, .. }),
        "{error:?}"
    );
    assert!(!error.was_never_sent());
}
