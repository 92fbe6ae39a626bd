//! The stand-in for Alipay's gateway: one reply for each method, a success, signed before the run starts.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use alipay_signing::{SignType, SigningKey};
use serde_json::{Value, json};

use crate::BenchError;
use crate::http::{Connection, Request, prepared};
use crate::stub::{Replies, contains};

/// What [`Job::GetMiniCode`](crate::Job::GetMiniCode) must answer with.
pub const QR_CODE_URL: &str = "https://mobilecodec.alipay.com/show.htm?code=s4x0123456789abcdef";
/// Whom [`Job::Code2Session`](crate::Job::Code2Session) must answer with: as long as Alipay's.
pub const OPEN_ID: &str = "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKL";

/// A user whose profile can be read, and a merchant: the events name them.
pub const USER_WITH_PROFILE: &str = "2088000000000003";
/// The same.
pub const MERCHANT: &str = "2021000000000101";

/// The order that is paid, and its trade.
pub(crate) const ORDER_NUMBER: &str = "bench_order";
pub(crate) const ORDER_AMOUNT: &str = "12.50";
pub(crate) const TRADE_NUMBER: &str = "2026112222001000000000000001";
/// In UTC+8.
pub(crate) const PAID_AT: &str = "2026-11-22 18:00:00";

const OAUTH_TOKEN: &str = "alipay.system.oauth.token";
const REFRESH: &[u8] = b"grant_type=refresh_token";

/// The replies, each a whole response.
pub struct GatewayReplies {
    by_method: BTreeMap<&'static [u8], Vec<u8>>,
    refreshed: Vec<u8>,
    no_such_method: Vec<u8>,
    head: Vec<u8>,
}

impl GatewayReplies {
    /// Signed with `key`, Alipay's in this run.
    ///
    /// # Errors
    /// [`BenchError::Keys`] when the key makes no signature.
    pub fn signed_with(key: &SigningKey) -> Result<Self, BenchError> {
        // Of many users: a reply to a refresh need not say whose tokens it has.
        let refreshed = json!({
            "access_token": "authusrB0123456789abcdef0123456789abcV20",
            "refresh_token": "authusrB0123456789abcdef0123456789abcW20",
            "expires_in": 1_296_000,
            "re_expires_in": 2_592_000,
        });
        let refusal = json!({
            "code": "40004",
            "msg": "Business Failed",
            "sub_code": "isv.invalid-method",
            "sub_msg": "the bench has no reply to this method",
        });
        let by_method = successes()
            .into_iter()
            .map(|(method, node)| Ok((method.as_bytes(), signed(key, &node_name(method), &node)?)))
            .collect::<Result<_, BenchError>>()?;
        Ok(Self {
            by_method,
            refreshed: signed(key, &node_name(OAUTH_TOKEN), &refreshed)?,
            no_such_method: signed(key, "error_response", &refusal)?,
            head: prepared("200 OK", &[("Connection", "keep-alive")], b""),
        })
    }

    /// To a request with this query, or without one.
    fn to(&self, query: &[u8], body: &[u8]) -> &[u8] {
        // The query has the method; only where there is none is the form looked at.
        let method = method_in(query).or_else(|| method_in(body));
        match method {
            Some(method) if method == OAUTH_TOKEN.as_bytes() && contains(body, REFRESH) => {
                &self.refreshed
            }
            Some(method) => self.by_method.get(method).unwrap_or(&self.no_such_method),
            None => &self.no_such_method,
        }
    }
}

/// What each method succeeds with, as the events ask for it.
fn successes() -> Vec<(&'static str, Value)> {
    let ok = |members: Value| {
        let mut node = json!({"code": "10000", "msg": "Success"});
        if let (Value::Object(node), Value::Object(mut members)) = (&mut node, members) {
            node.append(&mut members);
        }
        node
    };
    vec![
        (
            OAUTH_TOKEN,
            json!({
                "open_id": OPEN_ID,
                "access_token": "authusrB0123456789abcdef0123456789abcX20",
                "refresh_token": "authusrB0123456789abcdef0123456789abcY20",
                "expires_in": 1_296_000,
                "re_expires_in": 2_592_000,
                "auth_start": "2026-11-22 10:00:00",
            }),
        ),
        (
            "alipay.open.app.qrcode.create",
            ok(json!({
                "qr_code_url": QR_CODE_URL,
                "qr_code_url_circle_white": format!("{QR_CODE_URL}&circle=white"),
                "qr_code_url_circle_blue": format!("{QR_CODE_URL}&circle=blue"),
            })),
        ),
        (
            "alipay.open.app.qrcode.temporary.create",
            ok(json!({
                "qr_code": "alipays://platformapi/startapp?appId=2021000000000001&page=pages%2Findex%2Findex&query=a%3D1%26b%3D2",
                "qr_code_url": "http://mobilecodec.alipay.com/square.png",
            })),
        ),
        (
            "alipay.security.risk.content.detect",
            ok(
                json!({"action": "PASSED", "keywords": [], "unique_id": "0b0123456789abcdef0123456789abcd"}),
            ),
        ),
        (
            "alipay.security.risk.content.sync.detect",
            ok(json!({
                "request_id": "0123456789abcdef0123456789abcdef",
                "suggestion": "pass",
                "is_sync": "true",
                "result_code": "SUCCESS",
            })),
        ),
        ("alipay.open.app.mini.templatemessage.send", ok(json!({}))),
        (
            "alipay.open.app.mini.templatemessage.batchsend",
            ok(json!({"batch_msg_id": "20261122000000000000000000000001"})),
        ),
        (
            "alipay.open.app.messagetemplate.subscribe.query",
            ok(json!({
                "show_component": true,
                "subscribe_relations": [{
                    "template_id": "da4ce1b528614c7fae371bcad1914ebe",
                    "subscribe_state": "0",
                    "subscribe_type": "longterm",
                    "keep_state": "0",
                    "show": true,
                }],
            })),
        ),
        (
            "alipay.user.info.share",
            ok(json!({
                "user_id": USER_WITH_PROFILE,
                "nick_name": "小明",
                "gender": "M",
                "province": "浙江省",
                "city": "杭州市",
            })),
        ),
        (
            "alipay.open.auth.token.app",
            ok(json!({"tokens": [{
                "auth_app_id": MERCHANT,
                "user_id": "2088631532653118",
                "app_auth_token": "202611BB0123456789abcdef0123456789abcX20",
                "app_refresh_token": "202611BB0123456789abcdef0123456789abcY20",
                "expires_in": 31_536_000,
                "re_expires_in": 32_140_800,
            }]})),
        ),
        (
            "alipay.open.auth.token.app.query",
            ok(json!({
                "status": "valid",
                "auth_app_id": MERCHANT,
                "user_id": "2088631532653118",
                "auth_methods": ["alipay.open.app.qrcode.create", "alipay.open.mini.version.upload"],
                "auth_start": "2026-11-22 10:00:00",
                "auth_end": "2027-11-22 10:00:00",
                "is_by_app_auth": true,
            })),
        ),
        (
            "alipay.trade.query",
            ok(json!({
                "out_trade_no": ORDER_NUMBER,
                "trade_no": TRADE_NUMBER,
                "trade_status": "TRADE_SUCCESS",
                "total_amount": ORDER_AMOUNT,
                "buyer_open_id": OPEN_ID,
                "buyer_logon_id": "bux***@example.com",
                "buyer_pay_amount": ORDER_AMOUNT,
                "fund_bill_list": [{"amount": ORDER_AMOUNT, "fund_channel": "ALIPAYACCOUNT"}],
                "invoice_amount": ORDER_AMOUNT,
                "point_amount": "0.00",
                "receipt_amount": ORDER_AMOUNT,
                "send_pay_date": PAID_AT,
            })),
        ),
        (
            "alipay.open.app.openid.uidtoopenid.batchquery",
            ok(json!({
                "open_id_list": [{"user_id": "2088000000000001", "open_id": OPEN_ID}],
            })),
        ),
    ]
}

/// What the reply to `method` names its node.
fn node_name(method: &str) -> String {
    format!("{}_response", method.replace('.', "_"))
}

/// The value of the parameter `method`, none of whose characters is encoded.
fn method_in(parameters: &[u8]) -> Option<&[u8]> {
    parameters
        .split(|byte| matches!(byte, b'?' | b'&'))
        .find_map(|parameter| parameter.strip_prefix(b"method="))
}

fn signed(key: &SigningKey, name: &str, node: &Value) -> Result<Vec<u8>, BenchError> {
    let node = node.to_string();
    let sign = key
        .sign(SignType::Rsa2, node.as_bytes())
        .map_err(|error| BenchError::Keys(error.to_string()))?;
    let body = format!(r#"{{"{name}":{node},"sign":"{sign}"}}"#);
    let headers = [
        ("Content-Type", "application/json;charset=utf-8"),
        ("Connection", "keep-alive"),
        ("trace_id", "0123456789abcdef0123456789abcdef"),
    ];
    Ok(prepared("200 OK", &headers, body.as_bytes()))
}

impl Replies for GatewayReplies {
    fn reply<S: Read + Write>(&self, connection: &Connection<S>, request: &Request) -> &[u8] {
        if request.is_head {
            return &self.head;
        }
        self.to(
            connection.bytes(&request.target),
            connection.bytes(&request.body),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fixtures;

    #[test]
    fn the_method_decides_about_the_reply_wherever_it_stands() {
        let fixtures = Fixtures::make().unwrap();
        let replies = GatewayReplies::signed_with(fixtures.alipay_key()).unwrap();
        let reply = |query: &str, body: &str| {
            let reply = replies.to(query.as_bytes(), body.as_bytes());
            String::from_utf8_lossy(reply).into_owned()
        };
        let query = "/gateway.do?app_id=1&method=alipay.open.auth.token.app.query&sign=s";
        assert!(reply(query, "").contains("\"alipay_open_auth_token_app_query_response\":{"));
        let form = "app_id=1&method=alipay.open.app.qrcode.create";
        assert!(reply("/gateway.do", form).contains(QR_CODE_URL));
        let exchange = "/gateway.do?method=alipay.system.oauth.token";
        assert!(reply(exchange, "grant_type=authorization_code&code=1").contains(OPEN_ID));
        assert!(!reply(exchange, "grant_type=refresh_token").contains(OPEN_ID));
        assert!(reply("/gateway.do?method=alipay.none", "").contains("isv.invalid-method"));
    }
}
