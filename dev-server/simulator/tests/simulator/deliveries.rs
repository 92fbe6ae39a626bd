//! When notices are sent, and how a test has its way with that.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{AppOptions, NoticeAnswer, NoticeStanding};

use crate::caller::Fixture;
use crate::control::{get, post};
use crate::merchant_server::fields;
use crate::notices::Bench;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

#[tokio::test]
async fn a_notice_comes_again_by_alipays_rule_until_it_is_taken() {
    let bench = Bench::new(AppOptions::default()).await;
    bench.server.answers(&[
        (200, "fail"),
        (200, "success\n"),
        (200, "SUCCESS"),
        (201, "success"),
        (302, "success"),
        (500, "success"),
        (200, ""),
    ]);
    let first = bench.paid("A1").await;
    assert_eq!(first.standing, NoticeStanding::Waiting);
    let simulator = &bench.fixture.simulator;
    let pauses = [
        4 * MINUTE,
        10 * MINUTE,
        10 * MINUTE,
        HOUR,
        2 * HOUR,
        6 * HOUR,
        15 * HOUR,
    ];
    for (repeats, pause) in (1..).zip(pauses) {
        simulator.advance_clock(Duration::from_secs(pause - 30));
        bench.settled().await;
        assert_eq!(
            bench.server.deliveries().len(),
            repeats,
            "30 seconds too early"
        );
        simulator.advance_clock(Duration::from_secs(30));
        bench.settled().await;
        assert_eq!(
            bench.server.deliveries().len(),
            repeats + 1,
            "after {pause} s"
        );
    }
    let notice = bench.settled().await.pop().unwrap();
    assert_eq!(notice.standing, NoticeStanding::Acknowledged);
    assert_eq!(notice.attempts.len(), 8);
    let refused = NoticeAnswer::Answered {
        status: 200,
        body: "fail".to_owned(),
    };
    assert_eq!(notice.attempts[0].answer, refused);
    let bodies = bench.server.deliveries();
    assert!(
        bodies
            .iter()
            .all(|delivery| delivery.body == bodies[0].body),
        "the same notice each time"
    );
}

#[tokio::test]
async fn after_the_eighth_time_a_notice_is_given_up() {
    let bench = Bench::new(AppOptions::default()).await;
    bench.server.answers(&[(503, "fail"); 20]);
    bench.paid("A1").await;
    let simulator = &bench.fixture.simulator;
    simulator.advance_clock(Duration::from_secs(25 * HOUR));
    let notice = bench.settled().await.pop().unwrap();
    assert_eq!(
        (notice.standing, notice.attempts.len()),
        (NoticeStanding::GivenUp, 8)
    );
    simulator.advance_clock(Duration::from_secs(100 * HOUR));
    bench.settled().await;
    assert_eq!(bench.server.deliveries().len(), 8);
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_gets_the_notice_later() {
    let bench = Bench::new(AppOptions::default()).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/notify");
    let order = bench.fixture.order_string_with("A1", "notify_url", &url);
    bench.fixture.simulator.pay(&order).unwrap();
    let notice = bench.settled().await.pop().unwrap();
    assert!(matches!(
        notice.attempts[0].answer,
        NoticeAnswer::NotAnswered { .. }
    ));
    assert_eq!(notice.standing, NoticeStanding::Waiting);

    // It accepts the connection and never answers.
    let silent = tokio::net::TcpListener::bind(address).await.unwrap();
    bench
        .fixture
        .simulator
        .advance_clock(Duration::from_secs(4 * MINUTE));
    let (_kept_open, _) = silent.accept().await.unwrap();
    let notice = bench.settled().await.pop().unwrap();
    let late = NoticeAnswer::NotAnswered {
        reason: "no answer within 5 seconds".to_owned(),
    };
    assert_eq!(notice.attempts[1].answer, late);
}

#[tokio::test]
async fn nothing_is_sent_beyond_this_machine() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = fixture.order_string_with("A1", "notify_url", "https://pay.example.com/notify");
    fixture.simulator.pay(&order).unwrap();
    let notice = fixture.simulator.notices_settled().await.pop().unwrap();
    assert_eq!(notice.standing, NoticeStanding::Undeliverable);
    assert!(notice.attempts.is_empty());
    assert!(fixture.simulator.pay(&fixture.order_string("A2")).is_ok());
    assert_eq!(
        fixture.simulator.notices().len(),
        1,
        "no address, no notice"
    );
}

#[tokio::test]
async fn a_notice_is_repeated_many_times_at_once() {
    let bench = Bench::new(AppOptions::default()).await;
    let notice = bench.paid("A1").await;
    let simulator = &bench.fixture.simulator;
    let answers = simulator.repeat_notice(&notice.notify_id, 50).await;
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(NoticeAnswer::is_success));
    let deliveries = bench.server.deliveries();
    assert_eq!(deliveries.len(), 51);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.body == notice.body)
    );
    let unknown = simulator.repeat_notice("nothing", 1).await;
    assert!(!unknown[0].is_success());
}

#[tokio::test]
async fn held_notices_go_out_in_the_order_that_a_test_wants() {
    let bench = Bench::new(AppOptions::default()).await;
    let simulator = &bench.fixture.simulator;
    simulator.hold_notices();
    bench.paid("A1").await;
    bench.refund("12.50", "R1").await;
    simulator.advance_clock(Duration::from_secs(HOUR));
    let held = bench.settled().await;
    assert!(bench.server.deliveries().is_empty());
    let [paid, refunded] = held.as_slice() else {
        panic!("{held:?}")
    };
    let order = [refunded.notify_id.as_str(), paid.notify_id.as_str()];
    let released = simulator.release_notices(&order).await;
    assert!(
        released
            .iter()
            .all(|notice| notice.standing == NoticeStanding::Acknowledged)
    );
    let states: Vec<_> = (bench.server.deliveries().iter())
        .map(|delivery| fields(&delivery.body)["trade_status"].clone())
        .collect();
    assert_eq!(states, ["TRADE_CLOSED", "TRADE_SUCCESS"]);
    simulator.resume_notices();
    assert_eq!(bench.settled().await.len(), 2);
    assert_eq!(
        bench.server.deliveries().len(),
        2,
        "what was taken is not sent again"
    );
}

#[tokio::test]
async fn notices_are_controlled_over_http() {
    let bench = Bench::new(AppOptions::default()).await;
    let fixture = &bench.fixture;
    let app_id = fixture.app.app_id.as_str();
    let hold = json!({"held": true});
    assert_eq!(post(fixture, "/_simulator/notices/held", hold).await.0, 204);
    fixture.simulator.pay(&bench.order("A1")).unwrap();
    let listed = get(fixture, "/_simulator/notices").await;
    assert_eq!(
        (&listed["held"], &listed["notices"][0]["standing"]),
        (&json!(true), &json!("waiting"))
    );
    let notify_id = listed["notices"][0]["notify_id"].clone();
    let release = json!({"notify_ids": [notify_id]});
    let (status, released) = post(fixture, "/_simulator/notices/released", release).await;
    assert_eq!(
        (status, &released["notices"][0]["standing"]),
        (200, &json!("acknowledged"))
    );
    let answer = json!({"answered": {"status": 200, "body": "success"}});
    assert_eq!(released["notices"][0]["attempts"][0]["answer"], answer);
    let repeat = json!({"notify_id": notify_id, "times": 3});
    let (_, repeated) = post(fixture, "/_simulator/notices/repeated", repeat).await;
    assert_eq!(repeated, json!({"answers": [answer, answer, answer]}));
    assert_eq!(bench.server.deliveries().len(), 4);

    let resume = json!({"held": false});
    assert_eq!(
        post(fixture, "/_simulator/notices/held", resume).await.0,
        204
    );
    let forged = json!({"app_id": app_id, "number": "A1", "options": {
        "fields": {"notify_id": "chosen"}, "without": ["seller_email"],
        "forgery": {"changed_fields": {"total_amount": "0.01"}}}});
    let (status, sent) = post(fixture, "/_simulator/notices", forged).await;
    assert_eq!((status, sent), (201, json!({"notify_id": "chosen"})));
    fixture.simulator.notice_acknowledged("chosen").await;
    assert_eq!(bench.server.last()["total_amount"], "0.01");
    let message =
        json!({"url": bench.server.url, "app_id": app_id, "fields": {"notify_type": "t"}});
    let (status, _) = post(fixture, "/_simulator/messages-to-app", message).await;
    assert_eq!(status, 201);
    for (path, wrong) in [
        ("notices", json!({"app_id": app_id, "number": "none"})),
        (
            "notices",
            json!({"app_id": app_id, "number": "A1", "options": {"charset": "latin1"}}),
        ),
        (
            "messages-to-app",
            json!({"app_id": "none", "url": "", "fields": {}}),
        ),
        (
            "notices/repeated",
            json!({"notify_id": "chosen", "times": 1001}),
        ),
        (
            "finished-trades",
            json!({"app_id": app_id, "number": "none"}),
        ),
        (
            "refunds",
            json!({"app_id": app_id, "number": "A1", "refund_amount": "0", "out_request_no": "R"}),
        ),
    ] {
        let (status, _) = post(fixture, &format!("/_simulator/{path}"), wrong.clone()).await;
        assert_eq!(status, 400, "{path} {wrong}");
    }
    let refund =
        json!({"app_id": app_id, "number": "A1", "refund_amount": "1.00", "out_request_no": "R1"});
    let (status, trade) = post(fixture, "/_simulator/refunds", refund).await;
    assert_eq!(
        (status, &trade["refunds"][0]["amount"]),
        (201, &json!("1.00"))
    );
    let finish = json!({"app_id": app_id, "number": "A1"});
    let (status, trade) = post(fixture, "/_simulator/finished-trades", finish).await;
    assert_eq!(
        (status, &trade["trade_status"]),
        (201, &Value::from("TRADE_FINISHED"))
    );
}
