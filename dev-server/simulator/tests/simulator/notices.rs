//! Notices: what they say, how they are signed, and how a test forges them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use simulator::{
    AppOptions, Identifiers, Notice, NoticeForgery, NoticeOptions, NoticeStanding, SignedText,
    SimulatedUser, Trade,
};

use crate::caller::{Fixture, text};
use crate::merchant_server::{MerchantServer, fields, is_signed};
use crate::payments::TRADE_REFUND;

/// A simulator, an app, and the server that its notices go to.
pub(crate) struct Bench {
    pub(crate) fixture: Fixture,
    pub(crate) server: MerchantServer,
}

impl Bench {
    pub(crate) async fn new(options: AppOptions) -> Self {
        Self {
            fixture: Fixture::new(options).await,
            server: MerchantServer::start().await,
        }
    }

    pub(crate) fn order(&self, out_trade_no: &str) -> String {
        let fixture = &self.fixture;
        fixture.order_string_with(out_trade_no, "notify_url", &self.server.url)
    }

    /// A paid trade; its first notice is answered.
    pub(crate) async fn paid(&self, out_trade_no: &str) -> Notice {
        self.fixture
            .simulator
            .pay(&self.order(out_trade_no))
            .unwrap();
        self.settled().await.pop().unwrap()
    }

    pub(crate) async fn settled(&self) -> Vec<Notice> {
        self.fixture.simulator.notices_settled().await
    }

    pub(crate) async fn refund(&self, amount: &str, out_request_no: &str) {
        let refund = json!({"out_trade_no": "A1", "refund_amount": amount, "out_request_no": out_request_no});
        let refunded = self.fixture.trade_call(TRADE_REFUND, refund).await;
        assert_eq!(text(&refunded, "fund_change"), "Y");
    }

    fn genuine(&self, form: &str) -> bool {
        is_signed(form, &self.fixture.app.alipay_public_key, false)
    }
}

fn assert_members(fields: &BTreeMap<String, String>, wanted: &[(&str, &str)]) {
    for (name, value) in wanted {
        assert_eq!(
            fields.get(*name).map(String::as_str),
            Some(*value),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_payment_is_told_once_with_all_that_it_is_about() {
    let bench = Bench::new(AppOptions::default()).await;
    let notice = bench.paid("A1").await;
    assert_eq!(notice.standing, NoticeStanding::Acknowledged);
    assert_eq!(notice.out_trade_no.as_deref(), Some("A1"));
    let deliveries = bench.server.deliveries();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].target, "/notify/1?tenant=2");
    assert_eq!(
        deliveries[0].content_type,
        "application/x-www-form-urlencoded; charset=utf-8"
    );
    assert!(bench.genuine(&deliveries[0].body));
    assert!(!is_signed(
        &deliveries[0].body,
        &bench.fixture.app.alipay_public_key,
        true
    ));
    let told = bench.server.last();
    assert_eq!(told, notice.fields);
    let app_id = bench.fixture.app.app_id.as_str();
    let open_id = bench
        .fixture
        .simulator
        .open_id(app_id, SimulatedUser::DEFAULT_USER_ID);
    assert_members(
        &told,
        &[
            ("notify_type", "trade_status_sync"),
            ("notify_id", &notice.notify_id),
            ("app_id", app_id),
            ("auth_app_id", app_id),
            ("charset", "utf-8"),
            ("version", "1.0"),
            ("sign_type", "RSA2"),
            ("out_trade_no", "A1"),
            ("trade_status", "TRADE_SUCCESS"),
            ("total_amount", "12.50"),
            ("receipt_amount", "12.50"),
            ("buyer_pay_amount", "12.50"),
            ("subject", "一件 <商品> & \"引号\""),
            ("body", ""),
            ("seller_id", "2088000000000999"),
            ("buyer_id", SimulatedUser::DEFAULT_USER_ID),
            ("buyer_open_id", &open_id),
            ("buyer_logon_id", "123****0001"),
            (
                "fund_bill_list",
                r#"[{"amount":"12.50","fundChannel":"ALIPAYACCOUNT"}]"#,
            ),
        ],
    );
    for time in ["gmt_create", "gmt_payment", "notify_time"] {
        assert_eq!(told[time].len(), 19, "{time}");
    }
    for refund in ["refund_fee", "gmt_refund", "out_biz_no", "gmt_close"] {
        assert!(!told.contains_key(refund), "{refund}");
    }
}

#[tokio::test]
async fn a_buyer_is_named_by_the_identifiers_that_the_app_gets() {
    let bench = Bench::new(AppOptions {
        identifiers: Identifiers::OpenIdOnly,
        ..AppOptions::default()
    })
    .await;
    let notice = bench.paid("A1").await;
    assert!(!notice.fields.contains_key("buyer_id"));
    assert!(notice.fields.contains_key("buyer_open_id"));
}

#[tokio::test]
async fn a_refund_is_a_notice_of_its_own_and_a_repeat_of_it_is_none() {
    let bench = Bench::new(AppOptions::default()).await;
    bench.paid("A1").await;
    bench.refund("2.50", "R1").await;
    bench.settled().await;
    assert_members(
        &bench.server.last(),
        &[
            ("trade_status", "TRADE_SUCCESS"),
            ("refund_fee", "2.50"),
            ("out_biz_no", "R1"),
            ("total_amount", "12.50"),
        ],
    );
    assert_eq!(bench.server.last()["gmt_refund"].len(), 23);
    let again = json!({"out_trade_no": "A1", "refund_amount": "2.50", "out_request_no": "R1"});
    bench.fixture.trade_call(TRADE_REFUND, again).await;
    bench.refund("10.00", "R2").await;
    let notices = bench.settled().await;
    assert_eq!((notices.len(), bench.server.deliveries().len()), (3, 3));
    assert_members(
        &bench.server.last(),
        &[
            ("trade_status", "TRADE_CLOSED"),
            ("refund_fee", "12.50"),
            ("out_biz_no", "R2"),
        ],
    );
    assert!(bench.server.last().contains_key("gmt_payment"));
    assert!(bench.server.last().contains_key("gmt_close"));
}

#[tokio::test]
async fn a_closing_and_the_end_of_refunds_are_told_and_what_nobody_pays_is_closed_in_time() {
    let bench = Bench::new(AppOptions::default()).await;
    let simulator = &bench.fixture.simulator;
    bench.paid("A1").await;
    simulator.finish_trade(&bench.fixture.app.app_id, "A1");
    bench.settled().await;
    assert_members(&bench.server.last(), &[("trade_status", "TRADE_FINISHED")]);

    simulator.open_cashier(&bench.order("A2")).unwrap();
    let close = json!({"out_trade_no": "A2"});
    bench.fixture.trade_call("alipay.trade.close", close).await;
    bench.settled().await;
    assert_members(
        &bench.server.last(),
        &[("trade_status", "TRADE_CLOSED"), ("out_trade_no", "A2")],
    );
    assert!(!bench.server.last().contains_key("gmt_payment"));
    assert!(!bench.server.last().contains_key("buyer_id"));

    simulator.open_cashier(&bench.order("A3")).unwrap();
    simulator.advance_clock(Duration::from_secs(15 * 86_400));
    bench.settled().await;
    assert_members(
        &bench.server.last(),
        &[("trade_status", "TRADE_CLOSED"), ("out_trade_no", "A3")],
    );
    assert_eq!(bench.server.deliveries().len(), 4);
}

#[tokio::test]
async fn a_trade_closes_on_the_real_clock_without_being_asked_for() {
    let bench = Bench::new(AppOptions::default()).await;
    bench.fixture.simulator.add_trade(Trade {
        app_id: bench.fixture.app.app_id.clone(),
        out_trade_no: "A1".to_owned(),
        trade_status: "WAIT_BUYER_PAY".to_owned(),
        notify_url: Some(bench.server.url.clone()),
        expires_at: Some(1),
        ..Trade::default()
    });
    // Nothing but the simulator's own task closes it.
    let notice = async {
        loop {
            match bench.fixture.simulator.notices().pop() {
                Some(notice) => return notice.notify_id,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let notify_id = tokio::time::timeout(Duration::from_secs(30), notice)
        .await
        .unwrap();
    let notice = bench
        .fixture
        .simulator
        .notice_acknowledged(&notify_id)
        .await;
    assert_members(&notice.fields, &[("trade_status", "TRADE_CLOSED")]);
}

#[tokio::test]
async fn gbk_apps_get_gbk_notices_and_certificate_apps_the_certificates_signature() {
    let bench = Bench::new(AppOptions {
        certificates: true,
        ..AppOptions::default()
    })
    .await;
    let simulator = &bench.fixture.simulator;
    simulator.add_trade(Trade {
        app_id: bench.fixture.app.app_id.clone(),
        out_trade_no: "A1".to_owned(),
        // 乗 is 81 5C in GBK.
        subject: "乗".to_owned(),
        charset: "GBK".to_owned(),
        notify_url: Some(bench.server.url.clone()),
        ..Trade::default()
    });
    let app_id = bench.fixture.app.app_id.as_str();
    let notify_id = simulator.send_trade_notice(app_id, "A1", &NoticeOptions::default());
    simulator.notice_acknowledged(&notify_id).await;
    let delivery = bench.server.deliveries().pop().unwrap();
    assert!(delivery.body.contains("charset=GBK&"), "{}", delivery.body);
    assert!(
        delivery.body.contains("&subject=%81%5C&"),
        "{}",
        delivery.body
    );
    assert!(bench.genuine(&delivery.body), "by the certificate's key");
    simulator.renew_alipay_certificate();
    let renewed = simulator.trade_notice(app_id, "A1", &NoticeOptions::default());
    assert!(!bench.genuine(&renewed));
}

#[tokio::test]
async fn each_forgery_is_told_from_a_genuine_notice() {
    let bench = Bench::new(AppOptions::default()).await;
    bench.paid("A1").await;
    let app_id = bench.fixture.app.app_id.as_str();
    let form =
        |options: NoticeOptions| bench.fixture.simulator.trade_notice(app_id, "A1", &options);
    let forged = |forgery| {
        form(NoticeOptions {
            forgery: Some(forgery),
            ..NoticeOptions::default()
        })
    };
    let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    assert!(bench.genuine(&form(NoticeOptions::default())));
    for forgery in [
        NoticeForgery::BadSignature,
        NoticeForgery::NoSignature,
        NoticeForgery::Signature(String::new()),
        NoticeForgery::ForeignKey,
        NoticeForgery::Sha1Signature,
        NoticeForgery::ChangedFields(map("total_amount", "9999.00")),
    ] {
        let form = forged(forgery.clone());
        assert!(!bench.genuine(&form), "{forgery:?}");
    }
    let sign_type = forged(NoticeForgery::ChangedFields(map("sign_type", "RSA")));
    assert!(
        bench.genuine(&sign_type),
        "the rule of trades leaves sign_type out"
    );
    assert_eq!(fields(&sign_type)["sign_type"], "RSA");

    let other = form(NoticeOptions {
        fields: map("total_amount", "0.01"),
        without: vec!["seller_id".to_owned()],
        ..NoticeOptions::default()
    });
    assert!(
        bench.genuine(&other),
        "signed, and not what Alipay would say"
    );
    assert_eq!(fields(&other)["total_amount"], "0.01");
    assert!(!fields(&other).contains_key("seller_id"));
    let dropped = form(NoticeOptions {
        empty_values_unsigned: true,
        ..NoticeOptions::default()
    });
    assert!(dropped.contains("body=&") && !bench.genuine(&dropped));
    assert!(bench.genuine(&dropped.replace("body=&", "")));
}

#[tokio::test]
async fn messages_to_the_app_gateway_are_signed_with_their_sign_type() {
    let bench = Bench::new(AppOptions::default()).await;
    let simulator = &bench.fixture.simulator;
    let app = &bench.fixture.app;
    let members = [
        ("notify_type", "open_app_auth_notify"),
        ("biz_content", r#"{"notify_context":{"trigger":"订购"}}"#),
    ];
    let notify_id = simulator.send_app_message(
        &bench.server.url,
        &app.app_id,
        &members,
        &NoticeOptions::default(),
    );
    let notice = simulator.notice_acknowledged(&notify_id).await;
    assert_eq!(notice.out_trade_no, None);
    let body = bench.server.deliveries().pop().unwrap().body;
    assert!(is_signed(&body, &app.alipay_public_key, true));
    assert!(!is_signed(&body, &app.alipay_public_key, false));
    assert_members(
        &fields(&body),
        &[
            members[0],
            members[1],
            ("app_id", &app.app_id),
            ("sign_type", "RSA2"),
        ],
    );

    let gbk = simulator.app_message(
        &app.app_id,
        &members,
        &NoticeOptions {
            charset: Some("GBK".to_owned()),
            signed_text: Some(SignedText::WithoutSignType),
            ..NoticeOptions::default()
        },
    );
    assert!(is_signed(&gbk, &app.alipay_public_key, false));
    assert!(gbk.contains("%B6%A9%B9%BA"), "{gbk}");
}
