//! The control API, the routes, and life and death of the simulator.

use serde_json::{Value, json};
use simulator::{AppOptions, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::caller::{Fixture, MESSAGE_SEND, OAUTH_TOKEN, TRADE_QUERY, client, text, verdict};

pub(crate) async fn get(fixture: &Fixture, path: &str) -> Value {
    let response = fixture
        .http
        .get(fixture.simulator.base_url() + path)
        .send()
        .await
        .unwrap();
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

pub(crate) async fn post(fixture: &Fixture, path: &str, body: Value) -> (u16, Value) {
    let request = fixture.http.post(fixture.simulator.base_url() + path);
    let response = request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

pub(crate) async fn delete(fixture: &Fixture, path: &str) -> u16 {
    fixture
        .http
        .delete(fixture.simulator.base_url() + path)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn every_listed_route_is_there_and_an_unknown_path_lists_them() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let listed = get(&fixture, "/_simulator/").await;
    let routes = listed["routes"].as_array().unwrap().clone();
    assert!(routes.len() > 15);
    for route in &routes {
        let (method, path) = (text(route, "method"), text(route, "path"));
        if path.starts_with("/mini-codes/") || path == "/_simulator/connections" {
            continue;
        }
        let url = fixture.simulator.base_url() + path;
        let status = fixture
            .http
            .request(method.parse().unwrap(), url)
            .send()
            .await
            .unwrap()
            .status();
        assert!(
            ![404, 405].contains(&status.as_u16()),
            "{method} {path}: {status}"
        );
    }
    let response = fixture
        .http
        .get(fixture.simulator.base_url() + "/nowhere")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 404);
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["routes"], listed["routes"]);
    let response = fixture
        .http
        .get(fixture.simulator.gateway_url())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 405);
}

#[tokio::test]
async fn everything_a_test_needs_can_be_done_over_http() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let (status, app) = post(&fixture, "/_simulator/apps", json!({"app_id":"2021000000000042","identifiers":"user_id_only","sign_types":["RSA2"],"templates":[{"id":"t"}],"tokens":{"spelling":"string"}})).await;
    assert_eq!(status, 201, "{app}");
    fixture.app.app_id = text(&app, "app_id").to_owned();
    fixture.app.private_key = text(&app, "private_key").to_owned();
    assert_eq!(
        get(&fixture, "/_simulator/apps").await[1]["app_id"],
        "2021000000000042"
    );
    assert_eq!(
        post(&fixture, "/_simulator/apps", json!({"app_id":"x","typo":1}))
            .await
            .0,
        422
    );
    assert_eq!(
        post(
            &fixture,
            "/_simulator/apps",
            json!({"key":{"private":"AA=="}})
        )
        .await
        .0,
        400
    );

    let user = json!({"user_id":"2088000000000055","nick_name":"阿里"});
    assert_eq!(post(&fixture, "/_simulator/users", user).await.0, 201);
    assert_eq!(
        post(&fixture, "/_simulator/users", json!({"user_id":"1"}))
            .await
            .0,
        400
    );
    assert_eq!(
        get(&fixture, "/_simulator/users")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let wanted = json!({"app_id":"2021000000000042","user_id":"2088000000000055","scope":"auth_user","lifetime_seconds":60});
    let (status, code) = post(&fixture, "/_simulator/codes", wanted.clone()).await;
    assert_eq!(status, 201);
    let tokens = fixture.exchange(text(&code, "code")).await;
    assert_eq!(
        (text(&tokens, "user_id"), text(&tokens, "expires_in")),
        ("2088000000000055", "1296000")
    );
    assert_eq!(
        post(&fixture, "/_simulator/codes", json!({"app_id":"none"}))
            .await
            .0,
        400
    );

    let (_, code) = post(&fixture, "/_simulator/codes", wanted).await;
    assert_eq!(
        post(&fixture, "/_simulator/clock", json!({"advance_seconds":60}))
            .await
            .1["advanced_seconds"],
        60
    );
    assert_eq!(
        verdict(&fixture.exchange(text(&code, "code")).await),
        "isv.code-invalid"
    );
    let of = json!({"app_id":"2021000000000042","user_id":"2088000000000055"});
    assert_eq!(
        post(&fixture, "/_simulator/revocations", of.clone())
            .await
            .1["revoked"],
        1
    );

    let message = json!({"to_user_id":"2088000000000055","user_template_id":"t","page":"p","data":"{\"keyword1\":{\"value\":\"v\"}}"}).to_string();
    assert_eq!(
        post(&fixture, "/_simulator/unsubscriptions", of).await.0,
        204
    );
    assert_eq!(
        verdict(
            &fixture
                .call(MESSAGE_SEND, &[("biz_content", &message)])
                .await
        ),
        "MSG_UNSUBSCRIBED"
    );
    assert_eq!(delete(&fixture, "/_simulator/unsubscriptions").await, 204);
    assert_eq!(
        verdict(
            &fixture
                .call(MESSAGE_SEND, &[("biz_content", &message)])
                .await
        ),
        "10000"
    );
    assert_eq!(
        get(&fixture, "/_simulator/messages").await[0]["keywords"]["keyword1"],
        "v"
    );

    let trade = json!({"app_id":"2021000000000042","out_trade_no":"o1"});
    assert_eq!(post(&fixture, "/_simulator/trades", trade).await.0, 201);
    assert_eq!(
        verdict(
            &fixture
                .call(TRADE_QUERY, &[("biz_content", r#"{"out_trade_no":"o1"}"#)])
                .await
        ),
        "10000"
    );

    let fault = json!({"kind":{"refusal":{"code":"20000","sub_code":"isp.unknow-error"}},"method":OAUTH_TOKEN,"times":1});
    assert_eq!(post(&fixture, "/_simulator/faults", fault).await.0, 201);
    assert_eq!(
        get(&fixture, "/_simulator/faults")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(verdict(&fixture.exchange("x").await), "isp.unknow-error");
    assert_eq!(verdict(&fixture.exchange("x").await), "isv.code-invalid");
    assert_eq!(
        post(
            &fixture,
            "/_simulator/faults",
            json!({"kind":"no_such_fault"})
        )
        .await
        .0,
        422
    );
    assert_eq!(delete(&fixture, "/_simulator/faults").await, 204);

    let received = get(&fixture, "/_simulator/received").await;
    assert_eq!(received["counts"][MESSAGE_SEND], 2);
    assert_eq!(received["calls"][0]["verdict"]["outcome"], "done");
    assert_eq!(delete(&fixture, "/_simulator/received").await, 204);
    assert!(fixture.simulator.received().is_empty());
}

#[tokio::test]
async fn opening_a_connection_ahead_is_no_call() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let url = fixture.simulator.base_url();
    assert_eq!(
        fixture
            .http
            .head(&url)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    assert_eq!(
        fixture
            .http
            .get(&url)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    assert!(fixture.simulator.received().is_empty());
    fixture.call(TRADE_QUERY, &[]).await;
    let received = fixture.simulator.received();
    assert_eq!(
        (received.len(), received[0].connection.id),
        (1, 1),
        "the connection that was opened ahead"
    );
}

#[tokio::test]
async fn open_connections_can_be_reset_under_a_client() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let mut stream = TcpStream::connect(fixture.simulator.address())
        .await
        .unwrap();
    stream
        .write_all(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(fixture.simulator.reset_connections(), 1);
    let end = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    fixture.call(TRADE_QUERY, &[]).await;
    assert_eq!(fixture.simulator.connections_accepted(), 2);
}

#[tokio::test]
async fn a_stopped_simulator_frees_its_port() {
    let simulator = Simulator::start().await.unwrap();
    let address = simulator.address();
    client().get(simulator.base_url()).send().await.unwrap();
    assert!(
        Simulator::start_on(address).await.is_err(),
        "the port is taken"
    );
    simulator.stop();
    let again = Simulator::start_on(address).await.unwrap();
    assert_eq!(again.address(), address);
    client().get(again.base_url()).send().await.unwrap();
}

#[tokio::test]
async fn certificates_and_encrypted_data_can_be_had_over_http() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let (status, app) = post(&fixture, "/_simulator/apps", json!({"certificates":true})).await;
    assert_eq!(status, 201, "{app}");
    assert!(text(&app, "app_certificate").starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(text(&app, "aes_key").len(), 24);
    let (status, plain) = post(
        &fixture,
        "/_simulator/apps",
        json!({"content_encryption":false}),
    )
    .await;
    assert_eq!((status, text(&plain, "aes_key")), (201, ""));

    let (status, changed) = post(
        &fixture,
        "/_simulator/alipay-certificates",
        json!({"change":"renewed"}),
    )
    .await;
    assert_eq!(status, 201);
    assert_ne!(changed["alipay_cert_sn"], app["alipay_cert_sn"]);

    let app_id = text(&app, "app_id");
    let (status, handed_over) = post(
        &fixture,
        "/_simulator/phone-numbers",
        json!({"app_id":app_id}),
    )
    .await;
    assert_eq!(status, 201);
    assert!(text(&handed_over, "response").contains("\"encrypt_type\":\"AES\""));
    let refused = json!({"app_id":app_id,"failure":"refused_by_user"});
    let (_, handed_over) = post(&fixture, "/_simulator/phone-numbers", refused).await;
    assert!(text(&handed_over, "response").contains("isv.invalid-auth-relations"));
    let data = json!({"app_id":app_id,"data":{"step":7}});
    let (status, _) = post(&fixture, "/_simulator/encrypted-data", data).await;
    assert_eq!(status, 201);
    let without_key = json!({"app_id":text(&plain, "app_id"),"data":{}});
    let (status, _) = post(&fixture, "/_simulator/encrypted-data", without_key).await;
    assert_eq!(status, 400);
    let (status, _) = post(
        &fixture,
        "/_simulator/phone-numbers",
        json!({"app_id":"none"}),
    )
    .await;
    assert_eq!(status, 400);
}
