//! Orders as rows.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use table_rows::{Item, WallTime, number, optional_text, required_number, required_text, text};

use crate::order::{Buyer, OrderNumber, OrderState, Product, Refund};
use crate::table::{PK, order_pk};
use crate::{Amount, Event, EventKind, Order, PaymentError};

/// The attributes of an order's row beside its key and the index's. Times are milliseconds since 1970, amounts are in fen.
pub(crate) mod attribute {
    pub const APP_ID: &str = "app_id";
    pub const OUT_TRADE_NO: &str = "out_trade_no";
    pub const AMOUNT: &str = "amount";
    pub const OWNER: &str = "owner";
    pub const PRODUCT: &str = "product";
    pub const SUBJECT: &str = "subject";
    pub const SELLER_ID: &str = "seller_id";
    pub const TIME_EXPIRE: &str = "time_expire";
    pub const EXPECTED_USER_ID: &str = "expected_user_id";
    pub const EXPECTED_OPEN_ID: &str = "expected_open_id";
    pub const CREATED_AT: &str = "created_at";
    pub const STATE: &str = "state";
    pub const TRADE_NO: &str = "trade_no";
    pub const PAYER_USER_ID: &str = "payer_user_id";
    pub const PAYER_OPEN_ID: &str = "payer_open_id";
    /// By number: `amount`, `done`.
    pub const REFUNDS: &str = "refunds";
    pub const NOTICES: &str = "notices";
    pub const VERSION: &str = "version";
    /// Events that are not published yet: their details by their ids.
    pub const PENDING: &str = "pending";
    /// Since when there have been such, while there are.
    pub const UNPUBLISHED_SINCE: &str = "unpublished_since";
}

const DONE: &str = "done";

/// A new order's row. It has no events yet.
pub(crate) fn new_row(order: &Order, now: WallTime) -> Item {
    let mut row = HashMap::from([
        (
            PK.to_owned(),
            text(order_pk(&order.app_id, &order.out_trade_no)),
        ),
        (attribute::APP_ID.to_owned(), text(&order.app_id)),
        (
            attribute::OUT_TRADE_NO.to_owned(),
            text(order.out_trade_no.as_str()),
        ),
        (attribute::AMOUNT.to_owned(), number(order.amount.fen())),
        (attribute::OWNER.to_owned(), text(&order.owner)),
        (attribute::PRODUCT.to_owned(), text(order.product.as_str())),
        (attribute::SUBJECT.to_owned(), text(&order.subject)),
        (attribute::SELLER_ID.to_owned(), text(&order.seller_id)),
        (
            attribute::TIME_EXPIRE.to_owned(),
            number(order.time_expire.as_millis()),
        ),
        (attribute::CREATED_AT.to_owned(), number(now.as_millis())),
        (
            attribute::PENDING.to_owned(),
            AttributeValue::M(HashMap::new()),
        ),
    ]);
    let expected = [
        (attribute::EXPECTED_USER_ID, &order.expected_buyer.user_id),
        (attribute::EXPECTED_OPEN_ID, &order.expected_buyer.open_id),
    ];
    for (name, value) in expected {
        if let Some(value) = value {
            row.insert(name.to_owned(), text(value));
        }
    }
    for (name, value) in changing(order) {
        row.insert(name.to_owned(), value);
    }
    row
}

/// The attributes that a change may change, `pending` and the index's aside.
pub(crate) fn changing(order: &Order) -> Vec<(&'static str, AttributeValue)> {
    let refunds = order.refunds.iter().map(|(number_of, refund)| {
        let refund = HashMap::from([
            (attribute::AMOUNT.to_owned(), number(refund.amount.fen())),
            (DONE.to_owned(), AttributeValue::Bool(refund.is_done)),
        ]);
        (number_of.clone(), AttributeValue::M(refund))
    });
    let mut attributes = vec![
        (attribute::STATE, text(order.state.as_str())),
        (attribute::VERSION, number(order.version)),
        (attribute::REFUNDS, AttributeValue::M(refunds.collect())),
    ];
    let optional = [
        (attribute::TRADE_NO, &order.trade_no),
        (attribute::PAYER_USER_ID, &order.payer.user_id),
        (attribute::PAYER_OPEN_ID, &order.payer.open_id),
    ];
    attributes.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, text(value.as_ref()?)))),
    );
    if !order.notices.is_empty() {
        let ids = order.notices.iter().cloned().collect();
        attributes.push((attribute::NOTICES, AttributeValue::Ss(ids)));
    }
    attributes
}

pub(crate) fn order_of(row: &Item) -> Result<Order, PaymentError> {
    let corrupt = |field| PaymentError::Corrupt { field };
    // A change would not find where to put its events.
    pending_details(row)?;
    let amount = required_number(row, attribute::AMOUNT)?;
    let out_trade_no = required_text(row, attribute::OUT_TRADE_NO)?.to_owned();
    Ok(Order {
        app_id: required_text(row, attribute::APP_ID)?.to_owned(),
        out_trade_no: OrderNumber::try_from(out_trade_no)
            .map_err(|_| corrupt(attribute::OUT_TRADE_NO))?,
        amount: Amount::from_fen(amount).ok_or(corrupt(attribute::AMOUNT))?,
        owner: required_text(row, attribute::OWNER)?.to_owned(),
        product: Product::parse(required_text(row, attribute::PRODUCT)?)
            .ok_or(corrupt(attribute::PRODUCT))?,
        subject: required_text(row, attribute::SUBJECT)?.to_owned(),
        seller_id: required_text(row, attribute::SELLER_ID)?.to_owned(),
        time_expire: WallTime::from_millis(required_number(row, attribute::TIME_EXPIRE)?),
        expected_buyer: Buyer {
            user_id: optional_text(row, attribute::EXPECTED_USER_ID)?.map(str::to_owned),
            open_id: optional_text(row, attribute::EXPECTED_OPEN_ID)?.map(str::to_owned),
        },
        state: OrderState::parse(required_text(row, attribute::STATE)?)
            .ok_or(corrupt(attribute::STATE))?,
        trade_no: optional_text(row, attribute::TRADE_NO)?.map(str::to_owned),
        payer: Buyer {
            user_id: optional_text(row, attribute::PAYER_USER_ID)?.map(str::to_owned),
            open_id: optional_text(row, attribute::PAYER_OPEN_ID)?.map(str::to_owned),
        },
        refunds: refunds_of(row)?,
        notices: match row.get(attribute::NOTICES) {
            None => Default::default(),
            Some(AttributeValue::Ss(ids)) => ids.iter().cloned().collect(),
            Some(_) => return Err(corrupt(attribute::NOTICES)),
        },
        version: required_number(row, attribute::VERSION)?,
    })
}

fn refunds_of(row: &Item) -> Result<BTreeMap<String, Refund>, PaymentError> {
    let corrupt = || PaymentError::Corrupt {
        field: attribute::REFUNDS,
    };
    let Some(AttributeValue::M(refunds)) = row.get(attribute::REFUNDS) else {
        return Err(corrupt());
    };
    refunds
        .iter()
        .map(|(number_of, refund)| {
            let AttributeValue::M(refund) = refund else {
                return Err(corrupt());
            };
            let amount = required_number(refund, attribute::AMOUNT)?;
            let amount = Amount::from_fen(amount).ok_or_else(corrupt)?;
            match refund.get(DONE) {
                Some(AttributeValue::Bool(is_done)) => Ok((
                    number_of.clone(),
                    Refund {
                        amount,
                        is_done: *is_done,
                    },
                )),
                _ => Err(corrupt()),
            }
        })
        .collect()
}

/// The events of a row, of an order or a message, that are not published yet.
pub(crate) fn pending_of(row: &Item) -> Result<Vec<Event>, PaymentError> {
    let corrupt = || PaymentError::Corrupt {
        field: attribute::PENDING,
    };
    let mut events = pending_details(row)?
        .iter()
        .map(|(id, detail)| match (EventKind::of_id(id), detail) {
            (Some(kind), AttributeValue::S(detail)) => Ok(Event {
                id: id.clone(),
                kind,
                detail: detail.clone(),
            }),
            _ => Err(corrupt()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    events.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(events)
}

/// Whether a row has such events, whatever state they are in.
pub(crate) fn has_pending(row: &Item) -> bool {
    pending_details(row).is_ok_and(|pending| !pending.is_empty())
}

fn pending_details(row: &Item) -> Result<&HashMap<String, AttributeValue>, PaymentError> {
    match row.get(attribute::PENDING) {
        Some(AttributeValue::M(pending)) => Ok(pending),
        _ => Err(PaymentError::Corrupt {
            field: attribute::PENDING,
        }),
    }
}
