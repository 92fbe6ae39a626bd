//! `/cashier.htm`: where a buyer pays. In place of Alipay's app, which an order string or a trade's number is handed to.
//!
//! The trade of an order string is not there before the cashier was opened with it. What the front end gets of the
//! buyer's decision stands on the page that follows it.

mod page;

use std::fmt;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::charset::Charset;
use crate::checks::{Door, Place, judge};
use crate::clock::beijing_text;
use crate::keys;
use crate::parameters::Parameters;
use crate::refusal::Refusal;
use crate::reply::node_bytes;
use crate::signer::Signer;
use crate::trades::{TRADE_CLOSED, Trade, has_closed, not_exist};
use crate::users::SimulatedUser;
use crate::world::{Shared, World};

pub(crate) const PATH: &str = "/cashier.htm";

/// What a buyer does at the cashier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CashierDecision {
    /// Pays: the front end gets 9000.
    #[default]
    Pay,
    /// Goes back: 6001. The trade waits on.
    Cancel,
    /// Closes the cashier in some other way: 6004, nobody knows what became of it. The trade waits on.
    Leave,
}

/// What became of a buyer's decision.
#[derive(Clone, Debug, Serialize)]
pub struct CashierOutcome {
    /// Alipay's number of the trade.
    pub trade_no: String,
    /// The merchant's.
    pub out_trade_no: String,
    /// The state that the trade is in now.
    pub trade_status: String,
    /// What the front end gets, as JSON text: of an order string `{"resultStatus","result","memo"}`, where a payment's
    /// `result` is signed by Alipay; of a trade of `alipay.trade.create` `{"resultCode"}`.
    pub client_result: String,
}

/// Why the cashier does not take an order string or a trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CashierFlaw {
    /// A sub_code of the gateway, such as `isv.invalid-signature` or `ACQ.TRADE_HAS_CLOSE`.
    pub code: String,
    /// The rule, in Chinese.
    pub message: String,
}

impl fmt::Display for CashierFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for CashierFlaw {}

impl From<Refusal> for CashierFlaw {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.sub_code,
            message: refusal.sub_msg,
        }
    }
}

pub(crate) fn router() -> Router<Shared> {
    Router::new().route(PATH, get(arrive).post(decide))
}

/// The address of the cashier for an order string, or for Alipay's number of a trade.
pub(crate) fn address(base_url: &str, order: &str) -> String {
    let query = if is_trade_no(order) {
        format!("trade_no={order}")
    } else {
        order.to_owned()
    };
    format!("{base_url}{PATH}?{query}")
}

/// The buyer arrives.
async fn arrive(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let mut world = shared.world();
    match world.open_cashier(&order_of(query), &shared.base_url) {
        Err(flaw) => page::rejected(&flaw),
        Ok(trade) if trade.is_paid() => page::paid(&trade),
        Ok(trade) => {
            let user = world.users.get(&world.visitor).cloned();
            let user = user.unwrap_or_else(|| SimulatedUser::with_id(world.visitor.as_str()));
            let payee = world.apps.get(&trade.app_id);
            let payee = payee.map_or("", |app| app.options.pid.as_str());
            page::question(&trade, payee, &user)
        }
    }
}

/// The buyer decided. The form came to the address of the page, so everything is checked once more.
async fn decide(State(shared): State<Shared>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let form = Parameters::parse(b"", &body);
    let texts = form.decode_lossy(Charset::Utf8);
    let decision = match texts.get(page::DECISION).map(String::as_str) {
        Some(page::PAY) => Some(CashierDecision::Pay),
        Some(page::CANCEL) => Some(CashierDecision::Cancel),
        Some(page::LEAVE) => Some(CashierDecision::Leave),
        _ => None,
    };
    let Some(decision) = decision.filter(|_| form.contradiction.is_none()) else {
        return page::rejected(&CashierFlaw {
            code: page::DECISION.to_owned(),
            message: "只能是 pay、cancel 或 leave".to_owned(),
        });
    };
    let mut world = shared.world();
    let visitor = world.visitor.clone();
    match world.at_cashier(&order_of(query), decision, &visitor, &shared.base_url) {
        Ok(outcome) => page::decided(decision, &outcome),
        Err(flaw) => page::rejected(&flaw),
    }
}

/// The trade's number that the query has alone, or the order string that it is.
fn order_of(query: Option<String>) -> String {
    let query = query.unwrap_or_default();
    let number = query.strip_prefix("trade_no=");
    let number = number.filter(|number| is_trade_no(number));
    number.map(str::to_owned).unwrap_or(query)
}

fn is_trade_no(order: &str) -> bool {
    !order.is_empty() && order.bytes().all(|byte| byte.is_ascii_digit())
}

impl World {
    /// The trade of an order string, which is made by this, or the one of Alipay's number. One that is closed is refused.
    pub(crate) fn open_cashier(
        &mut self,
        order: &str,
        base_url: &str,
    ) -> Result<Trade, CashierFlaw> {
        let trade_no = if is_trade_no(order) {
            order.to_owned()
        } else {
            let parameters = Parameters::parse(order.as_bytes(), b"");
            let mut place = Place {
                under_error_response: false,
                signed: false,
                encryption: None,
            };
            let node = judge(self, &parameters, base_url, &mut place, Door::Cashier)?;
            let trade_no = node.get("trade_no").and_then(Value::as_str);
            trade_no.unwrap_or_default().to_owned()
        };
        let trade = self.trade_with_no(&trade_no).ok_or_else(not_exist)?;
        if trade.trade_status == TRADE_CLOSED {
            return Err(has_closed().into());
        }
        Ok(trade.clone())
    }

    /// The user decides at the cashier.
    pub(crate) fn at_cashier(
        &mut self,
        order: &str,
        decision: CashierDecision,
        user_id: &str,
        base_url: &str,
    ) -> Result<CashierOutcome, CashierFlaw> {
        let mut trade = self.open_cashier(order, base_url)?;
        if decision == CashierDecision::Pay {
            trade = self.pay_trade(&trade.trade_no, user_id)?;
        }
        Ok(CashierOutcome {
            client_result: self.client_result(&trade, decision),
            trade_no: trade.trade_no,
            out_trade_no: trade.out_trade_no,
            trade_status: trade.trade_status,
        })
    }

    /// What the front end gets.
    fn client_result(&mut self, trade: &Trade, decision: CashierDecision) -> String {
        let (status, memo) = match decision {
            CashierDecision::Pay => ("9000", ""),
            CashierDecision::Cancel => ("6001", "操作已经取消。"),
            CashierDecision::Leave => ("6004", "支付结果未知。"),
        };
        if !trade.is_app_payment() {
            return json!({ "resultCode": status }).to_string();
        }
        let result = match decision {
            CashierDecision::Pay => self.signed_result(trade),
            _ => String::new(),
        };
        json!({ "resultStatus": status, "result": result, "memo": memo }).to_string()
    }

    /// The node, and Alipay's signature of it as it is written.
    fn signed_result(&mut self, trade: &Trade) -> String {
        let seller_id = self.apps.get(&trade.app_id);
        let seller_id = seller_id.map_or("", |app| app.options.pid.as_str());
        let node: Map<String, Value> = [
            ("code", "10000"),
            ("msg", "Success"),
            ("app_id", &trade.app_id),
            ("auth_app_id", &trade.app_id),
            ("charset", &trade.charset),
            ("timestamp", &beijing_text(self.clock.now())),
            ("out_trade_no", &trade.out_trade_no),
            ("total_amount", &trade.total_amount),
            ("trade_no", &trade.trade_no),
            ("seller_id", seller_id),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
        let charset = Charset::parse(&trade.charset).unwrap_or(Charset::Utf8);
        let signed = node_bytes(&node, charset);
        let signer = Signer::of(self, Some(&trade.app_id));
        let sign = keys::sign(signer.key, trade.sign_type, &signed);
        json!({
            "alipay_trade_app_pay_response": node,
            "sign": sign,
            "sign_type": trade.sign_type,
        })
        .to_string()
    }
}
