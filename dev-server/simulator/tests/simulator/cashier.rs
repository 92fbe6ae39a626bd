//! The cashier: order strings, the page, and what the front end gets.

use std::time::{Duration, SystemTime};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};
use simulator::{AppOptions, CashierDecision, SimulatedUser};

use crate::caller::{Fixture, Parameters, TRADE_QUERY, beijing_at, text, verdict, verifies};

const OTHER_USER: &str = "2088000000000002";

impl Fixture {
    /// The parameters of a right order string, unsigned.
    fn order_parameters(&self, out_trade_no: &str) -> Parameters {
        let mut parameters = self.parameters("alipay.trade.app.pay");
        let biz_content = json!({"out_trade_no": out_trade_no, "total_amount": "12.50",
            "subject": "一件 <商品> & \"引号\"", "product_code": "QUICK_MSECURITY_PAY"});
        parameters.insert("biz_content".to_owned(), biz_content.to_string());
        parameters
    }

    pub(crate) fn order_string(&self, out_trade_no: &str) -> String {
        self.order_string_of(self.order_parameters(out_trade_no))
    }

    pub(crate) fn order_string_with(&self, out_trade_no: &str, name: &str, value: &str) -> String {
        let mut parameters = self.order_parameters(out_trade_no);
        parameters.insert(name.to_owned(), value.to_owned());
        self.order_string_of(parameters)
    }

    fn order_string_of(&self, parameters: Parameters) -> String {
        written(&self.signed(parameters))
    }

    async fn page(&self, order: &str) -> Page {
        Page::of(self.http.get(self.simulator.cashier_url(order))).await
    }

    async fn decide(&self, order: &str, decision: &str) -> Page {
        let request = self.http.post(self.simulator.cashier_url(order));
        let form = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("decision={decision}"));
        Page::of(form).await
    }

    fn status_of(&self, out_trade_no: &str) -> String {
        let trade = self.simulator.trade(&self.app.app_id, out_trade_no);
        trade.unwrap().trade_status
    }
}

fn written(parameters: &Parameters) -> String {
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={}",
                percent_encode(value.as_bytes(), NON_ALPHANUMERIC)
            )
        })
        .collect();
    pairs.join("&")
}

struct Page {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Page {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    /// The text of the element with this id, as a browser shows it.
    fn element(&self, id: &str) -> String {
        let (_, rest) = self.body.split_once(&format!("id=\"{id}\"")).unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let html = rest.split('<').next().unwrap();
        html.replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    fn result(&self) -> Value {
        serde_json::from_str(&self.element("result")).unwrap()
    }

    fn error_code(&self) -> &str {
        let (_, rest) = self.body.split_once("id=\"error\" data-code=\"").unwrap();
        rest.split('"').next().unwrap()
    }
}

#[tokio::test]
async fn the_page_shows_what_is_paid_and_to_whom_and_runs_no_script() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let page = fixture.page(&fixture.order_string("A1")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.element("subject"), "一件 <商品> & \"引号\"");
    assert!(!page.body.contains("<商品>"));
    assert_eq!(page.element("amount"), "12.50");
    assert_eq!(page.element("payee"), "2088000000000999");
    assert_eq!(page.element("user"), "小明");
    for decision in ["pay", "cancel", "leave"] {
        let button = format!("<button name=\"decision\" value=\"{decision}\">");
        assert!(page.body.contains(&button), "{decision}");
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn the_trade_of_an_order_string_is_there_once_the_cashier_was_opened_with_it() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = fixture.order_string("A1");
    let query = json!({"out_trade_no": "A1"});
    let before = fixture.trade_call(TRADE_QUERY, query.clone()).await;
    assert_eq!(verdict(&before), "ACQ.TRADE_NOT_EXIST");
    fixture.page(&order).await;
    let opened = fixture.trade_call(TRADE_QUERY, query.clone()).await;
    assert_eq!(text(&opened, "trade_status"), "WAIT_BUYER_PAY");
    assert_eq!(opened.get("buyer_user_id"), None, "nobody has paid");
    fixture.page(&order).await;
    assert_eq!(fixture.simulator.trades().len(), 1);
    fixture.simulator.pay(&order).unwrap();
    let paid = fixture.trade_call(TRADE_QUERY, query).await;
    assert_eq!(text(&paid, "buyer_user_id"), SimulatedUser::DEFAULT_USER_ID);
}

#[tokio::test]
async fn a_payment_is_answered_with_a_result_that_alipay_signed() {
    for certificates in [false, true] {
        let options = AppOptions {
            certificates,
            ..AppOptions::default()
        };
        let fixture = Fixture::new(options).await;
        let mut parameters = fixture.order_parameters("A1");
        if certificates {
            let app = &fixture.app;
            parameters.insert("app_cert_sn".to_owned(), app.app_cert_sn.clone());
            let root = app.alipay_root_cert_sn.clone();
            parameters.insert("alipay_root_cert_sn".to_owned(), root);
        }
        let order = fixture.order_string_of(parameters);
        let page = fixture.decide(&order, "pay").await;
        assert_eq!(page.status, 200, "{}", page.body);
        let result = page.result();
        assert_eq!(text(&result, "resultStatus"), "9000");
        let signed = text(&result, "result");
        let (_, rest) = signed
            .split_once("{\"alipay_trade_app_pay_response\":")
            .unwrap();
        let (node, _) = rest.split_once(",\"sign\":\"").unwrap();
        let whole: Value = serde_json::from_str(signed).unwrap();
        assert_eq!(text(&whole, "sign_type"), "RSA2");
        let key = &fixture.app.alipay_public_key;
        assert!(verifies(key, node.as_bytes(), text(&whole, "sign")));
        let node: Value = serde_json::from_str(node).unwrap();
        for (name, value) in [
            ("code", "10000"),
            ("app_id", fixture.app.app_id.as_str()),
            ("out_trade_no", "A1"),
            ("total_amount", "12.50"),
            ("seller_id", "2088000000000999"),
        ] {
            assert_eq!(text(&node, name), value);
        }
    }
}

#[tokio::test]
async fn whoever_cancels_or_leaves_has_not_paid() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = fixture.order_string("A1");
    for (decision, id, status) in [("cancel", "cancelled", "6001"), ("leave", "left", "6004")] {
        let page = fixture.decide(&order, decision).await;
        assert!(page.body.contains(&format!("<h1 id=\"{id}\">")));
        assert_eq!(text(&page.result(), "resultStatus"), status);
        assert_eq!(text(&page.result(), "result"), "");
        assert_eq!(fixture.status_of("A1"), "WAIT_BUYER_PAY");
    }
    let nonsense = fixture.decide(&order, "give").await;
    assert_eq!((nonsense.status, nonsense.error_code()), (400, "decision"));
}

#[tokio::test]
async fn paying_twice_pays_once_and_says_so() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = fixture.order_string("A1");
    let first = fixture.decide(&order, "pay").await.result();
    let paid_at = fixture.simulator.trades()[0].paid_at;
    let again = fixture.decide(&order, "pay").await;
    assert_eq!(
        text(&again.result(), "resultStatus"),
        text(&first, "resultStatus")
    );
    assert!(again.body.contains("<h1 id=\"paid\">"));
    assert!(fixture.page(&order).await.body.contains("<h1 id=\"paid\">"));
    assert_eq!(fixture.simulator.trades()[0].paid_at, paid_at);
    assert_eq!(fixture.simulator.trades().len(), 1);
}

#[tokio::test]
async fn a_mini_program_gets_a_result_code_and_its_named_buyer_alone_pays() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let trade_no = fixture.create("T1").await;
    fixture.simulator.change_visitor(OTHER_USER);
    let refused = fixture.decide(&trade_no, "pay").await;
    assert_eq!(
        (refused.status, refused.error_code()),
        (400, "ACQ.TRADE_BUYER_NOT_MATCH")
    );
    fixture
        .simulator
        .change_visitor(SimulatedUser::DEFAULT_USER_ID);
    let cancelled = fixture.decide(&trade_no, "cancel").await;
    assert_eq!(cancelled.result(), json!({"resultCode": "6001"}));
    let paid = fixture.decide(&trade_no, "pay").await;
    assert_eq!(paid.result(), json!({"resultCode": "9000"}));
    assert_eq!(fixture.status_of("T1"), "TRADE_SUCCESS");
}

#[tokio::test]
async fn anybody_may_pay_an_order_string() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = fixture.order_string("A1");
    fixture.simulator.open_cashier(&order).unwrap();
    fixture.simulator.change_visitor(OTHER_USER);
    fixture.simulator.pay(&order).unwrap();
    assert_eq!(fixture.simulator.trades()[0].buyer, OTHER_USER);
}

#[tokio::test]
async fn an_order_string_is_checked_as_a_request_is() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let other = fixture.simulator.add_app(AppOptions::default());
    let day = Duration::from_secs(86_400);
    let minute = Duration::from_secs(60);
    let old = beijing_at(SystemTime::now() - day - minute);
    let ahead = beijing_at(SystemTime::now() + 11 * minute);
    let genuine = fixture.order_string("A1");
    let foreign_product = json!({"out_trade_no": "A1", "total_amount": "1", "subject": "s", "product_code": "JSAPI_PAY"});
    for (order, code) in [
        (String::new(), "isv.missing-app-id"),
        (
            genuine.replace("12%2E50", "12%2E51"),
            "isv.invalid-signature",
        ),
        (
            genuine.replace("&sign=", "&unsigned="),
            "isv.missing-signature",
        ),
        (
            genuine.replace("%22A1%22", "%22A2%22"),
            "isv.invalid-signature",
        ),
        (
            format!("{genuine}&method=alipay.trade.query"),
            "isv.suspected-attack",
        ),
        (
            fixture.order_string_with("A1", "app_id", "2021999999999999"),
            "isv.invalid-app-id",
        ),
        (
            fixture.order_string_with("A1", "app_id", &other.app_id),
            "isv.invalid-signature",
        ),
        (
            fixture.order_string_with("A1", "method", "alipay.trade.query"),
            "isv.invalid-method",
        ),
        (
            fixture.order_string_with("A1", "timestamp", &old),
            "isv.invalid-timestamp",
        ),
        (
            fixture.order_string_with("A1", "timestamp", &ahead),
            "isv.invalid-timestamp",
        ),
        (
            fixture.order_string_with("A1", "sign_type", "RSA"),
            "isv.invalid-signature-type",
        ),
        (
            fixture.order_string_with("A1", "charset", "latin1"),
            "isv.invalid-charset",
        ),
        (
            fixture.order_string_with("A1", "biz_content", "[]"),
            "ACQ.INVALID_PARAMETER",
        ),
        (
            fixture.order_string_with("A1", "biz_content", &foreign_product.to_string()),
            "ACQ.ACCESS_FORBIDDEN",
        ),
        ("trade_no=2026".to_owned(), "ACQ.TRADE_NOT_EXIST"),
        ("2026".to_owned(), "ACQ.TRADE_NOT_EXIST"),
    ] {
        let page = fixture.page(&order).await;
        assert_eq!((page.status, page.error_code()), (400, code), "{order}");
    }
    assert!(fixture.simulator.trades().is_empty());
    let yesterday = beijing_at(SystemTime::now() - day + minute);
    let day_old = fixture.order_string_with("A1", "timestamp", &yesterday);
    fixture.simulator.pay(&day_old).unwrap();
}

#[tokio::test]
async fn the_gateway_does_not_take_what_the_cashier_takes() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let parameters = fixture.signed(fixture.order_parameters("A1"));
    let reply = fixture.post(&parameters).await.unwrap();
    let body = String::from_utf8(reply.bytes).unwrap();
    assert!(body.contains("isv.invalid-method"), "{body}");
}

#[tokio::test]
async fn an_order_string_of_other_data_or_out_of_time_is_refused() {
    let fixture = Fixture::new(AppOptions::default()).await;
    fixture
        .simulator
        .open_cashier(&fixture.order_string("A1"))
        .unwrap();
    let other = json!({"out_trade_no": "A1", "total_amount": "12.51", "subject": "一件"});
    let other = fixture.order_string_with("A1", "biz_content", &other.to_string());
    let flaw = fixture.simulator.pay(&other).unwrap_err();
    assert_eq!(flaw.code, "ACQ.CONTEXT_INCONSISTENT");

    let end = beijing_at(SystemTime::now() + Duration::from_secs(900));
    let short =
        json!({"out_trade_no": "A2", "total_amount": "1.00", "subject": "s", "time_expire": end});
    let short = fixture.order_string_with("A2", "biz_content", &short.to_string());
    let fresh = fixture.simulator.open_cashier(&short).unwrap();
    assert_eq!(fresh.trade_status, "WAIT_BUYER_PAY");
    fixture.simulator.advance_clock(Duration::from_secs(900));
    for order in [&short, &fresh.trade_no] {
        let page = fixture.page(order).await;
        assert_eq!(
            (page.status, page.error_code()),
            (400, "ACQ.TRADE_HAS_CLOSE")
        );
    }
    assert_eq!(fixture.status_of("A2"), "TRADE_CLOSED");
    let late =
        json!({"out_trade_no": "A3", "total_amount": "1.00", "subject": "s", "time_expire": end});
    let late = fixture.order_string_with("A3", "biz_content", &late.to_string());
    let flaw = fixture.simulator.open_cashier(&late).unwrap_err();
    assert_eq!(flaw.code, "ACQ.INVALID_PARAMETER");
}

#[tokio::test]
async fn an_order_string_may_be_encrypted_or_gbk() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let gbk = "%D2%BB%BC%FE";
    let mut parameters = fixture.order_parameters("A1");
    let biz_content = r#"{"out_trade_no":"A1","total_amount":"1.00","subject":"SUBJECT"}"#;
    parameters.insert("charset".to_owned(), "GBK".to_owned());
    parameters.insert("biz_content".to_owned(), biz_content.to_owned());
    let text: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = text.join("&");
    let (before, after) = text.split_once("SUBJECT").unwrap();
    let signed = [
        before.as_bytes(),
        &[0xD2, 0xBB, 0xBC, 0xFE],
        after.as_bytes(),
    ]
    .concat();
    let sign = crate::caller::sign(&fixture.app.private_key, &signed);
    parameters.insert("sign".to_owned(), sign);
    let order = written(&parameters).replace("SUBJECT", gbk);
    let trade = fixture.simulator.open_cashier(&order).unwrap();
    assert_eq!(
        (trade.subject.as_str(), trade.charset.as_str()),
        ("一件", "GBK")
    );

    let wrong = fixture.order_string_with("A2", "encrypt_type", "AES");
    let flaw = fixture.simulator.open_cashier(&wrong).unwrap_err();
    assert_eq!(flaw.code, "isv.decryption-error-unknown");
}

#[tokio::test]
async fn a_buyer_decides_over_the_control_api_too() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let order = fixture.order_string("A1");
    let left = fixture
        .simulator
        .at_cashier(&order, CashierDecision::Leave)
        .unwrap();
    assert_eq!(left.trade_status, "WAIT_BUYER_PAY");
    let pay = json!({"order": order, "user_id": OTHER_USER});
    let (status, paid) = crate::control::post(&fixture, "/_simulator/payments", pay).await;
    assert_eq!(
        (status, text(&paid, "trade_status")),
        (201, "TRADE_SUCCESS")
    );
    let result: Value = serde_json::from_str(text(&paid, "client_result")).unwrap();
    assert_eq!(text(&result, "resultStatus"), "9000");
    let wrong = json!({"order": "trade_no=1"});
    let (status, _) = crate::control::post(&fixture, "/_simulator/payments", wrong).await;
    assert_eq!(status, 400);
}
