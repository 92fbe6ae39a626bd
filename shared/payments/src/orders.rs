//! Orders in the table.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use table_rows::{WallTime, failed, number, text};

use crate::order::{Buyer, Change, Finding, OrderNumber, OrderState, Product, RefundNumber};
use crate::outbox::{GRACE, Unpublished};
use crate::row::{attribute, changing, new_row, order_of};
use crate::table::{OrderTable, PK, PUBLISH_AT, UNPUBLISHED_SHARD, order_pk, shard_of};
use crate::{Amount, Order, PaymentError};

/// How often a change is tried when others change the same row.
const TRIES: u32 = 20;

/// About how long a change waits after it was overtaken for the first time; each time twice as long.
const PAUSE: Duration = Duration::from_millis(5);

/// How long it waits at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Most bytes of an app's id. It is a part of the ids of events.
const LONGEST_APP_ID: usize = 64;

/// Most bytes of the other ids in a request.
const LONGEST_ID: usize = 128;

/// Most characters of a subject: Alipay's limit.
const LONGEST_SUBJECT: usize = 256;

/// The orders in a table. Cheap to clone.
///
/// A change of an order and the events that tell of it are one conditional write of one row, so that neither is ever there without the
/// other. The condition is the version that was read: of any number of calls with the same finding one changes the row, and the others
/// find nothing new. A call whose own write was answered too late for it finds nothing new either; its events are in the outbox, and the
/// schedule publishes them.
#[derive(Debug, Clone)]
pub struct Orders {
    pub(crate) table: OrderTable,
}

/// What a caller wants to be paid. With the number of an order that is there already it means that order.
#[derive(Clone)]
pub struct OrderRequest {
    /// The app.
    pub app_id: String,
    /// The merchant's number.
    pub out_trade_no: OrderNumber,
    /// Whose order it is: 128 bytes at most.
    pub owner: String,
    /// How it will be paid.
    pub product: Product,
    /// Required for a new order.
    pub amount: Option<Amount>,
    /// Required for a new order: 256 characters at most.
    pub subject: Option<String>,
    /// Who gets the money.
    pub seller_id: String,
    /// How long it can be paid, from when it is made.
    pub life: Duration,
    /// Who is expected to pay.
    pub expected_buyer: Buyer,
}

/// What came of recording a finding.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The order as it is now.
    pub order: Order,
    /// The events of this change, which its maker publishes; `None` where nothing was new.
    pub unpublished: Option<Unpublished>,
}

/// What came of announcing a refund.
#[derive(Debug, Clone)]
pub struct RefundBegun {
    /// The order as it is now.
    pub order: Order,
    /// Whether Alipay has said before that it was done.
    pub was_done: bool,
}

impl Orders {
    /// The orders in `table`.
    pub fn new(table: OrderTable) -> Self {
        Self { table }
    }

    /// The order of this number, made where there is none.
    ///
    /// # Errors
    /// [`PaymentError::Incomplete`] for a new order without amount or subject; [`PaymentError::Differs`] where the number has another
    /// amount, subject, product or expected buyer; [`PaymentError::UnknownOrder`] where it is another owner's;
    /// [`PaymentError::NotNow`] where it is paid, closed or over its time; [`PaymentError::TooLarge`] for an owner, subject or id over its
    /// limit; [`PaymentError::Corrupt`]; [`PaymentError::Table`], after which the order may have been made.
    pub async fn place(
        &self,
        request: &OrderRequest,
        now: WallTime,
    ) -> Result<Order, PaymentError> {
        request.check_sizes()?;
        let known = match (request.amount, &request.subject) {
            (Some(amount), Some(subject)) => {
                let order = request.as_order(amount, subject.clone(), now);
                match self.put_new(&order, now).await? {
                    None => return Ok(order),
                    Some(known) => known,
                }
            }
            (amount, _) => {
                let field = if amount.is_none() {
                    "total_amount"
                } else {
                    "subject"
                };
                self.get(&request.app_id, &request.out_trade_no)
                    .await?
                    .ok_or(PaymentError::Incomplete { field })?
            }
        };
        request.check_same(&known)?;
        let state = match known.state {
            OrderState::Closed => "is closed",
            OrderState::Paid | OrderState::Finished => "is paid",
            OrderState::Created if known.time_expire <= now => "has expired",
            OrderState::Created => return Ok(known),
        };
        Err(PaymentError::NotNow { state })
    }

    /// The order that is there already, if one is.
    async fn put_new(&self, order: &Order, now: WallTime) -> Result<Option<Order>, PaymentError> {
        let sent = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(new_row(order, now)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(None);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let row = refused.item().ok_or(PaymentError::Conflict)?;
                order_of(row).map(Some)
            }
            _ => Err(failed(error).into()),
        }
    }

    /// The order of this number.
    ///
    /// # Errors
    /// [`PaymentError::UnknownOrder`] where there is none, or it is another owner's than the one named; [`PaymentError::Corrupt`];
    /// [`PaymentError::Table`].
    pub async fn find(
        &self,
        app_id: &str,
        out_trade_no: &OrderNumber,
        owner: Option<&str>,
    ) -> Result<Order, PaymentError> {
        self.get(app_id, out_trade_no)
            .await?
            .filter(|order| owner.is_none_or(|owner| owner == order.owner))
            .ok_or(PaymentError::UnknownOrder)
    }

    async fn get(
        &self,
        app_id: &str,
        out_trade_no: &OrderNumber,
    ) -> Result<Option<Order>, PaymentError> {
        let row = self.table.row(&order_pk(app_id, out_trade_no)).await?;
        row.as_ref().map(order_of).transpose()
    }

    /// Records what Alipay has answered about `order`, which may have changed meanwhile. `notice_id` is that of the notice that led to the
    /// question.
    ///
    /// # Errors
    /// [`PaymentError::OtherTrade`] where Alipay names another trade than the order has; [`PaymentError::UnknownOrder`] where it is gone;
    /// [`PaymentError::TooLarge`]; [`PaymentError::Conflict`]; [`PaymentError::Corrupt`]; [`PaymentError::Table`], after which it may have been
    /// recorded, so that the same call is to be made again.
    pub async fn record(
        &self,
        order: &Order,
        finding: &Finding,
        notice_id: Option<&str>,
        now: WallTime,
    ) -> Result<Recorded, PaymentError> {
        self.change(order, now, |order| order.after(finding, notice_id, now))
            .await
    }

    /// Announces a refund before Alipay is asked for it, so that a number means one amount for ever.
    ///
    /// # Errors
    /// [`PaymentError::Differs`] where the number was used for another amount; [`PaymentError::NotNow`] where the order is not paid, or not as
    /// much; as [`record`](Self::record) otherwise.
    pub async fn begin_refund(
        &self,
        order: &Order,
        refund: &RefundNumber,
        amount: Amount,
        now: WallTime,
    ) -> Result<RefundBegun, PaymentError> {
        let Recorded { order, .. } = self
            .change(order, now, |order| {
                let asked = order.with_refund_asked(refund, amount)?;
                Ok(asked.map(Change::untold))
            })
            .await?;
        let was_done = order
            .refunds
            .get(refund.as_str())
            .is_some_and(|refund| refund.is_done);
        Ok(RefundBegun { order, was_done })
    }

    /// Forgets a refund that Alipay has refused for good, so that its number can be used for another amount.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub async fn give_up_refund(
        &self,
        order: &Order,
        refund: &RefundNumber,
        now: WallTime,
    ) -> Result<Order, PaymentError> {
        let Recorded { order, .. } = self
            .change(order, now, |order| {
                Ok(order.without_refund(refund).map(Change::untold))
            })
            .await?;
        Ok(order)
    }

    /// Makes the change that `step` finds in the order, anew where others changed it meanwhile; nothing where it finds none.
    async fn change(
        &self,
        order: &Order,
        now: WallTime,
        step: impl Fn(&Order) -> Result<Option<Change>, PaymentError>,
    ) -> Result<Recorded, PaymentError> {
        let mut order = order.clone();
        for tries in 0..TRIES {
            let Some(change) = step(&order)? else {
                return Ok(Recorded {
                    order,
                    unpublished: None,
                });
            };
            match self.write(&order, &change, now).await? {
                Written::Yes => {
                    let unpublished = Unpublished::of_change(&change, now);
                    return Ok(Recorded {
                        order: change.order,
                        unpublished,
                    });
                }
                Written::Overtaken(newer) => order = *newer,
            }
            pause(tries).await;
        }
        Err(PaymentError::Conflict)
    }

    /// One write: the order, and its events into the outbox. A row that waits there already is due when it was, or who keeps it waiting by
    /// one change after the other would keep its first event back.
    async fn write(
        &self,
        seen: &Order,
        change: &Change,
        now: WallTime,
    ) -> Result<Written, PaymentError> {
        let pk = order_pk(&seen.app_id, &seen.out_trade_no);
        let mut update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(&pk))
            .condition_expression("#version = :seen")
            .expression_attribute_names("#version", attribute::VERSION)
            .expression_attribute_values(":seen", number(seen.version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut sets = Vec::new();
        for (index, (name, value)) in changing(&change.order).into_iter().enumerate() {
            sets.push(format!("#a{index} = :a{index}"));
            update = update
                .expression_attribute_names(format!("#a{index}"), name)
                .expression_attribute_values(format!(":a{index}"), value);
        }
        for (index, event) in change.events.iter().enumerate() {
            sets.push(format!("#pending.#e{index} = :e{index}"));
            update = update
                .expression_attribute_names("#pending", attribute::PENDING)
                .expression_attribute_names(format!("#e{index}"), &event.id)
                .expression_attribute_values(format!(":e{index}"), text(&event.detail));
        }
        if !change.events.is_empty() {
            sets.push(
                "#shard = :shard, #publish_at = if_not_exists(#publish_at, :publish_at), #since = if_not_exists(#since, :now)"
                    .to_owned(),
            );
            update = update
                .expression_attribute_names("#since", attribute::UNPUBLISHED_SINCE)
                .expression_attribute_values(":now", number(now.as_millis()))
                .expression_attribute_names("#shard", UNPUBLISHED_SHARD)
                .expression_attribute_names("#publish_at", PUBLISH_AT)
                .expression_attribute_values(":shard", text(shard_of(&pk)))
                .expression_attribute_values(":publish_at", number(now.plus(GRACE).as_millis()));
        }
        let sent = update
            .update_expression(format!("SET {}", sets.join(", ")))
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Written::Yes);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let row = refused.item().ok_or(PaymentError::UnknownOrder)?;
                Ok(Written::Overtaken(Box::new(order_of(row)?)))
            }
            _ => Err(failed(error).into()),
        }
    }
}

enum Written {
    Yes,
    /// The row is no longer as it was read, but this. Its change may be the very one, whose reply was lost and which the client sent again.
    Overtaken(Box<Order>),
}

/// Waits a little, so that those who change the same row do not go in step.
async fn pause(tries: u32) {
    let longest = PAUSE.saturating_mul(1 << tries.min(10)).min(LONGEST_PAUSE);
    tokio::time::sleep(longest.mul_f64(rand::random_range(0.2..1.0))).await;
}

impl OrderRequest {
    fn as_order(&self, amount: Amount, subject: String, now: WallTime) -> Order {
        Order {
            app_id: self.app_id.clone(),
            out_trade_no: self.out_trade_no.clone(),
            amount,
            owner: self.owner.clone(),
            product: self.product,
            subject,
            seller_id: self.seller_id.clone(),
            time_expire: now.plus(self.life),
            expected_buyer: self.expected_buyer.clone(),
            state: OrderState::Created,
            trade_no: None,
            payer: Buyer::default(),
            refunds: Default::default(),
            notices: Default::default(),
            version: 1,
        }
    }

    fn check_sizes(&self) -> Result<(), PaymentError> {
        self.expected_buyer.check()?;
        let lengths = [
            ("appid", self.app_id.len(), LONGEST_APP_ID),
            ("owner", self.owner.len(), LONGEST_ID),
            ("seller_id", self.seller_id.len(), LONGEST_ID),
            (
                "subject",
                self.subject.as_ref().map_or(0, |text| text.chars().count()),
                LONGEST_SUBJECT,
            ),
        ];
        match lengths
            .into_iter()
            .find(|(_, length, limit)| length > limit)
        {
            Some((field, _, limit)) => Err(PaymentError::TooLarge { field, limit }),
            None => Ok(()),
        }
    }

    /// The seller is not compared: it is a setting of the app, and an order keeps that of its time.
    fn check_same(&self, known: &Order) -> Result<(), PaymentError> {
        if known.owner != self.owner {
            return Err(PaymentError::UnknownOrder);
        }
        let differing = [
            (
                self.amount.is_some_and(|amount| amount != known.amount),
                "total_amount",
            ),
            (
                self.subject
                    .as_ref()
                    .is_some_and(|subject| *subject != known.subject),
                "subject",
            ),
            (
                !self.expected_buyer.is_nobody() && self.expected_buyer != known.expected_buyer,
                "buyer",
            ),
            (self.product != known.product, "out_trade_no"),
        ];
        match differing.into_iter().find(|(differs, _)| *differs) {
            Some((_, field)) => Err(PaymentError::Differs { field }),
            None => Ok(()),
        }
    }
}
