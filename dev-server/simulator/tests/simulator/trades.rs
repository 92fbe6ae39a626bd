//! Trades.

use simulator::{AppOptions, Trade};

use crate::caller::{Fixture, TRADE_QUERY, text, verdict};

#[tokio::test]
async fn a_trade_is_found_by_either_number_and_only_by_its_app() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    fixture.simulator.add_trade(Trade {
        app_id: fixture.app.app_id.clone(),
        out_trade_no: "order-1".to_owned(),
        trade_no: "2026112222001400000000000001".to_owned(),
        total_amount: "12.30".to_owned(),
        ..Trade::default()
    });
    for biz_content in [
        r#"{"out_trade_no":"order-1"}"#,
        r#"{"trade_no":"2026112222001400000000000001"}"#,
    ] {
        let node = fixture
            .call(TRADE_QUERY, &[("biz_content", biz_content)])
            .await;
        assert_eq!(
            (text(&node, "code"), text(&node, "total_amount")),
            ("10000", "12.30")
        );
        assert_eq!(
            (text(&node, "out_trade_no"), text(&node, "trade_status")),
            ("order-1", "TRADE_SUCCESS")
        );
    }
    assert_eq!(
        verdict(&fixture.call(TRADE_QUERY, &[("biz_content", "{}")]).await),
        "ACQ.INVALID_PARAMETER"
    );
    fixture.app = fixture.simulator.add_app(AppOptions::default());
    let node = fixture
        .call(
            TRADE_QUERY,
            &[("biz_content", r#"{"out_trade_no":"order-1"}"#)],
        )
        .await;
    assert_eq!(
        (text(&node, "code"), verdict(&node)),
        ("40004", "ACQ.TRADE_NOT_EXIST")
    );
}
